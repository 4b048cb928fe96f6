#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DKMS's exit codes for what goes wrong before anything is built, in a root of its own.
set -u
kmodgate=${KG_BUILD:?}/kmodgate
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
[ "$(id -u)" -eq 0 ] || {
	echo "skip: not root"
	exit 77
}
bad=0

expect() # CODE ARGUMENT...
{
	local want=$1 got=0
	shift
	"$kmodgate" dkms --root "$root" "$@" >"$root/out" 2>"$root/err" || got=$?
	if [ "$got" -eq "$want" ]; then
		echo "exit $got: dkms $*: $(head -n 1 "$root/err")"
	else
		echo "FAIL: dkms $*: exit $got, expected $want: $(cat "$root/err")"
		bad=1
	fi
	if [ "$want" -ne 0 ] && [ ! -s "$root/err" ]; then
		echo "FAIL: dkms $*: said nothing"
		bad=1
	fi
}

mkdir -p "$root/usr/src" "$root/var/lib/dkms/broken/1" "$root/run" "$root/tree"
ln -s /usr/src/broken-1 "$root/var/lib/dkms/broken/1/source"
printf 'PACKAGE_NAME=good\nPACKAGE_VERSION=1\nBUILT_MODULE_NAME[0]=good\nDEST_MODULE_LOCATION[0]=/updates\n' \
	>"$root/tree/dkms.conf"
mkdir -p "$root/usr/src/noconf-1" "$root/usr/src/good-2"
sed 's/=1$/=2/' "$root/tree/dkms.conf" >"$root/usr/src/good-2/dkms.conf"

expect 2
expect 2 frobnicate
expect 2 status --frobnicate
expect 4 add build
expect 8 mktarball --binaries-only --source-only
expect 1 build good/2 -k 1 -a x -a y
expect 2 remove good/2 --all -k 1
expect 16 build good/2 -k ''
expect 1 add
expect 1 add good
expect 1 remove good
expect 1 add 'a b/1'
expect 9 add ../x
expect 2 add good/9
expect 4 add noconf/1
expect 9 add "$root/usr/src/noconf-1"
expect 3 build good/9 -k 6.1.0-1
expect 3 install good/9 -k 6.1.0-1
expect 3 remove good/9 --all
expect 3 uninstall good/9 -k 6.1.0-1
expect 4 build broken/1 -k 6.1.0-1

# A dkms.conf that is not there, not valid, or somebody else's.
source_of() # NAME-VERSION LINE...: in /usr/src, with a file beside its dkms.conf
{
	local dir=$root/usr/src/$1
	mkdir -p "$dir"
	shift
	printf '%s\n' "$@" 'BUILT_MODULE_NAME[0]=x' 'DEST_MODULE_LOCATION[0]=/updates' >"$dir/dkms.conf"
	touch "$dir/x.c"
}
mkdir -p "$root/usr/src/confless-1" "$root/var/lib/dkms/confless/1" "$root/tree2"
ln -s /usr/src/confless-1 "$root/var/lib/dkms/confless/1/source"
expect 4 build confless/1 -k 6.1.0-1
expect 4 install confless/1 -k 6.1.0-1
rm -r "$root/var/lib/dkms/confless"
expect 4 add confless/1 -c "$root/none.conf"
expect 4 build confless/1 -k 6.1.0-1 -c "$root/none.conf"
expect 0 add confless/1 -c "$root/tree/dkms.conf"
expect 0 remove confless/1 --all
echo 'PACKAGE_NAME=x' >"$root/tree2/dkms.conf"
expect 10 add "$root/tree2"
source_of invalid-1 PACKAGE_NAME=invalid PACKAGE_VERSION=1 AUTOINSTALL=maybe
expect 8 add invalid/1
expect 8 build invalid/1 -k 6.1.0-1
expect 8 add confless/1 -c "$root/usr/src/invalid-1/dkms.conf"
[ ! -e "$root/var/lib/dkms/invalid" ] || { echo 'FAIL: an invalid one was registered'; bad=1; }
source_of mine-1 PACKAGE_NAME=theirs PACKAGE_VERSION=2
expect 0 add mine/1
grep -q 'warning: .*theirs/2' "$root/err" || { echo "FAIL: no warning: $(cat "$root/err")"; bad=1; }
expect 0 remove mine/1 --all
# kernelver and headers that are not there are no reason to refuse it.
source_of asks-1 PACKAGE_NAME=asks PACKAGE_VERSION=1 'MAKE="make -C $kernel_source_dir"' 'BUILD_EXCLUSIVE_CONFIG=CONFIG_NONE'
expect 0 add asks/1
expect 0 remove asks/1 --all
expect 8 build good/2 -k 6.1.0-1
grep -q 'nothing but a dkms.conf' "$root/err" || { echo "FAIL: $(cat "$root/err")"; bad=1; }
expect 0 remove good/2 --all

