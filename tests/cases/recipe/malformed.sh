#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A dkms.conf that is broken, hostile or endless: a clear error, or the values it did set.
# shellcheck disable=SC2016 # most of this is text for another bash
# shellcheck source=tests/cases/recipe/common
. "$(dirname "$0")/common"
at=/usr/src/m-1/dkms.conf

# refuses CLAIM PATTERN: what conf wrote last, by either way
refuses() {
	check_match "$1" "invalid dkms.conf: $2" "$(recipe)"
}
# reads CLAIM MAKE: it is read all the same, by bash, and MAKE is this
reads() {
	check "$1" "$2" "$(field make way=bash)"
}

rm -f "$source/dkms.conf"
refuses "no dkms.conf" "$at: No such file or directory"
mkdir "$source/dkms.conf"
refuses "a folder" "$at: not a file"
rmdir "$source/dkms.conf"
mkfifo "$source/dkms.conf"
refuses "a FIFO does not make it wait" "$at: not a file"
rm "$source/dkms.conf"
: >"$source/dkms.conf"
refuses "an empty file" "$at: no PACKAGE_NAME"
head -c 4096 /dev/urandom >"$source/dkms.conf"
refuses "random bytes" "$at: *"
head -c 100000 /dev/zero | tr '\0' '\377' >"$source/dkms.conf"
refuses "bytes that are no text" "$at: no PACKAGE_NAME"
{ yes 'X=1' | head -c 2000000; } >"$source/dkms.conf"
refuses "a file of 2 MB" "$at: larger than 1024 KiB"

conf <<<'if true; then'
refuses "an if without fi, with its line" "$at: line 6: syntax error: unexpected end of file"
conf <<<'MAKE="make'
refuses "an open quote, with its line" "$at: line 5: unexpected EOF while looking for matching \`\"'"
conf <<<'fi'
refuses "a stray word, with its line" "$at: line 5: syntax error near unexpected token \`fi'"
conf <<<'. /etc/dkms/lib; [ -n "$X" ] && Y=1'
printf 'fi\n' >"$root/etc/dkms/lib"
reads "an error of syntax in a file it sources is that file's" ''

start=$SECONDS
conf <<<'while :; do :; done'
refuses "an endless loop" "$at: still running after 10 s"
conf <<<'sleep 60'
refuses "a wait for nothing" "$at: still running after 10 s"
check "and in the time promised" yes "$([ $((SECONDS - start)) -le 45 ] && echo yes)"

conf <<<'head -c 50000000 /dev/zero; MAKE=after'
reads "megabytes on its output do not matter" after
conf <<<'head -c 50000000 /dev/zero >&2; MAKE=after'
refuses "nor are megabytes of complaints kept" "*KiB"
conf <<<'PRE_BUILD=$(head -c 3000000 /dev/zero | tr "\0" x)'
refuses "a value of megabytes" "$at: its values are more than 1024 KiB"
conf <<<'PRE_BUILD=$(head -c 100000 /dev/zero | tr "\0" x)'
refuses "a value no command line holds" "$at: PRE_BUILD?0? is longer than 64 KiB"
conf <<<'for ((i = 0; i < 60; i++)); do PATCH[i]=$(head -c 30000 /dev/zero | tr "\0" x); done'
refuses "many long values" "$at: its values are more than 1024 KiB"

conf <<<'exit 0'
refuses "exit in the middle" "$at: ends the shell before its values can be read (exit status 0)"
conf <<<'echo "too old" >&2; exit 3'
refuses "what it said before it left is passed on" "*(exit status 3): too old"
conf <<<'kill -9 $$'
refuses "it kills its shell" "*(exit status 137)"
conf <<<'exec true'
refuses "it becomes something else" "*(exit status 0)"
conf <<<'MAKE=before; return; MAKE=after'
reads "return ends the file, not the reading" before
conf <<<'set -e; false; MAKE=after'
refuses "set -e and a failure" "$at: ends the shell before its values can be read (exit status 1)"
conf <<<'set -eu; MAKE=x'
reads "set -e and -u alone" x
conf <<<'set -u; MAKE=$NOTHING'
refuses "an unset variable under set -u" "*(exit status *): line 5: NOTHING: unbound variable"
conf <<<'MAKE=x; set -n'
refuses "set -n" "*(exit status *)"
conf <<<'MAKE=x; set -xvf; shopt -s nullglob extglob'
reads "set -x, -v and -f" x

