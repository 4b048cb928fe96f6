#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Module sources that come, change and go, alone and together with kernels.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# v4l2loopback-dkms once more, as another version, with other content.
next_version() { # MODULE-VERSION PACKAGE-VERSION [CMD...]
    local v=$1 p=$2
    shift 2
    bed_redeb v4l2loopback-dkms base "$p" next_content "$v" "$@"
}
next_content() {
    local v=$1
    shift
    if [ "$v" != 0.12.7 ]; then
        mv usr/src/v4l2loopback-{0.12.7,"$v"}
        sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$v\"/" usr/src/v4l2loopback-"$v"/dkms.conf
        sed -i "s/^DKMS_VERSION=.*/DKMS_VERSION=$v/" DEBIAN/{postinst,prerm}
    fi
    rm -f DEBIAN/md5sums
    echo 'MODULE_INFO(bed, "next");' >>"usr/src/v4l2loopback-$v/v4l2loopback.c"
    if [ $# -gt 0 ]; then "$@"; fi
}
break_next() { bed_break "$(echo usr/src/v4l2loopback-*/v4l2loopback.c)"; }
exclude_next() { echo 'BUILD_EXCLUSIVE_KERNEL_MIN=99' >>"$(echo usr/src/v4l2loopback-*/dkms.conf)"; }
fail_script() { printf '#!/bin/sh\nexit 1\n' >"DEBIAN/$1"; }

# bed: layer=kg uname=old
case_a_newer_source_is_gated_built_once_and_takes_the_place_of_the_old() {
    bed_pockets base old backports
    run apt-get install -y -t bookworm-backports v4l2loopback-dkms
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_OLD_REL").*v4l2loopback/$(re "$BED_BPO_V4L")" "^Unpacking v4l2loopback-dkms .$(re "$BED_BPO_V4L")"
    expect_dkms "$BED_OLD_REL" "v4l2loopback/$BED_BPO_V4L"
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_eq "$(modinfo -k "$BED_OLD_REL" -F version v4l2loopback)" "$BED_BPO_V4L"
    expect_no_path /var/lib/dkms/v4l2loopback/0.12.7 /usr/src/v4l2loopback-0.12.7
    expect_builds 1 "v4l2loopback-$BED_BPO_V4L" "$BED_OLD_REL"
    expect_settled
}

case_a_newer_source_that_is_not_for_the_kernel_that_boots_next_stops_and_the_old_one_stays() {
    bed_pockets base old
    run apt-get install -y "$(next_version 0.12.8 0.12.8-1 exclude_next)"
    expect_rc 100
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$BED_OLD_REL")" '^ *module +v4l2loopback/0.12.8' \
        'it works here, but its dkms.conf excludes this kernel' '^Nothing was changed'
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    note "nor one for which nothing can be built"
    apt-get purge -y "linux-headers-$BED_OLD_REL" linux-headers-amd64
    run apt-get install -y "$(next_version 0.12.9 0.12.9-1)"
    expect_rc 100
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$BED_OLD_REL")" '^ *module +v4l2loopback/0.12.9' \
        "linux-headers-$(re "$BED_OLD_REL")" '^Nothing was changed'
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
}

case_a_newer_source_that_is_for_the_kernel_that_comes_along_may_exclude_the_one_of_before() {
    only_new() { echo "BUILD_EXCLUSIVE_KERNEL=\"^$(re "$BED_NEW_REL")\$\"" >>"$(echo usr/src/v4l2loopback-*/dkms.conf)"; }
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64 "$(next_version 0.12.8 0.12.8-1 only_new)"
    expect_rc 0
    expect_order "^kmodgate: $(re "$BED_NEW_REL"): ready: .*v4l2loopback/0.12.8" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.8
    expect_settled
}

case_a_newer_source_that_does_not_build_stops_and_the_old_one_stays() {
    bed_pockets base old
    bed_before
    run apt-get install -y "$(next_version 0.12.8 0.12.8-1 break_next)"
    expect_rc 100
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$BED_OLD_REL")" '^ *module +v4l2loopback/0.12.8' '^ *phase +MAKE' \
        'interface of the kernel is gone' '^Nothing was changed'
    expect_unchanged
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_settled
}

case_new_content_under_the_same_module_version_is_built_anew() {
    bed_pockets base old
    expect_eq "$(modinfo -k "$BED_OLD_REL" -F bed v4l2loopback)" ''
    run apt-get install -y "$(next_version 0.12.7 0.12.7-3)"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_OLD_REL").*v4l2loopback/0.12.7" '^Unpacking v4l2loopback-dkms'
    expect_eq "$(modinfo -k "$BED_OLD_REL" -F bed v4l2loopback)" next
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_settled
}

case_a_source_that_fails_to_install_after_a_good_gate_leaves_the_old_module_working() {
    sha256sum "/usr/lib/modules/$BED_OLD_REL/updates/dkms/v4l2loopback.ko" >/tmp/sum
    run apt-get install -y "$(next_version 0.12.8 0.12.8-1 fail_script preinst)"
    expect_rc 100
    expect_order 'kmodgate: .*v4l2loopback/0.12.8' '^Preparing to unpack' 'error processing'
    expect_eq "$(dpkg-query -Wf '${Version}' v4l2loopback-dkms)" 0.12.7-2
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_module "$BED_OLD_REL" v4l2loopback
    sha256sum -c /tmp/sum
    expect_no_path /var/lib/dkms/v4l2loopback/0.12.8
    expect_settled
}

case_a_source_that_goes_takes_its_modules_and_its_state_along() {
    run apt-get purge -y v4l2loopback-dkms
    expect_rc 0
    expect_no_module "$BED_OLD_REL" v4l2loopback
    expect_no_path "/usr/lib/modules/$BED_OLD_REL/updates" /var/lib/dkms/v4l2loopback
    expect_eq "$(dkms status)" ''
    expect_settled
}

# bed: layer=kg uname=old
case_a_source_upgrade_with_two_entering_flavours_ends_with_the_module_in_both_initramfs() {
    local rt=${BED_NEW_REL%-amd64}-rt-amd64 r
    bed_local "$(next_version 0.12.8 0.12.8-1)"
    bed_pockets base old new local
    run apt-get install -y linux-{image,headers}-"$BED_NEW_REL" linux-{image,headers}-"$rt" v4l2loopback-dkms
    expect_rc 0
    for r in "$BED_NEW_REL" "$rt"; do
        expect_served "$r" v4l2loopback/0.12.8
        expect_builds 1 v4l2loopback-0.12.8 "$r"
        expect_eq "$(modinfo -k "$r" -F bed v4l2loopback)" next
    done
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.8
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_no_path /var/lib/dkms/v4l2loopback/0.12.7
    expect_settled
}

# bed: layer=base uname=new
case_kernel_headers_and_module_source_all_new_in_one_run() {
    bed_install_kmodgate
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
}

case_kmodgate_itself_new_in_the_run_that_brings_kernel_and_module() {
    bed_pockets base old new
    run bed_install_kmodgate linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms
    expect_rc 0
    expect_module "$BED_NEW_REL" v4l2loopback
    expect_dkms "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_path "/boot/initrd.img-$BED_NEW_REL"
    expect_settled
}

case_a_source_that_cannot_be_built_for_the_kernel_it_comes_with_stops_both() {
    bed_install_kmodgate
    bed_pockets base old backports
    bed_before
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms=0.12.7-2
    expect_rc 100
    expect_stopped "$BED_BPO_REL" v4l2loopback/0.12.7 MAKE strlcpy
    expect_unchanged hold
}

# bed: layer=kg uname=old
case_a_source_that_leaves_in_the_same_run_holds_nothing_back() {
    bed_pockets base old backports
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms-
    expect_rc 0
    expect_no_grep 'kmodgate: (error|warning)'
    expect_installed "linux-image-$BED_BPO_REL"
    expect_path "/boot/initrd.img-$BED_BPO_REL"
    expect_eq "$(dkms status)" ''
    expect_no_path /var/lib/dkms/v4l2loopback "/usr/lib/modules/$BED_BPO_REL/updates" "/usr/lib/modules/$BED_OLD_REL/updates"
    expect_settled
}

case_headers_that_bring_their_own_pahole_and_libraries_are_used_with_them() {
    local ko
    expect_not_installed pahole
    bed_pockets base old backports
    run apt-get install -y -t bookworm-backports linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_BPO_REL").*v4l2loopback/$(re "$BED_BPO_V4L")" '^Unpacking '
    expect_installed pahole
    expect_installed libbpf1
    expect_served "$BED_BPO_REL" "v4l2loopback/$BED_BPO_V4L"
    expect_served "$BED_OLD_REL" "v4l2loopback/$BED_BPO_V4L"
    expect_builds 1 v4l2loopback "$BED_BPO_REL"
    expect_settled
    note "what a build with everything installed gives; but for BTF, which this pahole writes with threads, in any order"
    ko=$(modinfo -k "$BED_BPO_REL" -F filename v4l2loopback)
    unpack_without_btf "$ko" /tmp/gate.ko
    rm -rf /var/cache/kmodgate/store
    dkms remove "v4l2loopback/$BED_BPO_V4L" -k "$BED_BPO_REL"
    dkms install "v4l2loopback/$BED_BPO_V4L" -k "$BED_BPO_REL"
    unpack_without_btf "$ko" /tmp/dkms.ko
    expect_eq "$(bed_unsigned_sum /tmp/gate.ko)" "$(bed_unsigned_sum /tmp/dkms.ko)"
}
unpack_without_btf() { # FILE.ko.xz RESULT
    xz -dc "$1" >"$2.whole"
    case $(readelf -SW "$2.whole") in *.BTF*) ;; *) fail "$1 has no BTF" ;; esac
    objcopy -R .BTF -R .BTF.base "$2.whole" "$2"
}

case_a_compiler_of_the_same_run_is_the_one_that_compiles() {
    # linux-headers depend on linux-compiler-gcc-12-x86, which depends on gcc-12: a new one that says so.
    bed_local "$(bed_redeb gcc-12 base "$(dpkg-query -Wf '${Version}' gcc-12)+bed1" wrap_compiler)"
    bed_pockets base old new local
    run apt-get install -y linux-image-amd64 linux-headers-amd64 gcc-12
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_grep 'bed: the new compiler' "$(find /var/log/kmodgate -name "v4l2loopback-*$BED_NEW_REL*.log")"
}
wrap_compiler() {
    mv usr/bin/x86_64-linux-gnu-gcc-12 usr/bin/x86_64-linux-gnu-gcc-12.real
    printf '#!/bin/sh\necho "bed: the new compiler" >&2\nexec /usr/bin/x86_64-linux-gnu-gcc-12.real "$@"\n' >usr/bin/x86_64-linux-gnu-gcc-12
    chmod 755 usr/bin/x86_64-linux-gnu-gcc-12
    rm -f DEBIAN/md5sums
}
