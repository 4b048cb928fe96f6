#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pid 1 of a throw-away root: mounts, moves in, runs the case, reaps. Called by bed_enter (root.sh).
set -euo pipefail

m=$BED_WORK/m
root=$BED_WORK/m/root

overlay() { # LOWERS UPPER WORK TARGET
    local o="lowerdir=$1,upperdir=$2,workdir=$3"
    # xino: one st_dev for the whole root although layers and upper may be on different file systems.
    # volatile: nobody needs this root after a power cut.
    mount -t overlay overlay -o "$o,xino=on,volatile" "$4" 2>/dev/null ||
        mount -t overlay overlay -o "$o" "$4" 2>/dev/null
}

# For file systems that overlay refuses: apply the layers one by one, whiteouts included.
copy() {
    local lowers dir p i
    IFS=: read -ra lowers <<<"$BED_LOWERS"
    for ((i = ${#lowers[@]} - 1; i >= 0; i--)); do
        dir=${lowers[i]}
        (cd "$dir" && find . -type c -printf '%P\0') | while IFS= read -rd '' p; do
            if [ "$(stat -c %t:%T "$dir/$p")" = 0:0 ]; then rm -rf "${root:?}/$p"; fi
        done
        cp -a --reflink=auto "$dir/." "$root/"
        (cd "$dir" && find . -type c -printf '%P\0') | while IFS= read -rd '' p; do
            if [ "$(stat -c %t:%T "$dir/$p")" = 0:0 ]; then rm -f "${root:?}/$p"; fi
        done
    done
}

mount --make-rprivate /
case $BED_UPPER in
tmpfs)
    mount -t tmpfs -o mode=755,size=75% bed "$m"
    mkdir "$m"/{root,upper,work,root1,upper1,work1}
    ;;
disk) mkdir "$m"/{root,upper,work,root1,upper1,work1} ;;
*) # a layer in the making
    mkdir "$root"
    overlay "$BED_LOWERS" "$BED_UPPER/root" "$BED_UPPER/work" "$root" || { echo "bed: no overlay here"; exit 2; }
    BED_NEST=''
    ;;
esac
if ! mountpoint -q "$root"; then
    if [ -n "$BED_NEST" ]; then
        overlay "$BED_LOWERS" "$m/upper1" "$m/work1" "$m/root1"
        overlay "$m/root1" "$m/upper" "$m/work" "$root"
    elif [ -n "${BED_NO_OVERLAY:-}" ] || ! overlay "$BED_LOWERS" "$m/upper" "$m/work" "$root"; then
        copy
        mount --bind "$root" "$root"
    fi
fi

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/lock"
chmod 1777 "$root/dev/shm" "$root/run/lock"
for n in null zero full random urandom tty; do
    : >"$root/dev/$n"
    mount --bind "/dev/$n" "$root/dev/$n"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
echo bed >/proc/sys/kernel/hostname 2>/dev/null || true

mkdir -p "$root"/run/bed/{lib,out,kg,old}
mount --bind "$BED_REPO" "$root/srv/bed"
mount -o remount,bind,ro "$root/srv/bed"
mount --bind "$BED_LIB" "$root/run/bed/lib"
mount -o remount,bind,ro "$root/run/bed/lib"
if [ -n "$BED_OUT" ]; then mount --bind "$BED_OUT" "$root/run/bed/out"; fi
if [ -n "$BED_KG" ]; then while read -r f; do cp "$f" "$root/run/bed/kg/"; done <<<"$BED_KG"; fi
if [ "$BED_FILE" != - ]; then cp "$BED_FILE" "$root/run/bed/case.sh"; fi
if [ -e "$BED_SUMS" ]; then cp "$BED_SUMS" "$root/run/bed/sums"; fi
if [ -n "$BED_MODULES" ]; then echo "MODULES=$BED_MODULES" >>"$root/etc/initramfs-tools/conf.d/bed"; fi
if [ -n "$BED_UNAME" ]; then
    echo "$(uname -r) $BED_UNAME" >"$root/etc/bed-uname"
    echo /usr/local/lib/bed-uname.so >"$root/etc/ld.so.preload"
fi

# pivot_root and not chroot: a chrooted process gets no user namespace, and sees another mount table.
cd "$root"
pivot_root . run/bed/old
cd /
umount -l /run/bed/old
rmdir /run/bed/old
export -n BED_LOWERS BED_WORK BED_UPPER BED_NEST BED_UNAME BED_OUT BED_REPO BED_KG BED_FILE BED_LIB BED_SUMS BED_MODULES BED_NO_OVERLAY

# Not exec: bash stays pid 1 and reaps what loses its parent. When it exits the kernel ends all others.
rc=0
setsid -w /bin/bash /run/bed/lib/inside.sh "$@" || rc=$?
exit $rc
