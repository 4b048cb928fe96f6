#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside a throw-away root: "ours" in one with kmodgate, "debian" in one with Debian's dkms. What both can do goes
# as "NAME MICROSECONDS" into /run/bed/out/MODE, for the ratios of bench.sh.
set -euo pipefail
mode=$1

# once COMMAND...: the microseconds it took; one that fails has no time, and ends the benchmark.
once()
{
	local start
	start=${EPOCHREALTIME/[.,]/}
	"$@" >/tmp/once.log 2>&1 </dev/null || {
		cat /tmp/once.log >&2
		echo "bench: failed: $*" >&2
		kill $$
	}
	echo $((${EPOCHREALTIME/[.,]/} - start))
}
# The middle one of the numbers on stdin.
middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# median of N runs, in microseconds: median N COMMAND...
median()
{
	local n=$1 i
	shift
	for ((i = 0; i < n; i++)); do once "$@"; done | middle
}

row() { printf '%-64s %10s\n' "$1" "$2"; }
ms() { awk -v us="$1" 'BEGIN { printf "%.1f ms", us / 1000 }'; }
paired() { echo "$1 $2" >>"/run/bed/out/$mode"; } # NAME MICROSECONDS

# 300 packages without kernels: real archives from the pockets, repeated under other names.
stream()
{
	local debs=() i d
	mapfile -t debs < <(find /srv/bed/base /srv/bed/more -name '*.deb' ! -name 'linux-*' ! -name '*dkms*' -size -400k -size +2k | sort | head -n 100)
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
	with_cold=$(median 5 cold)
	once hook_once >/dev/null
	with_known=$(median 9 hook_once)
	with_true=$(median 9 empty)
	row 'hook, 300 packages, every verdict known (goal 5 ms)' "$(ms "$with_known")"
	row '  of which starting any process (/bin/true)' "$(ms "$with_true")"
	row 'hook, 300 archives to be read, each (goal 0.5 ms)' "$(ms $(((with_cold - with_known) / 300)))"
}

staging()
{
	local debs=() i whose ours theirs
	mapfile -t debs < <(find /srv/bed/new -name "linux-headers-*$(dpkg --print-architecture)*.deb" ! -name '*cloud*' ! -name '*rt*' ! -name 'linux-headers-amd64*'
		find /srv/bed/new -name 'linux-headers-*common_*.deb'; find /srv/bed/new -name 'linux-kbuild-*.deb')
	ours_once() { /run/bed/out/unpack /tmp/s "${debs[@]}"; }
	theirs_once() { local deb; for deb in "${debs[@]}"; do dpkg-deb -x "$deb" /tmp/s; done; }
	# By turns, as the machine is not the same from one second to the next; removing is neither's work.
	for ((i = 0; i < 9; i++)); do
		for whose in ours theirs; do
			rm -rf /tmp/s
			mkdir /tmp/s
			once ${whose}_once >>/tmp/staging.$whose
		done
	done
	ours=$(middle </tmp/staging.ours)
	theirs=$(middle </tmp/staging.theirs)
	row "staging ${#debs[@]} header packages" "$(ms "$ours")"
	row '  dpkg-deb -x, one after the other' "$(ms "$theirs")"
	row '  ratio (goal 0.8)' "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')"
}

# The whole hook, from apt's call to its exit, less what staging and the module's own make took.
gate()
{
	local log=/tmp/gate.log event=/usr/lib/kmodgate/apt-event pocket whole staged own
	for pocket in base old new; do
		echo "deb [trusted=yes] copy:/srv/bed/$pocket ./"
	done >/etc/apt/sources.list.d/bed.list
	apt-get -qq update
	mv $event $event.real
	cat >$event <<-SH
		#!/bin/sh
		start=\$(date +%s%N)
		$event.real "\$@"
		code=\$?
		echo "whole hook: \$(((\$(date +%s%N) - start) / 1000000)) ms" >>$log.times
		exit \$code
	SH
	chmod 755 $event
	KMODGATE_DEBUG=1 apt-get dist-upgrade -y >"$log" 2>&1 </dev/null || { tail -n 30 "$log" && return 1; }
	mv $event.real $event
	whole=$(sed -n 's/^whole hook: \([0-9]*\) ms/\1/p' $log.times | sort -n | tail -n 1)
	staged=$(sed -n 's/.*staged .* archives in \([0-9]*\) ms.*/\1/p' $log | sed -n 1p)
	own=$(sed -n 's/.*: \([0-9]*\) ms in its own commands.*/\1/p' $log | awk '{ n += $1 } END { print n }')
	row 'gate of a kernel upgrade with v4l2loopback, the whole hook' "$whole ms"
	row '  of which staging the headers' "$staged ms"
	row '  of which the module'"'"'s own commands' "$own ms"
	row '  what is left: the gate (goal 2000 ms)' "$((whole - staged - own)) ms"
}

