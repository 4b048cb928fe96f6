#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rpm itself, kernels in the layout of Fedora.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2046

# bed: layer=kgfedora uname=old-cloud limit=200
case_a_good_module_is_built_before_anything_is_unpacked() {
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_order "kmodgate: $(re "$RPM_NEW"): ready: acpi-call/" '^Preparing|^Updating|kernel-core'
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled

    note "the .ko is the one a build after the installation gives"
    expect_rpm_same_build "$RPM_NEW" extra

    note "the kernel goes, and its modules with it"
    run rpm -e kernel-core-"$RPM_NEW_VR" kernel-modules-"$RPM_NEW_VR" kernel-devel-"$RPM_NEW_VR"
    expect_rc 0
    expect_no_dkms "$RPM_NEW"
    expect_eq "$(find "/lib/modules/$RPM_NEW" -name '*.ko*' 2>/dev/null)" '' modules
    expect_dkms "$RPM_OLD" "acpi-call/$RPM_ACPI"
    expect_rpm_settled
}

case_a_broken_module_stops_it_and_nothing_has_changed() {
    rpm_break_acpi
    rpm_before /tmp/before
    run rpm -ivh $(rpm_new_kernel fedora)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_grep 'hook tsm_pre failed'
    expect_rpm_unchanged
    expect_rpm_settled

    note "skip-once: the same command brings the kernel without it; a test does not use it up"
    kmodgate skip-once
    run rpm -iv --test $(rpm_new_kernel fedora)
    expect_rc 0
    expect_grep 'kmodgate: .*skip-once'
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
    expect_no_module "$RPM_NEW" acpi_call
}

case_what_is_not_required_only_warns() {
    rpm_break_acpi
    bed_policy $'modules:\n  - {module: acpi-call, required: never}'
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_grep 'kmodgate: warning: .*stays without acpi-call'
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
}

case_headers_that_are_missing_stop_and_are_named() {
    rpm_before /tmp/before
    run rpm -ivh $(rpm_new_kernel fedora | grep -v devel)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_grep 'kernel-devel-'
    expect_rpm_unchanged

    note "they are in dnf's cache"
    mkdir -p /var/cache/dnf/fedora-0123/packages
    cp "$(rpm_file fedora-new kernel-devel)" /var/cache/dnf/fedora-0123/packages/
    run rpm -ivh $(rpm_new_kernel fedora | grep -v devel)
    expect_rc 0
    expect_grep 'built with headers fetched for it'
    expect_path "/lib/modules/$RPM_NEW"/extra/acpi_call.ko*
    expect_rpm_settled
}

# rpm_next NAME: the package of the newer kernel again, same files and so the same `uname -r`, in the next release of its package.
rpm_next() {
    rpm_unpack "$(rpm_file fedora-new "$1")" "/tmp/next-$1"
    bed_rpm_build "$1" "${RPM_NEW_VR%-*}" "${RPM_NEW_VR##*-}.1" x86_64 '' "$(bed_rpm_scripts "$1")" "/tmp/next-$1" >&2
    rpm_file modules "$1"
}

# With other content of one release, headers have the right vermagic and wrong symbol CRCs.
case_an_image_of_the_same_release_does_not_take_the_headers_of_the_one_before() {
    local core devel
    rpm -i $(rpm_new_kernel fedora)
    core=$(rpm_next kernel-core)
    devel=$(rpm_next kernel-devel)
    rpm_before /tmp/before
    run rpm -Uv --nodeps "$core"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$RPM_NEW").*$(re "$RPM_NEW_VR.1")" \
        "^ *module +$(re "acpi-call/$RPM_ACPI")$" '^ *error +.*headers'
    expect_grep "kernel-devel-$(re "$RPM_NEW_VR.1")"
    expect_rpm_unchanged
    expect_rpm_settled

    note "its own come with it"
    run rpm -Uv --nodeps "$core" "$devel"
    expect_rc 0
    expect_order "kmodgate: $(re "$RPM_NEW"): ready: acpi-call/" 'kernel-core'
    expect_dkms "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_path "/lib/modules/$RPM_NEW"/extra/acpi_call.ko*
    expect_rpm_settled

    note "they are installed: the image alone is built with them"
    run rpm -Uv --nodeps --replacepkgs "$core"
    expect_rc 0
    expect_no_grep 'kmodgate: (warning|error)'
    expect_dkms "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_rpm_settled

    note "of no package: taken as they are"
    rpm -e --justdb --noscripts kernel-devel-"$RPM_NEW_VR.1"
    run rpm -Uv --nodeps --oldpackage "$(rpm_file fedora-new kernel-core)"
    expect_rc 0
    expect_dkms "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_rpm_settled
}

