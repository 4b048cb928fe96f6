#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line at work with real kernels, headers and compilers, in a throw-away root of the bed: the
# same steps with Debian's dkms and with us. own.sh: what Debian's does not do, or not right.
# shellcheck disable=SC1091,SC2317
set -u

# ---- inside the root ----

note() { printf '%s\n' "$*"; }
source_tree() # NAME VERSION [LINE...]: in /usr/src
{
	local m=$1 v=$2 d=/usr/src/$1-$2
	shift 2
	mkdir -p "$d"
	printf '%s\n' "PACKAGE_NAME=\"$m\"" "PACKAGE_VERSION=\"$v\"" "BUILT_MODULE_NAME[0]=\"$m\"" \
		'DEST_MODULE_LOCATION[0]="/updates/dkms"' "$@" >"$d/dkms.conf"
	echo "obj-m := $m.o" >"$d/Makefile"
	printf '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nMODULE_VERSION("%s");\n' "$v" >"$d/$m.c"
}

broken_source() # NAME VERSION: does not compile
{
	source_tree "$@" 'AUTOINSTALL="yes"'
	echo 'this is not C' >>"/usr/src/$1-$2/$1.c"
}

reset()
{
	rm -rf /var/lib/dkms /usr/src/{hello,world,quiet,bad}-* /var/lib/kmodgate /etc/dkms /tmp/tree
	rm -rf /lib/modules/*/updates
	mkdir -p /var/lib/dkms /etc/dkms
	source_tree hello 1 'AUTOINSTALL="yes"'
	source_tree hello 2 'AUTOINSTALL="yes"'
	source_tree world 1 'AUTOINSTALL="yes"'
	source_tree quiet 1
}

state()
{
	"${D[@]}" status 2>/dev/null
	(cd /lib/modules && find . -path '*/updates/*' -name '*.ko*' | LC_ALL=C sort)
}

step() # ARGUMENT...: exit code and what there is then
{
	local rc=0
	"${D[@]}" "$@" >/tmp/step.out 2>&1 || rc=$?
	note "dkms $*: $rc"
	printf "%s %4d s %s\n" "$WHO" "$SECONDS" "$*" >>/run/bed/out/progress
	state
	cp /tmp/step.out "/tmp/last.$WHO"
}

# What both must do alike. Few builds: two cores and DKMS take their time.
steps()
{
	reset
	step add hello/1
	step add hello/1
	step add -m world -v 1
	step unbuild hello/1 -k "$K"
	step unbuild nothing/1
	step install hello/1 -k "$K" -k "$K2"
	step install hello/2 -k "$K" -j 1 --force
	step uninstall hello/2 -k "$K"
	step unbuild hello/1 --all
	step install -m world -v 1 -k "$K" -a x86_64 --quiet
	step mktarball world/1 -k "$K" --archive /tmp/world.tar.gz
	step mktarball world/1 -k 9.9.9
	step ldtarball /tmp/world.tar.gz
	step remove world/1 -k "$K"
	step remove hello/2 --all
	mkdir -p /tmp/tree
	cp -a /usr/src/hello-1/. /tmp/tree/
	sed -i 's/"1"/"7"/' /tmp/tree/dkms.conf
	step add /tmp/tree
	step remove hello/7 --all
	rm -rf /usr/src/hello-7
	step install hello/1 --all
	step autoinstall -k "$K" --all
	broken_source bad 1
	step install bad/1 -k "$K"
	step add quiet/1
	step autoinstall -k "$K"
	step match -k "$K2"
	step match --templatekernel "$K" -k "$K"
	step match --templatekernel "$K" -k "$K2" -m nothing
	rm -rf /usr/src/world-1
	step ldtarball --archive /tmp/world.tar.gz
	step install world/1 -k "$K"
	step ldtarball /tmp/none.tar.gz
	step remove world/1 --all
	rm -rf /usr/src/world-1
	step install --config "/boot/config-$K" --no-depmod quiet/1 -k "$K"
	step build hello/1 -k "$K" --directive 'BUILD_EXCLUSIVE_KERNEL="^2[.]"'
	step remove quiet/1 --all
}

compare()
{
	local deb
	deb=$(compgen -G '/srv/bed/*/dkms_*.deb' | head -n 1)
	dpkg-deb -x "$deb" /tmp/deb
	WHO=theirs D=(bash /tmp/deb/usr/sbin/dkms)
	steps >/tmp/theirs
	WHO=ours D=(dkms)
	steps >/tmp/ours
	diff -U4 /tmp/theirs /tmp/ours || bad=1
	note "$(grep -c '^dkms ' /tmp/ours) steps compared with $(bash /tmp/deb/usr/sbin/dkms --version)"
}


