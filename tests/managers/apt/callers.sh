#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who calls dkms by its old names: kernel-install, hooks of kernels and headers, dkms.service, dkms_autoinstaller,
# autopkgtest, scripts of packages.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

rel=${BED_OLD_REL%-amd64}-cloud-amd64
mod=acpi-call/1.2.2

# bed: layer=kgc uname=old-cloud limit=240
case_hooks_and_services_of_dkms_take_modules_off_and_bring_them_back() {
    local unit
    expect_eq "$(dpkg-query -Wf '${Provides}' kmodgate)" 'dkms (= 3.4.3), dkms-autopkgtest (= 3.4.3)'
    unit=$(compgen -G '/*/systemd/system/dkms.service' || compgen -G '/usr/lib/systemd/system/dkms.service')
    off() { # CMD...
        run "$@"
        expect_rc 0
        expect_no_module "$rel" acpi_call
        expect_dkms_line "$mod: added"
    }
    back() { # CMD...
        run "$@"
        expect_rc 0
        expect_module "$rel" acpi_call
        expect_dkms "$rel" $mod
    }
    expect_dkms_line() { expect_eq "$(dkms status)" "$1" 'dkms status'; }
    note "kernel-install"
    off /usr/lib/kernel/install.d/40-dkms.install remove "$rel"
    back /usr/lib/kernel/install.d/40-dkms.install add "$rel" "/boot/$rel" "/boot/vmlinuz-$rel"
    back /usr/lib/kernel/install.d/40-dkms.install add "$rel"
    note "the hooks of kernels and headers"
    off run-parts --arg="$rel" --arg="/boot/vmlinuz-$rel" --regex=kmodgate /etc/kernel/prerm.d
    back run-parts --arg="$rel" --arg="/boot/vmlinuz-$rel" --regex=kmodgate /etc/kernel/postinst.d
    off dkms kernel_prerm -k "$rel"
    back run-parts --arg="$rel" --regex=kmodgate /etc/kernel/header_postinst.d
    off dkms kernel_preinst -k "$rel"
    back dkms kernel_postinst -k "$rel"
    note "at boot, and as it once was"
    off dkms unbuild $mod --all
    # shellcheck disable=SC2046 # words of a command
    back $(sed -n 's/^ExecStart=//p' "$unit")
    off dkms unbuild $mod --all
    back /usr/lib/dkms/dkms_autoinstaller start
    off dkms unbuild $mod --all
    back /usr/lib/dkms/dkms_autoinstaller start "$rel"
    note "what dh_dkms writes into a package: prerm, postinst"
    run dkms remove -m acpi-call -v 1.2.2 --all
    expect_rc 0
    expect_dkms_line ''
    back sh /usr/lib/dkms/common.postinst acpi-call 1.2.2 /usr/share/acpi-call x86_64 ''
    back sh /usr/lib/dkms/common.postinst acpi-call 1.2.2 /usr/share/acpi-call '' 1.2.1
    expect_settled
}

case_autopkgtest_says_which_modules_pass_fail_and_are_not_for_a_kernel() {
    bed_tree /tmp/other other 1 'BUILD_EXCLUSIVE_KERNEL="^2[.]"'
    bed_tree /tmp/worse worse 1
    bed_break /tmp/worse/worse.c
    bed_local "$(bed_tree_deb /tmp/other)" "$(bed_tree_deb /tmp/worse)"
    bed_pockets base old local
    cd /tmp || return
    run /usr/lib/dkms/dkms-autopkgtest acpi-call-dkms other-dkms none-dkms
    expect_rc 0
    expect_order "PASS $mod $(re "$rel")" "SKIP other/1 $(re "$rel")"
    expect_path /tmp/acpi-call-dkms-make-logs.tar.gz
    expect_dkms "$rel" $mod
    run /usr/lib/dkms/dkms-autopkgtest worse-dkms
    expect_rc 1
    expect_grep "FAIL worse/1 $(re "$rel"): build, exit code 10"
    expect_no_path /etc/dkms/no-autoinstall
}