# tree FIRST LAST RELEASE...: module sources that are installed for these releases, as far as a tree can say.
tree()
{
	local i r first=$1 last=$2
	shift 2
	for ((i = first; i <= last; i++)); do
		mkdir -p "/usr/src/bench$i-1.0" "/var/lib/dkms/bench$i/1.0"
		printf 'PACKAGE_NAME=bench%d\nPACKAGE_VERSION=1.0\nBUILT_MODULE_NAME=bench%d\nDEST_MODULE_LOCATION=/extra\nAUTOINSTALL=yes\n' \
			"$i" "$i" >"/usr/src/bench$i-1.0/dkms.conf"
		ln -sfn "/usr/src/bench$i-1.0" "/var/lib/dkms/bench$i/1.0/source"
		for r; do
			mkdir -p "/var/lib/dkms/bench$i/1.0/$r/x86_64/module" "/lib/modules/$r/updates/dkms"
			echo "$i" >"/var/lib/dkms/bench$i/1.0/$r/x86_64/module/bench$i.ko"
			echo "$i" >"/lib/modules/$r/updates/dkms/bench$i.ko"
			ln -sfn "1.0/$r/x86_64" "/var/lib/dkms/bench$i/kernel-$r-x86_64"
		done
	done
}
no_tree() { rm -rf /var/lib/dkms/bench* /usr/src/bench* /lib/modules/*-bench /lib/modules/*/updates/dkms/bench*; }

status()
{
	local runs=9
	[ "$mode" = ours ] || runs=1
	tree 0 9 6.1.0-1-bench
	paired 'dkms status, 10 modules x 1 kernel' "$(median "$runs" dkms status)"
	no_tree
	tree 0 99 6.1.0-1-bench 6.1.0-2-bench 6.1.0-3-bench
	paired 'dkms status, 100 modules x 3 kernels' "$(median "$runs" dkms status)"
	row "  lines printed by $mode" "$(dkms status | grep -c bench)"
	no_tree
}

add()
{
	add_once() { dkms add bench0/1.0; }
	local i
	tree 0 0
	rm -rf /var/lib/dkms/bench0
	for ((i = 0; i < 5; i++)); do
		once add_once
		rm -rf /var/lib/dkms/bench0
	done >/tmp/add
	paired 'dkms add' "$(middle </tmp/add)"
	no_tree
}

autoinstall()
{
	local runs=5
	[ "$mode" = ours ] || runs=1
	tree 0 99 "$BED_OLD_REL"
	paired 'dkms autoinstall, 100 registered, nothing to do' "$(median "$runs" dkms autoinstall -k "$BED_OLD_REL")"
	no_tree
}

# What is built already is installed, with N others registered.
install_beside()
{
	local i
	install_once() { dkms install v4l2loopback/0.12.7 -k "$BED_OLD_REL"; }
	[ "$1" -eq 0 ] || tree 1 "$1" 6.1.0-1-bench
	for ((i = 0; i < 5; i++)); do
		dkms uninstall v4l2loopback/0.12.7 -k "$BED_OLD_REL" >/dev/null 2>&1
		once install_once
	done >/tmp/install
	paired "dkms install of a built module, $1 others registered" "$(middle </tmp/install)"
	no_tree
}

# shellcheck disable=SC1091
. /srv/bed/facts
case $mode in
ours)
	hook
	staging
	;;
esac
status
add
autoinstall
install_beside 10
install_beside 300
[ "$mode" != ours ] || gate
