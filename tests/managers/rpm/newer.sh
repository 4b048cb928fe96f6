#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The clients of newer releases of Debian, and kmodgate built there: rpm 4.20, dnf 4.23, zypper with one rpm per package
# (Debian 13); rpm 6, dnf5, zypper with one transaction (sid). Fedora's layout.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2046

# What rpm does first when it changes anything.
begins='^(Preparing|Updating|Verifying)'

# bed: layer=kgtrixie uname=old-cloud limit=240
case_rpm_4_20_stops_a_broken_module_and_builds_a_good_one() { rpm_stops_and_builds 4.20; }

# bed: layer=kgsid uname=old-cloud limit=240
case_rpm_6_stops_a_broken_module_and_builds_a_good_one() { rpm_stops_and_builds 6; }

rpm_stops_and_builds() { # VERSION
    [[ "$(rpm --version) " == *" $1."* ]] || skip "it is $(rpm --version)" # sid's, of the day
    rpm_break_acpi
    rpm_before /tmp/before
    run rpm -ivh $(rpm_new_kernel fedora)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_grep 'hook tsm_pre failed'
    expect_rpm_unchanged
    expect_rpm_settled

    rpm_mend_acpi
    run rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_order "kmodgate: $(re "$RPM_NEW"): ready: acpi-call/" "$begins"
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
    expect_rpm_same_build "$RPM_NEW" extra
}

# bed: layer=kgtrixie uname=old-cloud limit=240
case_rpm_4_20_with_address_sanitizer() {
    local asan='/usr/bin/env ASAN_OPTIONS=detect_leaks=0:exitcode=99 LD_PRELOAD='
    asan+=$(gcc -print-file-name=libasan.so)
    cp /usr/lib/bed/asan/rpm-plan /usr/lib/kmodgate/
    printf '#!/bin/sh\nexec %s /usr/lib/bed/asan/rpm-state "$@"\n' "$asan" >/usr/lib/kmodgate/rpm-state
    cp /usr/lib/bed/asan/kmodgate.so "$(rpm --eval '%{__plugindir}')/"
    # shellcheck disable=SC2086 # words
    run $asan rpm -ivh $(rpm_new_kernel fedora)
    expect_rc 0
    expect_no_grep 'Sanitizer|runtime error'
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
    # shellcheck disable=SC2086 # words
    run $asan rpm -e kernel-{core,modules,devel}"-$RPM_NEW_VR"
    expect_rc 0
    expect_no_grep 'Sanitizer|runtime error'
    expect_no_dkms "$RPM_NEW"
    expect_rpm_settled
}

# bed: layer=kgsid uname=old-cloud limit=240
# rpm 6 counts a failed %post as a failure of the transaction; the kernel is there all the same.
case_rpm_6_a_kernel_whose_scriptlet_fails_keeps_its_modules() {
    rpm_before /tmp/before
    # What %post of kernel-modules calls fails: depmod -a RELEASE. (kmod goes by the name it is called.)
    mkdir /tmp/real
    ln -s "$(readlink -f /sbin/depmod)" /tmp/real/depmod
    rm /sbin/depmod
    # shellcheck disable=SC2016 # a script
    printf '#!/bin/sh\n[ $# != 2 ] || exit 1\nexec /tmp/real/depmod "$@"\n' >/sbin/depmod
    chmod 755 /sbin/depmod
    run rpm -iv $(rpm_new_kernel fedora)
    expect_grep 'scriptlet failed'
    expect_eq "$(rpm -q --qf '%{NAME}' "kernel-core-$RPM_NEW_VR")" kernel-core 'in the database'
    expect_dkms "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_path "/lib/modules/$RPM_NEW"/extra/acpi_call.ko*
    expect_rpm_settled
}

# bed: layer=kgtrixie uname=old-cloud limit=240
case_dnf_4_23_stops_a_broken_module_and_builds_a_good_one_once() {
    rpm_serve fedora-old fedora-new
    rpm_break_acpi
    rpm_before /tmp/before
    run "${DNF[@]}" upgrade
    expect_rc 1
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_grep 'Transaction test error'
    expect_rpm_unchanged
    expect_rpm_settled
    rpm_mend_acpi
    run "${DNF[@]}" upgrade
    expect_rc 0
    expect_count 1 "^kmodgate: $(re "$RPM_NEW"): building acpi-call/"
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
}

case_zypper_1_14_89_runs_rpm_for_every_package() {
    rpm_serve fedora-new
    rpm_break_acpi
    rpm_before /tmp/before
    run "${ZYPPER[@]}" install kernel-{core,modules,devel}"=$RPM_NEW_VR"
    expect_rc 8
    expect_rpm_unchanged
    expect_rpm_settled held
    expect_grep kernel-core /etc/zypp/locks
    /usr/lib/kmodgate/zypper-hold clear
    rpm_mend_acpi
    run "${ZYPPER[@]}" install kernel-{core,modules,devel}"=$RPM_NEW_VR"
    expect_rc 0
    expect_count 1 "building acpi-call/"
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
    expect_eq "$(find /run/kmodgate -name 'zypp-*')" '' 'notes of the commit'
}

# bed: layer=kgsid uname=old-cloud limit=240
case_zypper_with_one_transaction_stops_a_broken_module_and_builds_a_good_one() {
    rpm_serve fedora-new
    rpm_break_acpi
    rpm_before /tmp/before
    run "${ZYPPER[@]}" install kernel-{core,modules,devel}"=$RPM_NEW_VR"
    expect_rc 8
    expect_grep 'single_rpmtrans'
    expect_grep "module +acpi-call/$RPM_ACPI"
    expect_rpm_unchanged
    expect_rpm_settled held
    expect_grep kernel-core /etc/zypp/locks
    /usr/lib/kmodgate/zypper-hold clear
    rpm_mend_acpi
    run "${ZYPPER[@]}" install kernel-{core,modules,devel}"=$RPM_NEW_VR"
    expect_rc 0
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_count 1 "building acpi-call/"
    expect_rpm_settled
}

