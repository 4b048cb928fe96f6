#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside a throw-away root: "ours" in one with kmodgate, "debian" in one with Debian's dkms.
set -euo pipefail

# median of N runs, in microseconds: median N COMMAND...
median()
{
	local n=$1 i start
	shift
	for ((i = 0; i < n; i++)); do
		start=$(date +%s%N)
		"$@" >/dev/null 2>&1 </dev/null || true
		echo $((($(date +%s%N) - start) / 1000))
	done | sort -n | sed -n "$((n / 2 + 1))p"
}

row() { printf '%-64s %10s\n' "$1" "$2"; }
ms() { awk -v us="$1" 'BEGIN { printf "%.1f ms", us / 1000 }'; }

# 300 packages without kernels: real archives from the pockets, repeated under other names.
stream()
{
	local debs=() i d
	mapfile -t debs < <(find /srv/bed/base /srv/bed/more -name '*.deb' ! -name 'linux-*' -size -400k -size +2k | sort | head -n 100)
	mkdir -p /tmp/debs
	printf 'VERSION 3\nAPT::Architecture=amd64\nDir=/\n\n'
	for ((i = 0; i < 300; i++)); do
		d=${debs[i % ${#debs[@]}]}
		cp -n "$d" "/tmp/debs/p$i.deb"
		printf 'p%d - - none < 1 amd64 none /tmp/debs/p%d.deb\n' "$i" "$i"
	done
}

hook()
{
	stream >/tmp/stream
	hook_once() { APT_HOOK_INFO_FD=0 /usr/lib/kmodgate/apt-event </tmp/stream; }
	cold() { rm -f /var/cache/kmodgate/apt-verdicts; APT_HOOK_INFO_FD=0 /usr/lib/kmodgate/apt-event </tmp/stream; }
	empty() { /bin/true </tmp/stream; }
	with_cold=$(for _ in 1 2 3 4 5; do s=$(date +%s%N); cold >/dev/null 2>&1; echo $((($(date +%s%N) - s) / 1000)); done | sort -n | sed -n 3p)
	hook_once >/dev/null 2>&1
	with_known=$(for _ in 1 2 3 4 5 6 7 8 9; do s=$(date +%s%N); hook_once >/dev/null 2>&1; echo $((($(date +%s%N) - s) / 1000)); done | sort -n | sed -n 5p)
	with_true=$(for _ in 1 2 3 4 5 6 7 8 9; do s=$(date +%s%N); empty; echo $((($(date +%s%N) - s) / 1000)); done | sort -n | sed -n 5p)
	row 'hook, 300 packages, every verdict known (goal 5 ms)' "$(ms "$with_known")"
	row '  of which starting any process (/bin/true)' "$(ms "$with_true")"
	row 'hook, 300 archives to be read, each (goal 0.5 ms)' "$(ms $(((with_cold - with_known) / 300)))"
}

staging()
{
	local debs=() k ours theirs
	. /srv/bed/facts 2>/dev/null || true
	mapfile -t debs < <(find /srv/bed/new -name "linux-headers-*$(dpkg --print-architecture)*.deb" ! -name '*cloud*' ! -name '*rt*' ! -name 'linux-headers-amd64*'
		find /srv/bed/new -name 'linux-headers-*common_*.deb'; find /srv/bed/new -name 'linux-kbuild-*.deb')
	ours_once() { rm -rf /tmp/s; mkdir /tmp/s; /run/bed/out/unpack /tmp/s "${debs[@]}"; }
	theirs_once() { rm -rf /tmp/s; mkdir /tmp/s; for k in "${debs[@]}"; do dpkg-deb -x "$k" /tmp/s; done; }
	ours=$(median 5 ours_once)
	theirs=$(median 5 theirs_once)
	row "staging ${#debs[@]} header packages" "$(ms "$ours")"
	row '  dpkg-deb -x, one after the other' "$(ms "$theirs")"
	row '  ratio (goal 0.8)' "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')"
}

gate()
{
	local log=/tmp/gate.log
	sed -i 's/ old / old new /' /etc/apt/sources.list.d/*.list 2>/dev/null || true
	bed_pockets base old new >/dev/null
	KMODGATE_DEBUG=1 apt-get dist-upgrade -y >"$log" 2>&1 </dev/null || true
	grep -E 'kmodgate: .* ms' "$log" | sed 's/^/  /'
}

tree()
{
	local i r
	for ((i = 0; i < 100; i++)); do
		mkdir -p "/usr/src/bench$i-1.0" "/var/lib/dkms/bench$i/1.0"
		printf 'PACKAGE_NAME=bench%d\nPACKAGE_VERSION=1.0\nBUILT_MODULE_NAME=bench%d\nDEST_MODULE_LOCATION=/extra\nAUTOINSTALL=yes\n' \
			"$i" "$i" >"/usr/src/bench$i-1.0/dkms.conf"
		ln -sfn "/usr/src/bench$i-1.0" "/var/lib/dkms/bench$i/1.0/source"
		for r in 6.1.0-1-amd64 6.1.0-2-amd64 6.1.0-3-amd64; do
			mkdir -p "/var/lib/dkms/bench$i/1.0/$r/x86_64/module" "/lib/modules/$r/updates/dkms"
			echo "$i" >"/var/lib/dkms/bench$i/1.0/$r/x86_64/module/bench$i.ko"
			echo "$i" >"/lib/modules/$r/updates/dkms/bench$i.ko"
			ln -sfn "1.0/$r/x86_64" "/var/lib/dkms/bench$i/kernel-$r-x86_64"
		done
	done
}

status()
{
	tree
	row "dkms status, 100 modules x 3 kernels, $1 (goal 20 ms)" "$(ms "$(median "$2" dkms status)")"
	row "  lines printed" "$(dkms status | grep -c bench)"
	if [ "$1" = ours ] && command -v strace >/dev/null; then
		row '  processes started' "$(strace -f -e trace=fork,vfork,clone,clone3 dkms status 2>&1 >/dev/null | grep -c 'clone\|fork' || true)"
	fi
}

case $1 in
ours)
	hook
	staging
	status ours 9
	rm -rf /var/lib/dkms/bench* /usr/src/bench* /lib/modules/6.1.0-[123]-amd64
	gate
	;;
debian) status "Debian's dkms" 1 ;;
esac
