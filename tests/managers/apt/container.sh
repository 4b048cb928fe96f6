#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Roots that are not a plain disk.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

upgrade_is_gated() {
    bed_pockets base old new
    run "$@" apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_settled
}

# bed: layer=kg nest=1 upper=tmpfs
case_an_overlay_on_an_overlay() {
    upgrade_is_gated
}

case_a_stop_on_an_overlay_on_an_overlay() {
    bed_pockets base old backports
    bed_before
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    expect_unchanged hold
}

# bed: layer=kg uname=old
case_usr_local_is_a_mount_of_its_own_and_builds_see_what_is_in_it() {
    cp -a /usr/local /tmp/local
    mount -t tmpfs local /usr/local
    cp -a /tmp/local/. /usr/local/
    printf '#!/bin/sh\necho "bed: from the mount"\n' >/usr/local/bin/bed-tool
    chmod 755 /usr/local/bin/bed-tool
    bed_tree /usr/src/tool-1 tool 1 'MAKE[0]="bed-tool && make -C $kernel_source_dir M=$dkms_tree/tool/1/build"'
    dkms add tool/1
    dkms install tool/1 -k "$BED_OLD_REL"
    mount -t tmpfs more /usr/local/share # a mount on a mount
    upgrade_is_gated
    expect_dkms "$BED_NEW_REL" tool/1
    expect_grep 'bed: from the mount' "$(find /var/log/kmodgate -name "tool-*$BED_NEW_REL*.log")"
}

case_without_the_right_to_mount_a_user_namespace_will_do() {
    upgrade_is_gated setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin --
}

case_without_any_namespace_there_is_a_clear_word_and_a_way_out() {
    # In a chroot nobody gets a user namespace.
    mkdir /mnt/r
    mount --rbind / /mnt/r
    local install=(chroot /mnt/r setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- apt-get install -y linux-image-amd64 linux-headers-amd64)
    bed_pockets base old new
    run "${install[@]}"
    if [ "$RC" = 0 ]; then expect_grep '^kmodgate: (warning|error): '; else expect_way_out "${install[@]}"; fi
    expect_path "/boot/initrd.img-$BED_NEW_REL"
}

# The store is but a cache: one warning, and every way of building goes on without it.
goes_on_without_a_cache() { # MOUNT-OPTION REASON
    bed_tree /usr/src/second-1 second 1
    dkms add second/1
    dkms install second/1 -k "$BED_OLD_REL"
    rm -rf /var/cache/kmodgate
    mkdir -p /var/cache/kmodgate
    mount -t tmpfs -o "$1" none /var/cache/kmodgate
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_grep "^kmodgate: warning: .*not kept.*$2"
    expect_count 1 '^kmodgate: (warning|error)'
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_dkms "$BED_NEW_REL" second/1
    dkms remove v4l2loopback/0.12.7 -k "$BED_OLD_REL"
    run dkms install v4l2loopback/0.12.7 -k "$BED_OLD_REL"
    expect_rc 0
    expect_grep "not kept.*$2"
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_eq "$(find /var/lib/kmodgate/work -mindepth 1)" '' 'left in the work folder'
    umount /var/cache/kmodgate
    expect_settled
}
# bed: layer=kg uname=old
case_a_cache_that_cannot_be_written_is_done_without() { goes_on_without_a_cache ro 'Read-only file system'; }
case_a_cache_that_is_full_is_done_without() { goes_on_without_a_cache size=64k 'No space left on device'; }
