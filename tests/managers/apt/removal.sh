#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels that go, come back, and are installed over themselves.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

old=${BED_OLD_REL%-amd64}-cloud-amd64
new=${BED_NEW_REL%-amd64}-cloud-amd64
mod=acpi-call/1.2.2

# bed: layer=kgc
case_a_removed_kernel_leaves_nothing_of_ours_and_its_return_brings_all_back() {
    expect_served "$old" $mod acpi_call
    run apt-get remove -y "linux-image-$old"
    expect_rc 0
    expect_no_grep 'directory .* not empty'
    expect_no_module "$old" acpi_call
    expect_no_release "$old"
    expect_path /var/lib/dkms/acpi-call/1.2.2/source
    expect_eq "$(dkms status)" 'acpi-call/1.2.2: added'
    expect_settled

    note "the same version comes back"
    run apt-get install -y linux-image-cloud-amd64
    expect_rc 0
    expect_order "^kmodgate: .*$(re "$old").*acpi-call/1.2.2" '^Unpacking '
    expect_served "$old" $mod acpi_call

    note "and is purged with its headers"
    run apt-get purge -y "linux-image-$old" "linux-headers-$old"
    expect_rc 0
    expect_no_grep 'directory .* not empty'
    expect_no_release "$old"
    expect_no_path "/usr/lib/modules/$old"
    expect_settled
    expect_clean_dpkg
}

case_a_kernel_installed_over_itself_keeps_its_modules() {
    local sum
    sum=$(sha256sum "/usr/lib/modules/$old/updates/dkms/acpi_call.ko")
    run apt-get install -y --reinstall "linux-image-$old"
    expect_rc 0
    expect_served "$old" $mod acpi_call
    expect_eq "$(sha256sum "/usr/lib/modules/$old/updates/dkms/acpi_call.ko")" "$sum"
    expect_settled
    expect_clean_dpkg
}

case_the_headers_go_and_the_modules_stay() {
    run apt-get purge -y "linux-headers-$old"
    expect_rc 0
    expect_served "$old" $mod acpi_call
    expect_settled
}

case_old_kernel_out_and_new_one_in_with_one_command() {
    bed_pockets base old new
    run apt-get install -y linux-{image,headers}-"$new" "linux-image-$old-" "linux-headers-$old-"
    expect_rc 0
    expect_served "$new" $mod acpi_call
    expect_no_release "$old"
    expect_settled
    expect_clean_dpkg
}
