#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pacman, kernels in the layout of Arch: a new version is another release, and takes the old one's place.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# bed: layer=kgarch uname=old-cloud limit=200
case_a_good_module_is_built_before_anything_is_unpacked() {
    pac_upgrades
}

case_a_broken_module_stops_it_and_nothing_has_changed() {
    pac_repos new modules
    pac_break_acpi
    sed -i '/^Include/d' /etc/pacman.conf
    pac_before /tmp/before
    run "${PACMAN[@]}" -Su
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_grep '^ *--ignore linux,linux-headers$'
    expect_pac_unchanged
    expect_pac_settled

    note "what it says helps"
    run "${PACMAN[@]}" -Su --ignore linux,linux-headers
    expect_rc 0
    expect_eq "$(pac_version linux)" "$PAC_OLD_VER"

    note "skip-once: the same command brings the kernel without it"
    kmodgate skip-once
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_path "/usr/lib/modules/$PAC_NEW/vmlinuz"
    expect_no_module "$PAC_NEW" acpi_call
}

case_a_stop_holds_the_kernel_until_its_reason_is_gone() {
    pac_repos new modules
    pac_break_acpi
    run "${PACMAN[@]}" -Su
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_grep "held by $PAC_HOLD"
    expect_pac_settled held
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_grep 'linux: ignoring package upgrade'
    expect_no_grep kmodgate

    note "another version of the source: what the hold hung on has changed"
    pac_module fine 1.0
    run "${PACMAN[@]}" -U "$(pac_file modules fine-dkms)"
    expect_rc 0
    run pacman-conf IgnorePkg
    expect_no_grep linux
}

case_what_is_not_required_only_warns() {
    pac_repos new modules
    pac_break_acpi
    bed_policy $'modules:\n  - {module: acpi-call, required: never}'
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_grep 'kmodgate: warning: .*stays without acpi-call'
    expect_path "/usr/lib/modules/$PAC_NEW/vmlinuz"
    expect_pac_settled
}

case_it_can_be_switched_off() {
    expect_path /usr/lib/systemd/system/sysinit.target.wants/kmodgate-recover.service
    pac_repos new modules
    pac_break_acpi
    run env KMODGATE=off "${PACMAN[@]}" -Su
    expect_rc 0
    expect_path "/usr/lib/modules/$PAC_NEW/vmlinuz"
    expect_no_module "$PAC_NEW" acpi_call
    expect_pac_settled
}

case_files_and_urls_are_found_where_they_are() {
    cd /srv/pac/new || fail "no /srv/pac/new"
    run "${PACMAN[@]}" -U ./linux-"$PAC_NEW_VER"*.zst "../new/linux-headers-$PAC_NEW_VER-x86_64.pkg.tar.zst"
    expect_rc 0
    expect_pac_served "$PAC_NEW" acpi_call
    note "back again, and by URL"
    run "${PACMAN[@]}" -U "file://$(pac_file old linux)" "file://$(pac_file old linux-headers)" --cachedir /tmp/cache
    expect_rc 0
    expect_path /tmp/cache/linux-"$PAC_OLD_VER"-x86_64.pkg.tar.zst
    expect_pac_served "$PAC_OLD" acpi_call
    expect_pac_settled
}

case_the_configuration_is_the_one_pacman_was_called_with() {
    bed_pac_conf new modules
    sed -e '/^Include/d' -e 's|^CacheDir.*|CacheDir = /tmp/cache/|' /etc/pacman.conf >/tmp/other.conf
    bed_pac_conf old
    sed -i '/^Include/d' /etc/pacman.conf
    mkdir /tmp/cache
    pac_break_acpi
    cd /tmp || fail 'no /tmp'
    run "${PACMAN[@]}" --config other.conf -Syu
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" MAKE
    expect_path "/tmp/cache/linux-$PAC_NEW_VER-x86_64.pkg.tar.zst"
    expect_pac_settled
}

case_a_kernel_without_its_headers_is_stopped_and_they_are_named() {
    pac_repos new modules
    pac_before /tmp/before
    run "${PACMAN[@]}" -S linux
    expect_pac_stopped "$PAC_NEW" "acpi-call/$PAC_ACPI" 'finding'
    expect_grep 'linux-headers'
    expect_pac_unchanged

    note "they are in the cache"
    kmodgate skip-once # lifts the hold, no more
    rm -f /var/lib/kmodgate/skip-once
    pacman --noconfirm -Sw linux-headers >/dev/null
    run "${PACMAN[@]}" -S linux
    expect_rc 0
    expect_grep 'built with headers fetched for it'
    expect_path "/usr/lib/modules/$PAC_NEW"/updates/dkms/acpi_call.ko*
    expect_pac_settled
}

