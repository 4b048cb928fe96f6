#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The numbers, measured in throw-away roots. Every comparison is one run on one
# machine; absolute times are for reading, never for a test.
# shellcheck disable=SC1091,SC2034 # SC2034: what bed_enter reads
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1")
KG_DEB=$(echo "$here"/../../build/deb/kmodgate_*.deb)
KG_RPM=$(echo "$here"/../../build/rpm/kmodgate*.rpm)
export KG_DEB KG_RPM
. "$here/../lib/bed.sh"

out=$(mktemp -d /var/tmp/kg-bench-XXXXXX)
trap 'rm -rf "$out"' EXIT
cp "$build/tests/bench/unpack" "$here/inside.sh" "$out/"
bed_setup kold-dkms kg kgfedora
BED_LIMIT=600 bed_enter kgfedora "$here/rpm.sh" bench_rpm
for mode in ours debian; do
	layer=kg
	[ $mode = ours ] || layer=kold-dkms
	BED_OUT=$out BED_LIMIT=1800 BED_UNAME=$BED_OLD_REL bed_enter $layer - bash /run/bed/out/inside.sh $mode
done

printf '\n%-58s %10s %10s %8s\n' '' ours dkms ratio
join -t "$(printf '\t')" <(sed 's/ \([0-9]*\)$/\t\1/' "$out/ours" | sort) <(sed 's/ \([0-9]*\)$/\t\1/' "$out/debian" | sort) |
	awk -F '\t' '{ printf "%-58s %7.1f ms %7.1f ms   1/%.0f\n", $1, $2 / 1000, $3 / 1000, $3 / $2 }
		/10 others/ { few = $2 } /300 others/ { many = $2 }
		END { printf "%-58s %10.2f\n", "dkms install, 300 registered against 10 (goal 1.2)", many / few }'