case_dnf5_builds_once_for_the_test_and_the_transaction() {
    rpm_serve fedora-old fedora-new
    run "${DNF5[@]}" upgrade
    expect_rc 0
    expect_count 1 "kmodgate: $(re "$RPM_NEW"): building acpi-call/"
    expect_no_grep 'a kernel comes without'
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
}

case_dnf5_stops_a_broken_module_and_holds_the_kernel_until_its_reason_is_gone() {
    local lock=/etc/dnf/versionlock.toml
    rpm_serve fedora-old fedora-new
    printf 'version = "1.0"\n\n[[packages]]\nname = "kernel-devel"\ncomment = "mine"\n\n' >$lock
    printf '[[packages.conditions]]\nkey = "evr"\ncomparator = "!="\nvalue = "9-9"\n\n' >>$lock
    cp $lock /tmp/lock
    rpm_break_acpi
    rpm_before /tmp/before
    run "${DNF5[@]}" upgrade
    expect_rc 1
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_rpm_unchanged
    expect_rpm_settled held
    expect_grep "$RPM_NEW_VR" $lock
    expect_eq "$(grep -c '^name = "kernel-devel"' $lock)" 1 'entries of one package'

    note "dnf5 writes the file anew, without comments: the hold is still ours"
    run "${DNF5[@]}" versionlock exclude kernel-modules
    expect_rc 0
    run kmodgate status
    expect_grep "held: $(re "$RPM_NEW")"
    run "${DNF5[@]}" upgrade
    expect_rc 0
    expect_no_path "/lib/modules/$RPM_NEW"

    note "its reason is gone"
    rpm_mend_acpi
    touch "/usr/src/acpi-call-$RPM_ACPI/dkms.conf"
    run "${DNF5[@]}" upgrade
    expect_rc 0
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
    expect_no_grep "$RPM_NEW_VR|kmodgate|kernel-core" $lock
    expect_eq "$(diff /tmp/lock $lock | grep -c '^<')" 0 'lines of a person that are gone'
}

case_dnf5_headers_that_do_not_come_are_named_before_the_download() {
    rpm_serve fedora-old fedora-new
    rpm_before /tmp/before
    run "${DNF5[@]}" install "kernel-core-$RPM_NEW_VR" "kernel-modules-$RPM_NEW_VR"
    expect_rc 1
    expect_order "^kmodgate: a kernel comes without kernel-devel-$(re "$RPM_NEW_VR")" 'kernel-core.* 100%'
    expect_rpm_unchanged
    expect_eq "$(find /run/kmodgate -name 'early-*' 2>/dev/null)" '' 'notes of the word'
}

# A file that is no TOML ends dnf5, whatever it is told to do.
case_dnf5_holds_in_a_file_that_somebody_else_wrote() {
    local lock=/etc/dnf/versionlock.toml style styles=(
        $'# mine\nversion = \'1.0\'\n[[ packages ]]\n  comment = \'why\' # so\n  name = \'kernel-core\'\n  [[packages.conditions]]\n  value = "9-9"\n  comparator = "!="\n  key = "evr"\n# the end\n'
        $'version = "1.0"\n[[packages]]\nconditions = [ {key = "evr", comparator = "!=", value = "9-9"} ]\nname = "kernel-core"\n'
        $'packages = [\n    { name = "kernel-core", conditions = [\n        { key = "evr", comparator = "!=", value = "9-9" },\n    ] }, # so\n]\nversion = "1.0"\n'
        $'version = "1.0"\npackages = [ { name = \'kernel-core\', comment = """why""", conditions = [{ value = \'9-9\', key = \'evr\', comparator = \'!=\'}] } ]'
    )
    printf '+ %s\n' $(rpm_new_kernel fedora) | /usr/lib/kmodgate/rpm-plan --print dnf $$ >/tmp/plan
    for style in "${styles[@]}"; do
        printf '%s' "$style" >/tmp/lock
        cp /tmp/lock $lock
        /usr/lib/kmodgate/dnf-hold set </tmp/plan
        /usr/lib/kmodgate/dnf-hold set </tmp/plan # (again: nothing is there twice)
        run "${DNF5[@]}" versionlock list
        expect_rc 0
        expect_count 3 "^evr != $(re "$RPM_NEW_VR")$" # kernel-core, kernel-modules, kernel-devel
        expect_count 1 '^evr != 9-9$'
        expect_count 1 '^Package name: kernel-core$'
        run /usr/lib/kmodgate/dnf-hold list
        expect_eq "$(cat "$OUT")" "$RPM_NEW" 'what we hold'
        /usr/lib/kmodgate/dnf-hold clear
        [ -z "$(tail -c 1 /tmp/lock)" ] || echo >>/tmp/lock
        expect_same_tree /tmp/lock $lock
    done

    note "what is not understood is left, and the way on is printed"
    printf 'version = "1.0"\n[[packages]]\nname = "kernel\\u002dcore"\nconditions = []\n' >/tmp/lock
    cp /tmp/lock $lock
    rpm_serve fedora-old fedora-new
    rpm_break_acpi
    run "${DNF5[@]}" upgrade
    expect_rc 1
    expect_grep 'versionlock.toml: not in a form'
    expect_grep "^ *--exclude kernel-core-$(re "$RPM_NEW_VR")"
    expect_same_tree /tmp/lock $lock
    expect_rpm_settled
}
