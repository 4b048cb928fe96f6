#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# headers_find() in the view: what is there, staged, removed, unreadable, remembered.
# shellcheck source=tests/cases/stage/common
. "$(dirname "$0")/common"
unshare -m true 2>/dev/null || { echo "no namespaces here"; exit 77; }

r=6.1.0-9-amd64
put_tree() { # ROOT
	mkdir -p "$1/usr/src/linux-headers-$r/include" "$1/usr/src/linux-headers-common" "$1/usr/lib/modules/$r"
	echo 'include /usr/src/linux-headers-common/Makefile' >"$1/usr/src/linux-headers-$r/Makefile"
	echo 'VERSION = 6' >"$1/usr/src/linux-headers-common/Makefile"
	printf 'CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH="sha512"\nCONFIG_MODULE_COMPRESS_XZ=y\n' \
		>"$1/usr/src/linux-headers-$r/.config"
	echo symbols >"$1/usr/src/linux-headers-$r/Module.symvers"
	ln -s "/usr/src/linux-headers-$r" "$1/usr/lib/modules/$r/build"
}
root=$work/root stage=$work/stage
merged_root "$root"
mkdir -p "$stage"
ln -s usr/lib "$stage/lib"
find_headers() { "$tool" headers "$root" "$stage" "$r" - "$@" 2>&1; }

check "none: the release and what is missing are named" \
	"$r: no headers for this kernel: /lib/modules/$r/build is not there" "$(find_headers)"
put_tree "$stage"
staged=$(find_headers)
check_match "staged: hash and compression of the configuration" \
	"*source=/lib/modules/$r/build*symvers=/lib/modules/$r/build/Module.symvers*hash=sha512*suffix=.xz" "$staged"
check "nothing was written to the stage" "lib usr" "$(names "$stage")"
mkdir -p "$stage/usr/lib/modules/$r/kernel/fs"
touch "$stage/usr/lib/modules/$r/kernel/fs/ext4.ko.zst"
check_match "the kernel's own modules know better" "*suffix=.zst" "$(find_headers)"
rm -rf "$stage/usr/lib/modules/$r/kernel"

rm -rf "${stage:?}/usr"
mkdir "$stage/usr"
put_tree "$root"
installed=$(find_headers)
check "installed: the same identity" "$staged" "$installed"
memory=$root/var/cache/kmodgate/headers/$r
check_match "it is remembered" "???*$(echo "$installed" | head -n 1)*" "$(cat "$memory")"
sed -i "s/ .*/ $(printf 'f%.0s' {1..64})/" "$memory"
check_match "and believed while no file changes" "ffff*" "$(find_headers)"
touch "$root/usr/src/linux-headers-common/Makefile"
check "but not a moment longer" "$installed" "$(find_headers)"
printf 'nonsense\n' >"$memory"
check "a broken memory is none" "$installed" "$(find_headers)"
rm -rf "$root/var/cache/kmodgate"
touch "$root/var/cache/kmodgate"
check "nor is one that cannot be written an error" "$installed" "$(find_headers)"

check "removed headers: a dangling link says so" \
	"$r: no headers for this kernel: /lib/modules/$r/build leads to /usr/src/linux-headers-$r: No such file or directory" \
	"$(cd "$root" && find "usr/src/linux-headers-$r" -depth -exec "$tool" headers "$root" "$stage" "$r" - {} + 2>&1)"
check_match "removed symbols" "$r: no headers*has no Module.symvers" \
	"$(find_headers "usr/src/linux-headers-$r/Module.symvers")"

echo secret >"$root/usr/src/linux-headers-$r/key"
chmod 0600 "$root/usr/src/linux-headers-$r/key"
mkdir -m 0700 "$root/usr/src/linux-headers-$r/private"
check_match "what the build user cannot read is no error" "*hash=sha512*" "$(find_headers)"

cp -a "$root/usr/src/linux-headers-$r" "$root/usr/src/mine"
check_match "another source folder" "*source=/usr/src/mine*symvers=/usr/src/mine/Module.symvers*" \
	"$("$tool" headers "$root" - "$r" /usr/src/mine 2>&1)"
check_match "a relative one is refused" "not an absolute path*" \
	"$("$tool" headers "$root" - "$r" usr/src/mine 2>&1)"
check_match "and a release that is none" "not a kernel release*" \
	"$("$tool" headers "$root" - "../$r" - 2>&1)"
finish
