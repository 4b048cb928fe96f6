#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The interface of DKMS 3.4.3, clause by clause: the functions of interface.in, each in a throw-away root.
# interface.sh [FUNCTION...]
set -u
here=$(dirname "$0")
bad=0
# No exit code that dkms(8) names is without its clause.
table=$(sed -n '/^# EXIT STATUS/,/^# FILES/s/^\(\[\[ \*\||  \)\([0-9]*\)\**$/\2/p' "$here/../../../man/dkms.8.scd")
[ "$(wc -l <<<"$table")" -gt 15 ] || {
	echo "FAIL: the table of exit codes in dkms(8) is not found"
	bad=1
}
for code in $table; do
	grep -qE "^ +code $code '" "$here/interface.in" || {
		echo "FAIL: exit code $code of dkms(8) has no clause in interface.in"
		bad=1
	}
done
KG_INSIDE=interface.in "$here/install.sh" "$@" || exit
exit "$bad"