case_what_leaves_takes_its_modules_along() {
    run "${PACMAN[@]}" -R linux-headers linux
    expect_rc 0
    expect_no_path "/usr/lib/modules/$PAC_OLD"
    expect_no_dkms "$PAC_OLD"
    run "${PACMAN[@]}" -R acpi_call-dkms
    expect_rc 0
    expect_eq "$(dkms status)" '' 'dkms status'
    expect_no_path /var/lib/dkms/acpi-call
    expect_pac_settled
}

# Then a file of the kernel's package is not where it came.
case_what_replaces_a_module_of_the_kernel_stays() {
    local own=/usr/lib/modules/$PAC_NEW/kernel/arch/x86/platform/intel/iosf_mbi.ko
    bed_tree /usr/src/iosf_mbi-9.0 iosf_mbi 9.0
    dkms add iosf_mbi/9.0
    pac_repos new modules
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_no_grep ' back: '
    expect_pac_served "$PAC_NEW" acpi_call
    expect_module "$PAC_NEW" iosf_mbi
    expect_eq "$(dkms status iosf_mbi)" "iosf_mbi/9.0, $PAC_NEW, x86_64: installed (Original modules exist)"
    expect_no_path "$own"
    expect_pac_settled

    note "and the kernel's own comes back"
    run dkms remove iosf_mbi/9.0 -k "$PAC_NEW"
    expect_eq "$(modinfo -k "$PAC_NEW" -n iosf_mbi | sed 's|^/usr||')" "${own#/usr}"
}

case_a_module_source_is_judged_too() {
    pac_module fine 1.0
    pac_module dud 1.0 broken
    pac_before /tmp/before
    run "${PACMAN[@]}" -U "$(pac_file modules dud-dkms)"
    expect_pac_stopped "$PAC_OLD" dud/1.0 MAKE
    expect_pac_unchanged
    run "${PACMAN[@]}" -U "$(pac_file modules fine-dkms)" "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_pac_served "$PAC_NEW" fine fine/1.0
    expect_pac_served "$PAC_NEW" acpi_call

    note "its next version does not build: the one that works stays"
    pac_module fine 2.0 broken
    rm -f /srv/pac/modules/fine-dkms-1*
    pac_before /tmp/before
    run "${PACMAN[@]}" -U "$(pac_file modules fine-dkms)"
    expect_pac_stopped "$PAC_NEW" fine/2.0 MAKE
    expect_pac_unchanged
    rm -f /srv/pac/modules/fine-dkms-2*
    pac_module fine 3.0
    run "${PACMAN[@]}" -U "$(pac_file modules fine-dkms)"
    expect_rc 0
    expect_dkms "$PAC_NEW" fine/3.0
    expect_eq "$(dkms status -m fine | wc -l)" 1 'versions of fine'
    expect_eq "$(modinfo -k "$PAC_NEW" -F version fine)" 3.0
    expect_pac_settled
}

case_a_source_may_go_down_in_version() {
    pac_module fine 3.0
    pacman --noconfirm -U "$(pac_file modules fine-dkms)"
    expect_dkms "$PAC_OLD" fine/3.0
    rm -f /srv/pac/modules/fine-dkms-3*
    pac_module fine 1.0
    run "${PACMAN[@]}" -U "$(pac_file modules fine-dkms)"
    expect_rc 0
    expect_dkms "$PAC_OLD" fine/1.0
    expect_module "$PAC_OLD" fine
    expect_eq "$(modinfo -k "$PAC_OLD" -F version fine)" 1.0
    expect_pac_settled
}

# Under libalpm's own hook depmod has run before, with what was there then.
case_a_kernel_again_and_another_source_have_indexes_of_both() {
    pac_module fine 1.0
    pacman --noconfirm -U "$(pac_file modules fine-dkms)"
    rm -f /srv/pac/modules/fine-dkms-1*
    pac_module fine 2.0 alias
    run "${PACMAN[@]}" -U "$(pac_file old linux)" "$(pac_file old linux-headers)" "$(pac_file modules fine-dkms)"
    expect_rc 0
    expect_dkms "$PAC_OLD" fine/2.0
    expect_grep '^alias bed:another fine$' "/usr/lib/modules/$PAC_OLD/modules.alias"
    expect_pac_settled
}

