#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What comes between: signals, scriptlets and archives that break. pacman's exit code and database both mislead then.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# A module whose build takes for ever, and pacman at it: PAC_PID.
pac_start_slow() {
    local d=/usr/src/slow-1.0
    bed_tree "$d" slow 1.0
    printf 'all modules:\n\tsleep 3000\n' >"$d/Makefile"
    sed -i '$a MAKE[0]="make -f Makefile modules"' "$d/dkms.conf"
    dkms add slow/1.0
    bed_policy $'modules:\n  - {module: slow, required: always}'
    pac_before /tmp/before
    "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)" >"$OUT" 2>&1 </dev/null &
    PAC_PID=$!
    bed_until '[ -n "$(bed_pids "sleep 3000")" ]' || fail 'the build never began'
}
pac_end() {
    RC=0
    wait "$PAC_PID" || RC=$?
    bed_until '[ -z "$(bed_pids "sleep 3000")" ]' || fail 'a build survives'
    expect_pac_quiet
    bed_ran
}

# bed: layer=kgarch uname=old-cloud limit=200
case_an_interrupt_in_the_gate_leaves_nothing_behind() {
    pac_start_slow
    kill -INT "$PAC_PID"
    pac_end
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_pac_unchanged
    expect_pac_settled
}

case_a_killed_pacman_leaves_its_lock_and_nothing_else() {
    pac_start_slow
    kill -TERM "$PAC_PID"
    pac_end
    [ "$RC" -ne 0 ] || fail 'it went through'
    rm -f /var/lib/pacman/db.lck
    expect_pac_unchanged
    expect_pac_settled
}

# Stands for the journal: what is sent to /dev/log is in /tmp/journal.
pac_journal() {
    perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, pack_sockaddr_un("/dev/log")) or die "$!";
        $| = 1; print "$_\n" while defined recv(S, $_, 4096, 0)' >/tmp/journal &
    bed_until '[ -S /dev/log ]' || fail 'no /dev/log'
}

case_an_interrupt_after_the_kernel_keeps_its_modules_and_says_what_is_missing() {
    pac_journal
    pac_interrupting zz-int
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$(pac_file new linux)" "$(pac_file modules zz-int)"
    expect_order "ready: acpi-call/" '^installing zz-int'
    expect_no_grep 'Updating linux initcpios'
    bed_until 'grep -q "initramfs was not made" "$OUT"' || fail 'no word about the initramfs'
    bed_until '[ -s /tmp/journal ]' || fail 'no word in the journal'
    expect_grep "^<28>.* kmodgate\[[0-9]*\]: $(re "$PAC_NEW"): .*initramfs was not made" /tmp/journal
    expect_pac_quiet
    expect_module "$PAC_NEW" acpi_call
    expect_dkms "$PAC_NEW" "acpi-call/$PAC_ACPI"
    expect_pac_settled
}

case_an_interrupt_before_the_kernel_takes_its_modules_back() {
    pac_interrupting aa-int
    run "${PACMAN[@]}" -U "$(pac_file modules aa-int)" "$(pac_file new linux-headers)" "$(pac_file new linux)"
    expect_grep "ready: acpi-call/"
    expect_eq "$(pac_version linux)" "$PAC_OLD_VER"
    bed_until '[ -z "$(ls /var/lib/kmodgate/txn)" ]' || fail 'not settled'
    expect_pac_quiet
    expect_no_path "/usr/lib/modules/$PAC_NEW/updates"
    expect_no_dkms "$PAC_NEW"
    expect_dkms "$PAC_OLD" "acpi-call/$PAC_ACPI"
    expect_pac_settled
}

# What is registered then is of before, of the same version.
case_an_interrupt_before_a_source_comes_anew_leaves_what_is_there() {
    pac_module fine 1.0
    pacman --noconfirm -U "$(pac_file modules fine-dkms)"
    rm -f /srv/pac/modules/fine-dkms-1*
    pac_module fine 1.0 alias 2
    pac_interrupting aa-int
    run "${PACMAN[@]}" -U "$(pac_file modules aa-int)" "$(pac_file modules fine-dkms)"
    expect_grep 'ready: fine/1.0'
    bed_until '[ -z "$(ls /var/lib/kmodgate/txn)" ]' || fail 'not settled'
    expect_pac_quiet
    expect_eq "$(pac_version fine-dkms)" 1.0-1
    expect_dkms "$PAC_OLD" fine/1.0
    expect_module "$PAC_OLD" fine
    expect_pac_settled
}

