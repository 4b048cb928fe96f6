#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Roots of newer releases of Debian, for the rpm, dnf and zypper that they have. kmodgate's rpm packages are made
# in there, by that release's compiler, librpm and rpmbuild; the kernels are those of layer rpmkernels (rpm.sh), in the
# layout of Fedora. Cases whose release cannot be had from the mirror are skipped.
# shellcheck disable=SC2034,SC2154,SC2317 # read and called through their names

BED_NEWER_PKGS=(mount kmod gcc libc6-dev make patch file zstd xz-utils libelf-dev python3-minimal pkg-config scdoc
    libarchive-dev libkmod-dev libyaml-dev libssl-dev libzstd-dev liblzma-dev zlib1g-dev libjson-c-dev librpm-dev
    rpm zypper)

BED_PARENT+=(
    [trixie]=''         # mmdebstrap's result from the mirror: rpm 4.20, dnf 4, zypper (one rpm per package)
    [sid]=''            # rpm 6, dnf5, zypper (one transaction)
    [kgtrixie]=trixie   # the older kernel, kmodgate as rpm packages, acpi_call: as kgfedora
    [kgsid]=sid
)
# Their cases are skipped where the layer without a parent cannot be made.
declare -A BED_OPTIONAL=([trixie]=1 [sid]=1 [kgtrixie]=1 [kgsid]=1)
BED_NEEDS+=([kgtrixie]=rpmkernels [kgsid]=rpmkernels)

# ---- outside ----

bed_boot_trixie() { bed_boot_newer trixie "$1" dnf; }
bed_boot_sid() { bed_boot_newer sid "$1" dnf5; }

bed_key_trixie() { declare -f bed_boot_newer; echo "${BED_NEWER_PKGS[*]}"; }
bed_key_sid() { bed_key_trixie; }

bed_boot_newer() { # SUITE ROOT PACKAGE...
    local suite=$1 root=$2 own uri include
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg opt='[trusted=yes]'
    # shellcheck disable=SC1091
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    uri=$(bed_repo_uri "$own")
    [ ! -e $keyring ] || opt="[signed-by=$keyring]"
    shift 2
    include=$(printf '%s,' "${BED_NEWER_PKGS[@]}" "$@")
    # (sid's index of a mirror that stands still is out of date)
    { cat "$BED/apt/acquire.conf"; echo 'Acquire::Check-Valid-Until "false"; Acquire::Languages "none"; Acquire::Retries "3";'; } \
        >"$BED/apt/newer.conf"
    mmdebstrap --quiet --mode=root --variant=apt --include="${include%,}" --architectures="$BED_ARCH" \
        --aptopt="$BED/apt/newer.conf" --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/var/lib/apt/lists/*_*' \
        "$suite" "$root" "deb $opt $uri $suite main" >&2 || return
    mkdir -p "$root/srv/bed"
    echo bed >"$root/etc/hostname"
    echo '127.0.0.1 localhost bed' >"$root/etc/hosts"
}

# The tree as it is, and what packages are made of.
bed_source_files() {
    (cd "$BED_LIB/../../.." && find Makefile LICENSE README.md core hooks man packaging plugins tests/*.mk tests/*/*.mk -type f | LC_ALL=C sort)
}
bed_source_key() { (cd "$BED_LIB/../../.." && bed_source_files | xargs sha256sum | sha256sum); }
bed_key_newer() {
    bed_layer_key rpmkernels
    cat "$BED_LIB/newer.sh"
    echo "$BED_SOURCE_KEY"
}
bed_key_kgtrixie() { bed_key_newer; }
bed_key_kgsid() { bed_key_newer; }

# Into the folder ($dir) of the layer that is about to be made.
bed_prepare_newer() {
    local from
    from=$BED/layers/rpmkernels-$(bed_layer_key rpmkernels)/root
    mkdir -p "$dir/root/srv/rpm"
    cp -a "$from"/srv/rpm/{fedora-old,fedora-new,modules,src} "$dir/root/srv/rpm/"
    bed_source_files | tar -c -C "$BED_LIB/../../.." -T - -f "$dir/source.tar"
}
bed_prepare_kgtrixie() { bed_prepare_newer; }
bed_prepare_kgsid() { bed_prepare_newer; }

# ---- inside ----

layer_kgtrixie() { layer_newer; bed_newer_asan; }
layer_kgsid() { layer_newer; }

layer_newer() {
    gcc -shared -fPIC -O2 -o /usr/local/lib/bed-uname.so /run/bed/lib/uname.c
    bed_rpm_configure
    mkdir /var/tmp/kmodgate
    tar -x -f /run/bed/out/source.tar -C /var/tmp/kmodgate
    rm /run/bed/out/source.tar
    (cd /var/tmp/kmodgate && CFLAGS=-O1 make rpm)
    rpm -i --nodeps /srv/rpm/modules/bed-system-*.rpm
    bed_rpm_kernel_install
    rm -f /etc/os-release # (a link)
    bed_rpm_fedora_with /var/tmp/kmodgate/build/rpm/*.rpm
}

# What runs with librpm once more, with AddressSanitizer.
bed_newer_asan() {
    local b=build/asan/plugins/rpm
    (cd /var/tmp/kmodgate && make -j"$(nproc)" V=asan $b/{kmodgate.so,rpm-plan,rpm-state,rpm-locks})
    mkdir /usr/lib/bed/asan
    mv /var/tmp/kmodgate/$b/{kmodgate.so,rpm-plan,rpm-state,rpm-locks} /usr/lib/bed/asan/
}