conf <<<'printf() { echo no; }; echo() { :; }; declare() { :; }; MAKE=x'
reads "printf, echo and declare redefined" x
conf <<<'builtin() { :; }; unset() { :; }; eval() { :; }; set() { :; }; trap() { :; }; MAKE=x'
reads "builtin, unset, eval, set and trap redefined" x
conf <<<'shopt -s expand_aliases; alias printf=false for=false eval=false; MAKE=x'
reads "aliases" x
conf <<<"trap 'MAKE=trap; PACKAGE_NAME=trap' EXIT; trap 'exit 7' USR1; MAKE=x"
reads "an EXIT trap" x
conf <<<"MAKE=x; trap 'return 1' DEBUG; shopt -s extdebug"
refuses "a DEBUG trap that lets nothing run" "*"
conf <<<'PATH=/nowhere; MAKE=x'
reads "PATH" x
conf <<<'IFS=abcP; MAKE=x'
reads "IFS" x
conf <<<'readonly MAKE=x PACKAGE_NAME; declare -r PRE_BUILD=y'
reads "readonly variables" x
conf <<<'readonly IFS; MAKE=x'
refuses "a readonly IFS" "*(exit status *)*"
conf <<<'declare -A MAKE=([x]=y)'
refuses "an index that is no number" "$at: MAKE?x?: not an index from 0 to 9999"
conf <<<'MAKE[123456]=y'
refuses "an index of millions" "$at: MAKE?123456?: not an index from 0 to 9999"
conf <<<'exec 1>&- 2>&- 0<&-; MAKE=x'
reads "it closes its streams" x
conf <<<'for i in {3..20}; do eval "exec $i>&-"; done; MAKE=x'
refuses "it closes every descriptor" "*"
conf <<<'printf "MAKE\0000\0evil\0end\0000\0\0"; MAKE=x'
reads "records on its output are not taken for ours" x
conf <<<'sleep 100 & MAKE=x'
reads "a process left behind does not hold it up" x
conf <<<'PACKAGE_NAME='
refuses "an empty PACKAGE_NAME" "$at: no PACKAGE_NAME"
conf <<<'unset PACKAGE_VERSION; :'
refuses "no PACKAGE_VERSION" "$at: no PACKAGE_VERSION"

for name in ../../m a/b 'a b' '.a' '-a' 'a;b' '$(id)' m.ko m.o; do
	conf <<<"BUILT_MODULE_NAME[0]='$name'"
	refuses "BUILT_MODULE_NAME $name" "$at: BUILT_MODULE_NAME?0?*"
	conf <<<"DEST_MODULE_NAME[0]='$name'"
	refuses "DEST_MODULE_NAME $name" "$at: DEST_MODULE_NAME?0?*"
done
conf <<<"BUILT_MODULE_NAME[0]=\$'a\nb'"
refuses "a newline in a name" "$at: BUILT_MODULE_NAME?0?: not a module name: 'a b'"
for name in .. ../x /etc/passwd a/../../x a/..; do
	conf <<<"PATCH[0]='$name'"
	check_match "PATCH $name" "patch does not apply: $at: PATCH?0?: not a file of the patches folder: '$name'" \
		"$(recipe)"
done
for name in .. ../x a/../.. /abs; do
	conf <<<"BUILT_MODULE_LOCATION[0]='$name'"
	refuses "BUILT_MODULE_LOCATION $name" "$at: BUILT_MODULE_LOCATION?0?: must be below the build folder: '$name'"
done
for name in /kernel/../.. /updates/../../../etc /kernel/..; do
	conf <<<"DEST_MODULE_LOCATION[0]='$name'"
	refuses "DEST_MODULE_LOCATION $name" "$at: DEST_MODULE_LOCATION?0? leads out of the modules folder: '$name'"
done
conf <<<'DEST_MODULE_LOCATION[0]=/lib'
refuses "DEST_MODULE_LOCATION elsewhere" "*must begin with /kernel, /updates or /extra: '/lib'"
conf <<<'MAKE_MATCH[1]="("; MAKE[1]=x'
refuses "a broken expression" "$at: MAKE_MATCH?1?: not a regular expression: (*"
conf <<<'AUTOINSTALL=maybe'
refuses "AUTOINSTALL" "$at: AUTOINSTALL is neither yes nor no: 'maybe'"
conf <<<'BUILD_DEPENDS[0]=../x'
refuses "BUILD_DEPENDS" "$at: BUILD_DEPENDS: not the name of a module source: '../x'"

# what DKMS reads back a second time
conf <<'EOF'
MAKE='make CC="gcc -m64"'
EOF
reads "quotes that end the value lose it, as in DKMS" ''
check_match "and that is said" "*MAKE?0? is ignored*" "$(field warning way=bash)"
conf <<'EOF'
MAKE='make "x'
EOF
refuses "an open quote in a value" "$at: MAKE?0?: quotes do not balance: make \"x"
conf <<'EOF'
MAKE='make $('
EOF
refuses "an open command in a value" "$at: MAKE?0? is no bash when read back: make \$("
conf <<'EOF'
MAKE='$(exit 3) "; exit 4; "'
EOF
refuses "a value that leaves" "*(exit status 4)*"

check "no temporary file is left" '' "$(ls -A "$state" 2>/dev/null)"
finish
