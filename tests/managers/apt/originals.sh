# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A package whose module the kernel has as well, an older one: it is archived, and never lost.

L=/usr/lib/modules/${BED_OLD_REL%-amd64}-cloud-amd64
TIPC=kernel/net/tipc/tipc.ko

# tipc_package VERSION [PREINST-TEXT]: prints the path of a package kgtipc-dkms with tipc VERSION
tipc_package() {
    local dir
    dir=$(mktemp -d /var/tmp/tipc.XXXXXX)
    mkdir -p "$dir/DEBIAN" "$dir/usr/src/kgtipc-$1"
    chmod 755 "$dir"
    printf 'Package: kgtipc-dkms\nVersion: %s\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDescription: test\n' "$1" >"$dir/DEBIAN/control"
    printf '#!/bin/sh\nset -e\ndkms add kgtipc/%s || [ $? = 3 ]\nfor k in $(ls /usr/lib/modules); do dkms install kgtipc/%s -k $k; done\n' "$1" "$1" >"$dir/DEBIAN/postinst"
    printf '#!/bin/sh\ndkms remove kgtipc/%s --all\n' "$1" >"$dir/DEBIAN/prerm"
    [ -z "${2:-}" ] || printf '#!/bin/sh\n%s\n' "$2" >"$dir/DEBIAN/preinst"
    printf 'PACKAGE_NAME=kgtipc\nPACKAGE_VERSION=%s\nBUILT_MODULE_NAME[0]=tipc\nDEST_MODULE_LOCATION[0]=/updates/dkms\nAUTOINSTALL=yes\n' "$1" \
        >"$dir/usr/src/kgtipc-$1/dkms.conf"
    printf '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nMODULE_VERSION("%s");\n' "$1" >"$dir/usr/src/kgtipc-$1/tipc.c"
    echo 'obj-m += tipc.o' >"$dir/usr/src/kgtipc-$1/Makefile"
    bed_deb "$dir"
    rm -rf "$dir"
}
tipc_is() { # VERSION: of the only one there is
    expect_eq "$(cd "$L" && find . -name 'tipc.ko' | xargs modinfo -F version)" "$1" tipc
    expect_eq "$(modinfo -k "${L##*/}" -F version tipc)" "$1" 'tipc by the index'
}

# bed: layer=kgc
case_a_failed_upgrade_of_what_replaces_a_module_of_the_kernel_loses_neither() {
    sha256sum "$L/$TIPC" >/tmp/sum
    run apt-get install -y "$(tipc_package 3.0)"
    expect_rc 0
    tipc_is 3.0
    run apt-get install -y "$(tipc_package 4.0 'exit 1')"
    expect_rc 100
    tipc_is 3.0
    expect_eq "$(dkms status kgtipc)" "kgtipc/3.0, ${L##*/}, x86_64: installed (Original modules exist)"
    run apt-get install -y "$(tipc_package 5.0)"
    expect_rc 0
    tipc_is 5.0
    run apt-get purge -y kgtipc-dkms
    expect_rc 0
    tipc_is 2.0.0
    sha256sum -c /tmp/sum
    expect_eq "$(dkms status kgtipc)" ''
}
