#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The numbers, measured in throw-away roots. Every comparison is one run on one
# machine; absolute times are for reading, never for a test.
# shellcheck disable=SC1091
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1")
KG_DEB=$(echo "$here"/../../build/deb/kmodgate_*.deb)
export KG_DEB
. "$here/../lib/bed.sh"

out=$(mktemp -d /var/tmp/kg-bench-XXXXXX)
trap 'rm -rf "$out"' EXIT
cp "$build/tests/bench/unpack" "$here/inside.sh" "$out/"
bed_setup kold-dkms kg
BED_OUT=$out BED_LIMIT=900 bed_enter kg - bash /run/bed/out/inside.sh ours
BED_OUT=$out BED_LIMIT=900 bed_enter kold-dkms - bash /run/bed/out/inside.sh debian
