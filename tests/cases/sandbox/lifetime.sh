#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing outlives the command, its time limit, or whoever asked for it.
# shellcheck disable=SC2016 # expanded inside the sandbox
# shellcheck source=tests/cases/sandbox/common
. "$(dirname "$0")/common"
count() { pgrep -c -f "$1" || true; }
mark="9$$"

check "the status is the command's" 5 "$("$box" -- /bin/sh -c 'exit 5'; echo $?)"
check "or 128 and its signal" 143 "$("$box" -- /bin/sh -c 'kill -TERM $$'; echo $?)"
"$box" -- /bin/bash -c "(setsid sleep $mark.1 &) ; exit 0"
check "daemons end with the command" 0 "$(count "sleep $mark.1")"
check "they do not keep a capture waiting" "done" \
	"$("$box" -o -- /bin/bash -c "(setsid sleep $mark.2 &) ; echo done")"

start=$(date +%s%N)
out=$("$box" -t 500 -- /bin/bash -c "trap '' TERM HUP INT; setsid sleep $mark.3 & sleep $mark.3" 2>&1)
check "a time limit" "box: -1030: time limit reached" "$out"
check "ends everything" 0 "$(count "sleep $mark.3")"
ms=$((($(date +%s%N) - start) / 1000000))
[ $ms -lt 5000 ] || check "soon" "< 5000 ms" "$ms ms"
out=$("$box" -o -t 2000 -- /bin/bash -c "echo first; sleep $mark.4" 2>&1)
check "a time limit of a capture" "first box: -1030: time limit reached" "$(xargs <<<"$out")"
out=$("$box" -o -- /usr/bin/yes 2>&1 | tail -n 1)
check "too much output" "box: -1041: more than 1048576 bytes of output" "${out##*$'y\n'}"
check "... ends the program" 0 "$(count '^/usr/bin/yes$')"

"$box" -u 61990 -t 2000 -- /bin/bash -c 'bomb() { bomb | bomb & }; bomb; sleep 60' >/dev/null 2>&1
check "a fork bomb ends with the time limit" 0 "$(ps -o pid= -u 61990 | wc -l)"
check "orphans are reaped" "0" "$("$box" -- /bin/bash -c '
	for i in 1 2 3 4 5; do (true &); done
	for i in {1..100}; do grep -q "^State:.Z" /proc/[0-9]*/status 2>/dev/null || break; sleep 0.1; done
	grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l')"

# Whoever asked is killed: outright, then as a group leader would be.
"$box" -- /bin/sleep "$mark.5" &
pid=$!
for _ in {1..50}; do [ "$(count "^/bin/sleep $mark.5")" = 1 ] && break; sleep 0.1; done
check "(it runs)" 1 "$(count "^/bin/sleep $mark.5")"
kill -9 "$pid"
wait "$pid" 2>/dev/null
for _ in {1..50}; do [ "$(count "sleep $mark.5")" = 0 ] && break; sleep 0.1; done
check "a killed caller takes all with it" 0 "$(count "sleep $mark.5")"

"$box" -- /bin/sleep "$mark.6" &
pid=$!
for _ in {1..50}; do [ "$(count "^/bin/sleep $mark.6")" = 1 ] && break; sleep 0.1; done
outer=$(pgrep -n -P "$pid") # (who began it may not be reaped yet)
kill -9 "$outer"
wait "$pid"
check "a killed child too, and is told so" "137 0" "$? $(count "sleep $mark.6")"

setsid "$box" -B -r x -- /bin/sh -c 'echo "$(uname -r)" && exec 3<>/dev/tty' >"$work/tty" 2>/dev/null </dev/null
check "without a terminal, signals blocked" "x" "$(cat "$work/tty")"
check "without standard descriptors" "0" "$("$box" -r x -- /bin/true <&- >&- 2>&-; echo $?)"
ms=$("$box" -n 50 -r x -- /bin/true 2>&1 >/dev/null)
echo "cost: $ms"
finish
