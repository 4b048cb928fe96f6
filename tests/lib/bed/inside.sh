#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a case can use inside its root. README.md of tests/managers has the list.
# shellcheck disable=SC1091 # checked file by file
set -euo pipefail
export LC_ALL=C.UTF-8

. /srv/bed/facts
. /run/bed/lib/layers.sh
. /run/bed/lib/archive.sh
. /run/bed/lib/modules.sh
. /run/bed/lib/rpm.sh
. /run/bed/lib/newer.sh
. /run/bed/lib/rpm_inside.sh
. /run/bed/lib/pacman.sh
. /run/bed/lib/pacman_newer.sh
. /run/bed/lib/pacman_inside.sh

OUT=/run/bed/last # what the last `run` printed, both streams in order
RC=0
bed_nth=0

note() { printf '   # %s\n' "$*"; }
skip() { note "skip: $*"; exit 77; }
fail() {
    local i
    printf '\nFAILED: %s\n' "$*"
    for ((i = 1; i < ${#FUNCNAME[@]} - 1; i++)); do
        if [[ ${FUNCNAME[i]} == case_* ]]; then printf '   at %s line %s\n' "${FUNCNAME[i]}" "${BASH_LINENO[i - 1]}"; fi
    done
    if [ -s "$OUT" ]; then
        printf '   last command gave %s; its last lines:\n' "$RC"
        tail -n 40 "$OUT" | sed 's/^/   | /'
    fi
    exit 1
}

# A command that fails where the case did not say what it expects.
bed_err() {
    local rc=$?
    [ "$BASHPID" = $$ ] || return 0 # (a substitution may fail, if what uses it does not mind)
    trap - ERR
    fail "\"$BASH_COMMAND\" gave $rc (${FUNCNAME[1]:-} line ${BASH_LINENO[0]})"
}

# run CMD...: sets RC and $OUT, never stops the case by itself.
run() {
    printf '+ %s\n' "$*"
    RC=0
    "$@" >"$OUT" 2>&1 </dev/null || RC=$?
    bed_ran
}
# The same on a pseudo terminal; CMD is one shell string.
run_pty() {
    printf '+ (pty) %s\n' "$1"
    RC=0
    script -qefc "$1" /dev/null >"$OUT.cr" 2>&1 </dev/null || RC=$?
    tr -d '\r' <"$OUT.cr" >"$OUT"
    bed_ran
}
bed_ran() {
    bed_nth=$((bed_nth + 1))
    cp "$OUT" "/run/bed/out/$bed_nth.out"
    sed 's/^/   | /' "$OUT"
    printf '   = %s\n' "$RC"
}

expect_rc() { [ "$RC" = "$1" ] || fail "exit code $RC, expected $1"; }
expect_eq() { [ "$1" = "$2" ] || fail "'$1' is not '$2'${3:+ ($3)}"; }
expect_grep() { grep -qE -- "$1" "${2:-$OUT}" || fail "no /$1/ in ${2:-the output}"; }
expect_no_grep() {
    if grep -nE -- "$1" "${2:-$OUT}"; then fail "/$1/ is in ${2:-the output}"; fi
}
expect_count() { # N RE [FILE]
    local n
    n=$(grep -cE -- "$2" "${3:-$OUT}") || true
    [ "$n" = "$1" ] || fail "/$2/ is there $n times, expected $1"
}
# The first match of each pattern comes after that of the one before.
expect_order() {
    local re at last=0
    for re in "$@"; do
        at=$(awk -v re="$re" -v from="$last" 'NR > from && $0 ~ re { print NR; exit }' "$OUT")
        [ -n "$at" ] || fail "no /$re/ after line $last of the output"
        last=$at
    done
}
expect_path() { local p; for p in "$@"; do [ -e "$p" ] || [ -L "$p" ] || fail "$p is not there"; done; }
expect_no_path() { local p; for p in "$@"; do if [ -e "$p" ] || [ -L "$p" ]; then fail "$p is there"; fi; done; }
expect_same() { bed_same "$1" "$2" || fail "$1 and $2 differ"; }
expect_same_tree() { diff -r --no-dereference "$1" "$2" >"$OUT" 2>&1 || fail "$1 and $2 differ"; }
expect_installed() { expect_eq "$(dpkg-query -Wf '${db:Status-Status}' "$1" 2>/dev/null)" installed "$1"; }
expect_not_installed() {
    if dpkg-query -Wf '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed$'; then fail "$1 is installed"; fi
}
expect_clean_dpkg() { expect_eq "$(dpkg --audit 2>&1)" '' 'dpkg --audit'; }
expect_in_initramfs() { # RELEASE MODULE
    lsinitramfs "/boot/initrd.img-$1" >"$OUT" 2>&1 || fail "lsinitramfs /boot/initrd.img-$1"
    grep -qE "/${1//+/\\+}/.*/$2\.ko(\.(xz|zst|gz))?$" "$OUT" || { grep updates "$OUT" || true; : >"$OUT"; fail "$2 is not in the initramfs of $1"; }
}
expect_not_in_initramfs() {
    lsinitramfs "/boot/initrd.img-$1" >"$OUT" 2>&1 || fail "lsinitramfs /boot/initrd.img-$1"
    if grep -qE "/$2\.ko" "$OUT"; then : >"$OUT"; fail "$2 is in the initramfs of $1"; fi
}
# The module is indexed for that release and is where DKMS puts it, not the kernel's own.
expect_module() { # RELEASE MODULE
    local p
    p=$(modinfo -k "$1" -F filename "$2" 2>&1) || fail "modinfo -k $1 $2: $p"
    [ "$(modinfo -k "$1" -F vermagic "$2" | cut -d' ' -f1)" = "$1" ] || fail "$p: wrong vermagic"
    [[ $p == */updates/* ]] || fail "$p is not below updates"
}
expect_no_module() { if modinfo -k "$1" "$2" >/dev/null 2>&1; then fail "$2 is there for $1"; fi; }

# bed_pockets NAME...: these and no others are apt's sources from now on; `local` is /srv/local.
bed_pockets() {
    local p uri
    for p in "$@"; do
        uri=copy:/srv/bed/$p
        if [ "$p" = local ]; then uri=copy:/srv/local; fi
        # copy: and not file: so that packages come into /var/cache/apt/archives as from a mirror.
        echo "deb [trusted=yes] ${BED_URI:-$uri} ./"
    done >/etc/apt/sources.list.d/bed.list
    apt-get -qq update
}

# bed_local FILE.deb...: adds packages to the pocket `local` (switch it on after, or update).
bed_local() {
    local f
    for f in "$@"; do
        f=$(readlink -f "$f")
        [ "$f" -ef "/srv/local/${f##*/}" ] || cp "$f" /srv/local/
        {
            dpkg-deb -f "$f"
            printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${f##*/}" "$(stat -c %s "$f")" "$(sha256sum <"$f" | cut -d' ' -f1)"
        } >>/srv/local/Packages
    done
    { bed_release_file /srv/local bed bed bed; } >/srv/local/Release.new
    mv /srv/local/Release.new /srv/local/Release
}

# bed_deb DIR: a .deb from DIR (DEBIAN/control, scripts, files); prints its path.
bed_deb() {
    local out
    out=/var/tmp/$(sed -n 's/^Package: //p' "$1/DEBIAN/control")_$(sed -n 's/^Version: \([0-9]*:\)\?//p' "$1/DEBIAN/control")_$(sed -n 's/^Architecture: //p' "$1/DEBIAN/control").deb
    chmod -f 755 "$1"/DEBIAN/{pre,post}{inst,rm} || true
    dpkg-deb --root-owner-group -Zgzip -z1 -b "$1" "$out" >/dev/null
    echo "$out"
}

# bed_redeb NAME POCKET VERSION [CMD...]: the pocket's package again, as VERSION; CMD runs in the unpacked
# tree before it is packed (files, and control files in DEBIAN/). Prints the path of the .deb.
bed_redeb() {
    local name=$1 pocket=$2 version=$3 dir deb
    shift 3
    deb=$(compgen -G "/srv/bed/$pocket/${name}_*.deb" | sed -n 1p)
    dir=$(mktemp -d /var/tmp/redeb.XXXXXX)
    rm -rf "$dir"
    dpkg-deb -R "$deb" "$dir"
    sed -i "s/^Version: .*/Version: $version/" "$dir/DEBIAN/control"
    if [ $# -gt 0 ]; then (cd "$dir" && "$@") >&2; fi
    bed_deb "$dir"
    rm -rf "$dir"
}

# bed_snapshot DIR [-x PATTERN]... [PATH...]: what a stopped transaction may not have changed.
bed_snapshot() {
    local dir=$1 skip=() paths=()
    shift
    while [ $# -gt 0 ]; do
        if [ "$1" = -x ]; then
            skip+=(-path "$2" -prune -o)
            shift
        else paths+=("$1"); fi
        shift
    done
    [ "${#paths[@]}" -gt 0 ] || paths=(/boot /usr/lib/modules /usr/src /var/lib/dkms /etc)
    mkdir -p "$dir"
    # Neither dpkg's nor apt's lock files, nor dates: who looks changes nothing.
    { cat /var/lib/dpkg/status; ls /var/lib/dpkg/info /var/lib/dpkg/updates; dpkg-query -W -f '${binary:Package} ${Version} ${Status}\n'; } >"$dir/dpkg"
    cat /var/lib/apt/extended_states >"$dir/extended_states" 2>/dev/null || : >"$dir/extended_states"
    # (directories: an overlay's sizes mean nothing)
    find "${paths[@]}" "${skip[@]}" \( -type d -printf '%p d %m %U:%G\n' -o -type f -printf '%p f %m %U:%G %s\n' \
        -o -printf '%p %y %m %U:%G %l\n' \) 2>/dev/null | LC_ALL=C sort >"$dir/tree" || true
    # A file whose path, size and change time (nobody can set that back) are known is not read again;
    # the layer brings the sums of its own files.
    find "${paths[@]}" "${skip[@]}" -type f -printf '%C@ %s %p\n' 2>/dev/null | LC_ALL=C sort >/tmp/bed.files || true
    touch /run/bed/sums
    awk -F '\t' 'a { known[$2] = 1; next } !($0 in known)' a=1 /run/bed/sums a=0 /tmp/bed.files >/tmp/bed.unknown
    sed 's/^[^ ]* [^ ]* //' /tmp/bed.unknown | tr '\n' '\0' | xargs -0 -r -n 1000 sha256sum |
        awk 'a { p = $0; sub(/^[^ ]* [^ ]* /, "", p); key[p] = $0; next }
            { p = substr($0, 67); print substr($0, 1, 64) "\t" key[p] }' a=1 /tmp/bed.unknown a=0 - >>/run/bed/sums
    awk -F '\t' 'a { sum[$2] = $1; next } { p = $0; sub(/^[^ ]* [^ ]* /, "", p); print sum[$0] "  " p }' \
        a=1 /run/bed/sums a=0 /tmp/bed.files | LC_ALL=C sort -k2 >"$dir/sums"
    # A file without a sum would compare equal to anything.
    if ! awk 'length($1) != 64 { exit 1 }' "$dir/sums"; then fail "bed_snapshot: a file without a sum in $dir/sums"; fi
}
# bed_same A B: prints what differs between two snapshots.
bed_same() {
    local f rc=0
    for f in dpkg extended_states tree sums; do
        diff -U0 "$1/$f" "$2/$f" >/tmp/bed.diff || {
            printf '%s: %s lines differ\n' "$f" "$(grep -c '^[-+]' /tmp/bed.diff)"
            head -n 40 /tmp/bed.diff
            rc=1
        }
    done
    return $rc
}

# bed_install_kmodgate [PACKAGE...]: the package under test, and more in the same apt run.
bed_install_kmodgate() {
    compgen -G '/run/bed/kg/*.deb' >/dev/null || { echo "no kmodgate package (KG_DEB)"; return 2; }
    apt-get install -y /run/bed/kg/*.deb "$@"
}

bed_make_layer() {
    set -x
    "layer_${1//-/_}"
    { set +x; } 2>/dev/null
    apt-get clean
    rm -rf /var/log/*.log /var/log/apt/* /var/cache/ldconfig/* /var/tmp/* /root/.bash_history
    bed_snapshot /tmp/snapshot
    cp /run/bed/sums /run/bed/out/sums
}

bed_shell() { bash -i; }

if [ -e /run/bed/case.sh ]; then
    . /run/bed/case.sh
fi
cd /root
if [[ ${1:-} == case_* ]]; then
    set -E
    trap bed_err ERR
fi
"$@"
