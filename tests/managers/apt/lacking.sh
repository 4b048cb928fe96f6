#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Modules that need a symbol nobody has, as their makefile allows. DKMS installs them; where one works today, the gate stops.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# lacking_package [RELEASE]: kgpair-dkms with two modules. kgspare always lacks a symbol, kgmain for RELEASE alone.
lacking_package() {
    local dir=/tmp/kgpair src=/tmp/kgpair/usr/src/kgpair-1
    mkdir -p $dir/DEBIAN $src
    printf 'Package: kgpair-dkms\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDescription: test\n' >$dir/DEBIAN/control
    printf '#!/bin/sh\nexec /usr/lib/dkms/common.postinst kgpair 1 /usr/share/kgpair "" "$2"\n' >$dir/DEBIAN/postinst
    printf '#!/bin/sh\ndkms remove -m kgpair -v 1 --all\n' >$dir/DEBIAN/prerm
    cat >$src/dkms.conf <<'CONF'
PACKAGE_NAME=kgpair
PACKAGE_VERSION=1
MAKE[0]="make -C $kernel_source_dir M=$dkms_tree/$module/$module_version/build KBUILD_MODPOST_WARN=1"
BUILT_MODULE_NAME[0]=kgmain
DEST_MODULE_LOCATION[0]=/extra
BUILT_MODULE_NAME[1]=kgspare
DEST_MODULE_LOCATION[1]=/extra
AUTOINSTALL=yes
CONF
    cat >$src/kgmain.c <<'C'
#include <linux/module.h>
MODULE_LICENSE("GPL");
#ifdef LACKS
void kg_absent(void);
static int __init main_init(void) { kg_absent(); return 0; }
module_init(main_init);
#endif
C
    sed 's/main/spare/' $src/kgmain.c >$src/kgspare.c
    printf 'obj-m += kgmain.o kgspare.o\nCFLAGS_kgspare.o := -DLACKS\nCFLAGS_kgmain.o := $(if $(filter %s,$(KERNELRELEASE)),-DLACKS)\n' \
        "${1:-none}" >$src/Makefile
    bed_deb $dir
}

# bed: layer=kg uname=old
case_a_module_that_never_worked_is_warned_of_and_stops_nothing() {
    bed_pockets base old new
    run apt-get install -y "$(lacking_package)"
    expect_rc 0
    expect_grep "kmodgate: warning: $(re "$BED_OLD_REL"): kgpair/1: .*will not load: kgspare\.ko: symbol kg_absent is not in"
    expect_no_grep 'kgmain.ko: symbol'
    expect_dkms "$BED_OLD_REL" kgpair/1
    expect_module "$BED_OLD_REL" kgmain
    expect_module "$BED_OLD_REL" kgspare

    note "nor does it for the next kernel, whose gate takes what it has"
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_grep "kmodgate: warning: $(re "$BED_NEW_REL"): kgpair/1: .*kgspare\.ko: symbol kg_absent is not in"
    expect_dkms "$BED_NEW_REL" kgpair/1
    expect_module "$BED_NEW_REL" kgmain
    expect_settled
}

case_a_module_that_works_today_and_would_not_load_stops_apt() {
    bed_pockets base old new
    run apt-get install -y "$(lacking_package "$BED_NEW_REL")"
    expect_rc 0
    bed_before
    run apt-get dist-upgrade -y
    expect_rc 100
    expect_stopped "$BED_NEW_REL" kgpair/1 checking kg_absent
    expect_grep '^ *error +kgmain\.ko: symbol kg_absent is not in'
    expect_no_grep '^ *error .*kgspare'
    expect_unchanged hold
    expect_no_release "$BED_NEW_REL"
    expect_settled held

    note "once more, without the hold: it is built already, and its log is named"
    rm "$BED_HOLD"
    run apt-get dist-upgrade -y
    expect_rc 100
    expect_no_grep 'building kgpair'
    expect_order 'kmodgate: error: stopped' '^ *module +kgpair/1$' '^ *error +kgmain' '^ *log +/var/cache/kmodgate/store/'
    expect_grep kg_absent "$(sed -n 's/^ *log  *//p' "$OUT")"
}

# The kernel that is there in another version, as a security update within one ABI brings it.
in_place() { bed_redeb "$1" old "$2" in_place_control "$2"; } # PACKAGE VERSION
in_place_control() { sed -i "s/^Source: linux-signed-amd64.*/Source: linux-signed-amd64 (${1%-*}+1)/; s/= $BED_OLD_VER)/= $1)/" DEBIAN/control; }

case_a_kernel_that_changes_in_place_is_not_stopped_by_what_never_worked() {
    local v=${BED_OLD_VER%-*}.5-1
    bed_pockets base old
    run apt-get install -y "$(lacking_package)"
    expect_rc 0
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    bed_local "$(in_place "linux-image-$BED_OLD_REL" "$v")" "$(in_place "linux-headers-$BED_OLD_REL" "$v")" \
        "$(in_place "linux-headers-${BED_OLD_REL%-amd64}-common" "$v")"
    bed_pockets base old local
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_grep "kmodgate: warning: $(re "$BED_OLD_REL"): kgpair/1: .*kgspare\.ko: symbol kg_absent is not in"
    expect_eq "$(dpkg-query -Wf '${Version}' "linux-image-$BED_OLD_REL")" "$v"
    expect_dkms "$BED_OLD_REL" kgpair/1
    expect_settled
}

case_what_is_always_required_may_lack_nothing() {
    bed_pockets base old
    printf 'modules:\n  - {module: kgpair, required: always}\n' >/etc/kmodgate/kmodgate.yaml
    bed_before
    run apt-get install -y "$(lacking_package)"
    expect_rc 100
    expect_stopped "$BED_OLD_REL" kgpair/1 checking kg_absent
    expect_grep '^ *error +kgspare\.ko: symbol kg_absent is not in'
    expect_unchanged
    expect_settled
}
