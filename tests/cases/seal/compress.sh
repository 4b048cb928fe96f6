#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compressed modules against the programs that DKMS and "make modules_install" run.
# shellcheck source=SCRIPTDIR/common
. "$(dirname "$0")/common"
cd "$work" || exit 1
cp "$build/libcore.a" large
head -c 20000 large >small
cat large large large large >huge
: >empty

for f in small large huge empty; do
	for suffix in .gz .xz .zst; do "$tool" compress $suffix $f >$f.ours$suffix || exit 1; done
	check "gzip reads $f" "$(sha256sum <$f)" "$(gzip -dc $f.ours.gz | sha256sum)"
	check "xz reads $f" "$(sha256sum <$f)" "$(xz -dc $f.ours.xz | sha256sum)"
	check "zstd reads $f" "$(sha256sum <$f)" "$(zstd -qdc $f.ours.zst | sha256sum)"
	check "xz: $f has CRC32 only" CRC32 "$(xz --robot -lv $f.ours.xz | awk '$1 == "file" { print $7 }')"

	# xz 5.6 and later run several threads unless told otherwise, which writes other headers
	xz -T1 --check=crc32 --lzma2=dict=1MiB -c $f >$f.theirs.xz
	check_same "xz: $f as by the program" $f.theirs.xz $f.ours.xz
	zstd -q -T0 -c $f >$f.theirs.zst
	check_same "zstd: $f as by the program" $f.theirs.zst $f.ours.zst
	# gzip has a compressor of its own: only sizes can be near each other
	gzip -nc $f >$f.theirs.gz
	check "gzip: $f is at most 3 % larger" yes \
		"$([ "$(stat -c %s $f.ours.gz)" -le $(($(stat -c %s $f.theirs.gz) * 103 / 100)) ] && echo yes)"
done
finish
