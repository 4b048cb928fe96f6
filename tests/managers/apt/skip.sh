#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ways to let a transaction through on purpose.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

install_bpo=(apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64)

expect_came_without_module() {
    expect_rc 0
    expect_installed "linux-image-$BED_BPO_REL"
    expect_path "/boot/initrd.img-$BED_BPO_REL"
    expect_no_module "$BED_BPO_REL" v4l2loopback
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_clean_dpkg
}

# bed: layer=kg uname=old
case_skip_once_lets_the_next_transaction_through_says_so_and_is_used_up() {
    bed_pockets base old backports
    run "${install_bpo[@]}"
    expect_rc 100
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    note "what the stop says to type"
    run kmodgate skip-once
    expect_rc 0
    run kmodgate status
    expect_grep 'skip-once'
    note "what has no kernel does not use it up"
    run apt-get install -y hello
    expect_no_grep kmodgate
    run kmodgate status
    expect_grep 'skip-once'
    run "${install_bpo[@]}"
    expect_order 'kmodgate: .*skip-once' '^Unpacking '
    expect_came_without_module
    expect_settled
    note "the next one is checked again"
    bed_tree /tmp/next next 1
    bed_break /tmp/next/next.c
    run apt-get install -y "$(bed_tree_deb /tmp/next)"
    expect_rc 100
    expect_grep 'kmodgate: error: stopped'
}

case_kmodgate_off_in_the_environment_lets_one_command_through() {
    bed_pockets base old backports
    run env KMODGATE=off "${install_bpo[@]}"
    expect_order 'kmodgate.*KMODGATE=off' '^Unpacking '
    expect_came_without_module
    expect_settled
}

# bed: layer=kg uname=old
case_kmodgate_off_lets_a_bare_dpkg_through_too() {
    bed_tree /tmp/next next 1
    bed_break /tmp/next/next.c
    run dpkg -i "$(bed_tree_deb /tmp/next)"
    expect_rc 2
    expect_grep 'kmodgate: error: stopped'
    expect_not_installed next-dkms
    run env KMODGATE=off dpkg --unpack "$(bed_tree_deb /tmp/next)"
    expect_rc 0
    expect_grep 'KMODGATE=off'
    expect_path /usr/src/next-1/dkms.conf
}
