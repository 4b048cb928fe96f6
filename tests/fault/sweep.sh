#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The commit promise under faults: see driver.c. On ext4 (or whatever holds $KG_SCRATCH), tmpfs and
# overlay; with a kernel's folder that is a mount of its own; on a tmpfs that is really full.
#   sweep.sh [STEP]   every STEPth call is tried; 1, all of them, takes some minutes
# shellcheck source=tests/fault/common
. "$(dirname "$0")/common"
step=${1:-${KG_FAULT_STEP:-1}}
fault_enter "$step"

failed=0
run() {
    echo "# --- $* of ${KG_FAULT_DIR##*/}"
    "$scratch/driver" "$@" || failed=1
}

fault_compile
disk=$scratch/disk
memory=$scratch/memory
mkdir "$disk" "$memory"
"$fault_dir/trees.sh" "$disk"

run sweep "$disk" copy "$step"

mount -t tmpfs tmpfs "$memory"
cp -a "$disk/." "$memory/"
run sweep "$memory" copy "$step"

# No link and no rename leads into such a folder.
run sweep "$memory" mounted "$step"
umount "$memory/root/lib/modules/1.0-here"

# The lower layer on the disk, as in a container.
run sweep "$disk" overlay "$step"
umount "$disk/root"

mount -t tmpfs -o size=2m tmpfs "$disk/root"
run full "$disk" copy "$(((step + 1) / 2))"

exit "$failed"
