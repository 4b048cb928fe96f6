#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kmodgate's own rpm packages, brought and taken by the real clients: the gate is there exactly while they are, and
# neither the transaction that takes them nor the next one breaks.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

so() { echo "$(rpm --eval '%{__plugindir}')/kmodgate.so"; }
macro=/usr/lib/rpm/macros.d/macros.transaction_kmodgate

expect_gate() {
    expect_eq "$(rpm --eval '%{__transaction_kmodgate}')" "$(so)" "rpm's plugin"
    expect_eq "$(rpm -qf --qf '%{NAME}\n' "$macro" "$(so)" | sort -u)" kmodgate-rpm-plugin 'owner of macro and plugin'
    expect_path /usr/lib/systemd/system/sysinit.target.wants/kmodgate-recover.service
    dkms add dud/1.0
}
expect_no_gate() {
    expect_no_path /usr/lib/systemd/system/sysinit.target.wants/kmodgate-recover.service
    expect_no_path "$macro" "$(so)" /usr/lib/kmodgate /usr/sbin/kmodgate /usr/sbin/dkms
    expect_eq "$(rpm --eval '%{__transaction_kmodgate}')" '%{__transaction_kmodgate}' "rpm's plugin"
    run rpm -iv "$(rpm_file modules plain)"
    expect_rc 0
    run rpm -ev plain
    expect_rc 0
}
# A module that stops every kernel, and a package that has nothing to do with any.
given() { # ID-OF-DISTRIBUTION
    printf 'ID=%s\n' "$1" >/etc/os-release
    rpm_stand_for /run/bed/kg/*.rpm
    bed_tree /usr/src/dud-1.0 dud 1.0
    bed_break /usr/src/dud-1.0/dud.c
    mkdir -p /etc/kmodgate/kmodgate.d
    bed_policy 'required: always'
    bed_rpm_build plain 1 1 noarch '' '' ''
}

# bed: layer=rpmkernels uname=old-cloud limit=240
case_dnf_brings_and_takes_the_gate() {
    local kernel=("kernel-core-$RPM_NEW_VR" "kernel-modules-$RPM_NEW_VR" "kernel-devel-$RPM_NEW_VR")
    given fedora
    expect_no_gate
    rpm_serve fedora-new
    run "${DNF[@]}" install /run/bed/kg/*.rpm
    expect_rc 0
    expect_gate
    run "${DNF[@]}" install "${kernel[@]}"
    expect_rc 1
    expect_rpm_stopped "$RPM_NEW" dud/1.0

    note "replaced while it is loaded"
    run "${DNF[@]}" reinstall /run/bed/kg/*.rpm
    expect_rc 0
    expect_no_grep 'kmodgate: |Plugin kmodgate'
    run "${DNF[@]}" install "${kernel[@]}"
    expect_rc 1
    expect_rpm_stopped "$RPM_NEW" dud/1.0

    run "${DNF[@]}" remove kmodgate
    expect_rc 0
    expect_no_grep 'kmodgate: |Plugin kmodgate|warning'
    expect_no_gate
    run "${DNF[@]}" install "${kernel[@]}"
    expect_rc 0
    expect_no_grep kmodgate
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
}

case_zypper_brings_and_takes_the_gate() {
    local kernel=("kernel-default=$RPM_NEW_VR" "kernel-default-devel=$RPM_NEW_VR")
    given opensuse-leap
    mkdir /srv/rpm/kmodgate
    cp /run/bed/kg/*.rpm /srv/rpm/kmodgate/
    rpm_serve kmodgate suse-new
    run "${ZYPPER[@]}" install kmodgate
    expect_rc 0
    expect_gate
    expect_path /usr/lib/zypp/plugins/commit/kmodgate # (recommended where zypper is)
    run "${ZYPPER[@]}" install "${kernel[@]}"
    expect_rc 8
    expect_grep 'module +dud/1.0'
    expect_grep kernel-default /etc/zypp/locks

    run "${ZYPPER[@]}" remove kmodgate
    expect_rc 0
    expect_no_grep 'kmodgate: |Plugin kmodgate|warning'
    expect_no_gate
    run "${ZYPPER[@]}" locks
    expect_no_grep kernel-default
    run "${ZYPPER[@]}" install "${kernel[@]}"
    expect_rc 0
    expect_no_grep kmodgate
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
}
