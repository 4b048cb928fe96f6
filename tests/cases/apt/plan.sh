#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Recorded transactions of real apt runs become the plans that are expected, to the byte.
# KG_UPDATE=1 writes the plans instead.
set -u
: "${KG_BUILD:?}"
here=$(cd "$(dirname "$0")/../../plugins/apt" && pwd)
self=$(cd "$(dirname "$0")" && pwd)/${0##*/}

# Every folder that is written to or looked at is an empty one of its own.
hide_machine() {
    local d
    mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/dpkg || return 1
    cp -r "$here" /var/lib/streams && cp "$KG_BUILD/plugins/apt/apt-plan" /var/lib/ || return 1
    for d in /var/cache /boot /usr/lib/modules /usr/src /run /tmp; do
        mount -t tmpfs tmpfs "$d" || return 1
    done
    [ ! -d /usr/lib/kmodgate ] || mount -t tmpfs tmpfs /usr/lib/kmodgate
}

# An archive for every line that has a path; kinds of compression take turns.
make_archives() {
    local name oldv olda oldm dir newv newa newm path kinds=(gzip xz none zstd) i=0
    # shellcheck disable=SC2034 # the fields that are not used
    while read -r name oldv olda oldm dir newv newa newm path; do
        case $path in
        /*) world_deb "$path" "$name" "$newv" "$newa" "${kinds[i++ % 4]}" ;;
        esac
    done < <(sed '1,/^$/d' "$1/stream")
}

plan() { /var/lib/apt-plan --print apt 1 2 <"$1/stream" 2>&1; }

run_case() {
    local name=$1 case=/var/lib/streams/$1 out removed again
    hide_machine || { echo "cannot mount"; exit 77; }
    # shellcheck source=tests/plugins/apt/world.sh
    . /var/lib/streams/world.sh
    world_base
    case $name in source-*) world_install foo-dkms 1.0 all ;; esac
    case $name in *-of-two-kernels) world_second_kernel ;; esac
    make_archives "$case"
    out=$(plan "$case")
    removed=$(sed -n 's/^removed: //p' <<<"$out")
    # The second time every verdict is known; nothing else may change.
    again=$(plan "$case")
    [ "$again" = "$out" ] || { echo "FAILED: $name is another plan the second time"; exit 1; }
    [ -z "$removed" ] || out+=$'\n--- removed\n'$(cat "$removed")
    echo "$out" >"/var/lib/got.plan"
    diff -u "$case/expect.plan" /var/lib/got.plan && { echo "ok: $name"; exit 0; }
    [ -n "${KG_UPDATE-}" ] && cp /var/lib/got.plan "$here/$name/expect.plan" && exit 0
    echo "FAILED: $name"
    exit 1
}

[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ "${1-}" != inside ] || run_case "$2"
unshare -m --propagation private true 2>/dev/null || { echo "needs mount namespaces"; exit 77; }
status=0
for case in "$here"/*/stream; do
    name=${case%/stream}
    unshare -m --propagation private "$self" inside "${name##*/}" || status=$?
done
exit "$status"