# ---- what only we do, or do as DKMS 3.4 ----

is() # CLAIM GOT WANTED
{
	if [ "$2" = "$3" ]; then
		note "ok: $1"
	else
		note "FAIL: $1" "  got: $2" "  wanted: $3" "$(sed 's/^/    /' /tmp/said 2>/dev/null)"
		bad=1
	fi
}
run() # ARGUMENT...: exit code in $rc, what was said in /tmp/said
{
	rc=0
	dkms "$@" >/tmp/said 2>&1 || rc=$?
}
refused() { if [ "$rc" -eq 0 ] || [ ! -s /tmp/said ]; then is "$1" "$rc" 'not 0, and a word'; fi; }
line() { dkms status "$@" 2>/dev/null; }

from_outside()
{
	reset
	mkdir -p /tmp/tree
	cp -a /usr/src/hello-1/. /tmp/tree/
	# shellcheck disable=SC2016
	sed -i 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION=$(echo 7)/' /tmp/tree/dkms.conf
	run install /tmp/tree/dkms.conf -k "$K"
	is 'install of a folder whose dkms.conf works out its version' "$rc $(line)" \
		"0 hello/7, $K, x86_64: installed"
	run mktarball hello/7 -k "$K" --archive /tmp/hello.tar.xz
	run remove hello/7 --all
	rm -rf /usr/src/hello-7
	mv "/lib/modules/$K/build" "/lib/modules/$K/build.away"
	run install /tmp/hello.tar.xz -k "$K"
	is 'install of a tarball: nothing is built' "$rc $(line)" "0 hello/7, $K, x86_64: installed"
	run remove hello/7 --all
	rm -rf /usr/src/hello-7
	mkdir -p /tmp/root
	mv /tmp/hello.tar.xz /tmp/root/hello-7.dkms.tar.gz
	echo 'dkms_tree="/var/lib/dkms"' >/etc/dkms/framework.conf
	sh /usr/lib/dkms/common.postinst hello 7 /tmp/root >/tmp/said 2>&1
	is 'common.postinst with a tarball: loaded' "$? $(line -k "$K")" "0 hello/7, $K, x86_64: built"
	mv "/lib/modules/$K/build.away" "/lib/modules/$K/build"
	sh /usr/lib/dkms/common.postinst hello 7 /tmp/root >/tmp/said 2>&1
	is 'and installed where there are headers' "$? $(line hello/7 -k "$K")" \
		"0 hello/7, $K, x86_64: installed"
	run remove hello/7 --all
	rm -f /etc/dkms/framework.conf
	run build hello/1 -k 9.9.9
	is 'no headers: 21' "$rc" 21
}

