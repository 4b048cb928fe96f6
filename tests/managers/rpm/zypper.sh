#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zypper, which runs rpm once for every package (classic), and kernels in the layout of SUSE.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2046

# bed: layer=kgsuse uname=old-cloud limit=240
case_rpm_with_headers_in_two_trees() {
    run rpm -ivh $(rpm_new_kernel suse)
    expect_rc 0
    expect_rpm_served "$RPM_NEW" updates acpi_call
    expect_rpm_settled
    local at=/lib/modules/$RPM_NEW/updates
    mkdir /tmp/gate
    cp -a "$at/." /tmp/gate/
    dkms remove "acpi-call/$RPM_ACPI" -k "$RPM_NEW"
    rm -rf /var/cache/kmodgate/store
    dkms install "acpi-call/$RPM_ACPI" -k "$RPM_NEW"
    expect_same_tree /tmp/gate "$at"
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
    rpm_before /tmp/before
    run "${ZYPPER[@]}" install plain "kernel-default=$RPM_NEW_VR" "kernel-default-devel=$RPM_NEW_VR"
    expect_rc 8
    expect_grep 'hook tsm_pre failed'
    expect_rpm_unchanged
    expect_eq "$(find /run/kmodgate -name 'zypp-*')" '' 'notes of the commit'
    expect_rpm_settled held

    note "the lock keeps the kernel away, and goes with its reason"
    expect_grep "kernel-default" /etc/zypp/locks
    run "${ZYPPER[@]}" install plain
    expect_rc 0
    run "${ZYPPER[@]}" locks
    expect_grep kernel-default
    run zypper-hold 2>/dev/null || /usr/lib/kmodgate/zypper-hold clear
    /usr/lib/kmodgate/zypper-hold clear
    run "${ZYPPER[@]}" locks
    expect_no_grep kernel-default
}
