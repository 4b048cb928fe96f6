#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the cases of rpm, dnf and zypper use, besides inside.sh and modules.sh.
# shellcheck disable=SC2034 # used by the cases

RPM_OLD=${BED_OLD_REL%-amd64}-cloud-amd64
RPM_NEW=${BED_NEW_REL%-amd64}-cloud-amd64
RPM_OLD_VR=$BED_OLD_VER.bed
RPM_NEW_VR=$BED_NEW_VER.bed
RPM_ACPI=$(compgen -G '/usr/src/acpi-call-*' | sed 's|.*/acpi-call-||' || true)

# rpm_file LAYOUT-POCKET NAME: the package's file.
rpm_file() { compgen -G "/srv/rpm/$1/$2-[0-9]*.rpm" | sed -n 1p; }
# rpm_unpack RPM DIR: its files in DIR, which is made.
rpm_unpack() {
    mkdir "$2"
    rpm2cpio "$1" | (cd "$2" && cpio -id --quiet)
}
# The three packages of the newer kernel.
rpm_new_kernel() { # LAYOUT
    case $1 in
    fedora) rpm_file fedora-new kernel-core; rpm_file fedora-new kernel-modules; rpm_file fedora-new kernel-devel ;;
    suse) rpm_file suse-new kernel-default; rpm_file suse-new kernel-devel; rpm_file suse-new kernel-default-devel ;;
    esac
}

# rpm_repos NAME...: dnf's and zypper's repositories from now on.
rpm_repos() {
    local r
    mkdir -p /etc/yum.repos.d /etc/zypp/repos.d
    rm -f /etc/yum.repos.d/* /etc/zypp/repos.d/*
    for r in "$@"; do
        # (an index of the layer below cannot be renamed away)
        [ -d "/srv/rpm/$r/repodata" ] || createrepo_c -q "/srv/rpm/$r"
        printf '[%s]\nname=%s\nbaseurl=file:///srv/rpm/%s\nenabled=1\ngpgcheck=0\nautorefresh=1\n' "$r" "$r" "$r" >"/etc/zypp/repos.d/$r.repo"
        printf '[%s]\nname=%s\nbaseurl=file:///srv/rpm/%s\nenabled=1\ngpgcheck=0\n' "$r" "$r" "$r" >"/etc/yum.repos.d/$r.repo"
    done
}
# The same by HTTP, so that packages go through the clients' caches.
rpm_serve() { # NAME...
    local r
    rpm_repos "$@"
    # (SIOCSIFFLAGS: up, loopback, running)
    python3 -c "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 0x49))"
    (cd /srv/rpm && exec python3 -m http.server 8077 --bind 127.0.0.1 >/tmp/http.log 2>&1) &
    sed -i 's|file:///srv/rpm|http://127.0.0.1:8077|' /etc/yum.repos.d/*.repo /etc/zypp/repos.d/*.repo
    bed_until 'python3 -c "import socket; socket.create_connection((\"127.0.0.1\", 8077))" 2>/dev/null' || fail 'no server'
}
DNF=(dnf -y --releasever=1)
DNF5=(dnf5 -y --releasever=1 --disable-plugin=local) # (which wants createrepo_c)
ZYPPER=(zypper --non-interactive --no-gpg-checks)

# What a stopped transaction may not have changed.
rpm_before() {
    mkdir -p "$1"
    rpm -qa --qf '%{NEVRA} %{INSTALLTIME}\n' | sort >"$1/rpm"
    cat /var/log/scriptlets >"$1/scriptlets" 2>/dev/null || : >"$1/scriptlets"
    bed_snapshot "$1" /boot /usr/lib/modules /usr/src /var/lib/dkms /etc/kmodgate
}
expect_rpm_unchanged() {
    local f
    rpm_before /tmp/after
    for f in rpm scriptlets tree sums; do
        diff -U0 "/tmp/before/$f" "/tmp/after/$f" >"$OUT" || fail "$f: changed"
    done
}

# Every module of the release that the gate built is below DIR, in the index, registered, and was there when the
# initramfs was made.
expect_rpm_served() { # RELEASE DIR MODULE [NAME/VERSION]
    local p
    p=$(modinfo -k "$1" -F filename "$3" 2>&1) || fail "modinfo -k $1 $3: $p"
    [[ $p == */$2/* ]] || fail "$p is not below $2"
    expect_eq "$(modinfo -k "$1" -F vermagic "$3" | cut -d' ' -f1)" "$1" vermagic
    expect_dkms "$1" "${4:-acpi-call/$RPM_ACPI}"
    expect_grep "$2/.*$3\.ko" "/boot/initramfs-$1"
}
# The gate spoke before the first scriptlet and before anything was unpacked.
expect_rpm_settled() {
    run kmodgate status
    if [ "${1:-}" = held ]; then expect_grep ': held: '; else expect_grep '^nothing open, nothing held$'; fi
    expect_eq "$(find /var/lib/kmodgate/txn /usr/lib/modules/.kmodgate -mindepth 1 2>/dev/null)" '' 'left of a transaction'
}
expect_rpm_stopped() { # RELEASE MODULE/VERSION
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$1")" "^ *module +$(re "$2")$" '^ *phase +MAKE' \
        '^Nothing was changed' '^To go on:'
}

# The registered acpi_call no longer compiles for the newer kernel.
rpm_break_acpi() {
    local file
    file=$(compgen -G '/usr/src/acpi-call-*/acpi_call.c')
    cp -a "$file" /tmp/acpi_call.good
    bed_break "$file" "$(cut -d- -f1 <<<"$BED_OLD_VER")"
}
rpm_mend_acpi() { cp -a /tmp/acpi_call.good "/usr/src/acpi-call-$RPM_ACPI/acpi_call.c"; }