# The second source fails: the others are served.
kernels()
{
	reset
	run install hello/1 -k "$K"
	run install quiet/1 -k "$K"
	run install world/1 -k "$K"
	echo 'this is not C' >>/usr/src/quiet-1/quiet.c
	run match --templatekernel "$K" -k "$K2"
	is 'match: one fails, the others are there' "$rc $(line -k "$K2")" "10 hello/1, $K2, x86_64: installed
quiet/1: added
world/1, $K2, x86_64: installed"
	printf '#!/bin/sh\nexit 33\n' >/usr/src/quiet-1/pre
	chmod 755 /usr/src/quiet-1/pre
	echo 'PRE_BUILD=pre' >>/usr/src/quiet-1/dkms.conf
	run match --templatekernel "$K" -k "$K2"
	is "match: a script's own code" "$rc" 33
	run match --templatekernel "$K" -k "$K2" -m hello
	is 'match of one: there already' "$rc" 0
	run match --templatekernel 9.9.9 -k "$K2"
	is 'match: nothing to do' "$rc" 0

	run kernel_preinst
	is 'kernel_preinst without -k: 4' "$rc" 4
	run kernel_prerm -k "$K" -k "$K2"
	is 'kernel_prerm of two: 4' "$rc" 4
	run kernel_postinst --all
	is 'kernel_postinst --all: 5' "$rc" 5
	run kernel_preinst -k "$K"
	is 'kernel_preinst: what comes back by itself is taken off' "$rc $(line -k "$K")" "0 hello/1: added
quiet/1, $K, x86_64: installed
world/1: added"
	run kernel_postinst -k "$K"
	is 'kernel_postinst: it is back' "$rc $(line -k "$K")" "0 hello/1, $K, x86_64: installed
quiet/1, $K, x86_64: installed
world/1, $K, x86_64: installed"
	mount --bind "/var/lib/dkms/hello/1/$K" "/var/lib/dkms/hello/1/$K"
	mount -o remount,bind,ro "/var/lib/dkms/hello/1/$K"
	run kernel_prerm -k "$K"
	umount "/var/lib/dkms/hello/1/$K"
	is 'kernel_prerm: one fails: 14' "$rc" 14
	is 'and the others are gone' "$(line -k "$K" -m '[qw]*')" 'quiet/1: added
world/1: added'
	run kernel_prerm -k "$K"
	is 'kernel_prerm once more' "$rc $(line -k "$K" | tr '\n' ' ')$(find "/lib/modules/$K/updates" 2>/dev/null)" \
		'0 hello/1: added quiet/1: added world/1: added '
	is 'the other kernel has its modules' "$(line hello/1 -k "$K2")" "hello/1, $K2, x86_64: installed"
	run kernel_prerm -k "$K2"
	sh /usr/lib/dkms/dkms_autoinstaller start "$K2" >/tmp/said 2>&1
	is 'dkms_autoinstaller start K' "$? $(line -k "$K2" -m hello)" "0 hello/1, $K2, x86_64: installed"
	sh /usr/lib/dkms/dkms_autoinstaller start 9.9.9 >/tmp/said 2>&1
	is 'dkms_autoinstaller without headers' $? 0
	sh /usr/lib/dkms/dkms_autoinstaller frobnicate >/tmp/said 2>&1
	is 'dkms_autoinstaller with a wrong word' $? 2
	touch /etc/dkms/no-autoinstall
	run kernel_postinst -k "$K"
	is 'no-autoinstall' "$rc $(line -k "$K" -m hello)" '0 hello/1: added'
}

keys()
{
	reset
	run generate_mok
	is 'generate_mok' "$rc $(stat -c '%a' /var/lib/dkms/mok.key /var/lib/dkms/mok.pub | tr '\n' ' ')" \
		'0 600 644 '
	sum=$(sha256sum /var/lib/dkms/mok.*)
	run generate_mok
	is 'a second time changes nothing' "$rc $(sha256sum /var/lib/dkms/mok.*)" "0 $sum"
	# shellcheck disable=SC2016
	printf '%s\n' 'mok_signing_key="/etc/keys/$kernelver/k.pem"' 'mok_certificate=/var/keys/c.der' \
		>/etc/dkms/framework.conf
	run generate_mok -k 1.2.3
	is 'paths of framework.conf' "$rc $(find /etc/keys /var/keys -type f | sort | tr '\n' ' ')" \
		'0 /etc/keys/1.2.3/k.pem /var/keys/c.der '
	rm /etc/keys/1.2.3/k.pem
	run generate_mok -k 1.2.3
	is 'a certificate without its key stays alone' "$rc $(find /etc/keys -type f)" '1 '
	printf '%s\n' 'mok_signing_key="pkcs11:object=x"' >/etc/dkms/framework.conf
	run generate_mok
	is 'a key in a token is nobody'\''s to make' "$rc" 0
}

