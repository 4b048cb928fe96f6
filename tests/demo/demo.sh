#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make demo`: from a fresh machine to a gated kernel upgrade, on real packages. Leaves the caches for `make check`.
# usage: demo.sh [MAKE]   environment: KG_DEB (else it is built), KG_BED
# shellcheck source=../lib/bed.sh disable=SC2034 # BED_*: what bed_enter reads
set -euo pipefail
cd "$(dirname "$0")/../.."
make=${1:-make}
began=$SECONDS

[ "$(id -u)" = 0 ] || { echo "demo: needs root for a root of its own: sudo make demo" >&2; exit 1; }

step() { # NAME CMD...: its words only when it fails
    local t=$SECONDS name=$1 log
    shift
    log=$(mktemp)
    printf 'demo: %-62s' "$name ..."
    if "$@" >"$log" 2>&1; then
        printf ' %3s s\n' $((SECONDS - t))
        rm -f "$log"
    else
        printf ' failed\n'
        tail -n 30 "$log" >&2
        echo "demo: whole log: $log" >&2
        exit 1
    fi
}

# As a child of make, but not as one of its jobs.
run_make() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "$make" "$@"; }

step 'what building and testing need' run_make deps
if [ -z "${KG_DEB:-}" ]; then
    step 'kmodgate and its package' run_make deb
    KG_DEB=$(find build/deb -name 'kmodgate_*.deb' -printf '%T@ %p\n' | sort -rn | sed -n '1s/[^ ]* //p')
fi
KG_DEB=$(readlink -f "$KG_DEB")
export KG_DEB
step 'kernels and modules from your Debian mirror' tests/lib/bed.sh setup
step 'a throw-away Debian with a kernel, kmodgate, v4l2loopback-dkms' tests/lib/bed.sh setup kg

. tests/lib/bed.sh
bed_setup kg
BED_UNAME=$BED_OLD_REL BED_LIMIT=600 bed_enter kg "$PWD/tests/demo/story.sh" story
echo "demo: done in $((SECONDS - began)) s; nothing of it is left on this machine but the caches $BED and build/"
