#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mktarball and ldtarball: round trips between us and Debian's dkms, in both directions; what a hostile
# or wrong archive gets. In roots of their own, no kernel needed: what is "built" is a text file.
set -u
cd "$(dirname "$0")/../../.." || exit 1
kmodgate=${KG_BUILD:?}/kmodgate
[ "$(id -u)" -eq 0 ] || {
	echo "skip: not root"
	exit 77
}
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
(cd "$t" && apt-get download -q dkms && dpkg-deb -x dkms_*.deb deb) >"$t/download" 2>&1 || {
	echo "skip: no dkms package to compare with"
	exit 77
}
k1=6.1.0-1-amd64 k2=6.1.0-2-amd64 a=x86_64
bad=0
claim() # TEXT COMMAND...
{
	local text=$1
	shift
	if "$@" >"$t/claim" 2>&1; then
		echo "ok: $text"
	else
		echo "FAIL: $text"
		sed 's/^/    /' "$t/claim" "$t/out"
		bad=1
	fi
}

ours() # ROOT ARGUMENT...: exit code in $rc
{
	local root=$1
	shift
	rc=0
	"$kmodgate" dkms --root "$root" "$@" >"$t/out" 2>&1 || rc=$?
}

theirs() # ROOT ARGUMENT...
{
	local root=$1
	shift
	rc=0
	mkdir -p "$root/var/lib/dkms" "$root/usr/src" "$root/lib/modules"
	bash "$t/deb/usr/sbin/dkms" "$@" --dkmstree "$root/var/lib/dkms" --sourcetree "$root/usr/src" \
		--installtree "$root/lib/modules" >"$t/out" 2>&1 || rc=$?
}

new_root() # NAME
{
	rm -rf "${t:?}/$1"
	mkdir -p "$t/$1/usr/src" "$t/$1/var/lib/dkms" "$t/$1/lib/modules" "$t/$1/run"
	root=$t/$1
}

# m/1 added and built for k1 and k2 in $root; $1: what the source link says before /usr/src
fill()
{
	local k
	mkdir -p "$root/usr/src/m-1/sub" "$root/var/lib/dkms/m/1/build"
	printf 'PACKAGE_NAME="m"\nPACKAGE_VERSION="1"\nBUILT_MODULE_NAME[0]="m"\nDEST_MODULE_LOCATION[0]="/updates/dkms"\nAUTOINSTALL="yes"\n' \
		>"$root/usr/src/m-1/dkms.conf"
	echo 'obj-m := m.o' >"$root/usr/src/m-1/Makefile"
	printf '#!/bin/sh\n' >"$root/usr/src/m-1/sub/script"
	chmod 0755 "$root/usr/src/m-1/sub/script"
	ln -s sub/script "$root/usr/src/m-1/link"
	ln -s "$1/usr/src/m-1" "$root/var/lib/dkms/m/1/source"
	for k in $k1 $k2; do
		mkdir -p "$root/var/lib/dkms/m/1/$k/$a/"{module,log}
		echo "module of $k" >"$root/var/lib/dkms/m/1/$k/$a/module/m.ko"
		echo "log of $k" >"$root/var/lib/dkms/m/1/$k/$a/log/make.log"
	done
}

same_source() { diff -r --no-dereference "$t/from/usr/src/m-1" "$1/usr/src/m-1"; }
same_built() # ROOT KERNEL...
{
	local to=$1 k
	shift
	for k; do
		diff -r "$t/from/var/lib/dkms/m/1/$k" "$to/var/lib/dkms/m/1/$k" || return 1
	done
}
is() { [ "$1" = "$2" ] || { echo "expected: $2"; echo "got: $1"; return 1; }; }
contents() { tar -tf "$1" | sed 's#/$##' | LC_ALL=C sort; }

