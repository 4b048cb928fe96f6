#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The package itself: the gate is there exactly while kmodgate is, apt and dpkg work at every moment, and Debian's
# dkms and kmodgate take a machine over from each other.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

HOOK_FILES=(/etc/apt/apt.conf.d/99kmodgate /etc/dpkg/dpkg.cfg.d/kmodgate)

expect_usable() { # WHEN
    run apt-get install -y --reinstall hello
    [ "$RC" = 0 ] || fail "apt-get, $1"
    expect_no_grep kmodgate
    run dpkg -i /srv/bed/base/hello_*.deb
    [ "$RC" = 0 ] || fail "dpkg, $1"
    expect_no_grep kmodgate
}
expect_gate() { # WHEN
    expect_path "${HOOK_FILES[@]}"
    expect_eq "$(apt-config dump | grep -c '^DPkg::Pre-Install-Pkgs::.*kmodgate')" 1 "apt's hook, $1"
    expect_eq "$(find /etc/apt /etc/dpkg -name '*kmodgate*' | wc -l)" 2 "and nothing else, $1"
    expect_usable "$1"
}
expect_no_gate() { # WHEN
    expect_eq "$(find /etc/apt /etc/dpkg -name '*kmodgate*')" '' "hooks, $1"
    expect_usable "$1"
}
next_kmodgate() { # VERSION [CMD...]: the package under test, as a later version, changed by CMD; prints its path
    local dir=/tmp/next
    rm -rf $dir
    dpkg-deb -R "$(echo /run/bed/kg/kmodgate_*.deb)" $dir
    sed -i "s/^Version: .*/&$1/" $dir/DEBIAN/control
    shift
    (cd $dir && "$@")
    bed_deb $dir
}
failing() { printf '#!/bin/sh\nexit 1\n' >"DEBIAN/$1"; } # SCRIPT

# bed: layer=base limit=240
case_the_gate_is_there_exactly_while_the_package_is() {
    local deb old kept
    deb=$(echo /run/bed/kg/kmodgate_*.deb)
    apt-get install -y hello >/dev/null
    expect_no_gate 'before'

    note "unpacked is not yet there"
    run dpkg --unpack "$deb"
    expect_rc 0
    expect_no_path "${HOOK_FILES[@]}"
    run dpkg -i /srv/bed/base/hello_*.deb
    expect_rc 0
    run dpkg --configure kmodgate
    expect_rc 0
    expect_installed kmodgate
    expect_gate 'installed'

    note "what somebody deleted or changed comes back with a reinstall"
    old=$(cat "${HOOK_FILES[@]}")
    rm "${HOOK_FILES[0]}"
    echo '# changed' >"${HOOK_FILES[1]}"
    run apt-get install -y --reinstall "$deb"
    expect_rc 0
    expect_gate 'reinstalled'
    expect_eq "$(cat "${HOOK_FILES[@]}")" "$old" 'content'

    note "removed, installed again, purged"
    kept=$(find /etc/kmodgate -type f | wc -l)
    run apt-get remove -y kmodgate
    expect_rc 0
    expect_no_gate 'removed'
    expect_eq "$(find /etc/kmodgate -type f | wc -l)" "$kept" 'its configuration stays'
    run apt-get install -y "$deb"
    expect_rc 0
    expect_gate 'installed again'
    run apt-get purge -y kmodgate
    expect_rc 0
    expect_no_gate 'purged'
    expect_no_path /etc/kmodgate /etc/kernel/postinst.d/00-kmodgate /var/lib/kmodgate
    run dpkg -i "$deb"
    expect_rc 0
    expect_gate 'by dpkg'
    run dpkg -P kmodgate
    expect_rc 0
    expect_no_gate 'purged by dpkg'
    expect_clean_dpkg
}

# bed: layer=base
case_framework_conf_is_there_and_stays_what_the_administrator_made_of_it() {
    local conf=/etc/dkms/framework.conf
    bed_install_kmodgate >/dev/null
    expect_eq "$(grep -cv -e '^#' -e '^$' $conf)" 0 'says nothing by itself'
    run dkms status
    expect_eq "$(cat "$OUT")" ''
    apt-get remove -y kmodgate
    expect_no_path $conf
    bed_install_kmodgate >/dev/null
    expect_path $conf
    echo 'autoinstall_all_kernels=yes' >>$conf
    apt-get install -y --reinstall /run/bed/kg/kmodgate_*.deb
    apt-get remove -y kmodgate
    expect_eq "$(tail -n 1 $conf)" autoinstall_all_kernels=yes 'removed, not purged'
    bed_install_kmodgate >/dev/null
    expect_eq "$(tail -n 1 $conf)" autoinstall_all_kernels=yes 'installed again'
    apt-get purge -y kmodgate
    expect_no_path /etc/dkms

    note "DKMS comes instead: it asks nothing, and brings its own"
    bed_install_kmodgate >/dev/null
    run apt-get install -y dkms
    expect_rc 0
    expect_eq "$(dpkg-query -S $conf)" "dkms: $conf"
    apt-get purge -y kmodgate
    expect_path $conf
    run dpkg --verify dkms
    expect_eq "$(cat "$OUT")" ''
}

