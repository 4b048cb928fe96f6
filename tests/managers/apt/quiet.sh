#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Transactions that have nothing to do with kernels or modules do not notice kmodgate.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

hooks_off() { mkdir -p /tmp/hooks && mv /etc/apt/apt.conf.d/*kmodgate* /etc/dpkg/dpkg.cfg.d/*kmodgate* /tmp/hooks/; }
hooks_on() {
    mv /tmp/hooks/*dpkg* /etc/dpkg/dpkg.cfg.d/ 2>/dev/null || true
    local f
    for f in /tmp/hooks/*; do
        if grep -q invoke= "$f"; then mv "$f" /etc/dpkg/dpkg.cfg.d/; else mv "$f" /etc/apt/apt.conf.d/; fi
    done
}
ours() { find /var/lib/kmodgate /var/log/kmodgate /var/cache/kmodgate /run/kmodgate* -type f -printf '%p %C@\n' 2>/dev/null | sort || true; }
same_text() { sed 's/^\(Fetched [0-9.]* .B\).*/\1/' "$OUT"; }
# Milliseconds of the fastest of N runs.
fastest() { # N CMD...
    local n=$1 i best=999999 t
    shift
    for ((i = 0; i < n; i++)); do
        t=${EPOCHREALTIME/./}
        "$@" >/dev/null 2>&1
        t=$(((${EPOCHREALTIME/./} - t) / 1000))
        if [ "$t" -lt "$best" ]; then best=$t; fi
    done
    echo "$best"
}

# bed: layer=kg uname=old
case_hello_is_installed_removed_and_upgraded_without_a_word_or_a_trace() {
    local cmd with without
    bed_pockets base old
    ours >/tmp/ours
    for cmd in 'apt-get install -y hello' 'apt-get install -y --reinstall hello' 'apt-get purge -y hello' \
        'dpkg -i /srv/bed/base/hello_2.10-3_amd64.deb' 'dpkg --configure -a' 'apt-get -s dist-upgrade' 'dpkg -r hello'; do
        apt-get clean
        # shellcheck disable=SC2086
        run $cmd
        expect_rc 0
        expect_no_grep kmodgate
        same_text >"/tmp/with.${cmd//\//_}"
    done
    # Only the memory of what was in which package may have grown.
    expect_eq "$(ours | diff /tmp/ours - | grep -v /var/cache/kmodgate | grep '^[<>]' || true)" '' 'traces'
    hooks_off
    for cmd in 'apt-get install -y hello' 'apt-get install -y --reinstall hello' 'apt-get purge -y hello' \
        'dpkg -i /srv/bed/base/hello_2.10-3_amd64.deb' 'dpkg --configure -a' 'apt-get -s dist-upgrade' 'dpkg -r hello'; do
        apt-get clean
        # shellcheck disable=SC2086
        run $cmd
        same_text >/tmp/without
        expect_eq "$(diff "/tmp/with.${cmd//\//_}" /tmp/without)" '' "$cmd"
    done

    note "and it costs next to nothing beside the same run without the hooks"
    # (a machine with other work gives odd pairs: one fair pair is enough)
    hooks_on
    for _ in 1 2 3 4 5 6; do
        hooks_off
        without=$(fastest 5 apt-get install -y --reinstall hello)
        hooks_on
        with=$(fastest 5 apt-get install -y --reinstall hello)
        note "with $with ms, without $without ms"
        [ "$((with * 100))" -gt "$((without * 125))" ] || return 0
    done
    fail "the hooks cost $with ms instead of $without ms"
}

# bed: layer=kg uname=old limit=240
case_downloads_and_dry_runs_of_a_kernel_build_nothing() {
    bed_pockets base old new
    ours >/tmp/ours
    run apt-get -s dist-upgrade
    expect_rc 0
    expect_no_grep kmodgate
    run apt-get -d -y dist-upgrade
    expect_rc 0
    expect_no_grep kmodgate
    run dpkg --dry-run -i /var/cache/apt/archives/linux-*.deb
    expect_no_grep kmodgate
    expect_eq "$(ours | diff /tmp/ours -)" '' 'traces'
    expect_builds 0 '*' "$BED_NEW_REL"
}

# bed: layer=kcloud
case_a_kernel_comes_and_goes_quietly_where_no_module_is_registered() {
    local rel=${BED_NEW_REL%-amd64}-cloud-amd64
    bed_install_kmodgate
    bed_pockets base old new
    run apt-get install -y "linux-image-$rel"
    expect_rc 0
    expect_no_grep 'kmodgate: '
    expect_path "/boot/initrd.img-$rel"
    run apt-get purge -y "linux-image-$rel"
    expect_rc 0
    expect_no_grep 'kmodgate: '
    expect_no_release "$rel"
}
