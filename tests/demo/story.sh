#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What demo.sh shows, inside the throw-away root. Every word of evidence is checked: a wrong one ends it with 1.
# shellcheck source=../lib/bed/inside.sh disable=SC2317

say() { printf '\n%s\n' "$*"; }
# The lines of apt that tell the order of things.
shown='^(kmodgate|  (kernel|module|phase|error|log|  |[a-z])|Nothing was|are as they|To go on|Unpacking linux-image|Setting up linux-image-[0-9]|update-initramfs|E: )'
command_is() {
    printf '  # %s\n' "$*"
    RC=0
    "$@" >"$OUT" 2>&1 </dev/null || RC=$?
    grep -E "$shown" "$OUT" | sed 's/^/  | /' || true
    printf '  exit code %s\n' "$RC"
}
evidence() { printf '  %-11s %s\n' "$1" "$2"; }

story() {
    trap 'echo "demo: this is not what it should look like" >&2; tail -n 40 "$OUT" >&2; exit 1' ERR
    set -E
    bed_pockets base old new backports
    say "A Debian 12 with kernel $BED_OLD_REL, kmodgate, and a module from a real package:"
    evidence 'dkms status' "$(dkms status)"

    say "1. The security update brings kernel $BED_NEW_REL. The module builds for it."
    command_is apt-get -y install linux-image-amd64 linux-headers-amd64
    expect_rc 0
    expect_order '^kmodgate: .*ready' '^Unpacking ' '^update-initramfs'
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    evidence 'order' 'built before the first package was unpacked, there when the initramfs was made'
    evidence 'initramfs' "$(lsinitramfs "/boot/initrd.img-$BED_NEW_REL" | grep v4l2loopback)"
    evidence 'modinfo' "$(modinfo -k "$BED_NEW_REL" -F vermagic v4l2loopback)"
    evidence 'dkms status' "$(dkms status -k "$BED_NEW_REL")"

    say "2. Backports have kernel $BED_BPO_REL. The module does not build for it."
    bed_snapshot /tmp/before
    command_is apt-get -y -t "$BED_SUITE-backports" install linux-image-amd64 linux-headers-amd64
    expect_rc 100
    expect_no_grep '^Unpacking'
    cp "$BED_HOLD" /tmp/hold
    rm "$BED_HOLD"
    bed_snapshot /tmp/after
    cp /tmp/hold "$BED_HOLD"
    expect_same /tmp/before /tmp/after
    evidence 'unchanged' "$(wc -l </tmp/after/sums) files of /boot, /lib/modules, /usr/src, /var/lib/dkms, /etc; dpkg's status; apt's marks"
    evidence 'but for' "$BED_HOLD, so that the same command again installs everything else"
    evidence 'status' "$(kmodgate status)"
}
