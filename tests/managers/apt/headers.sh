#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Headers that are not part of the transaction: apt's cache, then a download from inside the hook, then policy.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

BED_KEPT=/var/cache/kmodgate/archives # headers that a gate used and nobody installed

# Nothing that asks for headers by itself: with it, apt brings them along with any newer image.
image_alone() { apt-get purge -y linux-image-amd64 linux-headers-amd64; }

# bed: layer=kg uname=old
case_headers_in_the_archive_cache_serve_an_image_that_comes_alone() {
    # A mirror that is gone after the download: only the cache can answer.
    image_alone
    cp -rL /srv/bed/new /tmp/mirror
    bed_pockets base old
    echo 'deb [trusted=yes] copy:/tmp/mirror ./' >>/etc/apt/sources.list.d/bed.list
    apt-get -qq update
    apt-get install -y --download-only "linux-headers-$BED_NEW_REL"
    rm -r /tmp/mirror
    run apt-get install -y "/srv/bed/new/linux-image-${BED_NEW_REL}_${BED_NEW_VER}_$BED_ARCH.deb"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_not_installed "linux-headers-$BED_NEW_REL"
    expect_no_path "/usr/src/linux-headers-$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
}

case_headers_in_the_archive_cache_are_found_though_apt_has_forgotten_them() {
    image_alone
    bed_pockets base old new
    apt-get install -y --download-only "linux-headers-$BED_NEW_REL"
    bed_pockets base old # the lists no longer know this version
    run apt-get install -y "/srv/bed/new/linux-image-${BED_NEW_REL}_${BED_NEW_VER}_$BED_ARCH.deb"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
}

case_headers_are_fetched_from_inside_the_hook_and_kept_for_later_modules() {
    image_alone
    bed_pockets base old new
    run apt-get install -y "linux-image-$BED_NEW_REL"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_grep "linux-headers-$(re "$BED_NEW_REL")" # which package would bring them for good
    expect_not_installed "linux-headers-$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled

    note "what was fetched is kept while the kernel is there, and serves a module that comes later"
    apt-get clean
    bed_local "$(bed_redeb linux-kbuild-6.1 new 6.1.999-1)" # a newer one does not come between
    bed_pockets base old local
    run apt-get install -y acpi-call-dkms
    expect_rc 0
    expect_module "$BED_NEW_REL" acpi_call
    expect_module "$BED_OLD_REL" acpi_call

    expect_dkms "$BED_NEW_REL" acpi-call/1.2.2
    expect_settled

    note "the headers come after all: nothing is built again, and what was kept goes"
    expect_path "$BED_KEPT/$BED_NEW_REL/$BED_NEW_VER"
    bed_pockets base old new
    run apt-get install -y "linux-headers-$BED_NEW_REL"
    expect_rc 0
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_no_path "$BED_KEPT/$BED_NEW_REL"
}

case_headers_that_were_kept_go_with_their_kernel() {
    image_alone
    bed_pockets base old new
    apt-get install -y "linux-image-$BED_NEW_REL"
    expect_path "$BED_KEPT/$BED_NEW_REL/$BED_NEW_VER/linux-headers-${BED_NEW_REL}_${BED_NEW_VER}_$BED_ARCH.deb"
    run apt-get purge -y "linux-image-$BED_NEW_REL"
    expect_rc 0
    expect_no_path "$BED_KEPT/$BED_NEW_REL"
    expect_no_release "$BED_NEW_REL"

    note "what a stop left of a kernel that never came goes with the next transaction"
    bed_tree /usr/src/picky-1 picky 1
    bed_break /usr/src/picky-1/picky.c "${BED_OLD_VER%-*}"
    dkms install picky/1 -k "$BED_OLD_REL"
    run apt-get install -y "linux-image-$BED_NEW_REL"
    expect_rc 100
    expect_path "$BED_KEPT/$BED_NEW_REL/$BED_NEW_VER"
    run apt-get install -y acpi-call-dkms
    expect_rc 0
    expect_no_path "$BED_KEPT/$BED_NEW_REL"
}

