#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Packages of rpm: in every compression, staged they are what rpm would have unpacked; damaged ones are refused.
# shellcheck source=tests/cases/stage/common
. "$(dirname "$0")/common"
command -v rpmbuild >/dev/null && command -v cpio >/dev/null || { echo "no rpmbuild, cpio"; exit 77; }

tree=$work/tree
mkdir -p "$tree/usr/src/kernels/R/include" "$tree/usr/lib/modules/R"
head -c 300000 /dev/urandom >"$tree/usr/src/kernels/R/big"
seq 100000 >"$tree/usr/src/kernels/R/text"
ln "$tree/usr/src/kernels/R/text" "$tree/usr/src/kernels/R/include/hard"
ln -s /usr/src/kernels/R "$tree/usr/lib/modules/R/build"
: >"$tree/usr/src/kernels/R/empty"
touch "$tree/usr/src/kernels/R/a name with $(printf 'x%.0s' {1..150})"
chmod 4755 "$tree/usr/src/kernels/R/big"
cat >"$work/p.spec" <<'SPEC'
Name: p
Version: 1
Release: 1
Summary: p
License: GPL
AutoReqProv: no
%description
p
%global __os_install_post %{nil}
%define debug_package %{nil}
%files
/usr/src/kernels
/usr/lib/modules
SPEC

# pack PAYLOAD: the package's path
pack() {
	rm -rf "$work/top" "$work/copy"
	cp -a "$tree" "$work/copy"
	rpmbuild -bb --quiet --nodeps --buildroot "$work/copy" --define "_topdir $work/top" --define "_dbpath $work/db" \
		--define "_binary_payload $1" --define '_build_id_links none' --define '%__spec_install_pre true' \
		"$work/p.spec" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
	find "$work/top/RPMS" -name '*.rpm'
}

for payload in w1.gzdio w1.bzdio w1.xzdio w1.lzdio w1.zstdio w.ufdio; do
	rpm=$(pack $payload) || exit 1
	rm -rf "$work/stage"
	mkdir "$work/stage"
	check "$payload: unpacks" "" "$("$tool" unpack "$work/stage" "$rpm" 2>&1)"
	check "$payload: contents" "" "$(diff -r --no-dereference "$tree/usr" "$work/stage/usr" 2>&1 | head -n 5)"
	check "$payload: hard links" 2 "$(stat -c %h "$work/stage/usr/src/kernels/R/text")"
	check "$payload: no setuid" 755 "$(stat -c %a "$work/stage/usr/src/kernels/R/big")"
	check "$payload: listed names" "$(rpm2cpio "$rpm" | cpio -t --quiet 2>/dev/null | sed 's,^\./,,' | sort)" \
		"$("$tool" list "$rpm" | sort)"
done

rpm=$(pack w1.zstdio) || exit 1
size=$(stat -c %s "$rpm")
for at in 50 100 300 2000 $((size / 2)) $((size - 5)); do
	head -c "$at" "$rpm" >"$work/cut.rpm"
	rm -rf "$work/stage" && mkdir "$work/stage"
	check_match "cut after $at bytes: refused" "*cut.rpm: *" "$("$tool" unpack "$work/stage" "$work/cut.rpm" 2>&1)"
	check "cut after $at bytes: no part is left" "" "$(find "$work/stage" -maxdepth 1 -name '.part*')"
done
# A header that says it is gigabytes long.
cp "$rpm" "$work/long.rpm"
printf '\377\377\377\377' | dd of="$work/long.rpm" bs=1 seek=104 conv=notrunc status=none
check_match "an endless header is refused" "*long.rpm: its header is too long*" "$("$tool" unpack "$work/stage" "$work/long.rpm" 2>&1)"
finish
