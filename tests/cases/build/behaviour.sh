#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a build does with patches, scripts, commands, time and space; no kernel headers needed.
# shellcheck disable=SC2016 # expanded inside the sandbox
# shellcheck source=tests/cases/build/common
. "$(dirname "$0")/common"
R=6.1.0-99-test
D=/var/lib/dkms
src=$work/src
# A "module" any machine can make.
fresh() {
	rm -rf "$src"
	mkdir -p "$src/patches" "$src/sub"
	printf 'int kg_m(void);\nint kg_m(void)\n{\n\treturn 1;\n}\n' >"$src/m.c"
	printf 'all:\n\tgcc -g -c -o m.ko m.c\nargs:\n\t@echo "flags $(MAKEFLAGS) release $(KERNELRELEASE)"\nllvm:\n\t@echo "llvm $(LLVM) $(origin LLVM)"\n' >"$src/Makefile"
}
log() { cat "$work/m.log"; }
out=$work/w/m/out
in_build() { run_build m 1 "$src" -r $R "$@"; }
fresh

check "a plain build" "0 phase 7 status 0 built" "$(in_build -m m -k 'make all')"
check "its module, for root" "m.ko root 644" "$(cd "$out/module" && stat -c '%n %U %a' ./* | sed 's,^./,,')"
check "is stripped" "" "$(objdump -h "$out/module/m.ko" | grep debug)"
in_build -m -m -k 'make all' >/dev/null
check_match "or not, if the recipe says so" "*debug*" "$(objdump -h "$out/module/m.ko")"
check "other names and places" "n.ko" "$(in_build -m sub/m=n -k 'make all && mv m.ko sub' >/dev/null; ls "$out/module")"
check "a link within the build is as good" "m.ko regular file" "$(in_build -m m \
	-k 'make all && mv m.ko sub && ln -s sub/m.ko' >/dev/null; cd "$out/module" && stat -c '%n %F' ./* | sed 's,^./,,')"
check "a module that is not there" "-1025 phase 6 status 0 make ended well, but there is no x.ko" \
	"$(in_build -m x -k true)"
check "exit status and first compiler error" \
	"-1025 phase 6 status 2 make failed (exit 2): m.c:3:3: error: #error broken" \
	"$(printf 'int a;\n\n #error broken\n int b[-1];\n' >"$src/m.c"; in_build -m m -k 'make all')"
fresh

# ---- MAKE ----
in_build -k 'make args && make args' >/dev/null
check_match "a leading make gets jobs and release" "*flags  -j2 *release $R*" "$(log)"
in_build -k "'make' args" >/dev/null
check_match "a quoted one does not" "*flags  release *" "$(log | tr -d '\n')"
in_build -k 'makefile=x; echo "<$makefile>"' >/dev/null
check_match "nor what only begins so" "*<x>*" "$(log)"
in_build -k 'echo "$kernelver $arch $kernel_source_dir $dkms_tree $source_tree $module $module_version"; pwd' >/dev/null
check_match "the variables of DKMS" "*$R x86_64 /lib/modules/$R/build $D /usr/src m 1
$D/m/1/build" "$(log)"
in_build -k 'env | cut -d= -f1 | sort | xargs' >/dev/null
check_match "and nobody else's in the environment" "*
HOME LC_ALL PATH PWD SHLVL TMPDIR _ arch kernelver module module_version" "$(log)"
in_build -k 'uname -r; id -u; (: >/var/lib/dkms/m/1/x) 2>/dev/null || echo ro; readlink ../source' >/dev/null
check_match "release, user, view" "*$R
990
ro
/usr/src/m-1" "$(log)"

# ---- a recipe that works in the source's own folder, as that of west-chamber-dkms does ----
stage=$work/stage
mkdir -p "$stage/usr/src"
cp -a "$src" "$stage/usr/src/m-1"
check "a build in the source's folder" "0 phase 7 status 0 built" "$(run_build m 1 "$stage/usr/src/m-1" -r $R -S "$stage" \
	-m m -k "ln -s m.c /usr/src/m-1/sub/l.c && make -C /usr/src/m-1 all; find /usr/src/m-1 -name '*.ko' -exec mv {} $D/m/1/build \;")"
check "has left no trace there" "" "$(diff -r "$src" "$stage/usr/src/m-1")"
check_match "who does not name it cannot write there" "-1025 phase 6 *" "$(run_build m 1 "$stage/usr/src/m-1" -r $R -S "$stage" \
	-m m -k 'cd /usr/src/$module-1 && make all')"
mkdir "$stage/usr/share"
mv "$stage/usr/src/m-1" "$stage/usr/share/m"
ln -s ../share/m "$stage/usr/src/m-1"
check "nor who has a link there, but it is no hindrance" "0 phase 7 status 0 built" "$(run_build m 1 "$stage/usr/share/m" -r $R -S "$stage" \
	-m m -k 'ls /usr/src/m-1/m.c && ! touch /usr/src/m-1/x && make all')"
rm -r "${stage:?}/usr/share" "$stage/usr/src/m-1"

