#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `dkms install` and `uninstall` do to a kernel: the functions of install.in (or of $KG_INSIDE), each in
# a throw-away root with a real kernel, its headers and depmod.   install.sh [FUNCTION...]
# shellcheck disable=SC1091,SC2034 # SC2034: what bed_enter reads
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=${KG_BUILD:?}
inside=tests/cases/dkms/${KG_INSIDE:-install.in}
if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null; then
	echo "skip: needs root and mmdebstrap"
	exit 77
fi
. tests/lib/bed.sh
bed_setup kcloud
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cp "$build/kmodgate" "$out/"
if [ $# -eq 0 ]; then
	mapfile -t functions < <(sed -n 's/^\(case_[a-z0-9_]*\)().*/\1/p' "$inside")
	set -- "${functions[@]}"
fi
failed=0
for function; do
	if BED_LIMIT=300 BED_OUT=$out bed_enter kcloud "$PWD/$inside" "$function" >"$out/log" 2>&1; then
		echo "ok - $function"
	else
		echo "not ok - $function"
		cat "$out/log"
		failed=1
	fi
done
exit "$failed"