# ---- the same archive, by name and content ----
compare() # CLAIM NAME ARGUMENT...
{
	local text=$1 name=$2 o n=0 h=0
	shift 2
	new_root from
	fill "$root"
	theirs "$t/from" mktarball m/1 "$@"
	n=$rc
	o=$root/var/lib/dkms/m/1/tarball
	rm -rf "$t/theirs" "$t/ours"
	mkdir "$t/theirs" "$t/ours"
	contents "$o/$name" >"$t/theirs.list" && tar -xf "$o/$name" -C "$t/theirs"
	rm -rf "$o"
	rm "$root/var/lib/dkms/m/1/source"
	ln -s /usr/src/m-1 "$root/var/lib/dkms/m/1/source"
	ours "$t/from" mktarball m/1 "$@"
	h=$rc
	claim "$text: exit code as theirs" is "$h" "$n"
	claim "$text: name as theirs" test -f "$o/$name"
	contents "$o/$name" >"$t/ours.list" && tar -xf "$o/$name" -C "$t/ours"
	claim "$text: members as theirs" diff "$t/theirs.list" "$t/ours.list"
	claim "$text: content as theirs" diff -r --no-dereference "$t/theirs" "$t/ours"
	claim "$text: nothing else is left" is "$(ls -A "$o")" "$name"
}
compare 'one kernel' m-1-kernel$k1-$a.dkms.tar.gz -k $k1 -a $a
# 3.0 packs the first of several kernels only.
case $(bash "$t/deb/usr/sbin/dkms" --version) in
dkms-3.0*) ;;
*)
	compare 'two kernels' m-1-kernel$k1-$a-kernel$k2-$a.dkms.tar.gz -k $k1/$a -k $k2/$a
	compare 'all' m-1-kernel$k1-$a-kernel$k2-$a.dkms.tar.gz --all
	;;
esac
compare 'source only' m-1-source-only.dkms.tar.gz --source-only
compare 'binaries only' m-1-kernel$k2-$a.dkms.tar.gz --binaries-only -k $k2/$a
compare 'a name of one'\''s own' mine.tar.gz --archive mine.tar.gz -k $k1/$a
compare 'another compression' mine.tar.xz --archive mine.tar.xz -k $k1/$a

new_root from
fill ''
ours "$t/from" mktarball m/1 -k $k1/$a --archive "$t/deep/er/a.tar.zst"
claim '--archive with a path' tar --zstd -tf "$t/deep/er/a.tar.zst" ./dkms_main_tree/$k1/$a/module/m.ko
ours "$t/from" mktarball m/1 -k 9.9.9/$a
claim 'not built: 6' is "$rc" 6
ours "$t/from" mktarball m/1 -k $k1/$a --archive /proc/nowhere/a.tar.gz
claim 'cannot be written: 9' is "$rc" 9
ours "$t/from" mktarball m/2
claim 'unknown version: 3' is "$rc" 3
many=()
for i in $(seq 20); do
	cp -a "$t/from/var/lib/dkms/m/1/$k1" "$t/from/var/lib/dkms/m/1/6.1.0-10$i-amd64"
	many+=(-k "6.1.0-10$i-amd64")
done
ours "$t/from" mktarball m/1 "${many[@]}"
claim 'many kernels: a short name' test -f "$t/from/var/lib/dkms/m/1/tarball/m-1-manykernels.dkms.tar.gz"

# ---- ours -> theirs, theirs -> ours, ours -> ours ----
new_root from
fill ''
ours "$t/from" mktarball m/1 --all --archive "$t/ours.tar.gz"
rm "$t/from/var/lib/dkms/m/1/source"
ln -s "$t/from/usr/src/m-1" "$t/from/var/lib/dkms/m/1/source"
theirs "$t/from" mktarball m/1 -k $k1 -a $a --archive "$t/theirs.tar.gz"
# All of DKMS's load the first kernel of an archive only.
rm "$t/from/var/lib/dkms/m/1/source"
ln -s /usr/src/m-1 "$t/from/var/lib/dkms/m/1/source"
ours "$t/from" mktarball m/1 -k $k2/$a --archive "$t/one.tar.gz"
new_root to
theirs "$root" ldtarball "$t/one.tar.gz"
claim 'theirs takes ours' is "$rc" 0
claim 'ours -> theirs: source' same_source "$root"
claim 'ours -> theirs: what was built' same_built "$root" $k2
for from in theirs ours; do
	kernels=$k1
	[ $from = theirs ] || kernels="$k1 $k2"
	new_root to
	ours "$root" ldtarball "$t/$from.tar.gz"
	claim "ours takes $from" is "$rc" 0
	claim "$from -> ours: source" same_source "$root"
	claim "$from -> ours: what was built" same_built "$root" $kernels
	claim "$from -> ours: the link" is "$(readlink "$root/var/lib/dkms/m/1/source")" /usr/src/m-1
	ours "$root" status
	claim "$from -> ours: status" is "$(cat "$t/out")" \
		"$(for k in $kernels; do echo "m/1, $k, $a: built"; done)"
	ours "$root" ldtarball --archive="$t/$from.tar.gz"
	claim 'a second time: 8' is "$rc" 8
	echo other >"$root/var/lib/dkms/m/1/$k1/$a/module/m.ko"
	echo other >"$root/usr/src/m-1/Makefile"
	ours "$root" ldtarball --archive "$t/$from.tar.gz" --force
	claim '--force does it anew' is "$rc" 0
	claim '--force: source' same_source "$root"
	claim '--force: what was built' same_built "$root" $kernels
	claim 'no scratch is left' is "$(ls -A "$root/var/lib/kmodgate/work" "$root/usr/src")" \
		"$root/usr/src:
