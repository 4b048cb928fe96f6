#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dnf4 with the installonly kernels of Fedora.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kgfedora uname=old-cloud limit=240
case_a_good_module_is_built_once_for_the_test_and_the_transaction() {
    rpm_serve fedora-old fedora-new
    run "${DNF[@]}" upgrade
    expect_rc 0
    expect_order "^kmodgate: $(re "$RPM_NEW"): building acpi-call/" "^kmodgate: $(re "$RPM_NEW"): ready: acpi-call/" \
        '^ *Installing *:'
    expect_count 1 "^kmodgate: $(re "$RPM_NEW"): building acpi-call/"
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled

    note "the limit of kernels takes the older one, and its modules"
    run "${DNF[@]}" remove "kernel-core-$RPM_NEW_VR"
    expect_rc 0
    expect_no_dkms "$RPM_NEW"
    expect_no_path "/lib/modules/$RPM_NEW/extra"
    expect_dkms "$RPM_OLD" "acpi-call/$RPM_ACPI"
}

case_a_broken_module_stops_it_with_1_and_nothing_has_changed() {
    local way
    rpm_serve fedora-old fedora-new
    rpm_break_acpi
    rpm_before /tmp/before
    run "${DNF[@]}" upgrade
    expect_rc 1
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_grep 'Transaction test error'
    way=$(sed -n 's/^ *\(--exclude .*\)/\1/p' "$OUT")
    expect_eq "${way%%,*}" "--exclude kernel-core-$RPM_NEW_VR.x86_64" 'the way it names'
    expect_rpm_unchanged
    expect_rpm_settled

    note "the way it names"
    # shellcheck disable=SC2086 # two words
    run "${DNF[@]}" upgrade $way
    expect_rc 0
    expect_rpm_unchanged
    run "${DNF[@]}" upgrade --noplugins
    expect_rc 1
    expect_rpm_unchanged
    run env KMODGATE=off "${DNF[@]}" upgrade
    expect_rc 0
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
}

# Fedora's package that ties the headers to the kernel, and modules of another system: akmods builds those itself.
case_a_kernel_with_its_headers_tied_to_it_comes_and_akmods_are_left_alone() {
    local d=/tmp/akmod
    mkdir -p $d/usr/src/akmods $d/etc/kernel/postinst.d
    echo 'not for us' >$d/usr/src/akmods/thing-kmod-1.0-1.src.rpm
    ln -s thing-kmod-1.0-1.src.rpm $d/usr/src/akmods/thing-kmod.latest
    bed_rpm_build akmod-thing 1.0 1 x86_64 '' "$(bed_rpm_scripts akmod-thing)" $d
    bed_rpm_build kernel-devel-matched "${RPM_NEW_VR%-*}" "${RPM_NEW_VR##*-}" x86_64 "Requires: kernel-core = $RPM_NEW_VR
Requires: kernel-devel = $RPM_NEW_VR" '' ''
    rpm_serve fedora-old fedora-new modules
    run "${DNF[@]}" install kernel-devel-matched "kernel-modules-$RPM_NEW_VR" akmod-thing
    expect_rc 0
    expect_no_grep 'a kernel comes without|kmodgate: .*(thing|akmod)'
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_eq "$(dkms status | grep -c .)" 2 'modules that are registered'
    expect_rpm_settled

    note "alone it is none of its business"
    run "${DNF[@]}" remove akmod-thing
    expect_rc 0
    run rpm -iv "$(rpm_file modules akmod-thing)"
    expect_rc 0
    expect_no_grep kmodgate
}

case_headers_that_do_not_come_are_named_before_the_download() {
    rpm_serve fedora-old fedora-new
    rpm_before /tmp/before
    run "${DNF[@]}" install "kernel-core-$RPM_NEW_VR" "kernel-modules-$RPM_NEW_VR"
    expect_rc 1
    expect_order "^kmodgate: a kernel comes without kernel-devel-$(re "$RPM_NEW_VR")" '^Downloading Packages'
    expect_rpm_unchanged
}

case_versionlock_holds_the_kernel_until_its_reason_is_gone() {
    bed_pockets base old rpm
    apt-get install -y dnf-plugins-core
    echo '!mine-0:1-1.*' >/etc/dnf/plugins/versionlock.list
    rpm_serve fedora-old fedora-new
    rpm_break_acpi
    rpm_before /tmp/before
    run "${DNF[@]}" upgrade
    expect_rc 1
    expect_grep 'versionlock.list'
    expect_rpm_unchanged
    expect_rpm_settled held
    run "${DNF[@]}" upgrade
    expect_rc 0
    expect_no_path "/lib/modules/$RPM_NEW"
    expect_grep '^!mine' /etc/dnf/plugins/versionlock.list

    note "dnf writes the file anew, without comments: the hold is still ours"
    run "${DNF[@]}" versionlock delete mine
    expect_rc 0
    expect_no_grep '^#|mine' /etc/dnf/plugins/versionlock.list
    run kmodgate status
    expect_grep "held: $(re "$RPM_NEW")"

    note "its reason is gone; dnf fails without the file"
    rpm_mend_acpi
    touch "/usr/src/acpi-call-$RPM_ACPI/dkms.conf"
    run "${DNF[@]}" upgrade
    expect_rc 0
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_path /etc/dnf/plugins/versionlock.list
    expect_eq "$(cat /etc/dnf/plugins/versionlock.list)" '' 'the file of locks'
    run "${DNF[@]}" versionlock list
    expect_rc 0
}
