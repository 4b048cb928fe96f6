#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pacman with another configuration, database or root than the machine's own, and packages from a server.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kgarch uname=old-cloud limit=200
case_what_comes_from_a_server_is_found_in_the_cache() {
    pac_serve new modules
    run "${PACMAN[@]}" -U "$PAC_URL/new/linux-$PAC_NEW_VER-x86_64.pkg.tar.zst" \
        "$PAC_URL/new/linux-headers-$PAC_NEW_VER-x86_64.pkg.tar.zst"
    expect_rc 0
    expect_order "ready: acpi-call/" '^upgrading linux'
    expect_path "/var/cache/pacman/pkg/linux-$PAC_NEW_VER-x86_64.pkg.tar.zst"
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled
}

case_another_database_is_the_one_that_says_what_came() {
    cp -a /var/lib/pacman /tmp/db
    cd /tmp || fail 'no /tmp'
    run "${PACMAN[@]}" --dbpath db -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_order "ready: acpi-call/" '^upgrading linux'
    expect_eq "$(pacman -b db -Q linux)" "linux $PAC_NEW_VER"
    expect_eq "$(pac_version linux)" "$PAC_OLD_VER"
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled
}

case_another_configuration_has_its_own_hold_database_and_cache() {
    bed_pac_conf new modules
    cp -a /var/lib/pacman /tmp/db
    mkdir /tmp/cache
    sed -e 's|^CacheDir.*|CacheDir = /tmp/cache/\nDBPath = /tmp/db|' /etc/pacman.conf >/tmp/with.conf
    sed -e '/^Include/d' /tmp/with.conf >/tmp/without.conf
    bed_pac_conf old
    pac_break_acpi
    cd /tmp || fail 'no /tmp'
    note "the machine's own would hold, the one in use does not"
    run "${PACMAN[@]}" --config without.conf -Syu
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_grep '^ *--ignore linux,linux-headers$'
    expect_pac_settled

    note "and the other way round"
    sed -i '/^Include/d' /etc/pacman.conf
    run "${PACMAN[@]}" --config=with.conf -Syu
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_grep "held by $PAC_HOLD"
    expect_pac_settled held
    run "${PACMAN[@]}" --config with.conf -Su
    expect_rc 0
    expect_grep 'linux: ignoring package upgrade'

    note "without the module that does not build it comes, and stays"
    kmodgate skip-once
    rm -f /var/lib/kmodgate/skip-once
    dkms remove "acpi-call/$PAC_ACPI" --all
    bed_tree /usr/src/fine-1.0 fine 1.0
    dkms add fine/1.0
    run "${PACMAN[@]}" --config with.conf -Su
    expect_rc 0
    expect_order "ready: fine/1.0" '^upgrading linux'
    expect_pac_served "$PAC_NEW" fine fine/1.0
    expect_pac_settled
}

# Another program on libalpm: nothing is known of its command line, all of pacman.conf.
case_another_front_end_is_gated_too() {
    cp /usr/bin/pacman /usr/bin/front-end
    pac_repos new modules
    sed -i '/^Include/d' /etc/pacman.conf
    cp -a /usr/src/acpi-call-* /tmp/
    pac_break_acpi
    pac_before /tmp/before
    run front-end --noconfirm -Su
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_pac_unchanged
    cp /tmp/acpi-call-*/acpi_call.c /usr/src/acpi-call-*/
    run front-end --noconfirm -Su
    expect_rc 0
    expect_order "ready: acpi-call/" '^upgrading linux'
    expect_pac_served "$PAC_NEW" acpi_call

    note "files that only it knows of: said, and made up for before the initramfs"
    run front-end --noconfirm -U "$(pac_file old linux)" "$(pac_file old linux-headers)"
    expect_rc 0
    expect_order 'WITHOUT a check' '^downgrading linux' "$(re "$PAC_OLD"): .*acpi-call/" 'Updating linux initcpios'
    expect_pac_served "$PAC_OLD" acpi_call
    expect_pac_settled
}

case_names_on_standard_input_are_found() {
    pac_repos new modules
    run_pty 'printf "linux\nlinux-headers\n" | pacman --noconfirm -S -'
    expect_rc 0
    expect_order "ready: acpi-call/" 'upgrading linux'
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled
}