m-1

$root/var/lib/kmodgate/work:"
	ours "$root" remove m/1 --all
	claim 'remove --all: 0' is "$rc" 0
	claim 'and nothing is left of it' is "$(ls -A "$root/var/lib/dkms")" ''
done

# ---- add, install, build of an archive ----
new_root to
ours "$root" add "$t/ours.tar.gz"
claim 'add of a tarball' is "$rc" 0
ours "$root" add "$t/ours.tar.gz"
claim 'add of it again: 3' is "$rc" 3
ours "$root" build "$t/ours.tar.gz" -k $k1/$a
claim 'build of it: built already' is "$rc" 0
(cd "$t/from/usr/src" && tar -cJf "$t/plain.tar.xz" m-1)
new_root to
ours "$root" add "$t/plain.tar.xz"
claim 'add of a source tarball' is "$rc" 0
claim 'source tarball: source' same_source "$root"
new_root to
(cd "$t" && ours "$root" ldtarball plain.tar.xz; exit "$rc")
claim 'ldtarball of a source tarball, by a relative path' same_source "$root"

# ---- an rpm: lead, two headers without a tag, compressed cpio ----
rpm_of() # FOLDER: on stdout
{
	printf '\355\253\356\333\003\000\000\000'
	head -c 88 /dev/zero
	printf '\216\255\350\001\000\000\000\000\000\000\000\000\000\000\000\000'
	printf '\216\255\350\001\000\000\000\000\000\000\000\000\000\000\000\000'
	(cd "$1" && find . -mindepth 1 | cpio -o -H newc --quiet) | gzip
}
mkdir -p "$t/payload/usr/src"
cp -a "$t/from/usr/src/m-1" "$t/payload/usr/src/"
rpm_of "$t/payload" >"$t/m-1.noarch.rpm"
new_root to
ours "$root" add "$t/m-1.noarch.rpm"
claim 'add of an rpm' is "$rc" 0
claim 'rpm: source' same_source "$root"
rm -rf "$t/payload"
mkdir "$t/payload"
cp "$t/plain.tar.xz" "$t/payload/"
echo 'Name: m' >"$t/payload/m.spec"
rpm_of "$t/payload" >"$t/m-1.src.rpm"
new_root to
ours "$root" ldtarball "$t/m-1.src.rpm"
claim 'ldtarball of a source rpm' is "$rc" 0
claim 'source rpm: source' same_source "$root"

# ---- modules without their source ----
new_root from
fill ''
ours "$t/from" mktarball m/1 --binaries-only -k $k1/$a --archive "$t/binaries.tar.gz"
new_root to
ours "$root" ldtarball "$t/binaries.tar.gz"
claim 'binaries without a source' is "$rc" 0
claim 'they are there' same_built "$root" $k1
ours "$root" status
claim 'and known' is "$(cat "$t/out")" "m/1, $k1, $a: built"
ours "$root" remove m/1 --all
claim 'they can be removed' is "$rc$(ls -A "$root/var/lib/dkms")" 0
new_root to
cp -a "$t/from/usr/src/m-1" "$root/usr/src/"
ours "$root" ldtarball "$t/binaries.tar.gz"
claim 'binaries beside their source' is "$rc$(readlink "$root/var/lib/dkms/m/1/source")" 0/usr/src/m-1

