#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The stop: a real module of Debian 12 that does not build for the kernel of its backports.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kg uname=old
case_a_module_that_does_not_build_stops_apt_with_100_and_nothing_has_changed() {
    bed_pockets base old new backports
    # One more that fails there, one that builds.
    apt-get install -y dm-writeboost-dkms acpi-call-dkms
    bed_before
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE 'v4l2loopback\.c:[0-9]+(:[0-9]+)?: error: .*strlcpy'
    expect_stopped "$BED_BPO_REL" dm-writeboost/2.2.17 MAKE 'dm-writeboost-target\.c:[0-9]+(:[0-9]+)?: error: .*bd_inode'
    expect_grep "linux-image-$(re "$BED_BPO_REL") $(re "$BED_BPO_VER")"
    expect_no_grep '^ *module +acpi-call'
    expect_grep "$BED_HOLD"
    expect_unchanged hold
    expect_no_release "$BED_BPO_REL"
    expect_settled held
    expect_clean_dpkg
    note "what is held: exactly these packages in this version"
    expect_grep "linux-image-$(re "$BED_BPO_REL")" "$BED_HOLD"
    expect_grep "$(re "$BED_BPO_VER")" "$BED_HOLD"
    expect_no_grep "^(Package|Pin):.*(\*|$BED_OLD_VER|$BED_NEW_VER)" "$BED_HOLD"
    note "without kmodgate nobody would lift it"
    run apt-get remove -y kmodgate
    expect_rc 0
    expect_no_path "$BED_HOLD"
}

case_the_same_command_again_installs_everything_but_the_kernel_and_the_hold_ends_with_its_reason() {
    # A machine that follows the kernels of backports by a pin of its own.
    printf 'Package: linux-image-* linux-headers-* linux-kbuild-* linux-base*\nPin: release n=bookworm-backports\nPin-Priority: 600\n' \
        >/etc/apt/preferences.d/backports-kernel
    printf 'Package: hello\nPin: version 99\nPin-Priority: -1\n' >/etc/apt/preferences.d/mine
    apt-mark hold hello 2>/dev/null || true
    bed_pockets base old more backports
    bed_before
    run apt-get dist-upgrade -y
    expect_rc 100
    expect_grep "^Get:.* ${BED_MORE[0]} "
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    expect_unchanged hold

    run apt-get dist-upgrade -y
    expect_rc 0
    expect_no_grep 'kmodgate: error'
    expect_grep "^Unpacking ${BED_MORE[0]} "
    expect_grep "^Unpacking ${BED_MORE[1]} "
    expect_not_installed "linux-image-$BED_BPO_REL"
    expect_no_release "$BED_BPO_REL"
    expect_settled held
    expect_clean_dpkg

    note "the module changes: the hold goes by itself, and the same command brings the kernel"
    run apt-get install -y -t bookworm-backports v4l2loopback-dkms
    expect_rc 0
    expect_dkms "$BED_OLD_REL" "v4l2loopback/$BED_BPO_V4L"
    expect_no_path "$BED_HOLD"
    expect_path /etc/apt/preferences.d/mine /etc/apt/preferences.d/backports-kernel
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_served "$BED_BPO_REL" "v4l2loopback/$BED_BPO_V4L"
    expect_settled
}

case_on_failure_stop_sets_no_hold_and_stops_again() {
    bed_policy 'on_failure: stop'
    bed_pockets base old new backports
    bed_before
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    expect_grep 'apt-mark hold'
    expect_no_path "$BED_HOLD"
    expect_unchanged
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    expect_unchanged
    expect_settled
}

case_a_hold_of_one_kernel_does_not_keep_the_next_one_away() {
    bed_tree /tmp/held held 1
    bed_break /tmp/held/held.c "${BED_OLD_VER%-*}"
    bed_pockets base old new
    apt-get install -y "$(bed_tree_deb /tmp/held)"
    expect_dkms "$BED_OLD_REL" held/1
    run apt-get dist-upgrade -y
    expect_rc 100
    expect_stopped "$BED_NEW_REL" held/1 MAKE 'interface of the kernel is gone'
    expect_path "$BED_HOLD"
    note "a security fix of that kernel comes, and a module that builds for it"
    expect_eq "$(apt-cache policy "linux-image-$BED_NEW_REL" | sed -n 's/^ *Candidate: //p')" '(none)'
    bed_local "$(bed_redeb "linux-image-$BED_NEW_REL" new "$BED_NEW_VER+x1" true)"
    bed_pockets base old new local
    expect_eq "$(apt-cache policy "linux-image-$BED_NEW_REL" | sed -n 's/^ *Candidate: //p')" "$BED_NEW_VER+x1"
}

# bed: layer=kg uname=old limit=240
case_aptitude_is_stopped_as_well() {
    bed_pockets base old new backports
    apt-get install -y aptitude
    bed_before -x /etc/apt
    run aptitude install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64
    [ "$RC" -ne 0 ] || fail 'aptitude says all went well'
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    bed_snapshot /tmp/after -x /etc/apt
    : >/tmp/before/extended_states # aptitude writes its marks before it asks anybody
    : >/tmp/after/extended_states
    expect_same /tmp/before /tmp/after
}
