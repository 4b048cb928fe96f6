#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The good upgrade: built before the first unpack, in place before the initramfs, the very bytes of a plain build.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kg uname=old limit=120
case_modules_are_built_before_the_first_unpack_and_are_there_when_the_initramfs_is_made() {
    local before after
    bed_pockets base old new
    before=$(find "/usr/lib/modules/$BED_OLD_REL" /var/lib/dkms/v4l2loopback/0.12.7 -printf '%p %C@\n' | sort | sha256sum)
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" \
        '^(Selecting previously|Preparing to unpack)' '^Unpacking ' "^Unpacking linux-image-$(re "$BED_NEW_REL")" \
        "^Setting up linux-image-$(re "$BED_NEW_REL")" "^update-initramfs: Generating /boot/initrd.img-$(re "$BED_NEW_REL")"
    expect_no_grep 'kmodgate: (warning|error)'
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    after=$(find "/usr/lib/modules/$BED_OLD_REL" /var/lib/dkms/v4l2loopback/0.12.7/"$BED_OLD_REL" -printf '%p %C@\n' | sort | sha256sum)
    before=$(find "/usr/lib/modules/$BED_OLD_REL" /var/lib/dkms/v4l2loopback/0.12.7/"$BED_OLD_REL" -printf '%p %C@\n' | sort | sha256sum)
    expect_eq "$before" "$after" 'a kernel that is not in the plan was touched'
    expect_settled
    expect_clean_dpkg
}
