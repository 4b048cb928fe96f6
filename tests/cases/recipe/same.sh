#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the C reader accepts it reads as bash does; what it is not sure of it leaves to bash.
# shellcheck disable=SC2016 # most of this is text for another bash
# shellcheck source=tests/cases/recipe/common
. "$(dirname "$0")/common"

# both CLAIM: conf's last text is plain, and both ways agree on every field and the identity
both() {
	local plain bash
	plain=$(recipe way=plain)
	bash=$(recipe way=bash)
	if [ "$plain" == "$bash" ] && [ -n "$plain" ]; then
		echo "ok: $1"
	else
		check "$1" "$bash" "$plain"
	fi
}
# only_bash CLAIM MAKE: the C reader does not touch it
only_bash() {
	check_match "$1 is left to bash" "*: needs bash" "$(recipe way=plain)"
	check "$1 is read by bash" "$2" "$(field make)"
}

conf <<'EOF'
# a comment with $( and ' and "
  MAKE[0]="make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/$PACKAGE_VERSION/build" # why
	CLEAN='make clean'
AUTOINSTALL=YES;STRIP=no ; POST_ADD=a.sh NO_WEAK_MODULES=no
EOF
both "the usual"
conf <<'EOF'
BASE="$dkms_tree/$module/$module_version"
ARGS="-C $kernel_source_dir \
      M=$BASE/build \
      V=1"
MAKE="make $ARGS"
PRE_BUILD='a  b
	c'
EOF
both "own variables, continued lines, blanks that are squeezed"
conf <<'EOF'
MAKE=make\ all\
\;x
BUILD_EXCLUSIVE_KERNEL="^(5\.[6-9]\.|6\.)"
BUILD_EXCLUSIVE_ARCH='^x86_64$|^i.86$'
MAKE_MATCH[1]="^9\.|x\\\\y|\$"
MAKE[1]="a\b\\c"
EOF
both "backslashes in and out of quotes, and read back"
conf <<'EOF'
MAKE=a'b'"c"d$arch'e'"f$"
PRE_BUILD=""
POST_BUILD=
PATCH[7]=x.patch
PATCH[2]=y+z~1.patch
EOF
both "words of several parts, empty ones, gaps"
conf <<<'MAKE=é'
only_bash "a letter outside ASCII without quotes" é
conf <<<'MAKE="é"'
both "a letter outside ASCII in quotes"
printf 'PACKAGE_NAME=m\r\nPACKAGE_VERSION="1"\r\n\r\nMAKE="a $PACKAGE_NAME b"\r\nBUILT_MODULE_NAME=m\r\nDEST_MODULE_LOCATION=/extra\r\n' \
	>"$source/dkms.conf"
both "lines that end in CR LF"
check "and nothing is left of them" 'a m b' "$(field make)"
printf 'PACKAGE_NAME=m\r\nPACKAGE_VERSION="1"\r\nif true; then\r\nMAKE="a b"\r\nfi\r\nBUILT_MODULE_NAME=m\r\nDEST_MODULE_LOCATION=/extra' \
	>"$source/dkms.conf"
only_bash "an if with lines that end in CR LF" 'a b'