case_what_dkms_ships_is_there() {
    bed_install_kmodgate >/dev/null
    expect_path /usr/lib/dkms/{common.postinst,dkms_autoinstaller,dkms-autopkgtest} /usr/share/man/man8/dkms.8.gz \
        /usr/share/bash-completion/completions/{dkms,kmodgate} /usr/share/zsh/vendor-completions/_dkms \
        /usr/share/apport/package-hooks/dkms_packages.py /etc/dkms/framework.conf /etc/dkms/framework.conf.d \
        /usr/lib/kernel/install.d/40-dkms.install
    note "kernel-install without a kernel, and out of Debian's own kernel hook: nothing, no failure"
    run env DEB_MAINT_PARAMS="'configure' ''" /usr/lib/kernel/install.d/40-dkms.install add 9.9.9-none
    expect_rc 0
    expect_eq "$(cat "$OUT")" ''
    run /usr/lib/kernel/install.d/40-dkms.install remove 9.9.9-none
    expect_rc 0
}

case_the_gate_survives_upgrades_that_fail_and_removals_that_do_not_happen() {
    local good rival=/tmp/rival
    bed_install_kmodgate hello
    good=$(next_kmodgate +1 true)
    run apt-get install -y "$good"
    expect_rc 0
    expect_gate 'upgraded'

    note "the next one's preinst fails: the old one is configured again"
    run dpkg -i "$(next_kmodgate +2 failing preinst)"
    expect_rc 1
    expect_installed kmodgate
    expect_gate 'its next preinst failed'

    note "its postinst fails: half configured, and the gate as it was"
    run dpkg -i "$(next_kmodgate +3 failing postinst)"
    expect_rc 1
    expect_path "${HOOK_FILES[@]}"
    run dpkg --unpack "$good"
    expect_rc 0
    expect_path "${HOOK_FILES[@]}"
    run dpkg --configure kmodgate
    expect_rc 0
    expect_gate 'configured at last'

    note "a package that conflicts comes, and does not unpack: kmodgate is back"
    mkdir -p $rival/DEBIAN
    printf 'Package: rival\nVersion: 1\nArchitecture: all\nMaintainer: x <x@localhost>\nDescription: x\nConflicts: kmodgate\n' >$rival/DEBIAN/control
    (cd $rival && failing preinst)
    run dpkg -B -i --auto-deconfigure "$(bed_deb $rival)"
    expect_rc 1
    expect_installed kmodgate
    expect_gate 'its rival did not come'

    note "a downgrade"
    run apt-get install -y --allow-downgrades /run/bed/kg/kmodgate_*.deb
    expect_rc 0
    expect_gate 'downgraded'
    expect_clean_dpkg
}

# script NAME ARGUMENT...: kmodgate's maintainer script as dpkg calls it, and once more.
script() {
    local i
    for i in 1 2; do
        run env DPKG_MAINTSCRIPT_PACKAGE=kmodgate DPKG_MAINTSCRIPT_NAME="$1" DPKG_MAINTSCRIPT_ARCH="$BED_ARCH" \
            "/var/lib/dpkg/info/kmodgate.$1" "${@:2}"
        [ "$RC" = 0 ] || fail "$*, time $i"
    done
}
case_maintainer_scripts_do_with_every_form_of_call_what_they_did_the_first_time() {
    local files=("${HOOK_FILES[@]}" /etc/dkms/framework.conf) call
    bed_install_kmodgate hello
    sha256sum "${files[@]}" >/tmp/sums

    note "forms that leave it where it is"
    for call in 'postinst configure' 'postinst configure 0.0.1' 'postinst triggered x' 'postinst abort-upgrade 9' \
        'prerm upgrade 9' 'prerm failed-upgrade 0.0.1 9' \
        'postrm upgrade 9' 'postrm failed-upgrade 0.0.1 9' 'postrm abort-install 0.0.1 9' 'postrm abort-upgrade 0.0.1 9' 'postrm disappear other 1'; do
        # shellcheck disable=SC2086 # words
        script $call
        sha256sum --quiet -c /tmp/sums || fail "$call"
    done

    note "forms that take it away, and those that dpkg takes them back with"
    for call in remove 'remove in-favour rival 1' 'deconfigure in-favour rival 1' 'deconfigure in-favour rival 1 removing other 1'; do
        # shellcheck disable=SC2086
        script prerm $call
        expect_no_path "${HOOK_FILES[@]}"
        # shellcheck disable=SC2086
        script postinst abort-$call
        sha256sum --quiet -c /tmp/sums || fail "abort-$call"
    done
    script postrm remove
    expect_no_path "${HOOK_FILES[@]}"
    script postrm purge
    expect_no_path "${files[@]}" /var/lib/kmodgate /var/cache/kmodgate /var/log/kmodgate
    apt-get install -y --reinstall /run/bed/kg/kmodgate_*.deb
    expect_gate 'installed once more'
}