# Which key signs, and who: framework.conf's say.
framework() { printf '%s\n' "$@" >/etc/dkms/framework.conf; }
again() # hello/1 signed anew; the module is copied to /tmp/$1.ko
{
	dkms remove hello/1 --all >/dev/null 2>&1
	run install hello/1 -k "$K"
	if [ "$rc" -eq 0 ]; then cp "/lib/modules/$K/updates/dkms/hello.ko" "/tmp/$1.ko"; fi
}
said() { grep -c "$1" /tmp/said; }
same() { if cmp "/tmp/$1.ko" "/tmp/$2.ko" >/dev/null 2>&1; then echo same; else echo differ; fi; }
program() # LINE...: /usr/local/sbin/sign-$K
{
	printf '%s\n' '#!/bin/sh' "$@" >"/usr/local/sbin/sign-$K"
	chmod 755 "/usr/local/sbin/sign-$K"
}
# shellcheck disable=SC2016 # $kernelver is framework.conf's
two_folders=('mok_signing_key="/etc/keys/$kernelver/k.pem"' 'mok_certificate=/var/keys/c.der')

signing()
{
	local theirs conf
	theirs=$(readlink -f "/lib/modules/$K/build/scripts/sign-file")
	reset
	rm -rf /etc/keys /var/keys
	framework "${two_folders[@]}"
	again ours
	is "a key and a certificate of \$kernelver, in two folders: made" \
		"$rc $(find /etc/keys /var/keys -type f | sort | tr '\n' ' ')$(ls /var/lib/dkms/mok.* 2>/dev/null)" \
		"0 /etc/keys/$K/k.pem /var/keys/c.der "
	again twice
	is 'and kept' "$rc $(same ours twice)" '0 same'
	# shellcheck disable=SC2016
	conf=("${two_folders[@]}" 'sign_file=/usr/local/sbin/sign-$kernelver')

	program 'echo "$*" >>/tmp/signer.calls' "exec $theirs \"\$@\""
	framework "${conf[@]}"
	again program
	is 'sign_file: the same bytes' "$rc $(same ours program)" '0 same'
	is 'its arguments' "$(sed "s,/var/lib/kmodgate/[^ ]*/hello.ko,FILE," /tmp/signer.calls)" \
		"sha256 /etc/keys/$K/k.pem /var/keys/c.der FILE"
	is 'nothing stays of its work' "$(find /var/lib/kmodgate -name 'hello.ko*' -path '*sign*')" ''
	program 'echo "the token is locked" >&2' 'exit 3'
	again x
	refused 'a sign_file that fails'
	is 'and what it said' "$(said 'exit 3: the token is locked')" 1
	program 'exit 0'
	again x
	refused 'a sign_file that does nothing'
	is 'is found out' "$(said 'without a signature')" 1
	program "printf x >\"\$4\""
	again x
	refused 'one that breaks the module'
	program "exec $theirs \"\$@\""
	chmod 775 "/usr/local/sbin/sign-$K"
	again x
	is 'one that others can write' "$(said 'can be changed by others')" 1
	chmod 755 "/usr/local/sbin/sign-$K"
	chown 1 "/usr/local/sbin/sign-$K"
	again x
	is 'one of somebody else' "$(said 'can be changed by others')" 1
	framework "${two_folders[@]}" "sign_file=sign-$K"
	again x
	is 'one without a path' "$(said 'not an absolute path')" 1
	framework "${two_folders[@]}" 'sign_file=/usr/local/sbin/none'
	again x
	is 'one that is not there' "$(said 'no sign_file /usr/local/sbin/none')" 1
	# shellcheck disable=SC2016
	framework "${two_folders[@]}" 'sign_file="/lib/modules/$kernelver/build/scripts/sign-file"'
	again kernels
	is "the kernel's own sign-file" "$rc $(same ours kernels)" '0 same'
	# shellcheck disable=SC2016
	framework "${two_folders[@]}" 'sign_file="/lib/modules/$kernelver/none/sign-file"'
	again none
	is 'the same where its headers are yet to come' "$rc $(same ours none)" '0 same'

	conf=('mok_signing_key="pkcs11:object=x"' 'mok_certificate=/var/keys/c.der')
	framework "${conf[@]}"
	again x
	refused 'a key in a token, and no provider'
	is 'says what to do' "$(said 'pkcs11-provider.*sign_file')" 1
	program "exec $theirs \"\$1\" \"\$(echo \"\$2\" | sed 's,^pkcs11:object=x\$,/etc/keys/$K/k.pem,')\" \"\$3\" \"\$4\""
	chown 0 "/usr/local/sbin/sign-$K"
	# shellcheck disable=SC2016
	framework "${conf[@]}" 'sign_file=/usr/local/sbin/sign-${kernelver}'
	again token
	is 'a key in a token is handed to sign_file' "$rc $(same ours token)" '0 same'
	framework 'mok_signing_key="pkcs11:object=x"'
	again x
	is 'its certificate is not made' "$(said 'certificate /var/lib/dkms/mok.pub of .*missing')" 1
	framework 'try_sign_modules=false' 'sign_file=/usr/local/sbin/none'
	again unsigned
	is 'try_sign_modules=false' "$rc $(grep -ac 'Module signature appended' /tmp/unsigned.ko)" '0 0'

	rm -f /etc/dkms/framework.conf
	cp --remove-destination /usr/lib/os-release /etc/os-release
	sed -i 's/^ID=.*/ID=ubuntu/' /etc/os-release
	again ubuntu
	is "Ubuntu's key is that of shim-signed" "$rc $(cd /var/lib/shim-signed/mok && echo *) $(ls /var/lib/dkms/mok.* 2>/dev/null)" \
		'0 MOK.der MOK.priv '
	ln -sf ../usr/lib/os-release /etc/os-release
	rm -rf /var/lib/shim-signed "/usr/local/sbin/sign-$K"
}