# A second system at /mnt/t, just like this one; what happens to it stays in memory.
pac_target() {
    mkdir -p /mnt/t /tmp/t
    mount -t tmpfs tmpfs /tmp/t
    mkdir /tmp/t/{upper,work}
    mount -t overlay overlay -o lowerdir=/,upperdir=/tmp/t/upper,workdir=/tmp/t/work /mnt/t || skip 'no overlay on an overlay'
}
# As pacstrap and arch-chroot do it.
pac_target_api() {
    local d
    for d in proc dev run; do mount --rbind "/$d" "/mnt/t/$d"; done
}
in_target() { chroot /mnt/t "$@"; }

# The hooks are the target's own and run there; the archives cannot be seen from in there.
case_a_root_with_kmodgate_in_it_gets_its_modules_after_the_transaction() {
    pac_target
    pac_target_api
    pac_before /tmp/before
    run "${PACMAN[@]}" --root /mnt/t -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_order '^upgrading linux' 'Installing the kernel modules' "$(re "$PAC_NEW"): building acpi-call/"
    expect_eq "$(in_target modinfo -k "$PAC_NEW" -F vermagic acpi_call | cut -d' ' -f1)" "$PAC_NEW"
    expect_grep 'updates/.*acpi_call\.ko' "/mnt/t/boot/initramfs-$PAC_NEW"
    expect_eq "$(in_target kmodgate status)" 'nothing open, nothing held'
    expect_pac_unchanged

    run "${PACMAN[@]}" --root /mnt/t -R linux linux-headers
    expect_rc 0
    expect_no_grep 'kmodgate: (error|warning)'
    expect_no_path "/mnt/t/usr/lib/modules/$PAC_NEW"
    expect_pac_unchanged

    note "a module that no longer builds cannot stop it from there, nor break it"
    bed_break "$(compgen -G '/mnt/t/usr/src/acpi-call-*/acpi_call.c')"
    run "${PACMAN[@]}" --root /mnt/t -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_path "/mnt/t/boot/initramfs-$PAC_NEW"
    expect_pac_unchanged
}

case_a_root_without_proc_is_not_broken() {
    pac_target
    run "${PACMAN[@]}" --root /mnt/t -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_path "/mnt/t/usr/lib/modules/$PAC_NEW/vmlinuz" "/mnt/t/boot/initramfs-$PAC_NEW"
    expect_order '^upgrading linux' "no /proc in here.* \"dkms autoinstall -k $(re "$PAC_NEW")\"" 'Updating linux initcpios'
    run "${PACMAN[@]}" --root /mnt/t -R linux linux-headers
    expect_rc 0
    expect_eq "$(find /mnt/t/usr/lib/modules /mnt/t/var/lib/kmodgate/txn -name "*$PAC_NEW*")" '' 'left of it'
}

# pacman itself goes into it: all is as if it were called in there.
case_a_sysroot_is_gated() {
    pac_target
    pac_target_api
    bed_break "$(compgen -G '/mnt/t/usr/src/acpi-call-*/acpi_call.c')" "$(cut -d- -f1 <<<"$BED_OLD_VER")"
    pac_before /tmp/before
    run "${PACMAN[@]}" --sysroot /mnt/t -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_eq "$(in_target pacman -Q linux)" "linux $PAC_OLD_VER"
    expect_no_path "/mnt/t/usr/lib/modules/$PAC_NEW"

    in_target kmodgate skip-once
    rm -f /mnt/t/var/lib/kmodgate/skip-once
    cp /usr/src/acpi-call-*/acpi_call.c /mnt/t/usr/src/acpi-call-*/
    run "${PACMAN[@]}" --sysroot /mnt/t -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_order "ready: acpi-call/" '^upgrading linux'
    expect_eq "$(in_target modinfo -k "$PAC_NEW" -F vermagic acpi_call | cut -d' ' -f1)" "$PAC_NEW"
    expect_eq "$(in_target kmodgate status)" 'nothing open, nothing held'
    expect_pac_unchanged
}
