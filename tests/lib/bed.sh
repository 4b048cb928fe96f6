#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Throw-away Debian roots for the cases that need a real apt. Source it, or run it as a command.
# tests/managers/README.md shows how to write a case.
# shellcheck disable=SC1091,SC2034 # checked file by file; used in those
set -euo pipefail

BED_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/bed
BED=${KG_BED:-/var/tmp/kmodgate-bed}
BED_SUITE=${KG_BED_SUITE:-bookworm}
BED_ARCH=$(dpkg --print-architecture)

bed_say() { printf 'bed: %s\n' "$*" >&2; }
bed_die() { bed_say "$*"; exit 2; }

. "$BED_LIB/archive.sh"
. "$BED_LIB/layers.sh"
. "$BED_LIB/rpm.sh"
. "$BED_LIB/newer.sh"
. "$BED_LIB/pacman.sh"
. "$BED_LIB/pacman_newer.sh"
. "$BED_LIB/root.sh"

# Everything that cases share: the packages, and the layers asked for. Cheap when it is there already.
bed_setup() {
    local layer
    bed_need
    bed_archive
    for layer in "$@"; do bed_layer "$layer" >/dev/null; done
}

bed_need() {
    local tool missing=''
    [ "$(id -u)" = 0 ] || bed_die "must be root"
    for tool in mmdebstrap unshare setpriv flock pivot_root apt-get sha256sum; do
        command -v "$tool" >/dev/null || missing+=" $tool"
    done
    [ -z "$missing" ] || bed_die "missing:$missing (apt-get install mmdebstrap util-linux)"
    case $BED in *[:,\ \\]*) bed_die "KG_BED may not contain : , \\ or a space" ;; esac
    mkdir -p "$BED/run"
    # Once for all: who edits the tree meanwhile has it tested the next time.
    export BED_SOURCE_KEY=${BED_SOURCE_KEY:-$(bed_source_key)}
    # Held shared by every user of the bed; who gets it alone may throw old things away.
    exec {BED_USE_FD}>>"$BED/use.lock"
    if flock -n -x "$BED_USE_FD"; then bed_gc; fi
    flock -s "$BED_USE_FD"
}

bed_usage() {
    cat <<USAGE
usage: bed.sh setup [LAYER...]     fetch packages, make layers
       bed.sh shell LAYER          a shell in a throw-away root
       bed.sh exec LAYER CMD...    a command in a throw-away root
       bed.sh layers               the names
       bed.sh refresh              look for newer packages now (else: once a day)
       bed.sh clean                remove \$KG_BED ($BED)
USAGE
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    verb=${1:-}
    shift || true
    case $verb in
    setup) bed_setup "$@" ;;
    refresh) BED_MAX_AGE=0 bed_setup "$@" ;;
    layers) bed_layer_names ;;
    shell) bed_setup "$1" && BED_STDIN=1 BED_LIMIT=86400 bed_enter "$1" - bed_shell ;;
    exec) bed_setup "$1" && bed_enter "$1" - "${@:2}" ;;
    clean)
        bed_need
        flock -n -x "$BED_USE_FD" || bed_die "in use"
        rm -rf --one-file-system "$BED"
        ;;
    *) bed_usage && exit 1 ;;
    esac
fi
