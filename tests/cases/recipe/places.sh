#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where a conf is found and what it may look at: overrides, stage, private folders, kernel config.
# shellcheck disable=SC2016 # most of this is text for another bash
# shellcheck source=tests/cases/recipe/common
. "$(dirname "$0")/common"
etc=$root/etc/dkms
release=6.1.0-50-amd64

# each NAME VALUE CLAIM: by both ways
each() {
	check "$3 (plain)" "$2" "$(field "$1" way=plain)"
	check "$3 (bash)" "$2" "$(field "$1" way=bash)"
}

# ---- overrides ----
conf <<<'MAKE=conf; PRE_BUILD=conf; helper=1'
n=0
for name in m m-1 "m-1-$release" "m-1-$release-x86_64" "m--$release" "m--$release-x86_64"; do
	n=$((n + 1))
	echo "MAKE=$n; PATCH[$n]=p\$MAKE" >"$etc/$name.conf"
	each make "$n" "$name.conf comes after what is less specific"
done
each patch $'p1\np2\np3\np4\np5\np6' "each sees what was set before it"
each pre_build conf "what they do not name stays"
check "a directive comes last" 9 "$(field make directive=MAKE=9 directive=PRE_BUILD=x)"
check "and is taken as it is" 'a "$b" $(c)' "$(field make 'directive=MAKE=a "$b" $(c)')"
check_match "an unknown one is a warning" "*no such directive*" "$(field warning directive=NONE=9)"
check_match "one without a value an error" "*not NAME=VALUE*" "$(recipe directive=MAKE)"
rm "$etc"/*.conf

echo 'MAKE=other' | tee "$etc/m-2.conf" "$etc/n.conf" "$etc/m-1-6.1.0-51-amd64.conf" \
	"$etc/m--$release-i686.conf" >/dev/null
each make conf "overrides for others are others'"
rm "$etc"/*.conf

echo 'POST_BUILD=$helper; unset PRE_BUILD; MAKE=$MAKE-' >"$etc/m.conf"
check "helpers of dkms.conf are not seen, unset undoes nothing" 'conf conf-' \
	"$(field pre_build) $(field make)"
conf <<'EOF'
MAKE='a \"b\" \$c'
EOF
echo 'POST_BUILD=x' >"$etc/m.conf"
check "what an override leaves alone is not read back twice" 'a "b" $c' "$(field make)"
check "by bash neither" 'a "b" $c' "$(field make way=bash)"
conf <<<'MAKE=x'
printf 'if true; then\r\nMAKE=crlf\r\nfi\r\n' >"$etc/m.conf"
chmod 0600 "$etc/m.conf"
check "an override with CR LF that only root may read" crlf "$(field make)"
echo 'if' >"$etc/m.conf"
check_match "an error in one names it" "*: /etc/dkms/m.conf: line *" "$(recipe)"
rm "$etc/m.conf"
mkdir "$etc/m.conf"
check_match "a folder in its place" "*: /etc/dkms/m.conf: not a file" "$(recipe)"
rmdir "$etc/m.conf"

# ---- the source ----
conf <<<'. "$(dirname "$BASH_SOURCE")/VERSION"; MAKE=$VERSION'
echo 'VERSION=7' >"$source/VERSION"
check "a file beside dkms.conf" 7 "$(field make)"
chmod 0600 "$source"/*
check "dkms.conf is root's alone, the rest not readable" '' "$(field make)"
chmod 0644 "$source/VERSION"
check "dkms.conf is root's alone" 7 "$(field make)"
chmod 0700 "$source"
chmod 0600 "$source/VERSION"
check "the whole folder is root's alone" 7 "$(field make)"
chmod 0755 "$source"
chmod 0644 "$source"/*
check "no copy is left" '' "$(ls -A "$state")"

stage=$work/stage
mkdir -p "$stage/usr/src/n-2" "$stage/usr/lib"
ln -s usr/lib "$stage/lib"
sed 's/=m$/=n/' "$source/dkms.conf" >"$stage/usr/src/n-2/dkms.conf"
echo 'VERSION=8' >"$stage/usr/src/n-2/VERSION"
staged=(stage="$stage" source=usr/src/n-2 name=n version=2)
check "a source that comes with the transaction" 8 "$(field make "${staged[@]}")"
check "its errors name where it will be" \
	"invalid dkms.conf: /usr/src/n-2/dkms.conf: no DEST_MODULE_LOCATION for module #0" \
	"$(sed -i 's/^DEST.*//' "$stage/usr/src/n-2/dkms.conf" && recipe "${staged[@]}")"

