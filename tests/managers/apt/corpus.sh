#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's own -dkms packages, installed and removed under Debian's dkms and then under kmodgate, in one root with one
# signing key: the same exit codes, the same `dkms status`, the same files and bytes. tests/lib/corpus does it for all.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# What a package leaves: status, and every path below lib/modules/R but the indexes, with a module's content.
corpus_record() { # DIR
    local dir=$1 f sum
    mkdir -p "$dir"
    # (3.0 words its notes differently from 3.4)
    dkms status 2>/dev/null | LC_ALL=C sort | sed -e 's/ (original_module exists)/ (Original modules exist)/' \
        -e 's/ (WARNING! Diff between built and installed module!)/ (Differences between built and installed modules)/' >"$dir/status" || true
    (cd "/usr/lib/modules/$BED_OLD_REL" && find . -path ./kernel -prune -o ! -name 'modules.*' -printf '%p %y %m %U:%G %l\n') |
        LC_ALL=C sort >"$dir/files"
    # (what it replaced or moved away)
    (cd "/usr/lib/modules/$BED_OLD_REL" && find kernel -type f -printf '%p\n') | LC_ALL=C sort >"$dir/kernel"
    find "/usr/lib/modules/$BED_OLD_REL" -path '*/kernel/*' -prune -o -name '*.ko*' -print | LC_ALL=C sort | while read -r f; do
        case $f in
        *.xz) sum=$(xz -dc "$f" | sha256sum) ;;
        *.zst) sum=$(zstd -qdc "$f" | sha256sum) ;;
        *.gz) sum=$(gzip -dc "$f" | sha256sum) ;;
        *) sum=$(sha256sum <"$f") ;;
        esac
        printf '%s %s\n' "${f##*/}" "${sum%% *}"
    done >"$dir/sums"
    # (3.0 keeps a Module.symvers only when told to, 3.4 always)
    (cd /var/lib/dkms && find . -path '*/log' -prune -o -path '*/build' -prune -o -name '*.key' -o -name '*.pub' -o -name Module.symvers -o -printf '%p %y %l\n') |
        LC_ALL=C sort >"$dir/tree"
}

# Install, record, remove, record; exit codes into DIR/rc.
corpus_round() { # DIR PACKAGE...
    local dir=$1
    shift
    run apt-get install -y "$@"
    corpus_record "$dir/installed"
    echo "$RC" >"$dir/installed/rc"
    cp "$OUT" "$dir/installed/out"
    # (without arguments that are paths)
    run apt-get remove -y "$CORPUS_PACKAGE"
    corpus_record "$dir/removed"
    echo "$RC" >"$dir/removed/rc"
    # (also those that it depends on)
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' '*-dkms' | sed -n '/^not-installed /!s/.* //p' |
        xargs apt-get purge -y >/dev/null 2>&1 || true
}

corpus_both() { # PACKAGE [DEB...]
    CORPUS_PACKAGE=$1
    [ $# -gt 1 ] || set -- "$1" "$1"
    shift
    corpus_round /tmp/corpus/dkms "$@"
    bed_install_kmodgate >/dev/null
    expect_not_installed dkms
    corpus_round /tmp/corpus/kmodgate "$@"
}

corpus_expect_same() {
    local step what
    for step in installed removed; do
        for what in rc status files kernel sums tree; do
            diff -u "/tmp/corpus/dkms/$step/$what" "/tmp/corpus/kmodgate/$step/$what" >"$OUT" 2>&1 ||
                fail "$step: $what differs from Debian's dkms"
        done
    done
}

# Do the bytes of a module change from one build of Debian's dkms to the next as well?
corpus_is_unsteady() { # DEB...
    apt-get install -y /run/bed/out/dkms/*.deb >/dev/null || return 1
    corpus_round /tmp/corpus/again "$@"
    ! cmp -s /tmp/corpus/{dkms,again}/installed/sums
}

# One line for the table: the last column says "same", or what differs.
corpus_row() { # PACKAGE DEB...
    local step what differs='' a=/tmp/corpus/dkms b=/tmp/corpus/kmodgate
    corpus_both "$@"
    for step in installed removed; do
        for what in rc status files kernel sums tree; do
            if ! diff -u $a/$step/$what $b/$step/$what; then differs+="${differs:+, }$step: $what"; fi
        done
    done
    if ! cmp -s $a/installed/sums $b/installed/sums && corpus_is_unsteady "${@:2}"; then
        differs+=" (the bytes differ between two builds of Debian's dkms too)"
    fi
    cp -r /tmp/corpus /run/bed/out/
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$(dpkg-deb -f "$2" Version)" "$(cat $a/installed/rc)" \
        "$(grep -c ': installed' $a/installed/status || true)" "$(wc -l <$a/installed/sums)" "${differs:-same}" >/run/bed/out/row
}

# For tests/lib/corpus: the archives lie where they were fetched to.
corpus_downloaded() { # PACKAGE
    local own others
    own=$(compgen -G "/run/bed/out/debs/${1}_*.deb")
    mapfile -t others < <(compgen -G '/run/bed/out/debs/*.deb' | grep -vF "$own")
    corpus_row "$1" "$own" "${others[@]}"
}

# bed: layer=kold-dkms-only uname=old
case_acpi_call_is_what_dkms_makes_of_it() { corpus_both acpi-call-dkms && corpus_expect_same; }
case_bbswitch_is_what_dkms_makes_of_it() { corpus_both bbswitch-dkms && corpus_expect_same; }
case_ddcci_is_what_dkms_makes_of_it() { corpus_both ddcci-dkms && corpus_expect_same; }
case_dm_writeboost_is_what_dkms_makes_of_it() { corpus_both dm-writeboost-dkms && corpus_expect_same; }
# The kernel has three of its four, without a version. DKMS 3.0 leaves those where they are, 3.4 archives them.
case_digimend_takes_the_place_of_what_the_kernel_has() {
    local ko
    corpus_both digimend-dkms
    for ko in rc files sums; do expect_same_tree /tmp/corpus/{dkms,kmodgate}/installed/$ko; done
    for ko in hid-kye hid-uclogic hid-viewsonic; do
        expect_no_grep "/$ko.ko" /tmp/corpus/kmodgate/installed/kernel
    done
    expect_same_tree /tmp/corpus/{dkms,kmodgate}/removed
}
# Neither the kernel's hdaps nor this one says a version: DKMS 3.0 leaves it out, 3.2 takes its place.
case_tp_smapi_takes_the_place_of_what_says_no_version() {
    corpus_both tp-smapi-dkms
    expect_same_tree /tmp/corpus/{dkms,kmodgate}/installed/rc
    expect_eq "$(diff /tmp/corpus/{dkms,kmodgate}/installed/files | sed -n '/^[<>]/p')" '> ./updates/dkms/hdaps.ko f 644 0:0 ' files
    expect_eq "$(diff /tmp/corpus/{dkms,kmodgate}/installed/kernel | sed -n '/^[<>]/p')" '< kernel/drivers/platform/x86/hdaps.ko' kernel
    expect_eq "$(diff /tmp/corpus/{dkms,kmodgate}/installed/sums | sed -n 's/^\([<>] [^ ]*\).*/\1/p')" '> hdaps.ko' sums
    expect_same_tree /tmp/corpus/{dkms,kmodgate}/removed
}
