#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What kmodgate.so costs a transaction of rpm without kernels: with it and without it, by turns. Inside a throw-away
# root with kmodgate, as a case is (tests/managers/README.md).
# shellcheck source=../lib/bed/inside.sh disable=SC2317

# CPU time, and not the time of day: a few ms in a hundred are not seen through what else the machine does.
bench_once() { # RPM-OPTION...: microseconds, with all that it starts
    local TIMEFORMAT='%3U %3S'
    { time rpm -i --test "$@" /srv/rpm/many/*.rpm; } 2>&1 | awk '{ print ($1 + $2) * 1000000 }'
}
bench_middle() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f ms\n", v[int((NR + 1) / 2)] / 1000 }'; }

bench_rpm() {
    local i with without
    rpm_many 300 20
    for ((i = 0; i < 102; i++)); do
        # (who is first changes, too)
        if [ $((i % 2)) = 0 ]; then with=$(bench_once); fi
        without=$(bench_once --define '__transaction_kmodgate %{nil}')
        if [ $((i % 2)) = 1 ]; then with=$(bench_once); fi
        if [ "$i" -ge 2 ]; then echo "$with $without"; fi
    done >/tmp/pairs
    printf '%-64s %10s\n' 'rpm -i --test, 300 packages of 20 files, no kernel: CPU time' "$(cut -d' ' -f1 /tmp/pairs | bench_middle)" \
        '  without kmodgate.so' "$(cut -d' ' -f2 /tmp/pairs | bench_middle)" \
        '  what kmodgate.so costs: the middle of 100 pairs (goal 5 ms)' "$(awk '{ print $1 - $2 }' /tmp/pairs | bench_middle)"
}
