#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real modules against real headers: what fits passes, everything else is refused with a reason.
# shellcheck source=SCRIPTDIR/common
. "$(dirname "$0")/common"
unshare -mn true 2>/dev/null || { echo "no namespaces here"; exit 77; }
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "for amd64 only"; exit 77; }
base=$(newest_release) || { echo "$base"; exit 77; }
R=$base-amd64
C=$base-cloud-amd64
stage=$work/stage
for p in "linux-headers-$R" "linux-headers-$C" "linux-headers-$base-common" linux-kbuild-6.1 v4l2loopback-dkms; do
	package "$p" "$stage" || { echo "cannot get $p"; exit 77; }
done
cd "$work" || exit 1
symvers=usr/src/linux-headers-$R/Module.symvers

# build FOLDER RELEASE [OPTION]...: make of the sources in FOLDER
build() {
	local dir=$1 release=$2
	shift 2
	chown -R 65534:65534 "$dir"
	"$tool" run "$stage" "$release" "$dir" /usr/bin/make -s -C "/lib/modules/$release/build" \
		M=/run/kmodgate-test/work "$@" modules >"$dir.log" 2>&1 ||
		{ cat "$dir.log"; echo "cannot build $dir"; exit 1; }
}

# fill OUT FILE...: a build's result
fill() {
	local out=$1
	shift
	rm -rf "$out"
	mkdir -p "$out/module"
	cp "$@" "$out/module/"
}

# says OUT NAMES [DEPEND]...: what the check prints, for $R
says() {
	local out=$1 names=$2
	shift 2
	"$tool" check "$stage" "$R" "$out" "$names" "$@" 2>&1
	echo "status $?"
}

cp -r "$stage"/usr/src/v4l2loopback-* loop
build loop "$R"
fill good loop/v4l2loopback.ko

# ---- good ----
check "a fitting module passes and needs videodev" $'videodev\nstatus 0' "$(says good v4l2loopback)"
check "an excluded module need not be there" $'videodev\nstatus 0' "$(says good v4l2loopback,-another)"
check "no config: the release still counts" $'videodev\nstatus 0' "$(NO_CONFIG=1 says good v4l2loopback)"

# ---- files ----
check "a module that was not built" $'another.ko: was not built\nstatus 1' "$(says good another)"
mkdir -p odd/module
odd=odd/module/v4l2loopback.ko
printf 'hello' >$odd
check "a text" $'v4l2loopback.ko: not an ELF file\nstatus 1' "$(says odd v4l2loopback)"
: >$odd
check "an empty file" $'v4l2loopback.ko: not an ELF file\nstatus 1' "$(says odd v4l2loopback)"
cp /bin/true $odd
check_match "a program" 'v4l2loopback.ko: not a relocatable*status 1' "$(says odd v4l2loopback)"
ln -sf "$work/good/module/v4l2loopback.ko" $odd
check "a link" $'v4l2loopback.ko: is not a regular file\nstatus 1' "$(says odd v4l2loopback)"
rm $odd && mkfifo $odd
check "a fifo" $'v4l2loopback.ko: is not a regular file\nstatus 1' "$(says odd v4l2loopback)"
rm $odd && mkdir $odd
check "a folder" $'v4l2loopback.ko: is not a regular file\nstatus 1' "$(says odd v4l2loopback)"
rmdir $odd && echo 'int x;' | gcc -x c -c -o $odd -
check_match "an object that is no module" 'v4l2loopback.ko: has no vermagic*status 1' "$(says odd v4l2loopback)"
cp good/module/v4l2loopback.ko $odd
printf '\x03' | dd of=$odd bs=1 seek=18 conv=notrunc status=none
check "another machine" $'v4l2loopback.ko: made for another architecture\nstatus 1' "$(says odd v4l2loopback)"
chmod 0 good/module/v4l2loopback.ko
check "unreadable for the build user" $'v4l2loopback.ko: cannot be read\nstatus 1' "$(says good v4l2loopback)"
chmod 644 good/module/v4l2loopback.ko

