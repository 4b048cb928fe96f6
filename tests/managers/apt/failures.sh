#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong after a good gate, or in the middle of it. At the end a kernel that is not installed has no modules
# of ours, and one that is has them all.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317,SC2034

old=${BED_OLD_REL%-amd64}-cloud-amd64
new=${BED_NEW_REL%-amd64}-cloud-amd64
mod=acpi-call/1.2.2
install_new=(apt-get install -y linux-image-cloud-amd64 linux-headers-cloud-amd64)

# bed_redeb's commands: a line put behind the interpreter's of a maintainer script.
script_begins() { # SCRIPT LINE...
    local script=DEBIAN/$1
    shift
    [ -e "$script" ] || printf '#!/bin/sh\nset -e\n' >"$script"
    sed -i "1r /dev/stdin" "$script" < <(printf '%s\n' "$@")
}
# The new kernel, same version, with a maintainer script of ours; apt prefers `local` for its size and hash.
offer_new() { # [CMD...]
    bed_local "$(bed_redeb "linux-image-$new" new "$BED_NEW_VER" "$@")"
    rm -rf /tmp/pocket
    mkdir /tmp/pocket
    cp /srv/bed/new/* /tmp/pocket/
    rm /tmp/pocket/linux-image-"$new"_*
    awk -v RS= -v ORS='\n\n' -v p="linux-image-$new" '$0 !~ "^Package: " p "\n"' /srv/bed/new/Packages >/tmp/pocket/Packages
    bed_release_file /tmp/pocket bookworm-security oldstable-security Debian-Security >/tmp/pocket/Release
    bed_pockets base old local
    echo 'deb [trusted=yes] copy:/tmp/pocket ./' >>/etc/apt/sources.list.d/bed.list
    apt-get -qq update
}
kill_the_manager=('if [ ! -e /var/tmp/killed ]; then touch /var/tmp/killed'
    'apt=$(sed -n "s/^PPid:[^0-9]*//p" /proc/$PPID/status); kill -9 $apt $PPID; sleep 1; exit 1; fi')

# bed: layer=kgc limit=240
case_a_package_that_fails_in_its_postinst_takes_no_module_from_the_kernel_beside_it() {
    mkdir -p /tmp/p/DEBIAN
    printf 'Package: bed-fails\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDescription: fails\n' >/tmp/p/DEBIAN/control
    printf '#!/bin/sh\nexit 1\n' >/tmp/p/DEBIAN/postinst
    bed_local "$(bed_deb /tmp/p)"
    bed_pockets base old new local
    run "${install_new[@]}" bed-fails
    expect_rc 100
    expect_order '^kmodgate: .*acpi-call/1.2.2' '^Unpacking ' 'error processing package bed-fails'
    expect_installed "linux-image-$new"
    expect_served "$new" $mod acpi_call
    expect_settled
}

case_a_kernel_whose_preinst_fails_leaves_no_modules_behind() {
    offer_new script_begins preinst 'exit 1'
    run "${install_new[@]}"
    expect_rc 100
    expect_order '^kmodgate: .*acpi-call/1.2.2' '^(Preparing to unpack|Unpacking) ' 'error processing archive'
    expect_not_installed "linux-image-$new"
    expect_no_release "$new"
    expect_served "$old" $mod acpi_call
    expect_settled
}

case_a_kernel_that_dpkg_cannot_unpack_leaves_no_modules_behind() {
    # dpkg refuses to overwrite what another package owns, in the middle of the archive.
    mkdir -p /tmp/p/DEBIAN "/tmp/p/boot"
    printf 'Package: bed-owner\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDescription: owner\n' >/tmp/p/DEBIAN/control
    echo mine >"/tmp/p/boot/config-$new"
    dpkg -i "$(bed_deb /tmp/p)"
    bed_pockets base old new
    run "${install_new[@]}"
    expect_rc 100
    expect_order '^kmodgate: .*acpi-call/1.2.2' '^Unpacking ' 'trying to overwrite'
    expect_not_installed "linux-image-$new"
    expect_no_module "$new" acpi_call
    expect_no_release "$new"
    expect_settled
    dpkg -P bed-owner
    note "and once the reason is gone"
    run apt-get install -y -f
    expect_rc 0
    expect_served "$new" $mod acpi_call
}

case_the_kernels_own_postinst_fails_and_a_second_configure_ends_well() {
    # (its postinst.d scripts run in name order: what fails here fails before the initramfs is made)
    printf '#!/bin/sh\n[ -e /tmp/repaired ]\n' >/etc/kernel/postinst.d/aaa-fails
    chmod 755 /etc/kernel/postinst.d/aaa-fails
    bed_pockets base old new
    run "${install_new[@]}"
    expect_rc 100
    expect_path "/usr/lib/modules/$new/updates/dkms/acpi_call.ko"
    touch /tmp/repaired
    run dpkg --configure -a
    expect_rc 0
    expect_served "$new" $mod acpi_call
    kmodgate recover
    expect_settled
    expect_clean_dpkg
}

case_a_module_that_is_purged_while_its_kernel_is_half_configured_stays_away() {
    printf '#!/bin/sh\n[ -e /tmp/repaired ]\n' >/etc/kernel/postinst.d/aaa-fails
    chmod 755 /etc/kernel/postinst.d/aaa-fails
    bed_pockets base old new
    run "${install_new[@]}"
    expect_rc 100
    touch /tmp/repaired
    run apt-get purge -y acpi-call-dkms
    expect_rc 0
    expect_eq "$(find /usr/lib/modules/*/updates -name 'acpi_call.ko*' 2>/dev/null)" '' modules
    expect_settled
    expect_clean_dpkg
}

case_apt_and_dpkg_killed_while_the_kernel_is_configured() {
    offer_new script_begins postinst "${kill_the_manager[@]}"
    run "${install_new[@]}"
    expect_rc 137
    bed_wait '[ -z "$(bed_pids "^(/usr/bin/)?dpkg ")" ]'
    expect_order '^kmodgate: .*acpi-call/1.2.2' '^Setting up linux-image-'
    run dpkg --configure -a
    expect_rc 0
    expect_served "$new" $mod acpi_call
    run kmodgate recover
    expect_rc 0
    expect_served "$new" $mod acpi_call
    expect_settled
    expect_clean_dpkg
}

case_apt_and_dpkg_killed_before_the_kernel_is_unpacked_then_recover() {
    offer_new script_begins preinst "${kill_the_manager[@]}"
    run "${install_new[@]}"
    expect_rc 137
    bed_wait '[ -z "$(bed_pids "^(/usr/bin/)?dpkg ")" ]'
    expect_order '^kmodgate: .*acpi-call/1.2.2' '^(Preparing to unpack|Unpacking) '
    expect_not_installed "linux-image-$new"
    run kmodgate status
    expect_rc 4
    run kmodgate recover
    expect_rc 0
    expect_no_release "$new"
    expect_settled
    note "apt is asked again: all is well"
    dpkg --configure -a
    run "${install_new[@]}"
    expect_rc 0
    expect_served "$new" $mod acpi_call
    expect_settled
    expect_clean_dpkg
}

case_after_a_kill_the_next_apt_run_needs_no_recover() {
    offer_new script_begins preinst "${kill_the_manager[@]}"
    run "${install_new[@]}"
    expect_rc 137
    bed_wait '[ -z "$(bed_pids "^(/usr/bin/)?dpkg ")" ]'
    run dpkg --configure -a
    run "${install_new[@]}"
    expect_rc 0
    expect_served "$new" $mod acpi_call
    expect_settled
    expect_clean_dpkg
}


# A module that worked on the old kernel; now its build takes its time.
slow_module() {
    bed_tree /usr/src/slow-1 slow 1
    dkms add slow/1
    dkms install slow/1 -k "$old"
    echo 'PRE_BUILD="wait.sh"' >>/usr/src/slow-1/dkms.conf
    printf '#!/bin/sh\nsleep 60.5\n' >/usr/src/slow-1/wait.sh
    chmod 755 /usr/src/slow-1/wait.sh
    bed_pockets base old new
}
slow_runs="[ -n \"\$(bed_pids 'sleep 60.5')\" ]"

# bed: layer=kgc limit=240
case_ctrl_c_in_the_gate_ends_apt_and_nothing_has_changed() {
    slow_module
    bed_before
    run_keys "$slow_runs" '\003' "${install_new[*]}"
    expect_rc 100
    expect_no_grep '^(Unpacking|Setting up) '
    expect_grep 'kmodgate.*interrupted'
    expect_eq "$(bed_pids 'sleep 60.5')" '' 'the build still runs'
    expect_unchanged
    expect_no_release "$new"
    expect_settled
    note "a build that was interrupted is no verdict: the next run builds"
    printf '#!/bin/sh\n' >/usr/src/slow-1/wait.sh
    run "${install_new[@]}"
    expect_rc 0
    expect_served "$new" $mod acpi_call
    expect_dkms "$new" slow/1
}

case_apt_terminated_in_the_gate_leaves_nothing_behind() {
    slow_module
    bed_before
    "${install_new[@]}" >/tmp/apt.out 2>&1 </dev/null &
    local apt=$!
    bed_wait "$slow_runs"
    note "killed: apt, and the gate with all that is below it"
    kill -9 $apt
    bed_kill 'kmodgate gate|apt-plan|apt-event'
    bed_wait "[ -z \"\$(bed_pids 'sleep 60.5|kmodgate gate')\" ]"
    run kmodgate recover
    expect_rc 0
    expect_unchanged
    expect_settled
}

case_a_gate_that_dies_is_no_verdict_and_the_kernel_gets_its_modules_on_arrival() {
    slow_module
    "${install_new[@]}" >"$OUT" 2>&1 </dev/null &
    local apt=$!
    bed_wait "$slow_runs"
    printf '#!/bin/sh\n' >/usr/src/slow-1/wait.sh
    bed_kill 'kmodgate gate'
    bed_wait "[ -z \"\$(bed_pids 'sleep 60.5')\" ]"
    RC=0
    wait $apt || RC=$?
    bed_ran
    expect_rc 0
    expect_order 'kmodgate.*(warning|error)' '^Unpacking '
    expect_served "$new" $mod acpi_call
    expect_dkms "$new" slow/1
    kmodgate recover
    expect_settled
}