case_headers_that_are_nowhere_stop_the_kernel_or_only_warn_as_policy_says() {
    local image=/srv/bed/new/linux-image-${BED_NEW_REL}_${BED_NEW_VER}_$BED_ARCH.deb
    image_alone
    bed_before
    run apt-get install -y "$image"
    expect_rc 100
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$BED_NEW_REL")" '^ *module +v4l2loopback/0.12.7' \
        '^ *error +.*headers' '^Nothing was changed' '^To go on:'
    expect_grep "linux-headers-$(re "$BED_NEW_REL")"
    expect_unchanged hold
    rm "$BED_HOLD"

    bed_policy 'headers_missing: fail'
    bed_pockets base old new # now they could be fetched, but the administrator does not want that
    run apt-get install -y "$image"
    expect_rc 100
    expect_order 'kmodgate: error: stopped' '^ *error +.*headers'
    rm "$BED_HOLD"

    bed_policy 'headers_missing: warn'
    bed_pockets base old
    run apt-get install -y "$image"
    expect_rc 0
    expect_order 'kmodgate: warning: .*v4l2loopback/0.12.7' '^Unpacking '
    expect_grep "linux-headers-$(re "$BED_NEW_REL")"
    expect_no_module "$BED_NEW_REL" v4l2loopback
    expect_path "/boot/initrd.img-$BED_NEW_REL"
    expect_settled

    note "the headers come alone: now it is built"
    bed_pockets base old new
    run apt-get install -y "linux-headers-$BED_NEW_REL"
    expect_rc 0
    expect_module "$BED_NEW_REL" v4l2loopback
    expect_dkms "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
}

case_image_first_and_headers_in_a_second_run_build_once() {
    bed_pockets base old new
    apt-get install -y --download-only linux-image-amd64 linux-headers-amd64
    apt-get purge -y linux-headers-amd64
    run apt-get install -y linux-image-amd64
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    run apt-get install -y linux-headers-amd64
    expect_rc 0
    expect_installed "linux-headers-$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
}

case_headers_first_and_the_image_in_a_second_run_build_once() {
    bed_pockets base old new
    run apt-get install -y "linux-headers-$BED_NEW_REL"
    expect_rc 0
    expect_no_dkms "$BED_NEW_REL"
    expect_no_module "$BED_NEW_REL" v4l2loopback
    run apt-get install -y linux-image-amd64
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_NEW_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
}

# The kernel of the release that is there, with other content: same `uname -r`, other symbols.
second_version() { # PACKAGE VERSION
    local name=$1 version=$2
    bed_redeb "$name" old "$version" second_version_content "$version"
}
second_version_content() {
    sed -i "s/^Source: linux-signed-amd64.*/Source: linux-signed-amd64 (${1%-*}+1)/; s/= $BED_OLD_VER)/= $1)/" DEBIAN/control
    local symvers=usr/src/linux-headers-$BED_OLD_REL/Module.symvers
    if [ -e "$symvers" ]; then sed -i 's/^0x[0-9a-f]*\(\tmodule_layout\t\)/0x5ec0d0ed\1/' "$symvers"; fi
}
crc_of() { modprobe --dump-modversions "$1" | awk '$2 == "module_layout" { print $1 }'; }

