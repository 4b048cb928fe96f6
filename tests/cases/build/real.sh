#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's modules, built against headers that are only staged, are byte for byte what make gives
# root at the same path with the headers installed, and what DKMS gives.
# shellcheck source=tests/cases/build/common
. "$(dirname "$0")/common"
command -v dpkg-deb >/dev/null || { echo "not Debian"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "names of amd64 packages"; exit 77; }

# The release that this machine's archive has headers for.
headers=$(apt-cache depends linux-headers-amd64 2>/dev/null |
	sed -n 's/.*Depends: \(linux-headers-[0-9].*-amd64\)$/\1/p' | head -n 1)
R=${headers#linux-headers-}
[ -n "$R" ] || { echo "no linux-headers-amd64 to be had"; exit 77; }
mapfile -t needs < <(apt-cache depends "$headers" |
	sed -n 's/.*Depends: \(linux-.*\)$/\1/p')
get_debs "$headers" "${needs[@]}" || { echo "cannot fetch $headers"; exit 77; }
for pkg in v4l2loopback-dkms acpi-call-dkms dm-writeboost-dkms dkms; do
	get_debs $pkg || echo "skipped: $pkg cannot be fetched"
done

stage=$work/stage
unpack_debs "$stage" "$work"/debs/linux-*.deb "$work"/debs/*-dkms_*.deb || exit 1

# The machine with all of that installed, on a tmpfs.
installed=$work/o/r
mkdir -p "$work/o"
mount -t tmpfs o "$work/o"
mkdir -p "$work/o/u" "$work/o/w" "$installed"
mount -t overlay -o "lowerdir=/,upperdir=$work/o/u,workdir=$work/o/w" o "$installed" ||
	{ echo "no overlay here"; exit 77; }
unpack_debs "$installed" "$work"/debs/*.deb || exit 1
mount -t proc proc "$installed/proc"
mount --rbind /dev "$installed/dev"

# The signature that DKMS appends, cut off.
unsigned() {
	perl -0777 -ne 'my $m = "~Module signature appended~\n";
		if (substr($_, -28) eq $m) {
			my $len = unpack("N", substr($_, -32, 4));
			substr($_, -(28 + 12 + $len)) = "";
		}
		print' "$1"
}

# compare NAME MODULE
compare() {
	local name=$1 module=$2 source version make dir ours
	source=$(echo "$stage/usr/src/$name"-[0-9]*)
	[ -d "$source" ] || return 0
	version=${source##*/"$name"-}
	dir=/var/lib/dkms/$name/$version
	# shellcheck disable=SC2016,SC1091,SC2154 # set by the dkms.conf
	make=$(kernelver=$R kernel_source_dir=/lib/modules/$R/build dkms_tree=/var/lib/dkms arch=x86_64 \
		bash -c '. "$1/dkms.conf" && echo "${MAKE[0]}"' - "$source")
	check_match "$name/$version builds in the view" "0 * built" \
		"$(run_build "$name" "$version" "$source" -S "$stage" -r "$R" \
			-m "$module" -k "$make")"
	ours=$work/w/$name/out/module/$module.ko
	[ -e "$ours" ] || { tail -n 20 "$work/$name.log"; return; }

	mkdir -p "$installed$dir"
	cp -a "$source" "$installed$dir/build"
	# shellcheck disable=SC2016 # expanded in there
	chroot "$installed" /bin/bash -c 'cd "$1/build" && kernel_source_dir=/lib/modules/$2/build \
		dkms_tree=/var/lib/dkms && eval "$3" && strip -g "$4.ko"' - \
		"$dir" "$R" "$make" "$module" >"$work/$name.ref" 2>&1 || tail -n 5 "$work/$name.ref"
	cmp "$ours" "$installed$dir/build/$module.ko"
	check "... to what make gives root there" 0 $?
	rm -rf "${installed:?}/var/lib/dkms"

	[ -x "$installed/usr/sbin/dkms" ] || return 0
	mkdir -p "$installed/var/lib/dkms"
	chroot "$installed" dkms build -m "$name" -v "$version" -k "$R" >"$work/$name.dkms" 2>&1 ||
		tail -n 5 "$work/$name.dkms"
	unsigned "$installed$dir/$R/x86_64/module/$module.ko" | cmp "$ours" -
	check "... to what DKMS gives" 0 $?
	rm -rf "${installed:?}/var/lib/dkms"
}

compare v4l2loopback v4l2loopback
compare acpi-call acpi_call
compare dm-writeboost dm-writeboost

# The same tools, staged or installed, are the same; another compiler is another.
staged=$("$builder" -i -S "$stage" -r "$R")
check "the toolchain's identity does not depend on where it is" "$staged" \
	"$("$builder" -i -R "$installed" -r "$R")"
cp "$installed/usr/bin/as" "$work/as"
"$(command -v objcopy)" --add-section .kg="$0" --update-section .note.gnu.build-id=<(head -c 36 /dev/urandom) \
	"$work/as" "$work/as2" 2>/dev/null || { cp "$work/as" "$work/as2"; echo x >>"$work/as2"; }
mkdir -p "$work/stage2/usr/bin"
cp "$work/as2" "$work/stage2/usr/bin/$(basename "$(readlink -f /usr/bin/as)")"
other=$("$builder" -i -R "$installed" -S "$work/stage2" -r "$R")
[ "$other" != "$staged" ] && [ -n "$other" ]
check "... but on what it is" 0 $?
finish
