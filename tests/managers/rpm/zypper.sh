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
    # (libzypp 17.25 reads no further when rpm was silent for 5 s: not the reason itself, where building takes longer)
    expect_grep 'RPM failed: kmodgate: '
    expect_rpm_unchanged
    expect_eq "$(find /run/kmodgate -name 'zypp-*')" '' 'notes of the commit'
    expect_rpm_settled held

    note "the lock keeps the kernel away, and goes with kmodgate"
    expect_grep "kernel-default" /etc/zypp/locks
    run "${ZYPPER[@]}" install plain
    expect_rc 0
    run "${ZYPPER[@]}" locks
    expect_grep kernel-default
    run rpm -e kmodgate{,-rpm-plugin,-dnf,-zypper}
    expect_rc 0
    run "${ZYPPER[@]}" locks
    expect_no_grep kernel-default
}
