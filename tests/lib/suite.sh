#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after bed.sh. Another suite of Debian than the bed's own: an apt for it, and suite_bed, a bed of one layer
# (`boot`: its newest kernel, headers and dkms) from the mirror itself, without pockets.
# shellcheck shell=bash disable=SC2034,SC2317 # read and called by bed.sh

# All components of $BED_SUITE. What the mirror has of a suite may have expired long ago.
suite_apt_config() {
    local BED_COMPONENTS='main contrib non-free non-free-firmware'
    bed_apt_config
    echo 'Acquire::Check-Valid-Until "false";' >>"$BED/apt/apt.conf"
    case $BED_SUITE in
    sid | unstable) sed -i -E '/ sid-(updates|backports|security) /d' "$BED/apt/sources.list" ;;
    *) sed -i "/ $BED_SUITE-backports /d" "$BED/apt/sources.list" ;;
    esac
}

suite_bed() {
    BED=$BED.$BED_SUITE
    unset BED_PARENT
    declare -gA BED_PARENT=([boot]='')
    bed_archive() { suite_archive; }
    bed_boot() { suite_boot "$1"; }
}

# The facts alone. The folder's name is part of every layer's key: a newer kernel or dkms, a new layer.
suite_archive() {
    local repo pkg
    mkdir -p "$BED"
    suite_apt_config
    bed_apt apt-get -qq update >&2
    BED_OLD_VER=$(bed_versions "linux-image-$BED_ARCH" | sed -n 1p)
    BED_OLD_REL=$(bed_release "$BED_OLD_VER")
    BED_NEW_VER='' BED_NEW_REL='' BED_BPO_VER='' BED_BPO_REL='' BED_MORE=()
    repo=repo-$({ echo "$BED_OLD_VER"; bed_versions dkms; declare -f suite_boot; } | sha256sum | cut -c1-12)
    mkdir -p "$BED/$repo"
    bed_facts >"$BED/$repo/facts"
    ln -sfn "$repo" "$BED/repo"
}

# suite_debootstrap OPTION...: mmdebstrap with the mirror's main component.
suite_debootstrap() {
    mmdebstrap --quiet --mode=root --variant=apt --architectures="$BED_ARCH" --dpkgopt=force-unsafe-io \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' "$@" >&2
}

suite_mirror() { sed "s/ contrib.*//" "$BED/apt/sources.list"; }

# The libraries come with their -dev packages, whatever they are called in that suite.
suite_boot() {
    local root=$1 lib=$BED_LIB mirror
    mapfile -t mirror < <(suite_mirror)
    suite_debootstrap --include="mount,kmod,zstd,xz-utils,gcc,libc6-dev,make,patch,adduser,openssl,dkms,initramfs-tools" \
        --include="linux-image-$BED_ARCH,linux-headers-$BED_ARCH,libyaml-dev,libarchive-dev,libkmod-dev,libssl-dev" \
        --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"; printf "COMPRESS=zstd\nCOMPRESSLEVEL=1\nMODULES=list\n" >"$1/etc/initramfs-tools/conf.d/bed"' \
        --essential-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
        --customize-hook="cp '$lib/uname.c' \"\$1/tmp/\"; chroot \"\$1\" gcc -shared -fPIC -O2 -o /usr/local/lib/bed-uname.so /tmp/uname.c" \
        --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$1"/etc/resolv.conf' \
        "$BED_SUITE" "$root" "${mirror[@]}"
    rm -f "$root"/etc/apt/sources.list "$root"/var/lib/apt/lists/*_* "$root"/var/cache/apt/*.bin
    mkdir -p "$root/srv/bed" "$root/srv/local"
    printf '127.0.0.1 localhost bed\n' >"$root/etc/hosts"
    echo bed >"$root/etc/hostname"
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/00bed"
    printf 'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\nDpkg::Use-Pty "false";\n' \
        >"$root/etc/apt/apt.conf.d/00bed"
}

# suite_deb TREE FOLDER: the package kmodgate, built in that suite.
suite_deb() {
    local mirror needs
    mapfile -t mirror < <(suite_mirror)
    needs=$(sed -n '/^Build-Depends:/,/^[^ B]/{s/^Build-Depends://; /^ /p}' "$1/packaging/debian/control" |
        sed 's/ *(.*//; s/-compat//; s/[ ,]//g' | paste -sd,)
    mkdir -p "$2"
    suite_debootstrap --format=null --include="gcc,make,libc6-dev,dpkg-dev,fakeroot,$needs" \
        --customize-hook="tar -C '$1' -c --exclude=./build --exclude=./.git . | tar -C \"\$1/root\" -x" \
        --customize-hook='chroot "$1" make -C /root deb' \
        --customize-hook="cp \"\$1\"/root/build/deb/kmodgate_*.deb '$2/'" \
        "$BED_SUITE" /dev/null "${mirror[@]}"
}