# ---- compiler ----
mkdir -p "$stage/usr/src/hdr"
printf 'CONFIG_CC_VERSION_TEXT="gcc (Debian 1) 1"\n' >"$stage/usr/src/hdr/.config"
compiler() { in_build -S "$stage" -h /usr/src/hdr -k 'make -s args; echo "$CC $KERNEL_CC ${LD:-none}"' >/dev/null; log | tail -n 2; }
check_match "the compiler the configuration names" "*gcc gcc none" "$(compiler)"
printf 'CONFIG_CC_VERSION_TEXT="gcc-no-such (Debian 1) 1"\nCONFIG_CC_IS_GCC=y\n' >"$stage/usr/src/hdr/.config"
check_match "... if it is there" "*  none" "$(compiler)"
printf 'CONFIG_CC_VERSION_TEXT="Debian clang"\nCONFIG_CC_IS_CLANG=y\nCONFIG_LD_IS_LLD=y\n' >"$stage/usr/src/hdr/.config"
check_match "clang" "*LLVM=1*clang clang ld.lld" "$(compiler | tr '\n' ' ' | sed 's/ $//')"
in_build -S "$stage" -h /usr/src/hdr -k "cd . && 'make' -s llvm" >/dev/null
check_match "clang, for a make of another kind" "*llvm 1 environment*" "$(log)"
mkdir "$stage/usr/bin"
printf '#!/bin/sh\necho "stripped by llvm $*"\n' >"$stage/usr/bin/llvm-strip"
chmod 0755 "$stage/usr/bin/llvm-strip"
in_build -S "$stage" -h /usr/src/hdr -m m -k "'make' all CC=gcc" >/dev/null
check_match "its modules are stripped by clang's own program" "*stripped by llvm -g ./m.ko*" "$(log)"
rm -r "${stage:?}/usr/bin"
printf 'override ARCH = x86\nCC = $(if $(X),ccache) $(CROSS_COMPILE)gcc-77\n' >"$stage/usr/src/hdr/.kernelvariables"
printf 'CONFIG_CC_VERSION_TEXT="gcc (Debian 1) 1"\n' >"$stage/usr/src/hdr/.config"
check_match ".kernelvariables come first" "*gcc-77 gcc-77 none" "$(compiler)"

# ---- patches ----
root=$work/root
mkdir -p "$root/etc/dkms/m/patches"
for dir in usr bin lib lib64 lib32 sbin; do
	[ ! -e /$dir ] || { mkdir -p "$root/$dir" && mount --rbind /$dir "$root/$dir"; }
done
mkdir -p "$root"/{tmp,proc,dev,var}
patch_text() { printf -- '--- a/m.c\n+++ b/m.c\n@@ -3,3 +3,3 @@\n {\n-\treturn %s;\n+\treturn %s;\n }\n' "$1" "$2"; }
patch_text 1 2 >"$src/patches/one.patch"
patch_text 2 3 >"$src/patches/two.patch"
in_build -R "$root" -p one.patch -p two.patch -k 'grep return m.c' >/dev/null
check_match "patches in their order" "*return 3;*" "$(log)"
patch_text 1 7 >"$root/etc/dkms/m/patches/one.patch"
in_build -R "$root" -p one.patch -k 'grep return m.c' >/dev/null
check_match "the administrator's wins" "*return 7;*" "$(log)"
check_match "one that does not apply" "-1035 phase 4 status 1 patch two.patch failed (exit 1): Hunk #1 FAILED*" \
	"$(in_build -R "$root" -p two.patch -k true)"
check_match "one that is not there" "-1035 phase 4 * patch three.patch*" "$(in_build -p three.patch -k true)"
check_match "one elsewhere" "-1035 phase 4 * '../x' is no name*" "$(in_build -p ../x -k true)"

# ---- scripts ----
printf '#!/bin/sh\necho "pre: $0 $*" $#\n' >"$src/pre.sh"
chmod 0750 "$src/pre.sh"
in_build -a "pre.sh  a 'b  c' $R" -k true >/dev/null
check_match "words as the shell splits them" "*pre: $D/m/1/build/pre.sh a 'b c' $R 4*" "$(log)"
mkdir -p "$root/etc/dkms/m/sub"
printf '#!/bin/sh\necho "mine: $0" $(pwd)\n' >"$root/etc/dkms/m/pre.sh"
chmod 0755 "$root/etc/dkms/m/pre.sh"
in_build -R "$root" -a pre.sh -k true >/dev/null
check_match "the administrator's wins here too" "*mine: /etc/dkms/m/pre.sh $D/m/1/build*" "$(log)"
chmod 0644 "$src/pre.sh"
check "one that is not executable is left out" "0" "$(in_build -a pre.sh -k true | cut -d' ' -f1)"
check_match "... with a warning" "*warning: the PRE_BUILD script pre.sh is not executable*" "$(log)"
printf '#!/bin/sh\nexit ${1:-3}\n' >"$src/pre.sh"
chmod 0755 "$src/pre.sh"
check "one that fails" "-1036 phase 5 status 3 PRE_BUILD failed (exit 3)" "$(in_build -a pre.sh -k true)"
check "one that says: not here" "-1028 phase 5 status 77 its PRE_BUILD says: not for this kernel" \
	"$(in_build -a 'pre.sh 77' -k true)"
