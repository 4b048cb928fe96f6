#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Roots of every kind: a chroot, overlays on overlays, without CAP_SYS_ADMIN.
# shellcheck disable=SC2016 # expanded inside the sandbox
# shellcheck source=tests/cases/sandbox/common
. "$(dirname "$0")/common"
R=6.1.0-99-test
export ASAN_OPTIONS=detect_leaks=0 # which needs a /proc
stage=$work/stage
mkdir -p "$stage/usr/src/linux-50" "$stage/usr/share/kg-new"
ln -s usr/lib "$stage/lib"
echo 50 >"$stage/usr/src/linux-50/Makefile"
good="990 $R 50 ro dev 0"
ask() { "$@" -S "$stage" -r $R -- /bin/bash -c "echo $ask" 2>&1; }
ask="\$(id -u) \$(uname -r) \$(cat /usr/src/linux-50/Makefile) \$( (: >/usr/x) 2>/dev/null || echo ro)"
ask+=" \$(echo x >/dev/null && echo dev) \$(ls /home | wc -l)"

# Without a /proc the sanitizer complains about that, and nothing else.
without_asan() { grep -vE '^==|^False positive|^For details'; }

check "the machine's root" "$good" "$(ask "$box")"

# An overlay of the machine's root; the second is an overlay on that one. Scratch is on a tmpfs, as
# an overlay's upper folder may not be on one itself.
mkdir -p "$work/o"
mount -t tmpfs o "$work/o"
mkdir -p "$work/o"/{u1,w1,r1,u2,w2,r2}
overlay() { mount -t overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "kg-$4" "$4"; }
if overlay / "$work/o/u1" "$work/o/w1" "$work/o/r1" &&
	overlay "$work/o/r1" "$work/o/u2" "$work/o/w2" "$work/o/r2"; then
	check "--root: an overlay" "$good" "$(ask "$box" -R "$work/o/r1")"
	check "--root: an overlay on an overlay" "$good" "$(ask "$box" -R "$work/o/r2")"

	# Inside, with / such a root, and stage and program in it.
	r2=$work/o/r2
	mkdir -p "$r2/kg" && cp -a "$stage" "$box" "$r2/kg/"
	inside() { chroot "$r2" "$@" -S /kg/stage -r $R -- /bin/bash -c "echo $ask" 2>&1 | without_asan; }
	check "inside: no /proc, no /dev, a chroot that is a mount point" "$good" "$(inside /kg/box)"
	mount -t proc proc "$r2/proc"
	check "... with /proc" "$good" "$(inside /kg/box)"
	mkdir -p "$r2/usr/local/kg"
	mount -t tmpfs local "$r2/usr/local" && echo mine >"$r2/usr/local/file"
	check "... with /usr/local a mount of its own" "mine" \
		"$(chroot "$r2" /kg/box -S /kg/stage -- /bin/cat /usr/local/file 2>&1)"
	cat >"$work/pivoted" <<'P'
cd "$1" && mkdir -p kg/old && pivot_root . kg/old && umount -l /kg/old
shift
"$@"
P
	check "as the root of a container" "$good" \
		"$(unshare -m --propagation private bash "$work/pivoted" "$r2" /kg/box -S /kg/stage -r $R \
			-- /bin/bash -c "echo $ask" 2>&1)"
else
	echo "skipped: no overlay here"
fi

# A chroot that is a mere folder, in a namespace where mounts are shared, as systemd leaves them.
plain=$work/plain
mkdir -p "$plain"/{usr,proc,dev,tmp,etc,home/me,kg,run}
for link in bin lib lib32 lib64 sbin; do [ -e /usr/$link ] && ln -s usr/$link "$plain/$link"; done
cp -a "$stage" "$box" "$plain/kg/"
for dir in bin lib lib32 lib64; do
	[ -d /usr/$dir ] && mkdir -p "$plain/usr/$dir" && mount --rbind /usr/$dir "$plain/usr/$dir"
done
mkdir -p "$plain/usr/src" "$plain/usr/share"
cat >"$work/shared" <<'S'
mount --make-rshared /
before=$(wc -l </proc/self/mountinfo)
cd "$1"
unshare -m --propagation unchanged chroot "$@"
[ "$(wc -l </proc/self/mountinfo)" = "$before" ] || echo "mounts left behind"
S
check "a chroot that is a mere folder, and nothing shows up outside" "$good" \
	"$(unshare -m bash "$work/shared" "$plain" /kg/box -S /kg/stage -r $R \
		-- /bin/bash -c "echo $ask" 2>&1 | without_asan)"

# Without CAP_SYS_ADMIN: a user namespace, in which we are the build user or can become it.
rootless() { setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"; }
if rootless unshare -U true 2>/dev/null; then
	check "root without CAP_SYS_ADMIN" "$good" "$(ask rootless "$box")"
	mkdir "$work/out" && chown 990:990 "$work/out"
	check "... writes as the build user" "990" "$(rootless "$box" -m /var/lib/dkms \
		-w "/var/lib/dkms/m=$work/out" -- /bin/touch /var/lib/dkms/m/file 2>&1
		stat -c %u "$work/out/file")"
	mkdir "$work/shown" && echo seen >"$work/shown/file"
	check "... sees what is bound below /run" "seen" "$(rootless "$box" -r $R -m /run/kg \
		-b "/run/kg/out=$work/shown" -- /bin/cat /run/kg/out/file 2>&1)"
	check "... functions are told the release too" "$R uid 990" "$(rootless "$box" -r $R -x 2>&1)"
	nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	check "nobody in particular" "$good" "$(ask nobody "$box")"
	check "... cannot reach the supervisor" "1 1" "$(nobody "$box" -r $R -- /bin/sh -c '
		ls /proc/1/fd >/dev/null 2>&1 && echo 0 || echo 1
		ls /proc/1/root/ >/dev/null 2>&1 && echo 0 || echo 1' 2>&1 | xargs)"
	check "... nor write to the machine" "1" \
		"$(nobody "$box" -- /bin/bash -c ': >/usr/x' >/dev/null 2>&1; echo $?)"
	check "... functions too" "$R uid 990" "$(nobody "$box" -r $R -x)"
	check_match "no user namespace either: a clear word" \
		"box: -1039: cannot set up the build sandbox: neither CAP_SYS_ADMIN nor*" \
		"$(unshare -U --map-root-user bash -c 'echo 0 >/proc/sys/user/max_user_namespaces
			exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"' - "$box" \
			-- /bin/true 2>&1)"
else
	echo "skipped: no user namespaces here"
fi
finish
