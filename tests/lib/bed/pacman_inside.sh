#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the cases of pacman use, besides inside.sh and modules.sh.
# shellcheck disable=SC2034,SC2119,SC2120 # used by the cases

PAC_OLD=${BED_OLD_REL%-amd64}-cloud-amd64 # of linux
PAC_NEW=${BED_NEW_REL%-amd64}-cloud-amd64
PAC_OLD_VER=$(bed_pac_version "$BED_OLD_VER")
PAC_NEW_VER=$(bed_pac_version "$BED_NEW_VER")
PAC_ACPI=$(compgen -G '/usr/src/acpi-call-*' | sed 's|.*/acpi-call-||' || true)
PACMAN=(pacman --noconfirm)
PAC_HOLD=/etc/pacman.d/kmodgate-hold.conf

pac_file() { compgen -G "/srv/pac/$1/$2-[0-9]*.pkg.tar.zst" | sed -n 1p; } # REPO NAME
pac_version() { pacman -Q "$1" | cut -d' ' -f2; }
# REPO...: pacman's repositories from now on.
pac_repos() {
    bed_pac_conf "$@"
    pacman -Sy >/dev/null
}
# The same by HTTP on loopback, as pacman has it from a mirror.
PAC_URL=http://127.0.0.1:8078
pac_serve() { # REPO...
    perl /run/bed/lib/serve.pl /srv/pac 8078 &
    bed_pac_conf "$@"
    sed -i "s|file:///srv/pac|$PAC_URL|" /etc/pacman.conf
    bed_until 'pacman -Sy >/dev/null 2>&1' || { run pacman -Sy; fail 'no server'; }
}

# What a stopped transaction may not have changed.
pac_before() {
    mkdir -p "$1"
    (cd /var/lib/pacman/local && find . -type f -exec sha256sum {} + | sort -k2) >"$1/local"
    bed_snapshot "$1" /boot /usr/lib/modules /usr/src /var/lib/dkms /etc/kmodgate
}
expect_pac_unchanged() {
    local f
    pac_before /tmp/after
    for f in local tree sums; do
        diff -U0 "/tmp/before/$f" "/tmp/after/$f" >"$OUT" || fail "$f: changed"
    done
    expect_no_path /var/lib/pacman/db.lck
}
expect_pac_settled() { # [held]
    run kmodgate status
    if [ "${1:-}" = held ]; then expect_grep '^pacman: held: '; else expect_grep '^nothing open, nothing held$'; fi
    expect_eq "$(find /var/lib/kmodgate/txn /usr/lib/modules/.kmodgate -mindepth 1 2>/dev/null)" '' 'left of a transaction'
    expect_pac_quiet
}
# Nothing of ours still runs; a watcher that has nothing to do ends within a second of pacman.
expect_pac_quiet() {
    bed_until '[ -z "$(bed_pids "(kmodgate|pacman-plan|pacman-event)( |$)")" ]' ||
        fail "still running: $(bed_pids '(kmodgate|pacman-plan|pacman-event)( |$)')"
}
# Indexed, registered, and there when the initramfs was made.
expect_pac_served() { # RELEASE MODULE [NAME/VERSION]
    expect_module "$1" "$2"
    expect_dkms "$1" "${3:-acpi-call/$PAC_ACPI}"
    expect_grep "updates/.*$2\.ko" "/boot/initramfs-$1"
}
expect_pac_stopped() { # RELEASE MODULE/VERSION PHASE
    expect_rc 1
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$1")" "^ *module +$(re "$2")$" "^ *phase +$3" \
        '^Nothing was changed' '^To go on:' '^error: failed to commit transaction'
}

# What the gate placed is what is built once the kernel and its headers are there.
expect_pac_built_alike() { # RELEASE
    local at=/usr/lib/modules/$1/updates
    mkdir /tmp/gate
    cp -a "$at/." /tmp/gate/
    dkms remove "acpi-call/$PAC_ACPI" -k "$1"
    rm -rf /var/cache/kmodgate/store
    dkms install "acpi-call/$PAC_ACPI" -k "$1"
    expect_same_tree /tmp/gate "$at"
}

# The registered acpi_call no longer compiles for the newer kernel.
pac_break_acpi() {
    local file
    file=$(compgen -G '/usr/src/acpi-call-*/acpi_call.c')
    bed_break "$file" "$(cut -d- -f1 <<<"$BED_OLD_VER")"
}
# pac_module NAME VERSION [broken|alias] [PKGREL]: a package with a module source, in the repository modules.
pac_module() {
    local d
    d=$(mktemp -d /var/tmp/module.XXXXXX)
    bed_tree "$d/usr/src/$1-$2" "$1" "$2"
    if [ "${3:-}" = broken ]; then bed_break "$d/usr/src/$1-$2/$1.c"; fi
    if [ "${3:-}" = alias ]; then echo 'MODULE_ALIAS("bed:another");' >>"$d/usr/src/$1-$2/$1.c"; fi
    bed_pac_build "$1-dkms" "$2-${4:-1}" "$d" modules 'depend = dkms'
    rm -rf "$d"
}
# A package whose script interrupts pacman.
pac_interrupting() { # NAME
    mkdir -p /tmp/int/usr/share/int
    printf 'post_install() {\n  kill -INT $PPID\n}\n' >/tmp/int/.INSTALL
    bed_pac_build "$1" 1-1 /tmp/int modules
}
# The archive that pacman opens again for unpacking is cut short by then: a kernel that is there in part.
pac_breaks_after_the_gate() {
    local file=/tmp/linux-$PAC_NEW_VER-x86_64.pkg.tar.zst size
    cp "$(pac_file new linux)" "$file"
    size=$(stat -c %s "$file")
    printf '[Trigger]\nType = Package\nOperation = Upgrade\nTarget = linux\n[Action]\nWhen = PreTransaction\nExec = /usr/bin/truncate -s %s %s\n' \
        $((size * 2 / 3)) "$file" >/usr/share/libalpm/hooks/07-break.hook
    run "${PACMAN[@]}" -U "$(pac_file new linux-headers)" "$file"
    expect_rc 1
    expect_order "ready: acpi-call/" '^upgrading linux' '^error: '
    run pacman -Q linux
    bed_until '[ -z "$(ls /var/lib/kmodgate/txn)" ]' || fail 'not settled'
    expect_pac_quiet
    expect_eq "$(find "/usr/lib/modules/$PAC_NEW/updates" -name '*.ko*' 2>/dev/null)" '' modules
    expect_no_dkms "$PAC_NEW"
    expect_pac_settled
}

# An upgrade that goes well, from the gate to the initramfs; the .ko is the one a build after the installation gives.
pac_upgrades() {
    expect_pac_served "$PAC_OLD" acpi_call
    pac_repos new modules
    run "${PACMAN[@]}" -Su
    expect_rc 0
    expect_order 'Building kernel modules before' "kmodgate: $(re "$PAC_NEW"): ready: acpi-call/" '^upgrading linux' \
        'Updating module dependencies' 'Installing the kernel modules' 'Removing kernel modules' 'Updating linux initcpios'
    expect_pac_served "$PAC_NEW" acpi_call
    expect_no_path "/usr/lib/modules/$PAC_OLD"
    expect_no_dkms "$PAC_OLD"
    expect_pac_settled
    expect_builds 1 acpi-call "$PAC_NEW"
    expect_pac_built_alike "$PAC_NEW"
}
