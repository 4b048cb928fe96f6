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
