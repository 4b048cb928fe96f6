#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bed proves itself, without kmodgate: Debian's own dkms, and a hook that refuses.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kold-dkms initramfs=most
case_dkms_builds_in_a_real_kernel_upgrade_and_the_initramfs_has_the_module() {
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_no_path "/boot/vmlinuz-$BED_NEW_REL"
    expect_eq "$(compgen -G '/var/cache/apt/archives/*.deb')" '' 'the archive cache starts empty'
    bed_pockets base old new
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_order "^Get:.* linux-image-$BED_NEW_REL" "Unpacking linux-image-$BED_NEW_REL" "Setting up linux-image-$BED_NEW_REL" \
        "update-initramfs: Generating /boot/initrd.img-$BED_NEW_REL"
    expect_installed "linux-image-$BED_NEW_REL"
    expect_path "/var/cache/apt/archives/linux-image-${BED_NEW_REL}_${BED_NEW_VER}_$BED_ARCH.deb"
    expect_module "$BED_NEW_REL" v4l2loopback
    expect_in_initramfs "$BED_NEW_REL" v4l2loopback
    expect_clean_dpkg
}

# bed: layer=kold
case_a_refusing_hook_gives_100_and_changes_nothing() {
    cat >/usr/local/sbin/refuse <<'HOOK'
#!/bin/sh
cat >/run/hook-stdin
exit 7
HOOK
    chmod 755 /usr/local/sbin/refuse
    echo 'DPkg::Pre-Install-Pkgs {"/usr/local/sbin/refuse";}; DPkg::Tools::Options::/usr/local/sbin/refuse::Version "3";' \
        >/etc/apt/apt.conf.d/zz-refuse
    bed_pockets base old new more
    bed_snapshot /tmp/before
    run apt-get dist-upgrade -y
    expect_rc 100
    expect_grep 'returned an error code \(7\)'
    expect_no_grep '^Unpacking'
    bed_snapshot /tmp/after
    expect_same /tmp/before /tmp/after
    expect_grep "^linux-image-$BED_NEW_REL .*/var/cache/apt/archives/linux-image-$BED_NEW_REL" /run/hook-stdin
}

case_a_snapshot_sees_one_changed_byte_and_one_new_path() {
    bed_snapshot /tmp/a
    printf x | dd of="/usr/lib/modules/$BED_OLD_REL/modules.order" bs=1 count=1 conv=notrunc status=none
    mkdir /usr/src/new
    bed_snapshot /tmp/b
    run bed_same /tmp/a /tmp/b
    expect_rc 1
    expect_grep "^\+.*/usr/lib/modules/$BED_OLD_REL/modules.order"
    expect_grep '^\+/usr/src/new d 755'
}

# bed: layer=base
case_the_root_is_closed_and_its_own() {
    expect_eq $$ "$(awk '/^NSpid/ { print $NF }' /proc/$$/status)" 'own pid namespace'
    expect_eq "$(hostname)" bed
    expect_eq "$(awk 'NR > 2 && !/lo:/' /proc/net/dev)" '' 'no network'
    run unshare -Urm true # not chrooted: user namespaces work
    expect_rc 0
    run_pty 'test -t 1 && stty size >/dev/null && echo on a tty'
    expect_grep '^on a tty$'
    run touch /srv/bed/x
    expect_rc 1
}

# bed: layer=base uname=old
case_uname_answers_the_release_the_case_wants() {
    expect_eq "$(uname -r)" "$BED_OLD_REL"
}

# bed: layer=base
case_local_packages_are_upgraded_like_others() {
    mkdir -p /tmp/p/DEBIAN
    printf 'Package: bed-try\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDescription: try\n' >/tmp/p/DEBIAN/control
    bed_local "$(bed_deb /tmp/p)"
    bed_pockets base old local
    run apt-get install -y bed-try
    expect_rc 0
    sed -i 's/^Version: 1/Version: 2/' /tmp/p/DEBIAN/control
    bed_local "$(bed_deb /tmp/p)" "$(bed_redeb hello base 99)"
    apt-get -qq update
    run apt-get dist-upgrade -y
    expect_order 'Unpacking bed-try \(2\) over \(1\)'
    run apt-get install -y hello
    expect_grep 'Unpacking hello \(99\)'
}

# bed: layer=base nest=1 upper=tmpfs
case_a_nested_root_refuses_a_third_overlay() {
    mkdir -p /mnt/{l,u,w,m}
    mount -t tmpfs t /mnt/u
    mkdir /mnt/u/{u,w}
    run mount -t overlay o -o lowerdir=/usr,upperdir=/mnt/u/u,workdir=/mnt/u/w /mnt/m
    expect_no_grep '^$'
    [ "$RC" -ne 0 ] || fail "a third overlay was mounted"
}

# bed: layer=base upper=disk overlay=0
case_where_overlay_is_refused_the_root_is_a_copy() {
    expect_no_grep '^overlay / ' /proc/mounts
    run apt-get install -y hello
    expect_rc 0
}
