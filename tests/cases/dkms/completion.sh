#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion in bash knows every action and option that the program knows, and what is registered.
set -u
cd "$(dirname "$0")/../../.." || exit 1
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
bad=0
mkdir "$t/bin" "$t/cwd"
printf '%s\n' '#!/bin/sh' "printf '%s\\n' 'a/1: added' 'a/2, 6.1, x86_64: built' 'b/0.5, 6.1, x86_64: installed (Original modules exist)' 'b/0.5, 6.2, x86_64: built'" \
	>"$t/bin/dkms"
chmod 755 "$t/bin/dkms"
PATH=$t/bin:$PATH
# shellcheck source=../../../hooks/completion/dkms.bash
. hooks/completion/dkms.bash
source_file=$PWD/core/cli
cd "$t/cwd" || exit 1
touch some.dkms.tar.gz

offers() # EXPECTED WORD...: the last word is being typed
{
	local want=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	"_$1" 2>/dev/null
	if [ "${COMPREPLY[*]}" = "$want" ]; then
		echo "ok: $*"
	else
		echo "FAIL: $*: '${COMPREPLY[*]}', expected '$want'"
		bad=1
	fi
}

offers 'mktarball' dkms mk
offers 'a/1 a/2 b/0.5' dkms install ''
offers 'b/0.5' dkms remove b
offers 'a/1 a/2' dkms -k 6.1 status a/
offers 'a/1 a/2 b/0.5' dkms add -m ''
offers '0.5' dkms remove -m b -v 0
offers '--source-only --sourcetree' dkms mktarball --source
offers 'some.dkms.tar.gz' dkms ldtarball so
offers 'some.dkms.tar.gz' dkms ldtarball --archive so
offers '' dkms build --directive ''
offers 'settle' kmodgate se
offers '--test' kmodgate gate --
offers 'status skip-once settle' kmodgate s

# Whatever is added to the program is to be added here too.
known()
{
	{
		sed -n 's/^\t{ "\([a-z_]*\)", [a-z_]*run_.*/\1/p' "$source_file/dkms_action.c"
		sed -n 's/^\t{ "\(-[^"]*\)".*/\1/p' "$source_file/dkms_args.c" |
			grep -vxE -e '--(root|debug|no-initrd|no-clean-kernel|no-prepare-kernel)'
	}
}
text=" $(declare -f _dkms | tr '\n\t' '  ') "
n=0
while read -r word; do
	n=$((n + 1))
	case $text in
	*[\ \']"$word"[\ \']*) ;;
	*)
		echo "FAIL: $word is not offered"
		bad=1
		;;
	esac
done < <(known)
[ "$n" -gt 40 ] || { echo "FAIL: only $n words found"; bad=1; }
exit $bad