# bed: layer=kg uname=old
case_an_image_of_the_same_release_does_not_take_the_old_headers_and_is_rebuilt_with_its_own() {
    local v=${BED_OLD_VER%-*}.5-1 ko=/usr/lib/modules/$BED_OLD_REL/updates/dkms/v4l2loopback.ko crc image
    crc=$(crc_of $ko)
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    image=$(second_version "linux-image-$BED_OLD_REL" "$v")
    bed_local "$image"
    bed_pockets base old local
    bed_before
    run apt-get install -y "linux-image-$BED_OLD_REL=$v"
    expect_rc 100
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$BED_OLD_REL").*$(re "$v")" '^ *module +v4l2loopback/0.12.7' \
        '^ *error +.*headers'
    expect_unchanged hold
    rm "$BED_HOLD"

    note "its headers can be had: taken from there, not from the disk"
    bed_local "$(second_version "linux-headers-$BED_OLD_REL" "$v")" "$(second_version "linux-headers-${BED_OLD_REL%-amd64}-common" "$v")"
    apt-get -qq update
    run apt-get install -y "linux-image-$BED_OLD_REL=$v"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_OLD_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_eq "$(dpkg-query -Wf '${Version}' "linux-headers-$BED_OLD_REL")" "$BED_OLD_VER"
    expect_eq "$(crc_of $ko)" 0x5ec0d0ed "was $crc"
    expect_served "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_settled

    note "a module that comes later gets the headers that were kept, not those that are installed"
    apt-get clean
    mkdir "$BED_KEPT/$BED_OLD_REL/$BED_OLD_VER" # as an earlier version may have left it
    bed_pockets base old
    run apt-get install -y acpi-call-dkms
    expect_rc 0
    expect_eq "$(crc_of "${ko%/*}/acpi_call.ko")" 0x5ec0d0ed
    expect_eq "$(ls "$BED_KEPT/$BED_OLD_REL")" "$v"
    expect_settled

    note "headers of another version are never taken, be they installed or kept"
    mv "$BED_KEPT/$BED_OLD_REL/$v" "$BED_KEPT/$BED_OLD_REL/$BED_OLD_VER"
    bed_tree /tmp/later later 1
    run apt-get install -y "$(bed_tree_deb /tmp/later)"
    expect_rc 0
    expect_order "^kmodgate: warning: .*later/1" '^ *error +.*headers' '^Unpacking '
    expect_grep "linux-headers-$(re "$BED_OLD_REL")"
    expect_no_path "$BED_KEPT/$BED_OLD_REL"
}

case_a_second_version_of_the_same_release_with_its_headers_is_rebuilt() {
    local v=${BED_OLD_VER%-*}.5-1 ko=/usr/lib/modules/$BED_OLD_REL/updates/dkms/v4l2loopback.ko built
    apt-get purge -y linux-image-amd64 linux-headers-amd64
    bed_local "$(second_version "linux-image-$BED_OLD_REL" "$v")" "$(second_version "linux-headers-$BED_OLD_REL" "$v")" \
        "$(second_version "linux-headers-${BED_OLD_REL%-amd64}-common" "$v")"
    bed_pockets base old local
    built=$(bed_builds v4l2loopback "$BED_OLD_REL")
    run apt-get dist-upgrade -y
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_OLD_REL").*v4l2loopback/0.12.7" '^Unpacking '
    expect_eq "$(dpkg-query -Wf '${Version}' "linux-headers-$BED_OLD_REL")" "$v"
    expect_eq "$(crc_of $ko)" 0x5ec0d0ed
    expect_builds $((built + 1)) v4l2loopback "$BED_OLD_REL"
    expect_served "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_settled
}

# bed: layer=kgc uname=old-cloud limit=240
case_headers_that_come_alone_in_another_version_are_not_those_of_a_kernel_that_stays() {
    local v=${BED_OLD_VER%-*}.5-1 common=linux-headers-${BED_OLD_REL%-amd64}-common
    local BED_OLD_REL=${BED_OLD_REL%-amd64}-cloud-amd64
    local dir=/usr/lib/modules/$BED_OLD_REL/updates/dkms
    local headers=("linux-headers-$BED_OLD_REL=$v" "$common=$v") include=/usr/src/$common/include/linux/module.h crc old
    crc=$(crc_of $dir/acpi_call.ko)
    old=$(sha256sum $dir/acpi_call.ko)
    apt-get purge -y linux-image-cloud-amd64 linux-headers-cloud-amd64
    bed_local "$(second_version "linux-headers-$BED_OLD_REL" "$v")" "$(second_version "$common" "$v")"
    bed_pockets base old local
    bed_tree /tmp/good/first first 1
    cp -r /tmp/good /tmp/bad
    bed_break /tmp/bad/first/first.c

    note "with a module source: it is built with those that are there, and stopped where that fails"
    run apt-get install -y "${headers[@]}" "$(bed_tree_deb /tmp/bad/first)"
    expect_rc 100
    expect_stopped "$BED_OLD_REL" first/1 MAKE 'interface of the kernel is gone'
    run apt-get install -y "${headers[@]}" "$(bed_tree_deb /tmp/good/first)"
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$BED_OLD_REL").*first/1" '^Unpacking '
    expect_no_grep 'kmodgate: warning'
    expect_eq "$(dpkg-query -Wf '${Version}' "linux-headers-$BED_OLD_REL")" "$v"
    expect_eq "$(crc_of $dir/first.ko)" "$crc" 'of the kernel that is there'
    expect_eq "$(sha256sum $dir/acpi_call.ko)" "$old" 'acpi_call'
    expect_dkms "$BED_OLD_REL" first/1
    expect_settled

    note "the image follows: nothing from the store, and stopped where these headers do not do"
    bed_local "$(second_version "linux-image-$BED_OLD_REL" "$v")"
    apt-get -qq update
    cp -p "$include" /tmp/include
    echo '#error "these headers are of no use"' >>"$include"
    run apt-get install -y "linux-image-$BED_OLD_REL=$v"
    expect_rc 100
    expect_stopped "$BED_OLD_REL" acpi-call/1.2.2 MAKE 'these headers are of no use'
    expect_eq "$(sha256sum $dir/acpi_call.ko)" "$old" 'acpi_call'
    rm "$BED_HOLD"
    cp -p /tmp/include "$include"
    run apt-get install -y "linux-image-$BED_OLD_REL=$v"
    expect_rc 0
    expect_eq "$(crc_of $dir/acpi_call.ko) $(crc_of $dir/first.ko)" '0x5ec0d0ed 0x5ec0d0ed' 'of the kernel that came'
    expect_settled
}
