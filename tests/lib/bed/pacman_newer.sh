#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pacman of newer releases of Debian, on the roots of newer.sh: kmodgate's package is made in there by that release's
# makepkg, compiler and libalpm; the kernels are those of layer packernels (pacman.sh).
# shellcheck disable=SC2034,SC2154,SC2317 # read and called through their names

BED_NEWER_PKGS+=(pacman-package-manager libalpm-dev libarchive-tools makepkg)

BED_PARENT+=(
    [pactrixie]=trixie # pacman 7.0, libalpm 15: the older kernel `linux`, kmodgate's package, acpi_call: as kgarch
    [pacsid]=sid       # pacman 7.1, libalpm 16
)
BED_OPTIONAL+=([pactrixie]=1 [pacsid]=1)
BED_NEEDS+=([pactrixie]=packernels [pacsid]=packernels)

bed_key_pacman_newer() {
    bed_layer_key packernels
    cat "$BED_LIB/pacman_newer.sh"
    declare -f bed_pac_system bed_pac_conf bed_pac_hooks layer_kgarch
    echo "$BED_SOURCE_KEY"
}
bed_key_pactrixie() { bed_key_pacman_newer; }
bed_key_pacsid() { bed_key_pacman_newer; }

# Into the folder ($dir) of the layer that is about to be made.
bed_prepare_pacman_newer() {
    local from
    from=$BED/layers/packernels-$(bed_layer_key packernels)/root
    mkdir -p "$dir/root/srv"
    cp -a "$from/srv/pac" "$dir/root/srv/"
    bed_source_files | tar -c -C "$BED_LIB/../../.." -T - -f "$dir/source.tar"
}
bed_prepare_pactrixie() { bed_prepare_pacman_newer; }
bed_prepare_pacsid() { bed_prepare_pacman_newer; }

layer_pactrixie() { layer_pacman_newer; }
layer_pacsid() { layer_pacman_newer; }

layer_pacman_newer() {
    gcc -shared -fPIC -O2 -o /usr/local/lib/bed-uname.so /run/bed/lib/uname.c
    bed_pac_system
    mkdir /var/tmp/kmodgate
    tar -x -f /run/bed/out/source.tar -C /var/tmp/kmodgate
    rm /run/bed/out/source.tar
    # (a lower optimisation than makepkg's own: it is made twice for a few cases)
    printf 'CFLAGS=-O1\nLDFLAGS=\n' >>/etc/makepkg.conf
    (cd /var/tmp/kmodgate && make arch)
    rm -f /etc/os-release # (a link)
    rm -f /run/bed/kg/kmodgate-*.pkg.tar.zst
    cp /var/tmp/kmodgate/build/arch/kmodgate-*.pkg.tar.zst /run/bed/kg/
    layer_kgarch
}
