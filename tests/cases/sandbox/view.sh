#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The union of root and stage, masks and binds.
# shellcheck disable=SC2016 # expanded inside the sandbox
# shellcheck source=tests/cases/sandbox/common
. "$(dirname "$0")/common"

# A small root that can run the machine's own shell: its folders bound, the rest made here.
root=$work/root
stage=$work/stage
mkdir -p "$root"/{usr/src/old,usr/src/linux-49,usr/lib/modules/49,usr/local,usr/share/doc,proc,dev,tmp,etc,boot,var/lib} \
	"$stage"/{usr/src/linux-50/include,usr/lib/modules/50,boot,etc/dkms,usr/include,usr/share/doc/linux-50}
for dir in bin lib/x86_64-linux-gnu lib64 lib32; do
	[ -d /usr/$dir ] || continue
	mkdir -p "$root/usr/$dir"
	mount --bind "/usr/$dir" "$root/usr/$dir"
done
for link in bin lib lib64 lib32 sbin; do ln -s usr/$link "$root/$link"; done
ln -s usr/lib "$stage/lib"
mount -t tmpfs local "$root/usr/local"
mount -t tmpfs deep "$root/usr/src/old"
echo local >"$root/usr/local/file"
echo deep >"$root/usr/src/old/file"
echo 49 >"$root/usr/src/linux-49/Makefile"
echo gone >"$root/usr/src/linux-49/extra"
ln -s /usr/src/linux-49 "$root/usr/lib/modules/49/build"
echo conf >"$root/etc/conf"
echo doc >"$root/usr/share/doc/mine"
echo config-49 >"$root/boot/config-49"
echo 50 >"$stage/usr/src/linux-50/include/x.h"
printf '#!/bin/sh\necho runs\n' >"$stage/usr/src/linux-50/tool"
chmod 0755 "$stage/usr/src/linux-50/tool"
ln -s /usr/src/linux-50 "$stage/usr/lib/modules/50/build"
echo config-50 >"$stage/boot/config-50"
echo staged >"$stage/etc/dkms/x.conf"
in_box() { "$box" -R "$root" -S "$stage" "$@" 2>&1; }

check "the stage's folders are there" "50" "$(in_box -- /bin/cat /lib/modules/50/build/include/x.h)"
check "the root's too" "49" "$(in_box -- /bin/cat /lib/modules/49/build/Makefile)"
check "names of both sides" "linux-49 linux-50 old" "$(in_box -- /bin/ls -x /usr/src | xargs)"
check "and at the top: boot, etc" "config-50 staged conf" \
	"$(in_box -- /bin/cat /boot/config-50 /etc/dkms/x.conf /etc/conf | xargs)"
check "mounts below /usr stay visible" "local deep" \
	"$(in_box -- /bin/cat /usr/local/file /usr/src/old/file | xargs)"
check "nothing can be written to the union" "1 1" "$(in_box -- /bin/sh -c '
	(: >/usr/src/x) 2>/dev/null; echo $?; (: >/usr/src/linux-50/x) 2>/dev/null; echo $?' | sed 's/2/1/' | xargs)"
check "nobody opens up documentation" "mine" "$(in_box -- /bin/ls /usr/share/doc)"
check "the machine sees nothing of it" "linux-49 old" "$(cd "$root/usr/src" && echo *)"
check "mounts are no more than before" "" "$(grep kmodgate /proc/self/mountinfo)"

check "a removed file is absent" "49" "$(in_box -d /usr/src/linux-49/extra -- /bin/sh -c 'cd /usr/src/linux-49; cat *')"
check "... given by its old path" "" "$(in_box -d lib/modules/49/build -- /bin/ls /lib/modules/49)"
check "a removed folder is absent" "linux-50 old" "$(in_box -d usr/src/linux-49 \
	-d usr/src/linux-49/Makefile -d usr/src/linux-49/extra -- /bin/ls -x /usr/src | xargs)"
check "one with files of others stays" "extra" \
	"$(in_box -d usr/src/linux-49 -d usr/src/linux-49/Makefile -- /bin/ls /usr/src/linux-49)"
check "what the stage has is not removed" "50" "$(in_box -d usr/src/linux-50 \
	-d usr/src/linux-50/include -d usr/src/linux-50/include/x.h -- /bin/cat /usr/src/linux-50/include/x.h)"
check "neighbours with longer names stay" "49" \
	"$(in_box -d usr/src/linux-4 -d usr/src/linux -- /bin/cat /usr/src/linux-49/Makefile)"

# Same names on both sides: the stage's are bound over, nothing is opened up.
mkdir -p "$stage/usr/src/linux-49"
echo 49b >"$stage/usr/src/linux-49/Makefile"
check "a staged file replaces" "49b gone" "$(in_box -- /bin/sh -c 'cd /usr/src/linux-49; cat Makefile extra' | xargs)"
rm "$stage/usr/src/linux-49/Makefile"
ln -s extra "$stage/usr/src/linux-49/Makefile"
check "a staged link replaces" "gone gone" "$(in_box -- /bin/sh -c 'cd /usr/src/linux-49; cat Makefile extra' | xargs)"
rm -r "$stage/usr/src/linux-49"
# All of a folder's names are staged, or go: it is the stage's, one mount.
mkdir -p "$stage/usr/src/linux-49/sub" "$root/usr/src/linux-49/sub"
echo 49c >"$stage/usr/src/linux-49/Makefile"
echo new >"$stage/usr/src/linux-49/sub/new"
echo old >"$root/usr/src/linux-49/sub/old"
replaced() { in_box "$@" -- /bin/sh -c 'cd /usr/src/linux-49; echo *; cat Makefile sub/*; grep -c linux-49 /proc/self/mountinfo' | xargs; }
check "a folder that is replaced as a whole" "Makefile sub 49c new 1" \
	"$(replaced -d usr/src/linux-49/extra -d usr/src/linux-49/sub/old)"
