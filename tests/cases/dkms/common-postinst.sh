#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# /usr/lib/dkms/common.postinst: which kernels it serves and what it makes of dkms's exit codes.
# The script itself runs, with its paths moved below a scratch folder and a dkms that takes notes.
set -u
here=$(cd "$(dirname "$0")/../../.." && pwd) || exit 1
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
sed -E "s#(^|[ =\"])/(lib/modules|boot|etc/dkms|var/lib/dkms|usr/src)#\1$t/\2#g" \
	"$here/hooks/dkms/common.postinst" >"$t/postinst"
mkdir -p "$t/bin"
cat >"$t/bin/dkms" <<SCRIPT
#!/bin/sh
echo "\$*" >>$t/calls
case \$*,\$KMODGATE_LEFT_OUT in
install*,note) [ -z "\$FAKE_LEFT_OUT" ] || exit 0 ;;
esac
case \$* in
remove*) exit \${FAKE_REMOVE:-0} ;;
install*-k\ 6.1.0-2*) exit \${FAKE_INSTALL2:-0} ;;
install*) exit \${FAKE_INSTALL:-0} ;;
esac
SCRIPT
printf '#!/bin/sh\necho "%s"\n' "\$FAKE_UNAME" >"$t/bin/uname"
chmod +x "$t/bin/"*
bad=0

reset()
{
	rm -rf "${t:?}"/{lib,boot,etc,var,usr}
	mkdir -p "$t/boot" "$t/etc/dkms" "$t/var/lib/dkms" "$t/usr/src/m-1"
	echo 'AUTOINSTALL="yes"' >"$t/usr/src/m-1/dkms.conf"
	export FAKE_UNAME=6.1.0-1-amd64
	unset FAKE_LEFT_OUT FAKE_REMOVE FAKE_INSTALL FAKE_INSTALL2 DPKG_ROOT
}

kernel() # RELEASE...
{
	local r
	for r in "$@"; do
		mkdir -p "$t/lib/modules/$r/build"
		touch "$t/boot/config-$r"
	done
}

check() # CLAIM EXIT CALLS ARGUMENT...
{
	local claim=$1 want=$2 calls=$3 got=0
	shift 3
	: >"$t/calls"
	PATH=$t/bin:$PATH sh "$t/postinst" "$@" >"$t/out" 2>&1 || got=$?
	if [ "$got" -eq "$want" ] && [ "$(cat "$t/calls")" = "$calls" ]; then
		echo "ok: $claim"
	else
		echo "FAIL: $claim: exit $got, expected $want; calls:"
		cat "$t/calls" "$t/out"
		bad=1
	fi
}

noted() # TEXT: the script itself has said so
{
	grep -qF "$1" "$t/out" || {
		echo "FAIL: no word of it: $1"
		cat "$t/out"
		bad=1
	}
}

add='add -m m -v 1'
on()
{
	printf '\ninstall -m m -v 1 -k %s' "$@"
}

reset; kernel 6.1.0-1-amd64
check 'the running kernel' 0 "$add$(on 6.1.0-1-amd64)" m 1
reset; kernel 6.1.0-1-amd64 6.1.0-2-amd64 6.1.0-10-amd64
check 'the running and the newest' 0 "$add$(on 6.1.0-1-amd64 6.1.0-10-amd64)" m 1
reset; kernel 6.1.0-1-amd64 5.10.0-9-amd64
check 'an older one is not the newest' 0 "$add$(on 6.1.0-1-amd64)" m 1
reset; kernel 6.1.0-1-amd64 6.1.0-2-amd64 5.10.0-9-amd64
echo 'autoinstall_all_kernels="yes"' >"$t/etc/dkms/framework.conf"
check 'all, when framework.conf says so' 0 \
	"$add$(on 5.10.0-9-amd64 6.1.0-1-amd64 6.1.0-2-amd64)" m 1
