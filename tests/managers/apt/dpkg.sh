#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bare dpkg: no apt, the same gate.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kg uname=old
case_a_kernel_is_gated_and_gets_its_modules_before_the_initramfs() {
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    cp /srv/bed/new/linux-{image,headers}-"$BED_NEW_REL"_*.deb "/srv/bed/new/linux-headers-${BED_NEW_REL%-amd64}-common_${BED_NEW_VER}_all.deb" \
        /srv/bed/new/linux-{kbuild,compiler}-*.deb /tmp/
    cd /tmp || fail '/tmp'
    run dpkg -i ./*.deb
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^(Selecting|Preparing to unpack)' '^Unpacking ' \
        "^Setting up linux-image-$(re "$BED_NEW_REL")" '^update-initramfs'
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
    expect_clean_dpkg
}

case_a_kernel_with_a_module_that_does_not_build_gives_2_and_nothing_has_changed() {
    bed_pockets base old backports
    apt-get install -y pahole # and what it needs
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    bed_before
    run dpkg -i /srv/bed/backports/linux-{image,headers,kbuild}-6.*.deb
    expect_rc 2
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    expect_no_grep '^(Selecting|\(Reading)'
    expect_unchanged # (apt's preferences are nothing to dpkg: no hold)
    expect_no_release "$BED_BPO_REL"
    expect_clean_dpkg
}

case_unpack_and_configure_in_two_commands_and_a_folder_of_archives() {
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    mkdir -p /tmp/debs/more
    cp /srv/bed/new/linux-image-"$BED_NEW_REL"_*.deb /srv/bed/new/linux-{kbuild,compiler}-*.deb /tmp/debs/
    cp /srv/bed/new/linux-headers-"$BED_NEW_REL"_*.deb "/srv/bed/new/linux-headers-${BED_NEW_REL%-amd64}-common_${BED_NEW_VER}_all.deb" /tmp/debs/more/
    run dpkg --recursive --unpack /tmp/debs
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_path "/usr/lib/modules/$BED_NEW_REL/updates/dkms/v4l2loopback.ko"
    note "in between somebody looks, cleans up and asks: what was placed stays"
    kmodgate recover
    run kmodgate status
    dkms status
    expect_path "/usr/lib/modules/$BED_NEW_REL/updates/dkms/v4l2loopback.ko"
    run dpkg --configure -a
    expect_rc 0
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    kmodgate recover
    expect_settled
    expect_clean_dpkg
}

# bed: layer=kg uname=old
case_a_module_source_is_gated_and_a_kernel_is_removed_with_its_modules() {
    bed_tree /tmp/next next 1
    run dpkg -i "$(bed_tree_deb /tmp/next)"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_OLD_REL").*next/1" '^Unpacking '
    expect_dkms "$BED_OLD_REL" next/1
    bed_break /tmp/next/next.c
    sed -i 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION="2"/' /tmp/next/dkms.conf
    bed_before
    run dpkg -i "$(bed_tree_deb /tmp/next)"
    expect_rc 2
    expect_grep 'kmodgate: error: stopped'
    expect_unchanged
    expect_dkms "$BED_OLD_REL" next/1
    run dpkg -P next-dkms
    expect_rc 0
    expect_no_dkms "$BED_OLD_REL" next
    expect_no_module "$BED_OLD_REL" next
}