check_match "not while somebody else has a file in it" "Makefile extra sub 49c new old [1-9]*" "$(replaced)"
check_match "... or deeper" "Makefile sub 49c new old [1-9]*" "$(replaced -d usr/src/linux-49/extra)"
rm -r "$stage/usr/src/linux-49" "$root/usr/src/linux-49/sub"
echo file >"$stage/usr/src/linux-49"
check "a staged file replaces a folder" "file" "$(in_box -- /bin/cat /usr/src/linux-49)"
rm "$stage/usr/src/linux-49"

# A root from before the merge of /usr: /lib is a folder of its own.
split=$work/split
mkdir -p "$split"/{proc,dev,tmp,usr/src,usr/lib,lib/modules/49}
for dir in bin lib64 usr/bin usr/lib/x86_64-linux-gnu lib/x86_64-linux-gnu lib32; do
	[ ! -d /$dir ] || { mkdir -p "$split/$dir" && mount --bind "/$dir" "$split/$dir"; }
done
check "a /lib of its own: both sides' modules" "49 50 x86_64-linux-gnu" \
	"$("$box" -R "$split" -S "$stage" -- /bin/sh -c 'cd /lib/modules && echo *; cd .. && ls -d x86_64*' 2>&1 | xargs)"
check "... and in /usr/lib" "50" "$("$box" -R "$split" -S "$stage" -- /bin/ls /usr/lib/modules 2>&1)"

mkdir "$work/noexec"
mount -t tmpfs -o noexec noexec "$work/noexec"
mkdir -p "$work/noexec/usr/src/linux-51"
cp -p "$stage/usr/src/linux-50/tool" "$work/noexec/usr/src/linux-51/"
check "programs of a noexec stage run" "runs" \
	"$("$box" -R "$root" -S "$work/noexec" -- /usr/src/linux-51/tool 2>&1)"

mkdir -p "$work/out" "$work/in"
echo in >"$work/in/file"
chown 990:990 "$work/out"
chmod 0700 "$work/out"
view=(-m /var/lib/dkms -w "/var/lib/dkms/m/1/build=$work/out" -b "/var/lib/dkms/d/1/x/y=$work/in"
	-l /var/lib/dkms/m/1/source=/usr/src/m-1 -C /var/lib/dkms/m/1/build)
check "a mask that is nowhere yet, with what is bound in it" "build source in" \
	"$(in_box "${view[@]}" -- /bin/sh -c 'ls ..; cat /var/lib/dkms/d/1/x/y/file; echo made >made' | xargs)"
check "writes arrive" "made 990" "$(cat "$work/out/made") $(stat -c %u "$work/out/made")"
check "but nowhere else in the mask" "1 1 1" "$(in_box "${view[@]}" -- /bin/sh -c '
	for f in /var/lib/dkms/x ../x /var/lib/dkms/d/1/x/y/z; do (: >$f) 2>/dev/null && echo 0 || echo 1; done' | xargs)"
check "the root has no trace of it" "" "$(ls "$root/var/lib")"
mkdir -p "$root/var/lib/dkms" "$root/srv/dkms"
echo key >"$root/var/lib/dkms/mok.key"
chmod 0644 "$root/var/lib/dkms/mok.key"
check "the signing key is not there" "1" "$(in_box -- /bin/cat /var/lib/dkms/mok.key >/dev/null; echo $?)"
check "... nor with a tree of the job's" "build source" "$(in_box "${view[@]}" -- /bin/ls -x /var/lib/dkms/m/1 | xargs)"
rm -r "$root/var/lib/dkms"
ln -s /srv/dkms "$root/var/lib/dkms"
check "a tree that is a link into a masked folder" "build source in" \
	"$(in_box "${view[@]}" -- /bin/sh -c 'ls ..; cat /var/lib/dkms/d/1/x/y/file' | xargs)"
rm "$root/var/lib/dkms"
mkdir -p "$root/home/me/linux"
echo self >"$root/home/me/linux/Makefile"
chmod 0700 "$root/home/me"
mkdir -p "$root/usr/lib/modules/self"
ln -s /home/me/linux "$root/usr/lib/modules/self/build"
check "headers in somebody's home are shown to a build for them" "self linux" \
	"$(in_box -r self -- /bin/sh -c 'cat /lib/modules/self/build/Makefile; ls /home/me' | xargs)"
check "... and to nobody else" "" "$(in_box -r 49 -- /bin/ls -A /home)"
check_match "a cwd that is not there is an error" "box: -1039:*nowhere*" "$(in_box -C /nowhere -- /bin/true)"
check_match "a program that is not there is an error" "box: -2: cannot run /no/such*" "$(in_box -- /no/such)"
finish