reset; kernel 6.1.0-2-amd64 6.1.0-3-amd64
export FAKE_UNAME=9.9.9-host
check 'a chroot, first installation: all' 0 "$add$(on 6.1.0-2-amd64 6.1.0-3-amd64)" m 1
reset; kernel 10.1.0-2-amd64 10.1.0-3-amd64
export FAKE_UNAME=9.9.9-host
check 'a chroot, upgrade: the newest' 0 "$add$(on 10.1.0-3-amd64)" m 1 '' '' 0.9
reset; kernel 6.1.0-1-amd64
check 'an architecture is handed on' 0 "$add$(on '6.1.0-1-amd64 -a i686')" m 1 '' i686
reset; kernel 6.1.0-1-amd64; mkdir -p "$t/var/lib/dkms/m/1"
check 'a registered same version is removed first' 0 \
	"remove -m m -v 1 --all
$add$(on 6.1.0-1-amd64)" m 1
export FAKE_REMOVE=4
check 'a broken one is repaired by add' 0 \
	"remove -m m -v 1 --all
$add$(on 6.1.0-1-amd64)" m 1
export FAKE_REMOVE=6
check 'a remove that fails ends it' 6 "remove -m m -v 1 --all" m 1
reset; kernel 6.1.0-1-amd64; touch "$t/etc/dkms/no-autoinstall"
check 'no-autoinstall: nothing at all' 0 '' m 1
noted "m/1: not built: $t/etc/dkms/no-autoinstall is there"
for value in 'AUTOINSTALL=no' 'AUTOINSTALL=""' '#AUTOINSTALL=yes' 'AUTOINSTALL=yes
AUTOINSTALL="no"' ''; do
	reset; kernel 6.1.0-1-amd64; echo "$value" >"$t/usr/src/m-1/dkms.conf"
	check "registered, not built: ${value//$'\n'/, }" 0 "$add" m 1
done
for value in 'AUTOINSTALL=yes' "AUTOINSTALL='YES' # c" '[ -e x ] && AUTOINSTALL=yes' \
	'AUTOINSTALL=$y'; do
	reset; kernel 6.1.0-1-amd64; echo "$value" >"$t/usr/src/m-1/dkms.conf"
	check "built: $value" 0 "$add$(on 6.1.0-1-amd64)" m 1
done
reset
check 'no kernel at all' 0 "$add" m 1
noted 'm/1: not built: no kernel headers are installed'
reset; kernel 6.1.0-1-amd64 6.1.0-2-amd64; export FAKE_INSTALL=77
check 'not for this kernel: skipped' 0 "$add$(on 6.1.0-1-amd64 6.1.0-2-amd64)" m 1
noted 'kernel 6.1.0-1-amd64: skipped, the module is not for this kernel'
export FAKE_INSTALL=21
check 'no headers: skipped' 0 "$add$(on 6.1.0-1-amd64 6.1.0-2-amd64)" m 1
noted 'kernel 6.1.0-1-amd64: skipped, its headers are not installed'
export FAKE_INSTALL=10
check 'a failed build ends it' 10 "$add$(on 6.1.0-1-amd64)" m 1
echo 'continue_on_error="yes"' >"$t/etc/dkms/framework.conf"
check 'unless continue_on_error' 0 "$add$(on 6.1.0-1-amd64 6.1.0-2-amd64)" m 1
noted 'kernel 6.1.0-1-amd64: failed (10)'
reset; kernel 6.1.0-1-amd64
mkdir "$t/tarballs"
touch "$t/tarballs/m-1.dkms.tar.gz"
check 'a tarball is loaded' 0 "ldtarball --archive $t/tarballs/m-1.dkms.tar.gz$(on 6.1.0-1-amd64)" m 1 "$t/tarballs"
reset; kernel 6.1.0-1-amd64; export FAKE_INSTALL=6 FAKE_LEFT_OUT=1
check 'left out, as the kernel has a newer one: no failure' 0 "$add$(on 6.1.0-1-amd64)" m 1
unset FAKE_LEFT_OUT
check 'another reason for 6: a failure' 6 "$add$(on 6.1.0-1-amd64)" m 1
reset; kernel 6.1.0-1-amd64; export DPKG_ROOT=/elsewhere
check 'another root is left alone' 0 '' m 1
reset
check 'a name and a version are needed' 1 '' m
exit $bad