cat >"$src/post.sh" <<'S'
#!/bin/sh
ka=/var/lib/dkms/m/1/$1/x86_64
ls $ka/module
[ -z "$(objdump -h $ka/module/m.ko | grep debug)" ] && echo stripped
echo config >$ka/zfs_config.h
mkdir $ka/extra && echo more >$ka/extra/file
S
chmod 0755 "$src/post.sh"
in_build -m m -k 'make all; echo sym >Module.symvers' -z "post.sh $R" >/dev/null
check_match "POST_BUILD finds the modules in K/A" "*m.ko
stripped
" "$(log | tail -n 2)
"
check "and leaves there what it likes" "./extra/file ./module/Module.symvers ./zfs_config.h" \
	"$(cd "$out/ka" && find . -type f | sort | xargs)"
printf '#!/bin/sh\necho mine >/var/lib/dkms/m/1/%s/x86_64/Module.symvers\n' $R >"$src/post.sh"
in_build -m m -k 'make all; echo sym >Module.symvers' -z post.sh >/dev/null
check "a Module.symvers it put there is kept" "mine sym" \
	"$(cat "$out/ka/Module.symvers" "$out/ka/module/Module.symvers" | xargs)"

# ---- BUILD_DEPENDS ----
mkdir -p "$work/dep/module" "$work/art/module" "$work/art/ka/sub" "$work/art/ka/module"
echo sym2 >"$work/art/ka/module/Module.symvers"
echo sym >"$work/dep/Module.symvers"
echo ko >"$work/dep/module/d.ko"
echo h >"$work/art/ka/sub/h"
echo ko2 >"$work/art/module/a.ko"
in_build -d "d/3=$work/dep" -d "a/4=$work/art" -k "cd $D; cat d/kernel-$R-x86_64/Module.symvers \
	d/3/$R/x86_64/module/d.ko a/kernel-$R-x86_64/sub/h a/kernel-$R-x86_64/module/{a.ko,Module.symvers}; readlink d/3/source
	ls; (: >d/3/$R/x86_64/module/x) 2>/dev/null || echo ro" >/dev/null
check_match "K/A of a registered one and of an artefact" "*
sym ko h ko2 sym2 /usr/src/d-3 a d m ro" "$(log | tail -n +2 | tr '\n' ' ' | sed 's/.*echo ro /\n/; s/ $//')"

# ---- time and space ----
fresh
check "too slow" "-1030 phase 6 status 0 make did not end within 1 s" "$(in_build -t 1000 -k 'sleep 60')"
check_match "the log is told" "*make did not end within 1 s*" "$(log)"
mkdir "$work/small"
mount -t tmpfs -o size=3m small "$work/small"
mkdir -p "$work/small/w"
check_match "no room in the work folder" "-28 phase 6 *No space left on device" "$("$builder" -n m -v 1 -s "$src" \
	-w "$work/small/w" -l "$work/m.log" -r $R -m m -k 'dd if=/dev/zero of=big bs=1M count=9 && make all' 2>/dev/null)"
head -c 9000000 /dev/zero >"$src/big"
mkdir -p "$work/small/w2"
check_match "no room for the source" "-28 phase 3 *" "$("$builder" -n m -v 1 -s "$src" -w "$work/small/w2" \
	-l "$work/m.log" -r $R -k true 2>/dev/null)"
rm "$src/big"

# ---- what must not get through ----
echo secret >"$work/secret"
chmod 0600 "$work/secret"
check_match "a fifo in K/A" "-* phase 7 *" "$(in_build -m m -k "make all; mkfifo $D/m/1/$R/x86_64/f")"
in_build -m m -k "make all; ln -s $work/secret $D/m/1/$R/x86_64/s" >/dev/null
check "a link in K/A stays one" "symbolic link" "$(stat -c %F "$out/ka/s")"
check "a module that is a link to a file of root's" "-1025" \
	"$(in_build -m m -k "ln -s $work/secret m.ko" | cut -d' ' -f1)"
check "a folder in a module's place" "-1025" "$(in_build -m m -k "mkdir m.ko" | cut -d' ' -f1)"
printf '#!/bin/sh\nka=/var/lib/dkms/m/1/%s/x86_64\nrm -r $ka/module; ln -s /etc $ka/module\n' $R >"$src/post.sh"
chmod 0755 "$src/post.sh"
check_match "K/A/module replaced by a link" "-20 phase 7 *module*" "$(in_build -m m -k 'make all' -z post.sh)"
mknod "$src/null" c 1 3
check_match "a device in the source" "-* phase 3 *null*" "$(in_build -k true)"
rm "$src/null"
chmod 0700 "$src"
chmod 0600 "$src/m.c"
check "a source nobody else may read" "0" "$(in_build -m m -k 'make all' | cut -d' ' -f1)"
check "nothing of a build runs on" "0" "$(in_build -m m -k 'make all; (setsid sleep 1357 &)' >/dev/null; pgrep -c -f 'sleep 1357')"
finish