# A gate makes no key but the default one, and that becomes the machine's when the kernel arrives.
gate_of()
{
	cat >/tmp/plan <<-YAML
		kmodgate-plan: 1
		manager: dpkg
		owner: {pid: $$, start: $(awk '{ print $22 }' /proc/$$/stat)}
		root: /
		kernels:
		  - release: $K
		    arch: x86_64
		    flavour: "$1"
		    change: changes
		    packages:
		      - {name: linux-image-$K, version: "1", role: image, change: changes}
		    headers:
		      - {name: linux-headers-$K, version: "1", change: stays}
		sources: []
		archives: []
	YAML
	rc=0
	kmodgate gate </tmp/plan >/tmp/said 2>&1 || rc=$?
}
keys_of_a_gate()
{
	reset
	rm -rf /etc/keys /var/keys
	framework try_sign_modules=false
	run install hello/1 -k "$K" # required from now on
	framework "${two_folders[@]}"
	gate_of a
	is 'a gate without the key of framework.conf stops' "$rc $(said 'dkms generate_mok')" '3 1'
	is 'and makes none' "$(find /etc/keys /var/keys 2>/dev/null)" ''
	run generate_mok -k "$K"
	gate_of b
	is 'with it, it passes' "$rc" 0
	kmodgate arrive "$K" >/tmp/said 2>&1
	cp "/lib/modules/$K/updates/dkms/hello.ko" /tmp/gate.ko
	kmodgate settle --owner $$ >/dev/null 2>&1
	again hand
	is 'the gate and dkms sign alike' "$rc $(same gate hand)" '0 same'

	reset
	dkms add hello/1 >/dev/null 2>&1
	gate_of c
	is 'a first default key: the machine has none yet' "$rc $(ls /var/lib/dkms/mok.* 2>/dev/null)" '0 '
	run install world/1 -k "$K"
	is 'a command of the transaction takes it over' \
		"$rc $(stat -c '%n %a' /var/lib/dkms/mok.* | tr '\n' ' ')" \
		'0 /var/lib/dkms/mok.key 600 /var/lib/dkms/mok.pub 644 '
	kmodgate arrive "$K" >/tmp/said 2>&1
	cp "/lib/modules/$K/updates/dkms/hello.ko" /tmp/gate.ko
	kmodgate settle --owner $$ >/dev/null 2>&1
	again hand
	is 'it stays the one that signed' "$rc $(same gate hand)" '0 same'
}

