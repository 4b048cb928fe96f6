#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the gate must find out before the commit: a kernel's folder, or all of lib/modules, that
# cannot be written. The transaction is refused when it is placed, and nothing has changed.
# shellcheck source=tests/fault/common
. "$(dirname "$0")/../../fault/common"
fault_enter

fault_compile
"$fault_dir/trees.sh" "$scratch" >/dev/null
cp -a "$scratch/pristine/." "$scratch/root/"
here=$scratch/root/lib/modules/1.0-here

same() {
    diff -r "$scratch/pristine/lib" "$scratch/root/lib" && return
    echo "not ok - $1: something changed"
    exit 1
}

# refuses WHAT ACTION TEXT
refuses() {
    local said
    if said=$("$scratch/driver" act "$scratch" copy "$2"); then
        echo "not ok - $1: $said"
        exit 1
    fi
    case $said in *"$3"*) ;; *) echo "not ok - $1 says: $said"; exit 1 ;; esac
    same "$1"
    rm -rf "$scratch/root/var/lib/kmodgate"
    echo "ok - $1: $said"
}

mount --bind "$here" "$here"
mount -o remount,bind,ro "$here"
refuses "a kernel's folder that is read-only" change "Read-only file system"
umount "$here"

mount --bind "$scratch/root/lib/modules" "$scratch/root/lib/modules"
mount -o remount,bind,ro "$scratch/root/lib/modules"
refuses "a lib/modules that is read-only" place "Read-only file system"
refuses "publishing into it" publish "Read-only file system"
umount "$scratch/root/lib/modules"

if chattr +i "$here/updates/dkms" 2>/dev/null; then
    refuses "a folder that is immutable" change "Operation not permitted"
    chattr -i "$here/updates/dkms"
fi

"$scratch/driver" act "$scratch" copy change
"$scratch/driver" act "$scratch" copy back
same "there and back again"