# Its modules had arrived before; of the same release are two, and both come anew.
case_modules_that_arrived_by_hand_before_the_end_are_unregistered_all() {
    pac_module fine 1.0
    pac_module good 1.0
    pacman --noconfirm -U "$(pac_file modules fine-dkms)" "$(pac_file modules good-dkms)"
    rm -f /srv/pac/modules/{fine,good}-dkms-1*
    pac_module fine 1.0 alias 2
    pac_module good 1.0 alias 2
    mkdir -p /tmp/int/usr/share/int
    printf 'post_install() {\n  kmodgate arrive %s\n  kill -INT $PPID\n}\n' "$PAC_OLD" >/tmp/int/.INSTALL
    bed_pac_build aa-int 1-1 /tmp/int modules
    run "${PACMAN[@]}" -U "$(pac_file modules aa-int)" "$(pac_file modules fine-dkms)" "$(pac_file modules good-dkms)"
    bed_until '[ -z "$(ls /var/lib/kmodgate/txn)" ]' || fail 'not settled'
    expect_pac_quiet
    expect_eq "$(dkms status | grep '^\(fine\|good\)/')" $'fine/1.0: added\ngood/1.0: added' 'dkms status'
    expect_pac_settled
}

# linux again, unpacked to /tmp/k, as version $1.
pac_unpack_kernel() {
    mkdir -p /tmp/k
    bsdtar -xf "$(pac_file new linux)" -C /tmp/k usr
}

case_a_script_that_fails_changes_nothing_about_the_kernel() {
    pac_unpack_kernel
    printf 'post_upgrade() {\n  exit 1\n}\n' >/tmp/k/.INSTALL
    bed_pac_build linux "$PAC_NEW_VER" /tmp/k modules
    run "${PACMAN[@]}" -U "$(pac_file modules linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled
}

# pac_full_disk: the new kernel, for which there is not enough room. What pacman's database says of it then is "installed".
# depmod may need room, too: then the transaction waits for the next gate, for the next boot, or for this.
pac_full_disk() {
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$(pac_file new linux)"
    expect_rc 1
    expect_order "ready: acpi-call/" '^error: could not extract'
    expect_eq "$(pac_version linux)" "$PAC_NEW_VER"
    expect_pac_quiet
    cp "$OUT" /tmp/pacman.out
    umount "/usr/lib/modules/$PAC_NEW/kernel"
    run kmodgate recover
    expect_rc 0
    cat "$OUT" >>/tmp/pacman.out
    expect_grep "took acpi-call/$PAC_ACPI back: linux is only half there, install it again" /tmp/pacman.out
    expect_eq "$(find "/usr/lib/modules/$PAC_NEW/updates" -name '*.ko*' 2>/dev/null)" '' modules
    expect_no_dkms "$PAC_NEW"
    expect_pac_settled
}

# No inode is a full disk as well; what is there is whole.
case_a_disk_without_inodes_leaves_no_module_for_half_a_kernel() {
    mkdir -p "/usr/lib/modules/$PAC_NEW/kernel"
    mount -t tmpfs -o nr_inodes=20 tmpfs "/usr/lib/modules/$PAC_NEW/kernel"
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$(pac_file new linux)"
    expect_rc 1
    expect_order "ready: acpi-call/" '^error: could not extract'
    bed_until '[ -z "$(ls /var/lib/kmodgate/txn)" ]' || fail 'not settled'
    expect_pac_quiet
    expect_grep "took acpi-call/$PAC_ACPI back: linux is only half there, install it again"
    expect_eq "$(find "/usr/lib/modules/$PAC_NEW/updates" -name '*.ko*' 2>/dev/null)" '' modules
    expect_no_dkms "$PAC_NEW"
    expect_pac_settled
}

case_a_full_disk_leaves_no_module_for_half_a_kernel() {
    mkdir -p "/usr/lib/modules/$PAC_NEW/kernel"
    mount -t tmpfs -o size=256k tmpfs "/usr/lib/modules/$PAC_NEW/kernel"
    pac_full_disk

    note "it comes again, whole"
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$(pac_file new linux)" --overwrite '*'
    expect_rc 0
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled
}

# Then the entry in the database is torn, too.
case_a_full_disk_with_the_database_on_it_leaves_none_either() {
    local database=/mnt/full/pacman
    mkdir -p "/usr/lib/modules/$PAC_NEW/kernel" /mnt/full
    mount -t tmpfs -o size=64m tmpfs /mnt/full
    cp -a /var/lib/pacman "$database"
    mkdir /mnt/full/kernel
    mount --bind "$database" /var/lib/pacman
    mount --bind /mnt/full/kernel "/usr/lib/modules/$PAC_NEW/kernel"
    head -c "$(($(df --output=avail -B1 /mnt/full | sed 1d) - (4 << 20)))" /dev/zero >/mnt/full/other
    pac_full_disk
    expect_eq "$(stat -c %s "/var/lib/pacman/local/linux-$PAC_NEW_VER/desc")" 0
}