bad_input()
{
	reset
	run add hello/1
	mkdir -p /usr/src/loop-1 /usr/src/garbage-1 /usr/src/binary-1 /var/lib/dkms/{dangling,half,foreign}/1
	printf '%s\n' PACKAGE_NAME=loop PACKAGE_VERSION=1 'while :; do :; done' >/usr/src/loop-1/dkms.conf
	printf '%s\n' PACKAGE_NAME=garbage PACKAGE_VERSION=1 'yes' >/usr/src/garbage-1/dkms.conf
	head -c 5000 /dev/urandom >/usr/src/binary-1/dkms.conf
	ln -s /usr/src/dangling-1 /var/lib/dkms/dangling/1/source
	mkdir -p /usr/src/half-1 /var/lib/dkms/foreign/2 "/var/lib/dkms/foreign/2/$K/x86_64/module"
	local start=$SECONDS
	run add loop/1
	is 'a dkms.conf that loops' "$rc $((SECONDS - start < 90))" '8 1'
	run add garbage/1
	is 'one that prints garbage' "$rc" 8
	run add binary/1
	is 'one that is binary' "$rc" 8
	run add /usr/src/binary-1
	is 'the same, given as a path' "$rc" 10
	chmod 0 /usr/src/binary-1/dkms.conf
	rm -f /usr/src/binary-1/dkms.conf
	mkdir /usr/src/binary-1/dkms.conf
	run add binary/1
	is 'a folder of that name' "$rc" 8
	for name in '../x/1' 'a b/1' $'a\nb/1' 'x/../1' '-m/1' 'a/b/c' '.hidden/1'; do
		run add -m "${name%/*}" -v "${name##*/}"
		refused "add $name"
		run install -m "${name%/*}" -v "${name##*/}" -k "$K"
		refused "install $name"
	done
	for release in ../x 'a b' $'a\nb' .. /; do
		run install hello/1 -k "$release"
		refused "install -k $release"
	done
	run install hello/1 -k "$K"
	is 'the good one is served' "$rc $(line hello/1)" "0 hello/1, $K, x86_64: installed"
	run autoinstall -k "$K2"
	is 'autoinstall serves it among all that' "$rc $(line hello/1 -k "$K2")" "0 hello/1, $K2, x86_64: installed"
	run kernel_prerm -k "$K2"
	is 'so does kernel_prerm' "$rc $(line hello/1 -k "$K2")" '0 hello/1: added'
	is 'status names the broken ones' "$(line | grep -v ^hello)" 'dangling/1: broken
half/1: broken'
	run build dangling/1 -k "$K"
	is 'a dangling link: 4' "$rc" 4
	is 'nothing foreign is lost' "$(ls -d "/var/lib/dkms/foreign/2/$K/x86_64/module")" "/var/lib/dkms/foreign/2/$K/x86_64/module"
	rm -rf /usr/src/{loop,garbage,binary,half}-1
}

# A weak-modules that does what RHEL's does with what it is told on stdin.
weak()
{
	reset
	cat >/sbin/weak-modules <<-END
		#!/bin/sh
		echo "\$*" >>/tmp/weak.calls
		mkdir -p /lib/modules/$K2/weak-updates
		while read -r ko; do
			echo "\$ko" >>/tmp/weak.calls
			case \$* in
			*--add*) ln -s "\$ko" /lib/modules/$K2/weak-updates/ ;;
			*) rm -f "/lib/modules/$K2/weak-updates/\${ko##*/}" ;;
			esac
		done
	END
	chmod +x /sbin/weak-modules
	run install hello/1 -k "$K"
	is 'weak-modules is told' "$rc $(tr '\n' ' ' </tmp/weak.calls)" \
		"0 --no-initramfs --add-modules /lib/modules/$K/updates/dkms/hello.ko "
	is 'status' "$(line hello/1)" "hello/1, $K, x86_64: installed
