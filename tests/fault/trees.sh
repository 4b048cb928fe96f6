#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes what the fault sweep begins with: trees.sh BASE
#   BASE/pristine   a root with a small kernel "1.0-here", its indexes and an old set of modules
#   BASE/sets/new   the files of the new set
# The modules are real ones of a Debian kernel package where one is at hand or can be fetched
# (KG_FAULT_KERNEL_DEB names one), else made by the compiler: ELF files with the sections depmod reads.
set -euo pipefail
base=$1
tree=$base/pristine/lib/modules/1.0-here
mkdir -p "$tree/kernel/net" "$tree/updates/dkms" "$base/sets/new" "$base/pristine/var/lib" "$base/root"

find_package() {
    local found
    found=${KG_FAULT_KERNEL_DEB:-}
    [ -n "$found" ] ||
        found=$(find "${KG_BED:-/var/tmp/kmodgate-bed}/debs" -name 'linux-image-6.1.0-[0-9]*-amd64_*.deb' 2>/dev/null | grep -vE -- '-(cloud|rt)-' | head -n 1)
    if [ -z "$found" ] && [ "${KG_FAULT_FETCH:-yes}" = yes ]; then
        (cd "$base" && timeout 120 apt-get -o APT::Sandbox::User=root download \
            "$(apt-cache depends linux-image-amd64 | awk '/Depends:/ && !n++ { print $2 }')" >/dev/null 2>&1) || true
        found=$(find "$base" -maxdepth 1 -name 'linux-image-*.deb' | head -n 1)
    fi
    printf '%s' "$found"
}

# Small ones, with aliases, and a dependency between them.
from_package() {
    local dir=$base/unpacked kernel member
    mkdir -p "$dir"
    dpkg-deb --fsys-tarfile "$1" | tar -x -C "$dir" --wildcards --no-anchored '*/net/6lowpan/*.ko' \
        '*/net/phy/davicom.ko' '*/vmw_vsock/vsock_diag.ko' modules.builtin modules.builtin.modinfo || return 1
    kernel=$(find "$dir" -path '*lib/modules/*' -name modules.builtin -printf '%h')
    for member in kernel/net/6lowpan/6lowpan.ko:$tree/kernel/net/ kernel/net/6lowpan/nhc_udp.ko:$tree/kernel/net/ \
        modules.builtin:$tree/ modules.builtin.modinfo:$tree/ \
        kernel/net/6lowpan/nhc_hop.ko:$tree/updates/dkms/alpha.ko \
        kernel/drivers/net/phy/davicom.ko:$tree/updates/dkms/beta.ko \
        kernel/net/6lowpan/nhc_mobility.ko:$base/sets/new/alpha.ko \
        kernel/net/vmw_vsock/vsock_diag.ko:$base/sets/new/gamma.ko; do
        cp "$kernel/${member%%:*}" "${member#*:}" || return 1
    done
    rm -rf "$dir"
}

# make_module FILE NAME EXPORTED WANTED
make_module() {
    cat >"$base/module.c" <<C
#define INFO(n, s) static const char n[] __attribute__((section(".modinfo"), used)) = s
INFO(a, "alias=pci:v0000$3d*"); INFO(b, "license=GPL"); INFO(c, "name=$2");
static const char exported[] __attribute__((section("__ksymtab_strings"), used)) = "kg_$3";
extern int kg_$4; int $2_use(void); int $2_use(void) { return kg_$4; }
C
    ${CC:-cc} -c -o "$1" "$base/module.c"
    rm "$base/module.c"
}

from_compiler() {
    make_module "$tree/kernel/net/6lowpan.ko" lowpan base none
    make_module "$tree/kernel/net/nhc_udp.ko" nhc_udp udp base
    make_module "$tree/updates/dkms/alpha.ko" alpha one base
    make_module "$tree/updates/dkms/beta.ko" beta two one
    make_module "$base/sets/new/alpha.ko" alpha three base
    make_module "$base/sets/new/gamma.ko" gamma four three
    printf 'kernel/fs/ext4/ext4.ko\n' >"$tree/modules.builtin"
    printf 'ext4.license=GPL\0ext4.alias=fs-ext4\0' >"$tree/modules.builtin.modinfo"
}

package=$(find_package)
if [ -n "$package" ] && from_package "$package" 2>/dev/null; then
    echo "# real modules of $(basename "$package")"
else
    from_compiler
    echo "# no kernel package at hand: modules made by the compiler"
fi
rm -f "$base"/linux-image-*.deb
printf 'kernel/net/6lowpan.ko\nkernel/net/nhc_udp.ko\n' >"$tree/modules.order"
/sbin/depmod -C /nonexistent -b "$base/pristine" 1.0-here