only() {
	conf <<<"$1"
	only_bash "$1" "$2"
}
only 'MAKE=$(echo x)' x
only 'MAKE=`echo x`' x
only 'MAKE=$((1 + 2))' 3
only 'MAKE=${arch/x86/y}' y_64
only 'MAKE=${kernel_source_dir/%build/source}' /lib/modules/none/source
only 'MAKE=${arch:-z}' x86_64
only 'MAKE=${MAKE[0]}' ''
only 'MAKE=(a b)' a
only 'MAKE+=(x)' x
only 'MAKE=a; MAKE+=b' ab
only 'export MAKE=x' x
only 'declare MAKE=x' x
only 'local MAKE=x' x
only 'X=1 true; MAKE=x' x
only 'if true; then MAKE=x; fi' x
only '[ -n "$arch" ] && MAKE=x' x
only 'MAKE=x &' ''
only 'MAKE=x;;' "invalid dkms.conf: /usr/src/m-1/dkms.conf: line 5: syntax error near unexpected token \`;;'"
only 'MAKE=~' /tmp
only 'MAKE=a:~' a:/tmp
only 'MAKE=$HOME' /tmp
only 'MAKE=$UID' 64990
only 'MAKE=$nothing$undefined' ''
only $'UID=3\nMAKE=$UID' 64990
only 'MAKE=$"x"' x
only "MAKE=\$'a\\x41'" aA
only 'MAKE[1+1]=x; MAKE[0]=y' y
only 'MAKE[00]=x' x
only 'i=0; MAKE[$i]=x; i=$((i+1)); MAKE_MATCH[$i]=6; MAKE[$i]=y' y
only 'MAKE={a,b}' '{a,b}'
only 'MAKE=*' '*'
only 'source $source_tree/$module-$module_version/extra; MAKE=$EXTRA' ''
only 'MAKE=$(basename $(dirname $(readlink -f $BASH_SOURCE)))' m-1
only 'MAKE=$BASH_SOURCE' /var/lib/dkms/m/1/source/dkms.conf
only 'MAKE=$(uname -r)' 6.1.0-50-amd64
only 'pushd $(dirname $BASH_SOURCE); . ./VERSION; popd; MAKE=$VERSION' ''
echo 'VERSION=7' >"$source/VERSION"
only 'pushd $(dirname $BASH_SOURCE); . ./VERSION; popd; MAKE=$VERSION' 7
only $'case $kernelver in +([0-9]).+([0-9.])-*) MAKE=x;; esac' x
only 'MAKE=${kernelver%%-+([0-9])-*}' 6.1.0
only $'shopt -s extglob\ncase $arch in @(x86_64|y)) MAKE=x;; esac' x
only "MAKE='x \$kernelver \${PACKAGE_NAME} \$(echo y)'" 'x 6.1.0-50-amd64 m y'
only "helper=1; MAKE='x\${helper}y'" 'xy'
only 'MAKE="make V=\"1\""' 'make V=1'
only $'MAKE=x\001' $'x\001'

# Random files of the same pieces, good and bad: never two answers.
# shellcheck disable=SC1003 # pieces of quoting, not quoting
pieces=('a' 'b/c' '"x y"' "'p  q'" '$arch' '${kernelver}' '"$X"' '"${module}z"' '\ ' '\\' '"\\"' "'\\\\'"
	'"\$"' '$' '"$"' '"a\b"' '=' '~' ':' '#' '"#"' '%' '^' '!' '@' '+' ',' '"*"' "'?'" '"\
"' '$Y' '|' '(' '*' '{' '"`"' '\$' "'\$'" '"'"'"'"' 'é' ';' ' ' '"é"' '\"' "\\'" '"(a|b)$"' '\
')
names=('X' 'Y' 'MAKE' 'MAKE[0]' 'MAKE[1]' 'MAKE_MATCH[1]' 'PRE_BUILD' 'POST_BUILD' 'PATCH[3]' 'arch' 'X[2]')
RANDOM=20240
accepted=0
differ=0
for ((round = 0; round < 300; round++)); do
	text=''
	for ((line = RANDOM % 6; line >= 0; line--)); do
		text+=${names[RANDOM % ${#names[@]}]}=
		for ((n = RANDOM % 4; n > 0; n--)); do
			text+=${pieces[RANDOM % ${#pieces[@]}]}
		done
		[ $((RANDOM % 5)) = 0 ] || text+=$'\n'
	done
	conf <<<"$text"
	recipe way=plain >"$work/plain"
	[ $? != 11 ] || continue
	accepted=$((accepted + 1))
	recipe way=bash >"$work/bash"
	cmp -s "$work/plain" "$work/bash" && continue
	differ=$((differ + 1))
	printf '  of this conf:\n%s\n' "$text"
	diff "$work/bash" "$work/plain"
done
check "$accepted random files of 300 that C reads are read alike by bash" 0 "$differ"
check "and enough of them are" yes "$([ $accepted -gt 60 ] && echo yes)"
finish