# A machine that does not say what it is; a folder that is none.
printf '%s\n' '#include <string.h>' '#include <sys/utsname.h>' \
	'int uname(struct utsname *u) { memset(u, 0, sizeof(*u)); strcpy(u->release, "6.1.0-1"); return 0; }' |
	gcc -x c -shared -fPIC -o "$root/uname.so" - || exit 1
if ! ldd "$kmodgate" | grep -q libasan; then
	export LD_PRELOAD=$root/uname.so
	expect 12 build good/2
	expect 12 autoinstall -k 6.1.0-1
	expect 0 status -a x86_64
	unset LD_PRELOAD
fi
mv "$root/var/lib/kmodgate" "$root/kmodgate"
touch "$root/var/lib/kmodgate"
expect 15 build good/2 -k 6.1.0-1 -a x86_64
rm "$root/var/lib/kmodgate"
mv "$root/kmodgate" "$root/var/lib/kmodgate"
expect 4 remove broken/1 --all
expect 5 build good/2 --all
expect 5 add good/2 --all
expect 4 autoinstall -k 1 -k 2
expect 0 add good/2
expect 3 add good/2
expect 0 add "$root/tree"
expect 3 add "$root/tree/dkms.conf"
expect 0 status
grep -qx 'good/1: added' "$root/out" && grep -qx 'good/2: added' "$root/out" ||
	{ echo "FAIL: status: $(cat "$root/out")"; bad=1; }
grep -qx 'broken/1: broken' "$root/out" && [ -s "$root/err" ] ||
	{ echo "FAIL: broken entry: $(cat "$root/out" "$root/err")"; bad=1; }
expect 0 remove good/2 --all
expect 0 remove -m good -v 1 --all

# Somebody else's folder stays where it is, and is no entry by itself; the source may come again.
expect 0 add good/2
mkdir -p "$root/var/lib/dkms/good/2/theirs"
echo kept >"$root/var/lib/dkms/good/2/theirs/file"
expect 0 remove good/2 --all
grep -q 'warning: .*theirs' "$root/err" || { echo "FAIL: no word of it: $(cat "$root/err")"; bad=1; }
expect 0 status good/2
[ ! -s "$root/out" ] || { echo "FAIL: left behind: $(cat "$root/out")"; bad=1; }
expect 3 remove good/2 --all
expect 0 add good/2
expect 0 status good/2
grep -qx 'good/2: added' "$root/out" || { echo "FAIL: again: $(cat "$root/out")"; bad=1; }
[ "$(cat "$root/var/lib/dkms/good/2/theirs/file")" = kept ] || { echo 'FAIL: theirs is gone'; bad=1; }
rm -r "$root/var/lib/dkms/good/2/theirs"
rm "$root/var/lib/dkms/good/2/source"
expect 0 status good/2
grep -qx 'good/2: broken' "$root/out" || { echo "FAIL: without its link: $(cat "$root/out")"; bad=1; }
expect 0 add good/2
expect 0 remove good/2 --all
expect 0 status
[ "$(cat "$root/out")" = 'broken/1: broken' ] || { echo "FAIL: $(cat "$root/out")"; bad=1; }
expect 0 generate_mok
expect 0 add good/2 --rpm_safe_upgrade
mkdir -p "$root/etc/dkms" && touch "$root/etc/dkms/no-autoinstall"
expect 0 autoinstall -k 6.1.0-1
expect 0 --version
[ "$(cat "$root/out")" = dkms-3.4.3 ] || bad=1
"$kmodgate" dkms -q add nothing/1 >"$root/out" 2>&1
[ ! -s "$root/out" ] || { echo "FAIL: -q: $(cat "$root/out")"; bad=1; }
exit $bad