# ---- kernel ----
check_match "built for another flavour" "v4l2loopback.ko: vermagic '$R SMP *' is not that of $C" \
	"$("$tool" check "$stage" "$C" good v4l2loopback 2>&1)"
# modpost only warns when it is told to: the build is good, the module is not
cp -r "$stage"/usr/src/v4l2loopback-* cloud
build cloud "$C" KBUILD_MODPOST_WARN=1
fill wide cloud/v4l2loopback.ko
check_match "built, but this kernel has no video4linux" \
	"*lacks: v4l2loopback.ko: symbols *, * and * more are not in $C (Module.symvers)" \
	"$("$tool" check "$stage" "$C" wide v4l2loopback 2>&1)"

# ---- symbols ----
mkdir -p "$stage/usr/share/kg-test"
export SYMVERS=/usr/share/kg-test/symvers
changed() { sed "$1" "$stage/$symvers" >"$stage/$SYMVERS"; }
changed $'/\tvideo_ioctl2\t/d'
check "a symbol that is not there is found, and said" \
	$'videodev\nlacks: v4l2loopback.ko: symbol video_ioctl2 is not in '"$R"$' (Module.symvers)\nstatus 0' \
	"$(says good v4l2loopback)"
changed $'s/^0x........\tvideo_ioctl2\t/0x12345678\tvideo_ioctl2\t/'
check "a symbol with another CRC" \
	"v4l2loopback.ko: symbol video_ioctl2 has another version in $R (Module.symvers)" \
	"$(says good v4l2loopback | grep symbol)"
changed $'s/^0x........\tmodule_layout\t/0x12345678\tmodule_layout\t/'
check "another layout of struct module" \
	"v4l2loopback.ko: symbol module_layout has another version in $R (Module.symvers)" \
	"$(says good v4l2loopback | grep symbol)"
changed $'s/^0x......../0x00000000/'
check "without CRCs only presence counts" $'videodev\nstatus 0' "$(says good v4l2loopback)"
changed $'5s/\t/ /g'
check_match "a malformed Module.symvers" "*kg-test/symvers: line 5*status 1" "$(says good v4l2loopback)"
SYMVERS=/nowhere
check_match "no Module.symvers" "*no Module.symvers*status 1" "$(says good v4l2loopback)"
check_match "no Module.symvers, nothing known of CRCs" "warning: *not checked*status 0" \
	"$(NO_CONFIG=1 says good v4l2loopback)"
unset SYMVERS

# ---- modules that need each other ----
mkdir pair
cat >pair/prov.c <<'C'
#include <linux/module.h>
int kg_answer(int x);
int kg_answer(int x) { return x + 1; }
EXPORT_SYMBOL_GPL(kg_answer);
MODULE_LICENSE("GPL");
MODULE_VERSION("4.2");
C
cat >pair/user.c <<'C'
#include <linux/module.h>
int kg_answer(int x);
int kg_perhaps(void) __attribute__((weak));
static int __init user_init(void) { return kg_answer(kg_perhaps ? kg_perhaps() : 1); }
module_init(user_init);
MODULE_LICENSE("GPL");
C
echo 'obj-m := prov.o user.o' >pair/Makefile
build pair "$R"
fill both pair/prov.ko pair/user.ko
check "siblings, and a weak symbol that nobody has" 'status 0' "$(says both prov,user)"
fill one pair/user.ko
check "the other one is missing" \
	$'lacks: user.ko: symbol kg_answer is not in '"$R"$' (Module.symvers)\nstatus 0' "$(says one user)"
check "an excluded sibling provides nothing" 1 "$(says both -prov,user | grep -c 'kg_answer is not')"