# pac_driver PACKAGE MODULE VERSION [LINE...]: as pac_module, the package of another name; LINEs go into .PKGINFO.
pac_driver() {
    local d package=$1 module=$2 version=$3
    shift 3
    d=$(mktemp -d /var/tmp/module.XXXXXX)
    bed_tree "$d/usr/src/$module-$version" "$module" "$version"
    bed_pac_build "$package" "$version-1" "$d" modules 'depend = dkms' "$@"
    rm -rf "$d"
}

case_a_source_that_is_replaced_is_not_judged() {
    local new_kernel
    new_kernel=("$(pac_file new linux)" "$(pac_file new linux-headers)")
    pac_driver olddrv-dkms olddrv 1.0
    pac_driver newdrv-dkms newdrv 1.0 'conflict = olddrv-dkms'
    run "${PACMAN[@]}" -U "$(pac_file modules olddrv-dkms)"
    expect_rc 0
    expect_module "$PAC_OLD" olddrv
    expect_dkms "$PAC_OLD" olddrv/1.0
    bed_break /usr/src/olddrv-1.0/olddrv.c "$(cut -d- -f1 <<<"$BED_OLD_VER")"
    note "it stays: the kernel is stopped"
    run "${PACMAN[@]}" -U "${new_kernel[@]}"
    expect_pac_stopped "$PAC_NEW" olddrv/1.0 MAKE
    kmodgate skip-once # lifts the hold, no more
    rm -f /var/lib/kmodgate/skip-once
    note "it goes in the same transaction"
    run "${PACMAN[@]}" --ask 4 -U "$(pac_file modules newdrv-dkms)" "${new_kernel[@]}"
    expect_rc 0
    expect_no_grep 'kmodgate: (error|warning)'
    expect_pac_served "$PAC_NEW" newdrv newdrv/1.0
    expect_pac_served "$PAC_NEW" acpi_call
    expect_eq "$(dkms status -m olddrv)" '' 'dkms status'
    expect_no_path /var/lib/dkms/olddrv
    expect_pac_settled
}

case_a_source_that_is_replaced_by_an_older_one_of_its_name() {
    pac_driver fine-git-dkms fine 3.0
    pac_driver fine-dkms fine 1.0 'conflict = fine-git-dkms'
    run "${PACMAN[@]}" -U "$(pac_file modules fine-git-dkms)"
    expect_rc 0
    expect_module "$PAC_OLD" fine
    expect_dkms "$PAC_OLD" fine/3.0
    run "${PACMAN[@]}" --ask 4 -U "$(pac_file modules fine-dkms)"
    expect_rc 0
    expect_order "^kmodgate: $(re "$PAC_OLD"): ready: .*fine/1.0" '^removing fine-git-dkms'
    expect_dkms "$PAC_OLD" fine/1.0
    expect_eq "$(modinfo -k "$PAC_OLD" -F version fine)" 1.0

    note "and with a kernel"
    "${PACMAN[@]}" -R fine-dkms
    run "${PACMAN[@]}" -U "$(pac_file modules fine-git-dkms)"
    expect_rc 0
    run "${PACMAN[@]}" --ask 4 -U "$(pac_file modules fine-dkms)" "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_order "^kmodgate: $(re "$PAC_NEW"): ready: .*fine/1.0" '^removing fine-git-dkms'
    expect_no_grep 'fine/3.0.*ready|ready:.*fine/3.0'
    expect_pac_served "$PAC_NEW" fine fine/1.0
    expect_pac_settled
}