hello, 1, $K2, x86_64: installed-weak from $K"
	is 'status of that kernel' "$(line hello/1 -k "$K2" | tail -n 1)" "hello, 1, $K2, x86_64: installed-weak from $K"
	run autoinstall -k "$K2"
	is 'autoinstall: it is there' "$rc $(line hello/1 -k "$K2" | grep -c installed-weak)" '0 1'
	: >/tmp/weak.calls
	run uninstall hello/1 -k "$K"
	is 'and told again' "$rc $(tr '\n' ' ' </tmp/weak.calls)$(line hello/1)" \
		"0 --no-initramfs --remove-modules /lib/modules/$K/updates/dkms/hello.ko hello/1, $K, x86_64: built"
	is 'the link is gone' "$(ls /lib/modules/"$K2"/weak-updates)" ''
	echo 'NO_WEAK_MODULES="yes"' >>/usr/src/quiet-1/dkms.conf
	: >/tmp/weak.calls
	run install quiet/1 -k "$K"
	run remove quiet/1 --all
	is 'NO_WEAK_MODULES' "$rc $(cat /tmp/weak.calls)" '0 '
	rm -rf /sbin/weak-modules "/lib/modules/$K2/weak-updates"
}

options()
{
	reset
	sed 's/hello/hello/' /usr/src/quiet-1/dkms.conf >/tmp/other.conf
	echo 'BUILD_EXCLUSIVE_KERNEL="^2[.]"' >>/tmp/other.conf
	run build quiet/1 -k "$K" -c /tmp/other.conf
	is '-c: another dkms.conf' "$rc" 77
	echo 'BUILD_EXCLUSIVE_CONFIG="CONFIG_OF_MINE"' >>/usr/src/quiet-1/dkms.conf
	run build quiet/1 -k "$K"
	is 'not configured so: 77' "$rc" 77
	(cat "/boot/config-$K"; echo CONFIG_OF_MINE=y) >/tmp/config
	run build quiet/1 -k "$K" --config /tmp/config
	is '--config: another .config' "$rc" 0
	# one parent of two commands' shells, as rpm is of its scriptlets'
	cat >/tmp/upgrade <<-'END'
		sh -c 'dkms add world/1 --rpm_safe_upgrade; :' && sh -c 'dkms remove world/1 --all --rpm_safe_upgrade; :'
	END
	sh /tmp/upgrade >/tmp/said 2>&1
	is '--rpm_safe_upgrade: the remove of an upgrade is none' "$(line world/1)" 'world/1: added'
	sh -c 'dkms remove world/1 --all --rpm_safe_upgrade; :' >/tmp/said 2>&1
	is 'but another one is' "$(line world/1)" ''
}

inside()
{
	trap - ERR
	set +eu
	. /srv/bed/facts
	K=$BED_OLD_REL K2=${BED_OLD_REL%-*}-cloud-$BED_ARCH
	apt-get install -y libarchive13 libyaml-0-2 >/tmp/apt 2>&1 || return 77
	cp /run/bed/out/kmodgate /usr/sbin/kmodgate
	ln -sf kmodgate /usr/sbin/dkms
	mkdir -p /usr/lib/dkms
	cp /run/bed/out/hooks/* /usr/lib/dkms/
	bad=0
	for t in "$@"; do
		"$t" || bad=1
	done
	return "$bad"
}

# ---- outside ----
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
cd "$(dirname "$0")/../../.." || exit 1
kmodgate=${KG_BUILD:?}/kmodgate
if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null; then
	echo "skip: needs root and mmdebstrap"
	exit 77
fi
. tests/lib/bed.sh
set +e
t=$(mktemp -d /var/tmp/kg-case-XXXXXX)
trap 'rm -rf "$t"' EXIT
mkdir "$t/hooks"
cp "$kmodgate" "$t/"
cp hooks/dkms/* "$t/hooks/"
(bed_setup kold-flavours) >"$t/setup" 2>&1 || {
	tail -n 2 "$t/setup"
	echo "skip: no bed"
	exit 77
}
BED_LIMIT=1500 BED_OUT=$t bed_enter kold-flavours "$PWD/tests/cases/dkms/$(basename "$0")" inside "${@:-compare}"