mkdir -p ka/module none/module
cp pair/prov.ko ka/module/
check "by the module of a BUILD_DEPENDS" $'prov\nstatus 0' "$(says one user none ka)"
for suffix in .gz .xz .zst; do
	rm ka/module/*
	"$tool" compress $suffix pair/prov.ko >ka/module/prov.ko$suffix
	check "by a module$suffix of a BUILD_DEPENDS" $'prov\nstatus 0' "$(says one user ka)"
done
rm ka/module/*
for place in ka ka/module; do
	grep kg_answer pair/Module.symvers >$place/Module.symvers
	check "by $place/Module.symvers of a BUILD_DEPENDS" $'prov\nstatus 0' "$(says one user ka)"
	rm $place/Module.symvers
done
cp -r pair changed
sed -i 's/int x/long x/' changed/prov.c changed/user.c
build changed "$R"
cp changed/prov.ko ka/module/
check "built against another version of the BUILD_DEPENDS" \
	$'user.ko: symbol kg_answer has another version in '"$R"$' (Module.symvers)\nstatus 1' \
	"$(says one user ka)"

# ---- versions ----
check "the version of a module" 4.2 "$("$tool" version pair/prov.ko)"
for suffix in .gz .xz .zst; do
	"$tool" compress $suffix pair/prov.ko >v.ko$suffix
	check "the version of a module$suffix" 4.2 "$("$tool" version v.ko$suffix)"
done
check "a module without a version" '' "$("$tool" version pair/user.ko)"
check_match "no module at all" '*version*' "$("$tool" version /etc/passwd 2>&1)"

# ---- a module after sealing ----
"$tool" make-key . && "$tool" sign sha256 . mok.key mok.pub pair/prov.ko >signed.ko
check "modinfo sees who signed" 'DKMS module signing key' "$(modinfo -F signer ./signed.ko)"
"$tool" compress .xz signed.ko >signed.ko.xz
check "also through xz" 'DKMS module signing key sha256' \
	"$(modinfo -F signer ./signed.ko.xz) $(modinfo -F sig_hashalgo ./signed.ko.xz)"

# ---- the kernel's own modules say what vermagic is ----
if package "linux-image-$R" "$stage" --wildcards '*/lib/modules/*/kernel/fs/*'; then
	check "as the kernel's own" $'videodev\nstatus 0' "$(says good v4l2loopback)"
	cp -r "$stage/usr/lib/modules/$R/kernel" kernel
	sed -i 's/mod_unload modversions/mod_unloae modversions/' good/module/v4l2loopback.ko
	check_match "one letter of vermagic" "v4l2loopback.ko: vermagic is '*unloae*', that of $R is '*'*status 1" \
		"$(says good v4l2loopback)"
	rm -r "$stage/usr/lib/modules/$R/kernel"
	check_match "also without them" "v4l2loopback.ko: vermagic '*unloae*' is not*status 1" \
		"$(says good v4l2loopback)"
	fill good loop/v4l2loopback.ko
else
	echo "skipped: no linux-image-$R to be had"
fi

# ---- hostile files: an answer in any case ----
size=$(stat -c %s loop/v4l2loopback.ko)
answers=''
for i in {1..60}; do
	cp loop/v4l2loopback.ko good/module/v4l2loopback.ko
	for _ in {1..12}; do
		# headers and section tables are at both ends
		at=$((RANDOM % 3 == 0 ? RANDOM % 512 : RANDOM % 3 ? size - 1 - RANDOM % 8000 : RANDOM * 32768 % size))
		printf "\\x$(printf %02x $((RANDOM % 256)))" |
			dd of=good/module/v4l2loopback.ko bs=1 seek=$at conv=notrunc status=none
	done
	answer=$(timeout 60 "$tool" check "$stage" "$R" good v4l2loopback 2>&1)
	status=$?
	case $status in
	0) answers+='y' ;;
	1) answers+='n' ;;
	*)
		check "damaged file $i gets an answer" '0 or 1' "$status: $answer"
		;;
	esac
done
echo "ok: damaged files: $answers"
for n in 52 64 1000 10000 $((size - 100)) $((size - 3000)); do
	head -c "$n" loop/v4l2loopback.ko >good/module/v4l2loopback.ko
	check_match "cut after $n bytes" '*status 1' "$(says good v4l2loopback)"
done
finish
