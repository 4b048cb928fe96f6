#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rpm, dnf and zypper of Debian in a throw-away root, and kernels of Debian as rpm packages in the layouts of Fedora
# and SUSE. On top of layer base; made once. What cases use is in rpm_inside.sh.
# shellcheck disable=SC2016,SC2034,SC2317 # read and called through their names

# dnf-plugins-core (versionlock) and zypper do not go together on Debian.
BED_RPM_PKGS=(rpm dnf zypper createrepo-c)
BED_RPM_DNF_PKGS=(rpm dnf createrepo-c dnf-plugins-core)

BED_PARENT+=(
    [rpmtools]=base        # the clients, an rpm database with a package that stands for Debian
    [rpmkernels]=rpmtools  # repositories below /srv/rpm: fedora-old fedora-new suse-old suse-new modules
    [kgfedora]=rpmkernels  # the older kernel of the Fedora layout, kmodgate's rpm packages, acpi_call
    [kgsuse]=rpmkernels    # the same in SUSE layout
)

# ---- outside ----

# The pocket `rpm`, beside the others: what the clients need.
bed_prepare_rpmtools() {
    local d=$BED/repo/rpm deb tmp
    [ ! -e "$d/Release" ] || return 0
    tmp=$(readlink -f "$BED/repo")/rpm.tmp
    rm -rf "$tmp"
    mkdir -p "$tmp" "$BED/rpm-debs/partial"
    : >"$BED/apt/preferences"
    for deb in BED_RPM_PKGS BED_RPM_DNF_PKGS; do
        local -n list=$deb
        bed_apt apt-get -qq -o "Dir::Cache::archives=$BED/rpm-debs" --download-only install "${list[@]}" >/dev/null ||
            bed_die "cannot fetch ${list[*]}"
    done
    for deb in "$BED"/rpm-debs/*.deb; do
        ln "$deb" "$tmp/"
        dpkg-deb -f "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" "$(sha256sum <"$deb" | cut -d' ' -f1)"
    done >"$tmp/Packages"
    bed_release_file "$tmp" bed bed bed >"$tmp/Release"
    mv -T "$tmp" "$d"
}

# kmodgate's own rpm packages.
bed_kg_rpm() {
    local rpms=()
    # shellcheck disable=SC2206 # may be a pattern
    [ -z "${KG_RPM:-}" ] || rpms=($KG_RPM)
    [ -e "${rpms[0]:-}" ] || bed_die "no kmodgate rpm packages: set KG_RPM (make rpm)"
    printf '%s\n' "${rpms[@]}"
}

# ---- layers ----

layer_rpmtools() {
    bed_pockets base old rpm
    apt-get install -y "${BED_RPM_PKGS[@]}"
    bed_rpm_configure
}

bed_rpm_configure() {
    # Debian's older rpm has its database in the user's home, and refuses to install without being forced.
    mkdir -p /etc/rpm /etc/zypp /srv/rpm/modules
    printf '%%_dbpath /var/lib/rpm\n%%_binary_payload w1.zstdio\n%%_build_id_links none\n' >/etc/rpm/macros
    printf '#!/bin/sh\nexec /usr/bin/rpm --force-debian "$@"\n' >/usr/local/bin/rpm
    chmod 755 /usr/local/bin/rpm
    /usr/local/bin/rpm --version >/dev/null 2>&1 || rm /usr/local/bin/rpm
    rm -rf /var/lib/rpm
    /usr/bin/rpm --initdb
    rm -f /etc/zypp/systemCheck
    printf '[main]\nmultiversion = provides:multiversion(kernel)\n' >/etc/zypp/zypp.conf
    printf '[main]\ngpgcheck=0\ninstallonly_limit=3\nclean_requirements_on_remove=False\nmetadata_expire=0\n' >/etc/dnf/dnf.conf
}

# Stands for the system that dnf and zypper do not see.
bed_rpm_dummy() {
    local provides='/bin/sh /usr/bin/sh glibc coreutils kmod gcc make patch rpm zypper dnf config(dummy) systemd'
    local f
    for f in /usr/lib/x86_64-linux-gnu/*.so.*; do provides+=" $(basename "$f")()(64bit)"; done
    bed_rpm_build bed-system 1 1 noarch "$(printf 'Provides: %s\n' $provides | sort -u)" '' ''
    rpm -i --nodeps /srv/rpm/modules/bed-system-*.rpm
}

# bed_rpm_build NAME VERSION RELEASE ARCH TAGS SCRIPTS FOLDER [REPO]: an rpm of all that is in FOLDER.
bed_rpm_build() {
    local name=$1 version=$2 release=$3 arch=$4 tags=$5 scripts=$6 folder=$7 repo=${8:-modules} top
    top=$(mktemp -d /var/tmp/rpmbuild.XXXXXX)
    mkdir -p "$top/root" "/srv/rpm/$repo"
    {
        printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: %s\nLicense: GPL\nAutoReqProv: no\n%s\n' \
            "$name" "$version" "$release" "$name" "$tags"
        printf '%%description\nbed\n%%global __os_install_post %%{nil}\n%%define debug_package %%{nil}\n'
        printf '%s\n%%files%s\n%%defattr(-,root,root)\n' "$scripts" "${folder:+ -f $top/files}"
    } >"$top/p.spec"
    : >"$top/files"
    if [ -n "$folder" ]; then
        # Folders of others are not its own.
        (cd "$folder" && find . -mindepth 1 \( -type d -printf '%%%%dir "/%P"\n' -o -printf '"/%P"\n' \)) |
            grep -vE '^%+dir "/(boot|etc|lib|usr|usr/lib|usr/src|usr/src/kernels|lib/modules|var)"$' >"$top/files" || true
        rmdir "$top/root"
        ln -s "$folder" "$top/root"
    fi
    rpmbuild -bb --quiet --nodeps --target "$arch" --buildroot "$(readlink -f "$top/root")" --define "_topdir $top" \
        --define '%__spec_install_pre true' --define '%__spec_clean_body %{nil}' --define '%_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' \
        --define '_binaries_in_noarch_packages_terminate_build 0' --define '_unpackaged_files_terminate_build 0' --define '__check_files %{nil}' "$top/p.spec" >"$top/log" 2>&1 || { cat "$top/log"; return 1; }
    mv "$top"/RPMS/*.rpm "/srv/rpm/$repo/"
    rm -rf "$top"
}

# Every scriptlet leaves a line: after a stop there may be none.
bed_rpm_scripts() { # NAME [POST] [POSTTRANS] [PREUN]
    local s
    for s in pretrans pre post preun postun posttrans; do
        printf '%%%s\necho "%s %s" >>/var/log/scriptlets\n' $s "$1" $s
        case $s in
        post) printf '%s\n' "${2:-:}" ;;
        posttrans) printf '%s\n' "${3:-:}" ;;
        preun) printf '%s\n' "${4:-:}" ;;
        esac
    done
}

# A Debian kernel, unpacked: $1/image, $1/common, $1/arch, $1/kbuild. POCKET old or new.
bed_rpm_unpack() { # DIR POCKET RELEASE
    local d=$1 p=/srv/bed/$2 rel=$3
    dpkg-deb -x "$(compgen -G "$p/linux-image-${rel}_*.deb")" "$d/image"
    dpkg-deb -x "$(compgen -G "$p/linux-headers-${rel}_*.deb")" "$d/arch"
    dpkg-deb -x "$(compgen -G "$p/linux-headers-${rel%-cloud-amd64}-common_*.deb")" "$d/common"
    dpkg-deb -x "$(compgen -G "$p/linux-kbuild-*.deb")" "$d/kbuild"
}

# The kernel's own folder below /lib/modules, as both layouts have it.
bed_rpm_modules() { # UNPACKED RELEASE TO
    mkdir -p "$3/lib/modules/$2"
    cp -a "$1/image/lib/modules/$2/." "$3/lib/modules/$2/"
    rm -f "$3/lib/modules/$2"/{build,source}
    cp "$1/image/boot/config-$2" "$3/lib/modules/$2/config"
    cp "$1/image/boot/System.map-$2" "$3/lib/modules/$2/System.map"
    cp "$1/image/boot/vmlinuz-$2" "$3/lib/modules/$2/vmlinuz"
}

# Fedora: kernel-core (image, links), kernel-modules, kernel-devel (one tree in usr/src/kernels/R).
bed_rpm_fedora() { # POCKET RELEASE VERSION RPM-RELEASE
    local rel=$2 u t tree core modules devel
    u=$(mktemp -d /var/tmp/unpack.XXXXXX)
    bed_rpm_unpack "$u" "$1" "$rel"
    core=$u/core modules=$u/modules devel=$u/devel
    bed_rpm_modules "$u" "$rel" "$core"
    mkdir -p "$modules/lib/modules/$rel" "$devel/usr/src/kernels"
    mv "$core/lib/modules/$rel/kernel" "$modules/lib/modules/$rel/kernel"
    ln -s "/usr/src/kernels/$rel" "$core/lib/modules/$rel/build"
    ln -s build "$core/lib/modules/$rel/source"
    tree=$devel/usr/src/kernels/$rel
    cp -a "$u/common/usr/src/linux-headers-${rel%-cloud-amd64}-common" "$tree"
    rm -f "$tree/scripts" "$tree/tools"
    cp -a "$u"/kbuild/usr/lib/linux-kbuild-*/{scripts,tools} "$tree/"
    for t in .config Module.symvers include arch; do
        cp -a "$u/arch/usr/src/linux-headers-$rel/$t" "$tree/"
    done
    bed_rpm_build kernel-core "$3" "$4" x86_64 $'Provides: installonlypkg(kernel)\nProvides: multiversion(kernel)\nRequires: /bin/sh' \
        "$(bed_rpm_scripts kernel-core : "/usr/lib/bed/kernel-install add $rel /lib/modules/$rel/vmlinuz || exit \$?" \
            "/usr/lib/bed/kernel-install remove $rel")" "$core" "fedora-$1"
    bed_rpm_build kernel-modules "$3" "$4" x86_64 "Provides: installonlypkg(kernel)
Provides: multiversion(kernel)
Requires: kernel-core = $3-$4" "$(bed_rpm_scripts kernel-modules "/sbin/depmod -a $rel")" "$modules" "fedora-$1"
    bed_rpm_build kernel-devel "$3" "$4" x86_64 $'Provides: installonlypkg(kernel)\nProvides: multiversion(kernel)\nRequires: gcc make' \
        "$(bed_rpm_scripts kernel-devel)" "$devel" "fedora-$1"
    rm -rf "$u"
    createrepo_c -q "/srv/rpm/fedora-$1"
}