case_apt_speaks_protocol_3_to_the_guarded_hook_and_does_without_its_program() {
    local program=/usr/lib/kmodgate/apt-event
    bed_install_kmodgate hello
    printf '#!/bin/sh\ncat >/tmp/said\n' >$program
    run apt-get install -y --reinstall hello
    expect_rc 0
    expect_eq "$(head -n 1 /tmp/said)" 'VERSION 3'
    expect_grep '^hello [^ ]+ [^ ]+ [^ ]+ [=<] [^ ]+ [^ ]+ [^ ]+ (/.*[.]deb|[*][*]CONFIGURE[*][*])$' /tmp/said
    rm $program
    expect_usable 'without the program'
}

# bed: layer=kcloud uname=old-cloud limit=240
case_debians_dkms_and_kmodgate_hand_the_modules_to_each_other() {
    local rel=${BED_OLD_REL%-amd64}-cloud-amd64 line
    line="acpi-call/1.2.2, $rel, x86_64: installed"
    things() { find "/usr/lib/modules/$rel/updates" /var/lib/dkms /usr/src/acpi-call-1.2.2 -type f -printf '%p %s %C@\n' | sort; }
    apt-get install -y dkms acpi-call-dkms hello >/dev/null
    echo '# parallel_jobs=1, says the administrator' >>/etc/dkms/framework.conf
    expect_eq "$(dkms status)" "$line" 'with dkms'
    things >/tmp/before

    run apt-get install -y /run/bed/kg/kmodgate_*.deb
    expect_rc 0
    expect_not_installed dkms
    expect_installed acpi-call-dkms
    expect_eq "$(dkms --version)" dkms-3.4.3
    expect_eq "$(dkms status)" "$line" 'with kmodgate'
    things >/tmp/after
    expect_eq "$(diff /tmp/before /tmp/after)" '' 'kmodgate touched something'
    expect_no_path /var/log/kmodgate/* # no build has left a log
    expect_grep 'says the administrator' /etc/dkms/framework.conf
    expect_gate 'taken over'

    run apt-get install -y dkms
    expect_rc 0
    expect_not_installed kmodgate
    expect_installed acpi-call-dkms
    expect_grep 'says the administrator' /etc/dkms/framework.conf
    expect_eq "$(dkms status)" "$line" 'with dkms again'
    things >/tmp/after
    expect_eq "$(diff /tmp/before /tmp/after)" '' 'dkms touched something'
    expect_no_gate 'handed back'

    note "and once more, with what kmodgate left purged by nobody"
    run apt-get install -y /run/bed/kg/kmodgate_*.deb
    expect_rc 0
    expect_eq "$(dkms status)" "$line" 'with kmodgate again'
    expect_gate 'taken over again'
    run apt-get purge -y dkms
    expect_rc 0
    expect_eq "$(dkms status)" "$line" 'dkms purged'
    expect_clean_dpkg
}

# bed: layer=kgc uname=old-cloud limit=240
case_symlink_modules_holds_for_what_a_gate_placed() {
    local old=${BED_OLD_REL%-amd64}-cloud-amd64 new=${BED_NEW_REL%-amd64}-cloud-amd64 r
    local module=updates/dkms/acpi_call.ko
    echo 'symlink_modules=yes' >>/etc/dkms/framework.conf
    bed_pockets base old new
    run apt-get install -y linux-image-cloud-amd64 linux-headers-cloud-amd64
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$new").*acpi-call/1.2.2" '^Unpacking '
    expect_eq "$(readlink "/usr/lib/modules/$new/$module")" "/var/lib/dkms/acpi-call/1.2.2/$new/x86_64/module/acpi_call.ko"
    expect_served "$new" acpi-call/1.2.2 acpi_call
    expect_settled
    for r in "$old" "$new"; do dkms remove acpi-call/1.2.2 -k "$r"; done
    expect_no_path "/usr/lib/modules/$new/updates" "/usr/lib/modules/$old/updates"
}