conf <<<'. "$(dirname "$BASH_SOURCE")/VERSION"; MAKE=$VERSION-$(basename "$(dirname "$BASH_SOURCE")")'
mkdir -p "$root/home/me"
mv "$source" "$root/home/me/tree"
check "a folder the view hides" 7-source "$(field make source=home/me/tree)"
mv "$root/home/me/tree" "$work/tree"
check "a folder that is not below the root" 7-source "$(field make source="$work/tree")"
echo 'PACKAGE_VERSION=$VERSION' >>"$work/tree/dkms.conf"
check "the identity of one" m/7 "$(recipe way=identity source="$work/tree")"
mv "$work/tree" "$source"
check "the identity of one in its place" m/7 "$(recipe way=identity)"
sed -i '$d' "$source/dkms.conf"

conf <<<'PACKAGE_NAME=$module; PACKAGE_VERSION=x'
check_match "a name nobody gave" "*: no PACKAGE_NAME" "$(recipe way=identity)"
conf <<<'PACKAGE_VERSION="#VERSION#"'
check "a version nobody filled in is the folder's" m/1 "$(recipe way=identity)"
check "and the registered one counts" m/1 "$(field source)"
conf <<<'PACKAGE_NAME=../x'
check_match "a name that is a path" "*PACKAGE_NAME: not a name: '../x'" "$(recipe way=identity)"
conf <<<'PACKAGE_VERSION="1/../2"'
check_match "a version that is a path" "*PACKAGE_VERSION: not a version: '1/../2'" \
	"$(cp -r "$source" "$work/x" && recipe way=identity source="$work/x")"

# ---- the kernel ----
mkdir -p "$stage/usr/src/headers" "$stage/boot"
echo 'CONFIG_PCI=y' >"$stage/usr/src/headers/.config"
echo 'CONFIG_USB=m' >"$stage/boot/config-$release"
conf <<'EOF'
. $kernel_source_dir/.config
. /boot/config-$kernelver
MAKE=$CONFIG_PCI$CONFIG_USB$(uname -r)
EOF
kernel=(stage="$stage" ksrc=/usr/src/headers config="$stage/usr/src/headers/.config")
check "both configs of a kernel that is not there yet, and its release" "ym$release" \
	"$(field make "${kernel[@]}")"
before=$(field identity "${kernel[@]}")
check "reading again gives the same identity" "$before" "$(field identity "${kernel[@]}")"
echo 'CONFIG_USB=y' >"$stage/boot/config-$release"
check "what it reads in /boot is part of its identity" yes \
	"$([ "$before" != "$(field identity "${kernel[@]}")" ] && echo yes)"
before=$(field identity "${kernel[@]}")
echo '# more' >"$etc/m.conf"
check "and each file" yes "$([ "$before" != "$(field identity "${kernel[@]}")" ] && echo yes)"
rm "$etc/m.conf"

# ---- the sandbox ----
conf <<'EOF'
MAKE=$(id -u)-$(touch /usr/src/x /etc/x $dkms_tree/x 2>/dev/null && echo written)-$(ls $dkms_tree)
EOF
check "bash is nobody, can write nowhere and sees only its own module" 64990--m "$(field make)"
finish