# rpm_module NAME VERSION [broken] [VERSION-OF-PACKAGE]: a noarch package with a module source, registered by its %post.
rpm_module() {
    local d
    d=$(mktemp -d /var/tmp/module.XXXXXX)
    bed_tree "$d/usr/src/$1-$2" "$1" "$2"
    if [ "${3:-}" = broken ]; then bed_break "$d/usr/src/$1-$2/$1.c"; fi
    bed_rpm_build "dkms-$1" "${4:-$2}" 1 noarch 'Requires: /bin/sh' "%post
echo 'dkms-$1 post' >>/var/log/scriptlets
dkms add -m $1 -v $2 --rpm_safe_upgrade || :
dkms install -m $1 -v $2 || :
%preun
dkms remove -m $1 -v $2 --all --rpm_safe_upgrade || :" "$d" >&2
    rm -rf "$d"
    rpm_file modules "dkms-$1"
}

# rpm_many N FILES: packages /srv/rpm/many/*.rpm that have nothing to do with kernels, FILES files each.
rpm_many() {
    local i top=/var/tmp/many
    mkdir -p $top /srv/rpm/many
    {
        printf 'Name: many\nVersion: 1\nRelease: 1\nSummary: many\nLicense: GPL\nBuildArch: noarch\nAutoReqProv: no\n%%description\nmany\n'
        printf '%%install\nfor i in $(seq %s); do mkdir -p %%{buildroot}/usr/share/many$i; (cd %%{buildroot}/usr/share/many$i && touch $(seq %s)); done\n' "$1" "$2"
        for ((i = 1; i <= $1; i++)); do
            printf '%%package -n many%d\nSummary: many\nAutoReqProv: no\n%%description -n many%d\nmany\n%%files -n many%d\n/usr/share/many%d\n' $i $i $i $i
        done
    } >$top/many.spec
    rpmbuild -bb --quiet --nodeps --define "_topdir $top" --define "_rpmdir /srv/rpm/many" --define '_rpmfilename %%{NAME}.rpm' --define '%__spec_install_post true' $top/many.spec
    rm -rf $top
}

# rpm_stand_for RPM...: a package that provides what these require besides each other, for clients that ask for it.
rpm_stand_for() {
    local others
    others="^($(rpm -qp --qf '%{NAME}|' "$@")config|rpmlib)([( ]|\$)"
    bed_rpm_build bed-more 1 1 noarch "$(rpm -qp --requires "$@" | sort -u | grep -vE "$others" | sed 's/^/Provides: /')" '' ''
    rpm -i --nodeps "$(rpm_file modules bed-more)"
}

# The modules below /lib/modules/RELEASE/DIR are the ones that a build after the installation gives, to the byte.
expect_rpm_same_build() { # RELEASE DIR [NAME/VERSION]
    local at=/lib/modules/$1/$2 module=${3:-acpi-call/$RPM_ACPI}
    rm -rf /tmp/gate
    cp -a "$at" /tmp/gate
    dkms remove "$module" -k "$1"
    rm -rf /var/cache/kmodgate/store
    dkms install "$module" -k "$1"
    expect_same_tree /tmp/gate "$at"
}