# SUSE: kernel-default, kernel-devel (the common source), kernel-default-devel (linux-V-obj/ARCH/FLAVOUR).
bed_rpm_suse() { # POCKET RELEASE VERSION RPM-RELEASE
    local rel=$2 u base flavour obj src deb
    u=$(mktemp -d /var/tmp/unpack.XXXXXX)
    base=${rel%-*} flavour=${rel##*-}
    bed_rpm_unpack "$u" "$1" "$rel"
    bed_rpm_modules "$u" "$rel" "$u/kernel"
    deb=/usr/src/linux-headers-$rel
    src=usr/src/linux-$base obj=usr/src/linux-$base-obj/x86_64/$flavour
    mkdir -p "$u/common2/usr/src" "$u/devel/${obj%/*}" "$u/devel/lib/modules/$rel"
    cp -a "$u/common/usr/src/linux-headers-${rel%-cloud-amd64}-common" "$u/common2/$src"
    rm -f "$u/common2/$src"/{scripts,tools}
    cp -a "$u"/kbuild/usr/lib/linux-kbuild-*/{scripts,tools} "$u/common2/$src/"
    cp -a "$u/arch$deb" "$u/devel/$obj"
    sed -i "s|/usr/src/linux-headers-${rel%-cloud-amd64}-common|/$src|g; s|$deb|/$obj|g" "$u/devel/$obj/Makefile"
    rm -f "$u/devel/$obj"/{scripts,tools}
    ln -s "/$src/scripts" "$u/devel/$obj/scripts"
    ln -s "/$src/tools" "$u/devel/$obj/tools"
    ln -s "/$obj" "$u/devel/lib/modules/$rel/build"
    ln -s "/$src" "$u/devel/lib/modules/$rel/source"
    bed_rpm_build kernel-default "$3" "$4" x86_64 $'Provides: multiversion(kernel)\nProvides: installonlypkg(kernel)\nRequires: /bin/sh' \
        "$(bed_rpm_scripts kernel-default "/sbin/depmod -a $rel" "/usr/lib/bed/kernel-install add $rel /lib/modules/$rel/vmlinuz" \
            "/usr/lib/bed/kernel-install remove $rel")" "$u/kernel" "suse-$1"
    bed_rpm_build kernel-devel "$3" "$4" noarch $'Provides: multiversion(kernel)\nProvides: installonlypkg(kernel)' \
        "$(bed_rpm_scripts kernel-devel)" "$u/common2" "suse-$1"
    bed_rpm_build kernel-default-devel "$3" "$4" x86_64 "Provides: multiversion(kernel)
Provides: installonlypkg(kernel)
Requires: kernel-devel = $3-$4" "$(bed_rpm_scripts kernel-default-devel)" "$u/devel" "suse-$1"
    rm -rf "$u"
    createrepo_c -q "/srv/rpm/suse-$1"
}

# As kernel-install(8): the hooks by name, then the initramfs is "made", which lists the modules it would take.
bed_rpm_kernel_install() {
    mkdir -p /usr/lib/bed /usr/lib/kernel/install.d
    cat >/usr/lib/bed/kernel-install <<'SH'
#!/bin/sh
for hook in /usr/lib/kernel/install.d/*.install; do
    [ ! -x "$hook" ] || "$hook" "$1" "$2" "/boot/$2" "$3" || exit
done
if [ "$1" = add ]; then
    (cd "/lib/modules/$2" && find . -name '*.ko*' -path './[eu]*'; grep -c . modules.dep) >"/boot/initramfs-$2"
else
    rm -f "/boot/initramfs-$2"
fi
SH
    chmod 755 /usr/lib/bed/kernel-install
}

layer_rpmkernels() {
    bed_rpm_dummy
    local p rel ver
    for p in old new; do
        if [ $p = old ]; then rel=$BED_OLD_REL ver=$BED_OLD_VER; else rel=$BED_NEW_REL ver=$BED_NEW_VER; fi
        rel=${rel%-amd64}-cloud-amd64
        bed_rpm_fedora $p "$rel" "${ver%%-*}" "${ver#*-}.bed"
        bed_rpm_suse $p "$rel" "${ver%%-*}" "${ver#*-}.bed"
    done
    mkdir -p /srv/rpm/src
    dpkg-deb -x "$(compgen -G '/srv/bed/base/acpi-call-dkms_*.deb')" /srv/rpm/src/acpi
    bed_rpm_kernel_install
}

# kmodgate, and acpi_call for the kernel that runs (uname=FED_OLD is what cases say).
bed_rpm_install_kmodgate() { # RPM...
    local src
    rpm -i --nodeps "$@"
    src=$(compgen -G '/srv/rpm/src/acpi/usr/src/acpi-call-*')
    cp -a "$src" /usr/src/
    dkms add "acpi-call/${src##*acpi-call-}"
}

layer_kgfedora() {
    bed_rpm_fedora_with /run/bed/kg/*.rpm
}

bed_rpm_fedora_with() { # RPM...
    printf 'ID=fedora\n' >/etc/os-release
    rpm -i --noscripts /srv/rpm/fedora-old/*.rpm
    depmod "${BED_OLD_REL%-amd64}-cloud-amd64"
    bed_rpm_install_kmodgate "$@"
    dkms autoinstall -k "${BED_OLD_REL%-amd64}-cloud-amd64"
}

layer_kgsuse() {
    printf 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n' >/etc/os-release
    rpm -i --noscripts /srv/rpm/suse-old/*.rpm
    depmod "${BED_OLD_REL%-amd64}-cloud-amd64"
    bed_rpm_install_kmodgate /run/bed/kg/*.rpm
    dkms autoinstall -k "${BED_OLD_REL%-amd64}-cloud-amd64"
}
