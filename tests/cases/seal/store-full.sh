#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A store on a disk that fills up, or cannot be written: an error of putting, and nothing half there. (A run then
# does without it: case_a_cache_* of the manager cases.)
# shellcheck source=SCRIPTDIR/common
. "$(dirname "$0")/common"
unshare -m true 2>/dev/null || { echo "no mount namespaces here"; exit 77; }
[ -n "${KG_OWN_MOUNTS:-}" ] || {
	clean
	trap - EXIT
	exec env KG_OWN_MOUNTS=1 unshare -m --propagation private "$0" "$@"
}
cd "$work" || exit 1
a=$(printf 'a%.0s' {1..64})
b=$(printf 'b%.0s' {1..64})
mkdir -p root out/module out/ka
head -c 100000 /dev/urandom >out/module/m.ko
head -c 30000 /dev/urandom >out/ka/Module.symvers

for kb in 8 64 128 132 136 140; do
	mount -t tmpfs -o size=${kb}k kg root && mounted=$work/root
	if message=$("$tool" put root "$a" out m 2>&1); then
		check "$kb KiB: what was put can be got" 0 "$("$tool" get root "$a"; echo $?)"
	else
		check_match "$kb KiB: the message says why" '*No space left*' "$message"
		check "$kb KiB: nothing is left" '' "$(find root/cache/store -mindepth 1 2>/dev/null)"
		check "$kb KiB: it is absent" 1 "$("$tool" get root "$a" 2>/dev/null; echo $?)"
	fi
	umount root && mounted=''
done

mount -t tmpfs -o size=1m kg root && mounted=$work/root
"$tool" put root "$a" out m || exit 1
mount -o remount,ro root
check "read-only: what is there is got" 0 "$("$tool" get root "$a"; echo $?)"
check_match "read-only: nothing can be put" '*Read-only*' "$("$tool" put root "$b" out m 2>&1)"
check "read-only: what was put stays a hit" 0 "$("$tool" put root "$a" out m; echo $?)"
finish
