#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The commit promise under faults: see driver.c. On ext4 (or whatever holds $KG_SCRATCH), tmpfs and
# overlay; and a tmpfs that is really full.   sweep.sh [STEP]   STEP 1 tries every call.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "# skipped: must be root"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KG_BUILD:-$top/build/release}
step=${1:-${KG_FAULT_STEP:-1}}
scratch=$(mktemp -d "${KG_SCRATCH:-/var/tmp}/kg-fault-XXXXXX")

if [ -z "${KG_FAULT_INSIDE:-}" ]; then
    # Mounts of our own, gone with us.
    trap 'rm -rf --one-file-system "$scratch"' EXIT
    KG_FAULT_INSIDE=1 KG_FAULT_DIR=$scratch unshare -m --propagation private "$0" "$step"
    exit
fi
rmdir "$scratch"
scratch=$KG_FAULT_DIR

compile() {
    local flags=(-std=gnu11 -Wall -Wextra -g -O1 -I"$top" -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64)
    local libs
    read -ra libs <<<"$(pkg-config --libs yaml-0.1 libcrypto)"
    case $build in *asan*) flags+=('-fsanitize=address,undefined') ;; esac
    "${CC:-cc}" "${flags[@]}" -o "$scratch/driver" "$here/driver.c" "$here/preload.c" \
        "$build/libcore.a" "${libs[@]}" -ldl
}

failed=0
run() {
    echo "# --- $*"
    "$scratch/driver" "$@" || failed=1
}

compile
base=$scratch/disk
mkdir "$base"
"$here/trees.sh" "$base"

run sweep "$base" copy "$step"

mkdir "$scratch/memory"
mount -t tmpfs tmpfs "$scratch/memory"
cp -a "$base/." "$scratch/memory/"
run sweep "$scratch/memory" copy "$step"

# A kernel's folder that is a mount of its own: no link and no rename leads into it.
run sweep "$scratch/memory" mounted "$step"
umount "$scratch/memory/root/lib/modules/1.0-here"

# The lower layer on the disk, as in a container.
run sweep "$base" overlay "$step"
umount "$base/root"

mount -t tmpfs -o size=2m tmpfs "$base/root"
run full "$base" copy "$((step < 4 ? 1 : step / 2))"

exit "$failed"
