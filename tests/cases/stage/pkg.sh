#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Packages of pacman: in every compression, staged they are what pacman would have unpacked; damaged ones are refused.
# shellcheck source=tests/cases/stage/common
. "$(dirname "$0")/common"
command -v bsdtar >/dev/null || { echo "no bsdtar"; exit 77; }

tree=$work/tree
mkdir -p "$tree/usr/lib/modules/R/build/include" "$tree/usr/src/m-1"
head -c 300000 /dev/urandom >"$tree/usr/lib/modules/R/build/big"
seq 100000 >"$tree/usr/lib/modules/R/build/text"
ln "$tree/usr/lib/modules/R/build/text" "$tree/usr/lib/modules/R/build/include/hard"
ln -s ../text "$tree/usr/lib/modules/R/build/include/link"
: >"$tree/usr/lib/modules/R/build/.config"
: >"$tree/usr/src/m-1/dkms.conf"
for note in .MTREE .BUILDINFO .PKGINFO .INSTALL; do echo "$note" >"$tree/$note"; done

# pack COMPRESSOR...: the package's path
pack() {
	(cd "$tree" && bsdtar -cf - .BUILDINFO .MTREE .PKGINFO .INSTALL usr) | "$@" >"$work/p.pkg.tar"
	echo "$work/p.pkg.tar"
}

for how in 'zstd -qc -T0 --ultra -20' 'zstd -qc -1' 'xz -c' 'gzip -c' 'bzip2 -c' cat; do
	# shellcheck disable=SC2086
	pkg=$(pack $how) || exit 1
	rm -rf "$work/stage"
	mkdir "$work/stage"
	check "$how: unpacks" "" "$("$tool" unpack "$work/stage" "$pkg" 2>&1)"
	check "$how: contents" "" "$(diff -r --no-dereference "$tree/usr" "$work/stage/usr" 2>&1 | head -n 5)"
	check "$how: hard links" 2 "$(stat -c %h "$work/stage/usr/lib/modules/R/build/text")"
	check "$how: what is about the package stays in it" "" "$(find "$work/stage" -maxdepth 1 -type f)"
	check "$how: listed names" "$(cd "$tree" && find usr | sort)" "$("$tool" list "$pkg" | sed 's,/$,,' | sort)"
done

pkg=$(pack zstd -qc -1) || exit 1
size=$(stat -c %s "$pkg")
for at in 50 100 $((size / 2)) $((size - 5)); do
	head -c "$at" "$pkg" >"$work/cut.zst"
	rm -rf "$work/stage" && mkdir "$work/stage"
	check_match "cut after $at bytes: refused" "*cut.zst: *" "$("$tool" unpack "$work/stage" "$work/cut.zst" 2>&1)"
	check "cut after $at bytes: no part is left" "" "$(find "$work/stage" -maxdepth 1 -name '.part*')"
done
head -c 200M /dev/zero | zstd -qc >"$work/bomb.zst"
check_match "a bomb is refused" "*bomb.zst: *" "$("$tool" unpack "$work/stage" "$work/bomb.zst" 2>&1)"
finish
