#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What can go wrong around the gate, and several kernels at once. Layout of Fedora.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2046

kernel_names() { printf '%s\n' kernel-{core,modules,devel}"-$1"; }

# bed: layer=kgfedora uname=old-cloud limit=200
case_several_kernels_at_once_come_or_stay_away_together() {
    local both
    both=$(echo /srv/rpm/fedora-{old,new}/*.rpm)
    rpm -e $(kernel_names "$RPM_OLD_VR")
    bed_policy 'required: always' # (no kernel is left that it worked with)
    rpm_break_acpi
    rpm_before /tmp/before
    run rpm -ivh $both
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_rpm_unchanged
    expect_rpm_settled

    rpm_mend_acpi
    run rpm -ivh $both
    expect_rc 0
    expect_rpm_served "$RPM_OLD" extra acpi_call
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_rpm_settled
}

# The core is ended while it builds; the client goes on with a warning, and nothing of it is left.
core_is_ended_by() { # SIGNAL
    local pid core=''
    (exec rpm -iv $(rpm_new_kernel fedora)) >/tmp/rpm.log 2>&1 &
    pid=$!
    bed_wait 'grep -q "building acpi-call" /tmp/rpm.log'
    for core in $(bed_pids '^/usr/sbin/kmodgate gate'); do
        if grep -q "^PPid:[[:space:]]*$pid\$" "/proc/$core/status"; then break; fi
    done
    kill "-$1" "$core"
    RC=0
    wait $pid || RC=$?
    cp /tmp/rpm.log "$OUT"
    bed_ran
    expect_rc 0
    expect_grep 'WITHOUT a check'
    expect_path "/lib/modules/$RPM_NEW/vmlinuz"
    bed_wait '[ -z "$(bed_pids "kmodgate gate")" ]'
    kmodgate recover
    expect_rpm_settled
    note "kernel-core's own hook has built it"
    expect_rpm_served "$RPM_NEW" extra acpi_call
}
case_a_core_that_runs_into_a_bad_address_does_not_take_rpm_along() { core_is_ended_by SEGV; }
case_a_core_that_runs_out_of_memory_does_not_take_rpm_along() { core_is_ended_by KILL; }

case_a_build_that_never_ends_is_a_build_that_failed() {
    local d=/tmp/endless
    mkdir -p $d/usr/src
    bed_tree $d/usr/src/endless-1.0 endless 1.0 'MAKE[0]="sleep 1000"'
    bed_rpm_build dkms-endless 1.0 1 noarch '' '' $d
    bed_policy 'build_timeout: 2'
    rpm_before /tmp/before
    run rpm -iv $(rpm_new_kernel fedora) "$(rpm_file modules dkms-endless)"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_rpm_stopped "$RPM_NEW" endless/1.0
    expect_grep '^ *error +.*(time|2 s)'
    expect_rpm_unchanged
    expect_rpm_settled
    expect_eq "$(bed_pids '^sleep 1000')" '' 'the build'
}

case_no_room_for_the_kernel_leaves_nothing() {
    local m
    mkdir /tmp/modules
    cp -a /usr/lib/modules/. /tmp/modules/
    m=$(du -sm /tmp/modules | cut -f1)
    mount -t tmpfs -o "size=$((m + 4))m" tmpfs /usr/lib/modules
    cp -a /tmp/modules/. /usr/lib/modules/
    rpm_before /tmp/before
    run rpm -iv $(rpm_new_kernel fedora)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_grep 'no room in lib/modules'
    expect_rpm_unchanged
    expect_rpm_settled

    note "rpm itself looks for room behind the gate"
    run env KMODGATE=off rpm -iv $(rpm_new_kernel fedora)
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_grep 'needs .* on the .* filesystem'
    sed -i '/ pretrans$/d' /var/log/scriptlets # rpm looks for room behind those
    expect_rpm_unchanged
    expect_rpm_settled
}

# No verdict: the kernel is let in, and its own hook builds what it can.
case_no_room_for_the_gate_itself_is_a_warning() {
    mkdir -p /var/lib/kmodgate /var/cache/kmodgate
    mount -t tmpfs -o size=1m tmpfs /var/lib/kmodgate
    rpm_before /tmp/before
    run rpm -iv $(rpm_new_kernel fedora)
    expect_rc 0
    expect_grep 'no room to unpack it'
    expect_grep 'WITHOUT a check'
    expect_rpm_served "$RPM_NEW" extra acpi_call
    umount /var/lib/kmodgate
    expect_rpm_settled
}

# bed: layer=kgfedora uname=between limit=200
case_the_limit_of_kernels_takes_the_oldest_and_its_modules() {
    local p d=/tmp/fake fake=${BED_OLD_VER%-*}.1
    mkdir -p "$d/lib/modules/$fake-fake"
    touch "$d/lib/modules/$fake-fake/vmlinuz"
    for p in core modules devel; do
        bed_rpm_build kernel-$p "$fake" 1 x86_64 $'Provides: installonlypkg(kernel)\nProvides: multiversion(kernel)' '' \
            "$([ $p != core ] || echo $d)"
    done
    KMODGATE=off rpm -i /srv/rpm/modules/kernel-{core,modules,devel}-"$fake"-1.x86_64.rpm
    sed -i 's/^installonly_limit=.*/installonly_limit=2/' /etc/dnf/dnf.conf
    rpm_serve fedora-old fedora-new
    rpm_break_acpi
    rpm_before /tmp/before
    run "${DNF[@]}" upgrade
    expect_rc 1
    expect_rpm_stopped "$RPM_NEW" "acpi-call/$RPM_ACPI"
    expect_rpm_unchanged

    rpm_mend_acpi
    run "${DNF[@]}" upgrade
    expect_rc 0
    expect_grep "Removing"
    expect_rpm_served "$RPM_NEW" extra acpi_call
    expect_eq "$(rpm -qa 'kernel*' | grep -cF -- "-$RPM_OLD_VR")" 0 'packages of the oldest'
    expect_no_dkms "$RPM_OLD"
    expect_eq "$(find "/lib/modules/$RPM_OLD" -name '*.ko*' 2>/dev/null)" '' modules
    expect_rpm_settled
}
