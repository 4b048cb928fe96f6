#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The dkms.conf of the -dkms packages of Debian 12, 13 and sid, downloaded: whatever C reads, bash reads alike; and all
# of 12 and 13 are read. Packages of some size are left out here; `make check-corpus` has them too.
# KG_CORPUS_MOST is that size, KG_CORPUS_SUITES names other suites, KG_CORPUS a folder of packages (*.deb) to look at.
# shellcheck source=tests/cases/recipe/common
. "$(dirname "$0")/common"
most=${KG_CORPUS_MOST:-3000000}
total=0 plain=0 may_fail=''

# unpack FOLDER: what its packages have in usr/src, as $stage; one after the other, so that none takes another's place.
unpack() {
	local deb
	stage=$work/stage.${1##*/}
	mkdir -p "$stage/usr/lib" "$stage/usr/src/headers"
	ln -s usr/lib "$stage/lib"
	for deb in "$1"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$stage" --no-same-owner \
			--keep-directory-symlink --wildcards './usr/src/*' 2>/dev/null
	done
	printf 'CONFIG_%s=y\n' PCI USB I2C DRM ACPI USB_HID VIDEO_DEV 64BIT NET SND_SOC BLOCK \
		EVENT_TRACING HWMON WIRELESS BACKLIGHT_CLASS_DEVICE LEDS_CLASS >"$stage/usr/src/headers/.config"
}

# unasserted CHECK...: printed, but no failure. In sid a package may be broken for a while.
unasserted() {
	local failed
	"$@"
}

# compare FOLDER: one dkms.conf below usr/src of $stage, for some kernels.
compare() {
	local id release bash one args
	local common=(stage="$stage" source="usr/src/$1" ksrc=/usr/src/headers
		config="$stage/usr/src/headers/.config")
	id=$(recipe way=identity "${common[@]}")
	$may_fail check "$1 says who it is" "$1" "${id/\//-}"
	for release in 3.2.0-4-rt-amd64 6.1.0-50-amd64 6.12.9; do
		args=("${common[@]}" name="${id%/*}" version="${id#*/}" release="$release")
		bash=$(recipe way=bash "${args[@]}")
		$may_fail check_match "$1 is read for $release" "source: $id*" "$bash"
		total=$((total + 1))
		one=$(recipe way=plain "${args[@]}") || continue
		plain=$((plain + 1))
		check "$1 is read alike for $release" "$bash" "$one"
	done
}

# look FOLDER: each package in it, unless the same file was looked at for an earlier suite.
declare -A seen
look() {
	local file key
	unpack "$1"
	echo "${1##*/}:"
	may_fail=''
	case $1 in */sid) may_fail=unasserted ;; esac
	for file in "$stage"/usr/src/*/dkms.conf; do
		key=$(basename "${file%/*}")/$(sha256sum <"$file")
		[ -n "${seen[$key]:-}" ] || compare "$(basename "${file%/*}")"
		seen[$key]=1
	done
	rm -rf "$stage"
}

for suite in ${KG_CORPUS_SUITES-bookworm trixie sid}; do
	timeout 120 "$top/tests/lib/suite-debs" "$suite" "$work/$suite" "$most" ||
		echo "$suite: not everything could be had"
done
for folder in ${KG_CORPUS:+"$KG_CORPUS"} "$work"/{bookworm,trixie,sid}; do
	if compgen -G "$folder/*.deb" >/dev/null; then look "$folder"; fi
done
[ $total -gt 0 ] || { echo "no packages to be had"; exit 77; }
echo "$plain of $total without bash"
finish
