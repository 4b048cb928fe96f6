#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Packages by the real dpkg-deb that a stage refuses, a million members, an interrupt.
# shellcheck source=tests/cases/stage/common
. "$(dirname "$0")/common"

# pack NAME: the folder $work/NAME as a .deb; the package's own paths are below it.
pack() {
	mkdir -p "$work/$1/DEBIAN"
	printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n' "$1" \
		>"$work/$1/DEBIAN/control"
	dpkg-deb -b "$work/$1" "$work/$1.deb" >/dev/null
}
unpack() {
	mkdir -p "$work/stage"
	"$tool" unpack "$work/stage" "$@" 2>&1
}
fresh() { rm -rf "$work/stage"; }

mkdir -p "$work/node/dev"
mknod "$work/node/dev/mem" c 1 1
pack node
check "a device" "$work/node.deb: member dev/mem: a device, fifo or socket" "$(unpack "$work/node.deb")"
check "nothing of it is left" "bin lib lib64 sbin usr" "$(names "$work/stage")"
fresh

mkdir -p "$work/bits/usr/bin"
cp /bin/true "$work/bits/usr/bin/x"
chown 1234:1234 "$work/bits/usr/bin/x"
chmod 6755 "$work/bits/usr/bin/x"
pack bits
check "setuid of somebody else" "" "$(unpack "$work/bits.deb")"
check "is an ordinary file of root" "755 0:0" "$(stat -c '%a %u:%g' "$work/stage/usr/bin/x")"
fresh

mkdir -p "$work/a/usr/share/x" "$work/b/usr/share"
echo a >"$work/a/usr/share/x/file"
ln -s /etc "$work/b/usr/share/x"
pack a
pack b
check "a link over a folder" "$work/b.deb: member usr/share/x: would replace a folder of another package" \
	"$(unpack "$work/a.deb" "$work/b.deb")"
fresh

"$tool" many 1000000 >"$work/million.deb"
check "a million members" "$work/million.deb: more than 400000 members" "$("$tool" list "$work/million.deb" 2>&1)"
check "are not unpacked either" "$work/million.deb: more than 20000 members" \
	"$(STAGE_MAX_ENTRIES=20000 unpack "$work/million.deb")"
check "none is left" "bin lib lib64 sbin usr" "$(names "$work/stage")"
fresh

"$tool" many 300000 >"$work/long.deb"
mkdir "$work/stage"
"$tool" unpack "$work/stage" "$work/long.deb" 2>"$work/err" &
pid=$!
until compgen -G "$work/stage/.part-*/d1" >/dev/null || ! kill -0 "$pid"; do sleep 0.01; done
kill -INT "$pid"
wait "$pid"
check "an interrupt" "1 interrupted by signal 2" "$? $(cat "$work/err")"
check "leaves no part" "bin lib lib64 sbin usr" "$(names "$work/stage")"
finish