case_a_test_says_what_would_happen_and_places_nothing() {
    rpm_before /tmp/before
    run rpm -iv --test $(rpm_new_kernel fedora)
    expect_rc 0
    expect_rpm_unchanged
    expect_rpm_settled
    run rpm -iv --justdb --noscripts $(rpm_new_kernel fedora)
    expect_rc 0
    expect_no_path "/lib/modules/$RPM_NEW"
    run rpm -e --justdb --noscripts kernel-core-"$RPM_NEW_VR" kernel-modules-"$RPM_NEW_VR" kernel-devel-"$RPM_NEW_VR"
    expect_rc 0
    rpm_break_acpi
    run rpm -iv --test $(rpm_new_kernel fedora)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
}

case_other_roots_are_not_its_business() {
    rpm_break_acpi
    mkdir -p /tmp/root
    run rpm --root /tmp/root --initdb
    run rpm --root /tmp/root -i --nodeps --noscripts "$(rpm_file fedora-new kernel-core)"
    expect_rc 0
    expect_no_grep kmodgate
    expect_path "/tmp/root/lib/modules/$RPM_NEW/vmlinuz"
}

case_kernel_and_module_source_in_one_transaction() {
    local good broken
    good=$(rpm_module fine 1.0 '' '1.0^git1')
    broken=$(rpm_module dud 1.0 broken)
    rpm_before /tmp/before
    run rpm -ivh $(rpm_new_kernel fedora) "$broken"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" dud/1.0
    expect_rpm_unchanged
    run rpm -ivh $(rpm_new_kernel fedora) "$good"
    expect_rc 0
    expect_rpm_served "$RPM_NEW" extra fine fine/1.0
    expect_dkms "$RPM_OLD" fine/1.0
    expect_rpm_settled
}

case_a_package_that_fails_later_keeps_what_is_there_and_takes_back_what_is_not() {
    local bad
    bed_rpm_build bad 1 1 noarch '' $'%pre\nexit 1' ''
    bad=$(rpm_file modules bad)
    run rpm -iv $(rpm_new_kernel fedora) "$bad"
    [ "$RC" -ne 0 ] || fail 'bad was installed'
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
}

case_what_else_is_for_a_kernel_and_fails_takes_nothing_from_it() {
    mkdir -p "/tmp/x/lib/modules/$RPM_NEW/extra"
    touch "/tmp/x/lib/modules/$RPM_NEW/extra/more.ko"
    bed_rpm_build kernel-modules-extra 1 1 x86_64 '' $'%pre\nexit 1' /tmp/x
    run rpm -iv $(rpm_new_kernel fedora) "$(rpm_file modules kernel-modules-extra)"
    [ "$RC" -ne 0 ] || fail 'it was installed'
    expect_no_grep ' back: '
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
}

case_modules_of_others_for_an_old_kernel_without_headers_are_no_business_of_ours() {
    rpm -iv $(rpm_new_kernel fedora)
    dkms uninstall "acpi-call/$RPM_ACPI" -k "$RPM_OLD"
    rpm -e --nodeps "kernel-devel-$RPM_OLD_VR"
    mkdir -p "/tmp/x/lib/modules/$RPM_OLD/extra"
    touch "/tmp/x/lib/modules/$RPM_OLD/extra/thing.ko"
    bed_rpm_build kmod-thing 1 1 x86_64 '' '' /tmp/x
    run rpm -iv "$(rpm_file modules kmod-thing)"
    expect_rc 0
    run rpm -e kmod-thing
    expect_rc 0
    expect_rpm_settled
}

case_a_kernel_that_does_not_arrive_leaves_nothing() {
    # Its own %pre says no: the database never hears of it.
    rpm_unpack "$(rpm_file fedora-new kernel-core)" /tmp/k
    bed_rpm_build kernel-core "${RPM_NEW_VR%-*}" "${RPM_NEW_VR##*-}" x86_64 '' $'%pre\nexit 1' /tmp/k
    rpm -i --noscripts "$(rpm_file fedora-new kernel-devel)"
    run rpm -iv --nodeps "$(rpm_file modules kernel-core)"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_order "ready: acpi-call/" 'scriptlet failed'
    expect_no_path "/lib/modules/$RPM_NEW"
    expect_no_dkms "$RPM_NEW"
    expect_rpm_settled
}