# ---- wrong and hostile ----
refused() # CLAIM CODE ARCHIVE
{
	new_root to
	ours "$root" ldtarball "$3"
	claim "$1: $2" is "$rc" "$2"
	claim "$1: nothing is there" is "$(ls -A "$root/usr/src" "$root/var/lib/dkms")" \
		"$root/usr/src:

$root/var/lib/dkms:"
	claim "$1: nothing is outside" is "$(cat "$t/victim")$(ls "$t/evil" 2>/dev/null)" safe
}
echo safe >"$t/victim"
refused 'no such file' 2 "$t/none.tar.gz"
refused 'a word that is no file' 2 none
echo 'not an archive' >"$t/text.tar.gz"
refused 'no archive' 3 "$t/text.tar.gz"
: >"$t/empty.tar.gz"
refused 'an empty file' 3 "$t/empty.tar.gz"
mkdir -p "$t/x/sub"
tar -cf "$t/noconf.tar" -C "$t/x" .
refused 'no dkms.conf' 3 "$t/noconf.tar"
mkdir -p "$t/x/dkms_main_tree/$k1/$a/module"
tar -cf "$t/noparts.tar" -C "$t/x" .
refused 'main tree without a dkms.conf' 7 "$t/noparts.tar"
head -c 400 "$t/ours.tar.gz" >"$t/cut.tar.gz"
refused 'cut short' 3 "$t/cut.tar.gz"

tree() # a good tree in $t/h
{
	rm -rf "$t/h"
	mkdir -p "$t/h/dkms_main_tree/$k1/$a/module"
	cp -a "$t/from/usr/src/m-1" "$t/h/dkms_source_tree"
	echo x >"$t/h/dkms_main_tree/$k1/$a/module/m.ko"
}
pack() { tar -cf "$t/h.tar" -C "$t/h" "$@" .; }
tree; pack --transform 's#^\./dkms_source_tree/Makefile#./../evil#'
refused 'a member with ..' 3 "$t/h.tar"
tree; pack -P --transform "s#^\./dkms_source_tree/Makefile#$t/evil#"
refused 'an absolute member' 3 "$t/h.tar"
tree; ln -s "$t/victim" "$t/h/dkms_source_tree/out"; pack
refused 'an absolute link' 3 "$t/h.tar"
tree; ln -s ../../../victim "$t/h/dkms_source_tree/out"; pack
refused 'a link out of the archive' 3 "$t/h.tar"
tree; ln -s ../dkms_main_tree "$t/h/dkms_source_tree/out"; pack
refused 'a link out of the source' 3 "$t/h.tar"
tree; ln -s sub/deep "$t/h/dkms_source_tree/a"; mkdir "$t/h/dkms_source_tree/sub/deep"
ln -s a/../../.. "$t/h/dkms_source_tree/b"; pack
refused 'a link out by another link' 3 "$t/h.tar"
tree; chmod u+s "$t/h/dkms_source_tree/sub/script"; pack
refused 'a setuid file' 3 "$t/h.tar"
tree; mkfifo "$t/h/dkms_source_tree/fifo"; pack
refused 'a fifo' 3 "$t/h.tar"
tree; mknod "$t/h/dkms_source_tree/null" c 1 3 2>/dev/null && pack &&
	refused 'a device' 3 "$t/h.tar"
tree; sed -i 's/"m"/"..\/..\/m"/' "$t/h/dkms_source_tree/dkms.conf"; pack
refused 'a name that is a path' 8 "$t/h.tar"
tree; mv "$t/h/dkms_main_tree/$k1" "$t/h/dkms_main_tree/-k"; pack
new_root to
ours "$root" ldtarball "$t/h.tar"
claim 'a folder that is no kernel is left out' is "$rc$(ls -A "$root/var/lib/dkms/m/1")" "0build
source"
tree; chmod -R a+rwX,g+s "$t/h/dkms_source_tree"; chmod g-s "$t/h/dkms_source_tree/"*[^b]; pack
chmod g-s "$t/h/dkms_source_tree/sub/script"; pack
new_root to
ours "$root" ldtarball "$t/h.tar"
claim 'nobody else may write to what came' is "$rc$(find "$root/usr/src" ! -type l -perm /6022)" 0
exit $bad
