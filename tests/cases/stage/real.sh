#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's header packages: staged they are what dpkg would have unpacked, and have the same identity.
# shellcheck source=tests/cases/stage/common
. "$(dirname "$0")/common"

# Everything below usr and lib but the folders that both sides made for themselves.
listing() {
	(cd "$1" && find usr/ lib/ -mindepth 1 \( -type d -printf '%p %y %m\n' \) -o \
		-printf '%p %y %m %s %l %T@ %U:%G\n' |
		grep -vE '^(usr/(bin|sbin|lib|src|share)|usr/share/doc) d' | sort)
}

# An old one and the newest of another flavour; KG_RELEASES="6.1.0-50-amd64 ..." for others.
tried=0
for release in ${KG_RELEASES:-$(releases | grep cloud | head -n 1) $(releases | grep -v cloud | tail -n 1)}; do
	mapfile -t debs < <(header_debs "$release")
	[ "${#debs[@]}" -ge 3 ] || continue
	tried=$((tried + 1))
	root=$work/root-$release stage=$work/stage-$release
	merged_root "$root" "${debs[@]}" || exit 1
	mkdir "$stage"
	check "$release: unpacks" "" "$("$tool" unpack "$stage" "${debs[@]}" 2>&1)"
	check "$release: no part is left" "" "$(find "$stage" -maxdepth 1 -name '.part*')"
	check "$release: as many files" "$(listing "$root" | wc -l)" "$(listing "$stage" | wc -l)"
	check "$release: names, modes, links, times, owners" "" \
		"$(diff <(listing "$root") <(listing "$stage") | head -n 5)"
	check "$release: contents" "" \
		"$(diff -rq --no-dereference "$root/usr/src" "$stage/usr/src" | head -n 5)"
	check "$release: listed names" \
		"$(dpkg-deb --fsys-tarfile "${debs[0]}" | tar -t | sed 's,^\./,,; s,/$,,; /^$/d')" \
		"$("$tool" list "${debs[0]}")"

	mkdir -p "$work/bare"
	merged_root "$work/bare"
	staged=$("$tool" headers "$work/bare" "$stage" "$release" - 2>&1)
	installed=$("$tool" headers "$root" - "$release" - 2>&1)
	check_match "$release: staged headers are found" "????????????????*hash=sha256*" "$staged"
	check "$release: the same when installed" "$installed" "$staged"
	check "$release: the same from memory" "$installed" "$("$tool" headers "$root" - "$release" - 2>&1)"
	check "$release: the same staged over the same" "$installed" \
		"$("$tool" headers "$root" "$stage" "$release" - 2>&1)"
	rm -rf "$root" "$stage" "$work/bare"
done
[ "$tried" -gt 0 ] || { echo "no Debian header packages to be had"; exit 77; }
finish
