#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The dkms.conf of Debian's own -dkms packages, downloaded: whatever C reads, bash reads alike, and
# all of them are read. KG_CORPUS names a folder of more packages (*.deb) to look at.
# shellcheck source=tests/cases/recipe/common
. "$(dirname "$0")/common"
wanted='acpi-call dahdi ddcci digimend dm-writeboost evdi iptables-netflow jool lttng-modules openafs-modules
	openrazer-driver r8125 r8168 rtpengine-kernel sl-modem tp-smapi v4l2loopback xtables-addons xtrx zfs'
most=8000000 # bytes of a package that is worth it
cache=$work/cache
stage=$work/stage
mkdir -p "$cache" "$stage/usr/lib"
ln -s usr/lib "$stage/lib"

# Those that this machine's package lists know, which is not contrib everywhere.
# shellcheck disable=SC2086 # a list
# shellcheck disable=SC2046
known=$(apt-cache show --no-all-versions $(printf '%s-dkms ' $wanted) 2>/dev/null |
	awk -v most=$most '/^Package: /{p = $2} /^Size: / && $2 < most {print p}')
# shellcheck disable=SC2086 # a list
[ -z "$known" ] || (cd "$cache" && timeout 300 apt-get download $known >/dev/null 2>&1)
ls "${KG_CORPUS:-$cache}"/*.deb "$cache"/*.deb >/dev/null 2>&1 || { echo "no packages to be had"; exit 77; }
for deb in "${KG_CORPUS:-$cache}"/*.deb "$cache"/*.deb; do
	[ ! -e "$deb" ] || dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$stage" --no-same-owner \
		--keep-directory-symlink --wildcards './usr/src/*' 2>/dev/null
done

mkdir -p "$stage/usr/src/headers"
printf 'CONFIG_%s=y\n' PCI USB I2C DRM ACPI USB_HID VIDEO_DEV 64BIT NET SND_SOC BLOCK EVENT_TRACING \
	HWMON WIRELESS BACKLIGHT_CLASS_DEVICE LEDS_CLASS >"$stage/usr/src/headers/.config"
total=0 plain=0
for file in "$stage"/usr/src/*/dkms.conf; do
	folder=$(basename "$(dirname "$file")")
	common=(stage="$stage" source="usr/src/$folder" ksrc=/usr/src/headers
		config="$stage/usr/src/headers/.config")
	id=$(recipe way=identity "${common[@]}")
	check "$folder says who it is" "$folder" "${id/\//-}"
	for release in 3.2.0-4-rt-amd64 6.1.0-50-amd64 6.12.9; do
		args=("${common[@]}" name="${id%/*}" version="${id#*/}" release="$release")
		bash=$(recipe way=bash "${args[@]}")
		check_match "$folder is read for $release" "source: $id*" "$bash"
		total=$((total + 1))
		one=$(recipe way=plain "${args[@]}") || continue
		plain=$((plain + 1))
		check "$folder is read alike for $release" "$bash" "$one"
	done
done
echo "$plain of $total without bash"
finish
