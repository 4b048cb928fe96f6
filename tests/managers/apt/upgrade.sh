#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The good upgrade: built before the first unpack, in place before the initramfs, the very bytes of a plain build.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# Everything of a release, with the time of the last change (nobody can set that back).
touched() { find "/usr/lib/modules/$1" /boot/*"$1" "/var/lib/dkms/"*/*/"$1" -printf '%p %C@\n' | sort; }

# bed: layer=kg uname=old
case_modules_are_built_before_the_first_unpack_and_are_there_when_the_initramfs_is_made() {
    touched "$BED_OLD_REL" >/tmp/old
    bed_pockets base old new
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking ' \
        "^Unpacking linux-image-$(re "$BED_NEW_REL")" "^Setting up linux-image-$(re "$BED_NEW_REL")" \
        "^update-initramfs: Generating /boot/initrd.img-$(re "$BED_NEW_REL")"
    expect_eq "$(sed -n '/^Unpacking/q; p' "$OUT" | grep -c '^kmodgate: .*ready')" 1 'verdict before the first unpack'
    expect_no_grep 'kmodgate: (warning|error)'
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    touched "$BED_OLD_REL" >/tmp/old-after
    expect_eq "$(diff /tmp/old /tmp/old-after)" '' 'a kernel that the transaction is not about was touched'
    expect_settled
    expect_clean_dpkg
}

case_what_the_gate_placed_is_byte_identical_to_a_build_after_installation_and_to_what_dkms_builds() {
    local ko dir=/usr/lib/modules/$BED_NEW_REL/updates/dkms
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64 tp-smapi-dkms
    expect_rc 0
    cp -a "$dir" /tmp/gate
    expect_eq "$(cd "$dir" && echo ./*)" './hdaps.ko ./thinkpad_ec.ko ./tp_smapi.ko ./v4l2loopback.ko'
    # The kernel has a hdaps of its own, and neither says a version: replaced, as DKMS 3.2 does it.
    expect_dkms "$BED_NEW_REL" tp_smapi/0.43 'installed (Original modules exist)'
    expect_no_path "/usr/lib/modules/$BED_NEW_REL/kernel/drivers/platform/x86/hdaps.ko"

    note "the same by hand, without the gate and what it knows: same key, same signature"
    rm -rf /var/cache/kmodgate/store
    dkms remove v4l2loopback/0.12.7 -k "$BED_NEW_REL"
    dkms remove tp_smapi/0.43 -k "$BED_NEW_REL"
    expect_no_path "$dir"
    expect_path "/usr/lib/modules/$BED_NEW_REL/kernel/drivers/platform/x86/hdaps.ko"
    run dkms install v4l2loopback/0.12.7 -k "$BED_NEW_REL"
    expect_rc 0
    dkms install tp_smapi/0.43 -k "$BED_NEW_REL"
    expect_same_tree /tmp/gate "$dir"

    note "Debian's dkms takes the tree over, builds again, and signs for itself"
    run apt-get install -y dkms
    expect_rc 0
    expect_not_installed kmodgate
    expect_dkms "$BED_NEW_REL" v4l2loopback/0.12.7
    for ko in v4l2loopback/0.12.7 tp_smapi/0.43; do
        dkms remove "$ko" -k "$BED_NEW_REL" >/dev/null
        dkms install "$ko" -k "$BED_NEW_REL" >/dev/null
    done
    # (3.0.10 on Debian forgets what we archived: there is no hdaps of the kernel any more)
    expect_eq "$(cd "$dir" && echo ./*)" './hdaps.ko ./thinkpad_ec.ko ./tp_smapi.ko ./v4l2loopback.ko' 'by dkms 3.0.10'
    for ko in v4l2loopback hdaps thinkpad_ec tp_smapi; do
        [ "$(modinfo -F signer "/tmp/gate/$ko.ko")" ] || fail "$ko is not signed"
        expect_eq "$(bed_unsigned_sum "/tmp/gate/$ko.ko")" "$(bed_unsigned_sum "$dir/$ko.ko")" "$ko by dkms 3.0.10"
    done
}

# bed: layer=kold-dkms uname=old
case_kmodgate_takes_over_from_dkms_and_its_next_upgrade_is_gated() {
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    sha256sum "/usr/lib/modules/$BED_OLD_REL/updates/dkms/v4l2loopback.ko" /var/lib/dkms/mok.key >/tmp/sums
    run bed_install_kmodgate
    expect_rc 0
    expect_not_installed dkms
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    sha256sum -c /tmp/sums
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_eq "$(modinfo -k "$BED_NEW_REL" -F signer v4l2loopback)" "$(modinfo -k "$BED_OLD_REL" -F signer v4l2loopback)" 'same key'
    expect_settled
}

# bed: layer=kg uname=old
case_apt_upgrade_of_local_package_files_is_gated_too() {
    local dir=/srv/bed/new
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    run apt install -y $dir/linux-{image,headers}-"${BED_NEW_REL}"_*.deb $dir/linux-headers-"${BED_NEW_REL%-amd64}"-common_*.deb \
        $dir/linux-kbuild-*.deb $dir/linux-compiler-*.deb
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_settled
}