case_a_broken_or_missing_core_warns_and_lets_it_through() {
    chmod 0 /usr/sbin/kmodgate
    printf '#!/bin/sh\nkill -SEGV $$\n' >/usr/lib/kmodgate/rpm-plan
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_grep 'WITHOUT a check'
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
    run rpm -e kernel-core-"$RPM_NEW_VR" kernel-modules-"$RPM_NEW_VR" kernel-devel-"$RPM_NEW_VR"
    expect_rc 0
    rm /usr/lib/kmodgate/rpm-plan /usr/sbin/kmodgate
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_grep 'WITHOUT a check'
    run rpm -e kmodgate kmodgate-rpm-plugin kmodgate-dnf kmodgate-zypper
    expect_rc 0
    run rpm -qa
    expect_rc 0
    run rpm -ivh --force "$(rpm_file fedora-new kernel-devel)"
    expect_rc 0
}

case_a_killed_rpm_is_cleaned_up_after() {
    rpm_before /tmp/before
    (exec rpm -iv $(rpm_new_kernel fedora)) >/tmp/rpm.log 2>&1 &
    bed_wait "grep -q 'building' /tmp/rpm.log || [ -n \"\$(bed_pids 'kmodgate gate')\" ]"
    bed_kill '^/usr/bin/rpm '
    # shellcheck disable=SC2016 # for bed_wait
    bed_wait '[ -z "$(bed_pids "kmodgate gate")" ]'
    kmodgate recover
    expect_rpm_unchanged
    expect_rpm_settled
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_rpm_served "$RPM_NEW" extra acpi_call
}

case_a_transaction_without_kernels_starts_nothing_of_ours() {
    local program
    rpm_many 300 20
    for program in /usr/lib/kmodgate/* /usr/sbin/kmodgate; do
        [ ! -L "$program" ] || continue
        # shellcheck disable=SC2016 # a script
        printf '#!/bin/sh\necho "$0 $*" >>/tmp/started\n' >"$program"
    done
    run rpm -i --test /srv/rpm/many/*.rpm
    expect_rc 0
    run rpm -i /srv/rpm/many/*.rpm
    expect_rc 0
    expect_no_grep kmodgate
    run rpm -e $(rpm -qa 'many*')
    expect_rc 0
    expect_no_grep kmodgate
    expect_no_path /tmp/started

    note "as it would with a kernel"
    run rpm -i --test $(rpm_new_kernel fedora)
    expect_path /tmp/started
}

case_an_upgrade_that_takes_the_older_kernel_is_stopped_or_done_as_a_whole() {
    cp -a /usr/src/acpi-call-* /tmp/good
    rpm_break_acpi
    rpm_before /tmp/before
    run rpm -Uv $(rpm_new_kernel fedora)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_rpm_unchanged
    expect_dkms "$RPM_OLD" "acpi-call/$RPM_ACPI"
    cp -a /tmp/good/. "/usr/src/acpi-call-$RPM_ACPI/"
    run rpm -Uv $(rpm_new_kernel fedora)
    expect_rc 0
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_no_dkms "$RPM_OLD"
    expect_eq "$(find "/lib/modules/$RPM_OLD" -name '*.ko*' 2>/dev/null)" '' modules
    expect_rpm_settled
}

case_ctrl_c_while_building_stops_it_and_nothing_has_changed() {
    rpm_before /tmp/before
    # shellcheck disable=SC2016 # for bed_until
    run_keys '[ -n "$(bed_pids "kmodgate gate")" ] && sleep 1' '\003' "rpm -iv $(rpm_new_kernel fedora | xargs)"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_unchanged
    expect_rpm_settled
}

case_a_file_conflict_found_after_the_gate_leaves_nothing() {
    mkdir -p /tmp/{a,b}/usr/share/thing
    echo a >/tmp/a/usr/share/thing/file
    echo b >/tmp/b/usr/share/thing/file
    bed_rpm_build first 1 1 noarch '' '' /tmp/a
    bed_rpm_build second 1 1 noarch '' '' /tmp/b
    rpm -i "$(rpm_file modules first)"
    rpm_before /tmp/before
    run rpm -iv $(rpm_new_kernel fedora) "$(rpm_file modules second)"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_order 'ready: acpi-call/' 'conflicts with file'
    sed -i '/ pretrans$/d' /var/log/scriptlets # rpm looks for conflicts behind those
    expect_rpm_unchanged
    expect_rpm_settled
}