# pac_state WORD WHEN [PACKAGE]
pac_state() { expect_eq "$(/usr/lib/kmodgate/pacman-state "${3:-linux}" | sed -n 's/.*state: \([a-z]*\)}.*/\1/p')" "$1" "$2"; }

case_what_is_half_there_is_told_from_what_was_changed() {
    local kernel=/usr/lib/modules/$PAC_OLD/kernel file size list archive
    file=$(find "$kernel" -name 'kvm.ko*')
    size=$(stat -c %s "$file")
    cp -a "$file" /tmp/whole
    pac_state installed 'as it came'
    cp --sparse=always /tmp/whole "$file"
    [ "$(stat -c %b "$file")" -lt "$(stat -c %b /tmp/whole)" ] || fail 'no zeros that can be holes'
    pac_state installed 'its zeros are holes'
    echo signature >>"$file"
    pac_state installed 'signed'
    truncate -s "$((size / 2))" "$file"
    pac_state broken 'a half'
    truncate -s "$size" "$file"
    pac_state broken 'a half and a hole'
    rm "$file"
    pac_state broken 'gone'
    archive=/var/lib/dkms/kvm/original_module/$PAC_OLD/x86_64
    mkdir -p "$archive/collisions/updates"
    cp /tmp/whole "$archive/kvm.ko.xz"
    pac_state installed 'another stands in for it'
    mv "$archive/kvm.ko.xz" "$archive/collisions/updates"
    pac_state installed 'and another for that'
    rm -r /var/lib/dkms/kvm
    cp -a /tmp/whole "$file"
    pac_state installed 'there again'

    mv "$kernel/virt" /tmp/virt
    pac_state broken 'a folder is gone'
    sed -i '/^\[options\]/a NoExtract = usr/lib/modules/*/kernel/virt/*' /etc/pacman.conf
    pac_state installed 'a folder is not wanted'
    mv /tmp/virt "$kernel/virt"

    list=/var/lib/pacman/local/linux-$(pac_version linux)/mtree
    truncate -s -100 "$list"
    pac_state broken 'its list is torn'
    truncate -s 0 "$list"
    pac_state broken 'its list is empty'
    rm "$list"
    pac_state installed 'it came without a list'

    file=/usr/src/acpi-call-$PAC_ACPI/dkms.conf
    echo 'PACKAGE_NAME=acpi-call' >"$file"
    pac_state installed 'somebody wrote another' acpi_call-dkms
    : >"$file"
    pac_state broken 'nobody wrote that' acpi_call-dkms
}

case_an_archive_that_cannot_be_read_is_pacmans_business() {
    local size
    size=$(stat -c %s "$(pac_file new linux)")
    head -c $((size * 2 / 3)) "$(pac_file new linux)" >"/tmp/linux-$PAC_NEW_VER-x86_64.pkg.tar.zst"
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "/tmp/linux-$PAC_NEW_VER-x86_64.pkg.tar.zst"
    expect_rc 1
    expect_pac_quiet
    expect_no_path "/usr/lib/modules/$PAC_NEW/updates"
    expect_no_dkms "$PAC_NEW"
    expect_pac_settled
}

case_an_archive_that_breaks_after_the_gate_leaves_no_module_for_half_a_kernel() { pac_breaks_after_the_gate; }

# Its lock stays; it is for nobody, and nothing of ours waits for it.
case_a_pacman_that_is_killed_after_the_kernel_keeps_its_modules() {
    pac_interrupting zz-term
    sed -i 's/-INT/-TERM/' /tmp/int/.INSTALL
    bed_pac_build zz-term 1-1 /tmp/int modules
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$(pac_file new linux)" "$(pac_file modules zz-term)"
    [ "$RC" -ne 0 ] || fail 'it went through'
    expect_path /var/lib/pacman/db.lck
    bed_until 'grep -q "initramfs was not made" "$OUT"' || fail 'no word about the initramfs'
    expect_pac_quiet
    expect_module "$PAC_NEW" acpi_call
    expect_dkms "$PAC_NEW" "acpi-call/$PAC_ACPI"
    expect_pac_settled

    note "and the next one goes on from there"
    rm /var/lib/pacman/db.lck
    run "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled
}
