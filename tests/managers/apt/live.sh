#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# While apt runs: commands from its scripts join, commands of others do no harm.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2034

new=${BED_NEW_REL%-amd64}-cloud-amd64
mod=acpi-call/1.2.2

# bed: layer=kgc limit=240
case_recover_settle_and_status_from_elsewhere_leave_a_live_transaction_alone() {
    # The run pauses where everything is unpacked and nothing is configured, and again before the initramfs.
    mkdir -p /tmp/p/DEBIAN
    printf 'Package: bed-pause\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDescription: pause\n' >/tmp/p/DEBIAN/control
    printf '#!/bin/sh\ntouch /tmp/paused\nwhile [ ! -e /tmp/go ]; do sleep 0.1; done\n' >/tmp/p/DEBIAN/preinst
    bed_local "$(bed_deb /tmp/p)"
    bed_pockets base old new local
    apt-get install -y linux-image-cloud-amd64 linux-headers-cloud-amd64 bed-pause >"$OUT" 2>&1 </dev/null &
    local apt=$! keep=$OUT
    bed_wait '[ -e /tmp/paused ]'
    find "/usr/lib/modules/$new/updates" -type f -printf '%p %C@\n' >/tmp/placed
    expect_path "/usr/lib/modules/$new/updates/dkms/acpi_call.ko"
    OUT=/run/bed/other
    run kmodgate recover
    expect_rc 0
    run kmodgate settle
    expect_rc 0
    run kmodgate status
    expect_rc 0
    expect_grep 'is running'
    run dkms status
    expect_rc 0
    expect_eq "$(find "/usr/lib/modules/$new/updates" -type f -printf '%p %C@\n' | diff /tmp/placed -)" '' 'what was placed'
    OUT=$keep
    touch /tmp/go
    RC=0
    wait $apt || RC=$?
    bed_ran
    expect_rc 0
    expect_served "$new" $mod acpi_call
    expect_builds 1 acpi-call "$new"
    expect_settled
}

case_a_script_of_the_run_that_removes_and_adds_a_module_keeps_what_the_gate_placed() {
    mkdir -p /tmp/p/DEBIAN
    printf 'Package: bed-again\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDepends: linux-image-%s\nDescription: again\n' "$new" >/tmp/p/DEBIAN/control
    printf '#!/bin/sh\nset -e\ndkms status >/dev/null\ndkms remove %s --all\ndkms add %s\ndkms autoinstall -k %s\n' $mod $mod "$new" >/tmp/p/DEBIAN/postinst
    bed_local "$(bed_deb /tmp/p)"
    bed_pockets base old new local
    run apt-get install -y linux-image-cloud-amd64 linux-headers-cloud-amd64 bed-again
    expect_rc 0
    expect_module "$new" acpi_call
    expect_dkms "$new" $mod
    expect_builds 1 acpi-call "$new"
    expect_settled
}