# libalpm's programs run one transaction after the other: what one would have taken is not taken by the next.
case_a_source_that_an_earlier_transaction_would_have_replaced_is_judged() {
    pac_driver olddrv-dkms olddrv 1.0
    run "${PACMAN[@]}" -U "$(pac_file modules olddrv-dkms)"
    expect_rc 0
    bed_break /usr/src/olddrv-1.0/olddrv.c "$(cut -d- -f1 <<<"$BED_OLD_VER")"
    # Of the very process that is to come, but before its lock; and of one that is gone.
    cat >/usr/share/libalpm/hooks/04-z.hook <<'HOOK'
[Trigger]
Type = Package
Operation = Upgrade
Target = linux
[Action]
When = PreTransaction
Exec = /usr/lib/bed/earlier
HOOK
    cat >/usr/lib/bed/earlier <<'SH'
#!/bin/bash
read -r stat </proc/$PPID/stat
set -- ${stat##*) }
dir=/run/kmodgate/leaving/$PPID-${20}
mkdir -p "$dir" /run/kmodgate/leaving/999999-1
cp /usr/src/olddrv-1.0/dkms.conf "$dir/olddrv-1.0"
touch -d "${KEPT_AT:-1 hour ago}" "$dir/olddrv-1.0"
SH
    chmod 755 /usr/lib/bed/earlier
    run "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_pac_stopped "$PAC_NEW" olddrv/1.0 MAKE
    kmodgate skip-once # lifts the hold, no more
    rm -f /var/lib/kmodgate/skip-once
    note "were it of this one, it would count"
    run env KEPT_AT=now "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_order 'ready: acpi-call/' '^upgrading linux'

    note "what a stopped run left goes with the next one that takes a source"
    expect_path /run/kmodgate/leaving/999999-1
    "${PACMAN[@]}" -R olddrv-dkms
    expect_no_path /run/kmodgate/leaving/999999-1
    expect_eq "$(dkms status -m olddrv)" '' 'dkms status'
}

case_several_kernels_in_one_upgrade() {
    run "${PACMAN[@]}" -U "$(pac_file old linux-lts)" "$(pac_file old linux-lts-headers)"
    expect_rc 0
    expect_pac_served "$BED_OLD_REL" acpi_call
    pac_repos new modules
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_pac_served "$PAC_NEW" acpi_call
    expect_pac_served "$BED_NEW_REL" acpi_call
    expect_no_path "/usr/lib/modules/$BED_OLD_REL"
    expect_pac_settled
}

# Who starts what: a line in /tmp/started for every program of ours.
pac_count_starts() {
    local p
    for p in /usr/bin/kmodgate /usr/lib/kmodgate/pacman-*; do
        mv "$p" "/usr/lib/bed/${p##*/}"
        printf '#!/bin/bash\necho "%s $*" >>/tmp/started\nexec -a "$0" /usr/lib/bed/%s "$@"\n' "${p##*/}" "${p##*/}" >"$p"
        chmod 755 "$p"
    done
    : >/tmp/started
}

case_a_transaction_without_kernels_starts_nothing() {
    pac_count_starts
    mkdir -p /tmp/p/usr/share/plain /tmp/p/usr/lib/modules-load.d /tmp/p/usr/src/plain
    : >/tmp/p/usr/lib/modules-load.d/plain.conf
    bed_pac_build plain 1-1 /tmp/p modules
    run "${PACMAN[@]}" -U "$(pac_file modules plain)"
    expect_rc 0
    expect_no_grep 'kmodgate|kernel modules'
    run "${PACMAN[@]}" -R plain
    expect_rc 0
    expect_eq "$(cat /tmp/started)" '' 'programs of ours'

    note "headers alone: no gate"
    run "${PACMAN[@]}" -U "$(pac_file old linux-headers)"
    expect_rc 0
    expect_grep '^pacman-event gate$' /tmp/started
    expect_no_grep '^kmodgate gate' /tmp/started
    expect_pac_served "$PAC_OLD" acpi_call
    expect_pac_settled
}

case_other_roots_are_not_its_business() {
    pac_break_acpi
    pac_repos new
    mkdir -p /tmp/root/var/lib/pacman
    run "${PACMAN[@]}" --root /tmp/root -Sy linux
    expect_rc 0
    expect_no_grep kmodgate
    expect_path "/tmp/root/usr/lib/modules/$PAC_NEW/vmlinuz"
}

case_a_broken_or_missing_core_lets_it_through() {
    chmod 0 /usr/bin/kmodgate
    run "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_grep 'WITHOUT a check'
    printf '#!/bin/sh\nkill -SEGV $$\n' >/usr/lib/kmodgate/pacman-event
    run "${PACMAN[@]}" -U "$(pac_file old linux)" "$(pac_file old linux-headers)"
    expect_rc 0
    rm /usr/lib/kmodgate/pacman-*
    run "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 0
    expect_eq "$(pac_version linux)" "$PAC_NEW_VER"
}

case_a_hook_file_of_others_that_cannot_be_read_is_pacmans_error() {
    printf '[Trigger]\nnonsense\n' >/usr/share/libalpm/hooks/50-foreign.hook
    pac_before /tmp/before
    run "${PACMAN[@]}" -U "$(pac_file new linux)" "$(pac_file new linux-headers)"
    expect_rc 1
    expect_pac_unchanged
    expect_pac_settled
}
