#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zypper, which runs rpm once for every package (classic), and kernels in the layout of SUSE.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2046

# bed: layer=kgsuse uname=old-cloud limit=240
case_rpm_with_headers_in_two_trees() {
    local weak=/usr/lib/module-init-tools/weak-modules2
    mkdir -p "${weak%/*}"
    printf '#!/bin/sh\n{ echo "$*"; cat; } >>/tmp/weak\n' >$weak
    chmod 755 $weak
    run rpm -ivh $(rpm_new_kernel suse)
    expect_rc 0
    expect_rpm_served "$RPM_NEW" updates acpi_call
    expect_rpm_settled
    note "SUSE's own program for modules of other kernels hears of it"
    expect_eq "$(sed 's/\.[gxz]*$//' /tmp/weak)" "--add-kernel-modules $RPM_NEW
/lib/modules/$RPM_NEW/updates/acpi_call.ko" weak-modules2
    expect_rpm_same_build "$RPM_NEW" updates
}

case_a_good_module_is_built_in_the_first_rpm_of_the_commit() {
    rpm_serve suse-new
    run "${ZYPPER[@]}" install "kernel-default=$RPM_NEW_VR" "kernel-default-devel=$RPM_NEW_VR"
    expect_rc 0
    expect_rpm_served "$RPM_NEW" updates acpi_call
    expect_count 1 "building acpi-call/"
    expect_rpm_settled
    expect_eq "$(find /run/kmodgate -name 'zypp-*')" '' 'notes of the commit'
}

case_a_broken_module_stops_it_with_8_and_nothing_has_changed() {
    bed_rpm_build plain 1 1 noarch '' '' ''
    rpm_serve suse-new modules
    rpm_break_acpi
    # (libzypp 17.25 reads no further when rpm was silent for 5 s)
    echo 'PRE_BUILD="slow"' >>"/usr/src/acpi-call-$RPM_ACPI/dkms.conf"
    printf '#!/bin/sh\nsleep 6\n' >"/usr/src/acpi-call-$RPM_ACPI/slow"
    chmod 755 "/usr/src/acpi-call-$RPM_ACPI/slow"
    rpm_before /tmp/before
    run "${ZYPPER[@]}" install plain "kernel-default=$RPM_NEW_VR" "kernel-default-devel=$RPM_NEW_VR"
    expect_rc 8
    expect_order 'RPM failed: kmodgate: ' '^ *module +acpi-call/' '^ *phase +MAKE' 'Plugin kmodgate: hook tsm_pre failed'
    expect_no_grep '^%%'
    expect_rpm_unchanged
    expect_eq "$(find /run/kmodgate -name 'zypp-*')" '' 'notes of the commit'
    expect_rpm_settled held

    note "zypper writes its locks anew, without comments: ours is still ours"
    expect_grep "kernel-default" /etc/zypp/locks
    run "${ZYPPER[@]}" addlock mine 'kernel-default=1-1'
    expect_rc 0
    expect_no_grep '^#' /etc/zypp/locks
    expect_rpm_settled held

    note "the lock keeps the kernel away, and goes with kmodgate"
    run "${ZYPPER[@]}" install plain
    expect_rc 0
    run "${ZYPPER[@]}" locks
    expect_count 2 "kernel-default(-devel)? == $(re "$RPM_NEW_VR")"
    run rpm -e kmodgate{,-rpm-plugin,-dnf,-zypper}
    expect_rc 0
    run "${ZYPPER[@]}" locks
    expect_count 1 kernel-default
    expect_grep 'kernel-default == 1-1'
    expect_grep mine
}
