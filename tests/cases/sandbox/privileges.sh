#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a program in the sandbox is, has and can reach.
# shellcheck disable=SC2016 # expanded inside the sandbox
# shellcheck source=tests/cases/sandbox/common
. "$(dirname "$0")/common"
in_box() { "$box" "$@" 2>&1; }

status=$(in_box -- /bin/cat /proc/self/status)
check "no capability in any set" 5 "$(grep -c '^Cap.*:.0000000000000000$' <<<"$status")"
check "no new privileges" 1 "$(awk '/^NoNewPrivs/ {print $2}' <<<"$status")"
check "a filter" 2 "$(awk '/^Seccomp:/ {print $2}' <<<"$status")"
check "all ids are the build user's" "990 990 990 990 990 990 990 990" \
	"$(awk '/^[UG]id:/ {printf "%s%s %s %s %s", s, $2, $3, $4, $5; s=" "}' <<<"$status")"
check "no groups" "uid=990 gid=990 groups=990" "$(in_box -- /usr/bin/id)"
check "signals are neither blocked nor ignored" "0000000000000000 0000000000000000" \
	"$(in_box -B -- /bin/cat /proc/self/status | awk '/^Sig(Blk|Ign)/ {printf "%s%s", s, $2; s=" "}')"
printf 'x:\n\t@%s -- /bin/cat /proc/self/status\n' "$box" >"$work/signals.mk"
check "nor below make, whose posix_spawn ignores two of glibc's own" "0000000000000000 0000000000000000" \
	"$(make -sf "$work/signals.mk" x | awk '/^Sig(Blk|Ign)/ {printf "%s%s", s, $2; s=" "}')"
check "no descriptor of the caller's" "0 1 2" \
	"$(exec 7</etc/shadow; in_box -- /bin/ls /proc/self/fd 7<&7 | head -n 3 | xargs)"
check "... in a function either" "0 1 2" "$(exec 7</etc/shadow; "$box" -L 7<&7 | xargs)"
check "umask 022, no core files" "0022 0" "$(in_box -- /bin/sh -c 'umask; ulimit -c' | xargs)"
check "file size limit" "153" "$(in_box -f 4096 -- /bin/dd if=/dev/zero of=/tmp/x bs=8k count=1 >/dev/null; echo $?)"
check "cpu limit ends a loop" "137" "$(in_box -c 1 -- /bin/sh -c 'while :; do :; done' >/dev/null; echo $?)"

check "only a downed loopback device" "lo" \
	"$(in_box -- /bin/sh -c 'tail -n +3 /proc/net/dev' | cut -d: -f1 | xargs)"
check_match "no network" "*nreachable*" \
	"$(in_box -- /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/9 || exec 3<>/dev/tcp/192.0.2.1/9')"
check "nothing outside /tmp can be written" "" "$(in_box -- /bin/sh -c '
	find / -writable ! -type l ! -type c ! -path "/tmp*" ! -path "/var/tmp*" ! -path "/proc/*" 2>/dev/null
	for d in / /usr /etc /var /dev /run /boot /root; do (: >$d/x) 2>/dev/null && echo "$d"; done')"
check "no mount but /tmp is writable, and none of the machine is left below" "/ /tmp /var/tmp" \
	"$(in_box -- /bin/sh -c 'cut -d" " -f5,6 /proc/self/mountinfo' |
		awk 'NR == 1 && $2 ~ /^ro/ || $2 !~ /^ro/ {printf "%s%s", s, $1; s=" "}')"
check "a tmp of its own" "" "$(: >"/tmp/kg-mine.$$"; in_box -- /bin/ls -A /tmp; rm -f "/tmp/kg-mine.$$")"
check "/tmp and /var/tmp are one" "there" "$(in_box -- /bin/sh -c ': >/tmp/x && test -e /var/tmp/x && echo there')"
check "folders of people and services are empty" "" \
	"$(in_box -- /bin/sh -c 'ls -A /root /home /run /srv /mnt /media | grep -v :')"
check "shadow is unreadable" "1" "$(in_box -- /bin/cat /etc/shadow >/dev/null; echo $?)"
check "the devices work" "0 4096 28" "$(in_box -- /bin/sh -c '
	echo x >/dev/null; echo $?; head -c 4096 /dev/urandom | wc -c
	LC_ALL=C dd if=/dev/zero of=/dev/full 2>&1 count=1 | grep -c "No space" >/dev/null && echo 28' | xargs)"
check "the supervisor is out of reach" "1 1 1 1" "$(in_box -- /bin/sh -c '
	kill -9 1 2>/dev/null; echo $?; ls /proc/1/fd >/dev/null 2>&1 && echo 0 || echo 1
	ls /proc/1/root/ >/dev/null 2>&1 && echo 0 || echo 1; (: </proc/1/mem) 2>/dev/null && echo 0 || echo 1' 2>&1 | grep -v : | xargs)"
check "no new user namespace" "1 1" "$(in_box -- /bin/sh -c '
	unshare -U true 2>/dev/null; echo $?; unshare -Ur true 2>/dev/null; echo $?' | xargs)"

cat >"$work/calls.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void say(const char *what, long r) { printf("%s %d\n", what, r < 0 ? errno : 0); }
int main(void) {
	say("clone", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
	say("clone3", syscall(SYS_clone3, 0, 0));
	say("keyctl", syscall(SYS_keyctl, 0, -3, 0));
	say("bpf", syscall(SYS_bpf, 0, 0, 0));
	say("ptrace", syscall(SYS_ptrace, 0, 0, 0, 0));
	say("io_uring", syscall(SYS_io_uring_setup, 1, 0));
	say("x32", syscall(0x40000000 + 39));
	fflush(stdout);
#ifdef __x86_64__
	/* getpid(2) by the 32 bit entry */
	long r = 20;
	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	say("i386", r);
#endif
	return 0;
}
C
cc -static -w -o "$work/calls" "$work/calls.c"
got=$(in_box -b "/mnt/calls=$work/calls" -- /mnt/calls)
code=$?
check "kernel calls a build has no use for" \
	"clone 1 clone3 38 keyctl 1 bpf 1 ptrace 1 io_uring 1 x32 38" "$(xargs <<<"$got")"
[ "$(uname -m)" != x86_64 ] || check "the 32 bit entry kills" 159 "$code"
finish
