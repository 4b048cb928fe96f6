#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pacman of newer releases of Debian, and kmodgate built there: 7.0 with libalpm 15 (Debian 13), 7.1 with libalpm 16
# (sid). What pacman.sh and interrupted.sh show of 6.0.2, as far as another libalpm could make a difference.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=pactrixie uname=old-cloud limit=240
case_pacman_7_0_a_good_module_is_built_before_anything_is_unpacked() { pac_builds 'v7\.0\.[0-9]* - libalpm v15'; }
case_pacman_7_0_a_stop_changes_nothing_and_holds() { pac_stops; }
case_pacman_7_0_files_and_what_the_download_user_fetched_are_found() { pac_finds; }
case_pacman_7_0_an_interrupt_keeps_or_takes_back_the_modules() { pac_interrupts; }
case_pacman_7_0_an_archive_that_breaks_after_the_gate_leaves_no_modules() { pac_breaks_after_the_gate; }

# bed: layer=pacsid uname=old-cloud limit=240
case_pacman_7_1_a_good_module_is_built_before_anything_is_unpacked() { pac_builds 'v7\.1\.[0-9]* - libalpm v16'; }
case_pacman_7_1_a_stop_changes_nothing_and_holds() { pac_stops; }
case_pacman_7_1_files_and_what_the_download_user_fetched_are_found() { pac_finds; }
case_pacman_7_1_an_interrupt_keeps_or_takes_back_the_modules() { pac_interrupts; }
case_pacman_7_1_an_archive_that_breaks_after_the_gate_leaves_no_modules() { pac_breaks_after_the_gate; }

pac_builds() { # VERSION-RE
    run pacman --version
    grep -q "Pacman $1" "$OUT" || skip "it is $(grep -o 'Pacman v.*' "$OUT")" # sid's, of the day
    pac_upgrades
}

pac_stops() {
    pac_repos new modules
    pac_before /tmp/before
    run "${PACMAN[@]}" -S linux
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" 'finding'
    expect_grep 'linux-headers'
    expect_pac_unchanged
    kmodgate skip-once
    rm -f /var/lib/kmodgate/skip-once

    pac_break_acpi
    pac_before /tmp/before
    run "${PACMAN[@]}" -Su
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_pac_unchanged
    expect_pac_settled held
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_grep 'linux: ignoring package upgrade'
    expect_eq "$(pac_version linux)" "$PAC_OLD_VER"
}

# pacman 7 downloads as another user and, where the kernel has Landlock, in a sandbox.
pac_finds() {
    pac_serve new modules
    echo 'alpm:x:990:990::/:/usr/sbin/nologin' >>/etc/passwd
    echo 'alpm:x:990:' >>/etc/group
    sed -i '/^SigLevel/a DownloadUser = alpm' /etc/pacman.conf
    if ! pacman -Syy >/dev/null 2>&1; then
        note 'no Landlock here: the other user alone'
        sed -i '/^SigLevel/a DisableSandbox' /etc/pacman.conf
    fi
    run "${PACMAN[@]}" -Syyu
    expect_rc 0
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_settled

    note "back again: one by URL, one from the folder at hand"
    cd /srv/pac/old || fail "no /srv/pac/old"
    run "${PACMAN[@]}" -U "$PAC_URL/old/linux-$PAC_OLD_VER-x86_64.pkg.tar.zst" ./linux-headers-"$PAC_OLD_VER"*.zst
    expect_rc 0
    expect_pac_served "$PAC_OLD" acpi_call
    expect_no_path "/usr/lib/modules/$PAC_NEW"
    expect_pac_settled
}

pac_interrupts() {
    pac_interrupting aa-int
    run "${PACMAN[@]}" -U "$(pac_file modules aa-int)" "$(pac_file new linux-headers)" "$(pac_file new linux)"
    expect_grep "ready: acpi-call/"
    expect_eq "$(pac_version linux)" "$PAC_OLD_VER"
    bed_until '[ -z "$(ls /var/lib/kmodgate/txn)" ]' || fail 'not settled'
    expect_no_path "/usr/lib/modules/$PAC_NEW/updates"
    expect_no_dkms "$PAC_NEW"
    expect_pac_settled

    pac_interrupting zz-int
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$(pac_file new linux)" "$(pac_file modules zz-int)"
    expect_order "ready: acpi-call/" '^installing zz-int'
    expect_no_grep 'Updating linux initcpios'
    bed_until 'grep -q "initramfs was not made" "$OUT"' || fail 'no word about the initramfs'
    expect_pac_quiet
    expect_module "$PAC_NEW" acpi_call
    expect_dkms "$PAC_NEW" "acpi-call/$PAC_ACPI"
    expect_pac_settled
}
