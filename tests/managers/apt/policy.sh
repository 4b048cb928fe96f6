#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which failures stop a kernel: required when-working, always, never; skips; excluded kernels.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# A registered source that has never been built here.
register() { # NAME [LINE...]
    local name=$1
    shift
    bed_tree "/usr/src/$name-1" "$name" 1 "$@"
    dkms add "$name/1"
}
broken() {
    register "$@"
    bed_break "/usr/src/$1-1/$1.c"
}

# The newer kernel is refused because of NAME/1, with this as the error; nothing but a hold has changed.
expect_upgrade_stopped_by() { # NAME ERROR-RE
    bed_pockets base old new
    bed_before
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$BED_NEW_REL")" "^ *module +$1/1" "^ *error +.*($2)"
    expect_unchanged hold
}

# bed: layer=kg uname=old
case_what_never_worked_here_stops_nothing_unless_always_is_required() {
    broken neverbuilt
    run dkms install neverbuilt/1 -k "$BED_OLD_REL"
    expect_rc 10
    register notauto 'AUTOINSTALL=no'
    bed_break /usr/src/notauto-1/notauto.c
    register elsewhere 'BUILD_EXCLUSIVE_KERNEL="^9\."'
    bed_pockets base old new
    bed_policy 'modules:
  - {module: "never*", required: always}'
    bed_before
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_stopped "$BED_NEW_REL" neverbuilt/1 MAKE 'interface of the kernel is gone'
    expect_no_grep '^ *module +(notauto|elsewhere|v4l2loopback)'
    expect_unchanged hold
    rm "$BED_HOLD"

    note "a later rule for this release alone takes it back"
    bed_policy "modules:
  - {module: \"never*\", required: always}
  - {module: neverbuilt, release: \"${BED_NEW_REL%.*}*\", required: when-working}"
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_order 'kmodgate: warning: .*neverbuilt/1' '^Unpacking '
    expect_no_grep '(notauto|elsewhere)'
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_no_dkms "$BED_NEW_REL" neverbuilt
    expect_builds 0 notauto "$BED_NEW_REL"
    expect_settled
}

case_never_lets_the_kernel_come_without_a_module_that_worked() {
    bed_policy 'modules:
  - {module: v4l2loopback, release: "6.12.*", required: never}'
    bed_pockets base old backports
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_order 'kmodgate: warning: .*v4l2loopback/0.12.7' '^Unpacking '
    expect_path "/boot/initrd.img-$BED_BPO_REL"
    expect_no_module "$BED_BPO_REL" v4l2loopback
    expect_no_dkms "$BED_BPO_REL"
    expect_no_path "/usr/lib/modules/$BED_BPO_REL/updates"
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_settled
    expect_clean_dpkg
}

case_excluded_for_the_new_kernel_though_it_works_here_stops() {
    register exclusive "BUILD_EXCLUSIVE_KERNEL=\"^$(re "$BED_OLD_REL")\$\""
    dkms install exclusive/1 -k "$BED_OLD_REL"
    expect_upgrade_stopped_by exclusive BUILD_EXCLUSIVE
}

case_excluded_for_a_kernel_that_ships_it_itself_passes() {
    local name
    for name in dummy veth; do
        register "$name" "BUILD_EXCLUSIVE_KERNEL=\"^$(re "$BED_OLD_REL")\$\""
        dkms install --force "$name/1" -k "$BED_OLD_REL"
    done
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_no_grep 'kmodgate: (error|warning)'
    expect_settled
}

case_a_module_that_works_here_but_has_lost_its_source_stops() {
    register lost
    dkms install lost/1 -k "$BED_OLD_REL"
    mv /usr/src/lost-1 /usr/src/elsewhere
    expect_upgrade_stopped_by lost 'source|dkms\.conf'
}

case_a_lost_source_is_missed_though_no_other_is_registered() {
    apt-get purge -y v4l2loopback-dkms
    register lost
    dkms install lost/1 -k "$BED_OLD_REL"
    rm -r /usr/src/lost-1
    expect_upgrade_stopped_by lost 'source|dkms\.conf'
}

case_it_worked_at_the_last_upgrade_is_remembered_after_the_old_kernel_has_gone() {
    # uname -r is the old kernel's, but nothing of it is there: what counts is the last settled transaction.
    bed_tree /tmp/last last 1
    bed_break /tmp/last/last.c "${BED_NEW_VER%-*}"
    bed_pockets base old new
    apt-get install -y linux-image-amd64 linux-headers-amd64 "$(bed_tree_deb /tmp/last)"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_dkms "$BED_NEW_REL" last/1
    rm /var/lib/dkms/last/kernel-* # as if an upgrade had lost it
    bed_pockets base old new backports
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms
    expect_rc 100
    expect_stopped "$BED_BPO_REL" last/1 MAKE 'interface of the kernel is gone'
    note "a person removes it: it is no longer asked for"
    dkms remove last/1 --all
    dkms add last/1
    rm -f "$BED_HOLD"
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms
    expect_rc 0
    expect_grep 'kmodgate: warning: .*last/1'
}

# bed: layer=kg uname=old
case_a_broken_policy_file_is_named_with_its_line_and_apt_stays_usable() {
    bed_policy 'required: when-working
on_failur: stop'
    bed_pockets base old
    run apt-get install -y acpi-call-dkms
    expect_grep 'kmodgate.*test\.yaml.*2'
    [ "$RC" = 0 ] || expect_rc 100
    run apt-get install -y hello
    expect_rc 0
    rm /etc/kmodgate/kmodgate.d/test.yaml
    run apt-get install -y acpi-call-dkms
    expect_rc 0
    expect_dkms "$BED_OLD_REL" acpi-call/1.2.2
}

case_the_store_is_kept_as_small_as_the_policy_says() {
    expect_count 1 . <(ls /var/cache/kmodgate/store)
    bed_policy 'store_size: 0'
    run dkms install v4l2loopback/0.12.7 -k "$BED_OLD_REL" --force
    expect_rc 0
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    rm -rf /var/cache/kmodgate/store
    run dkms build v4l2loopback/0.12.7 -k "$BED_OLD_REL" --force
    expect_rc 0
    expect_eq "$(ls /var/cache/kmodgate/store)" '' 'what is kept'
}
