#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A kmodgate that is gone, damaged or half there never makes apt or dpkg unusable, and kernels get their initramfs.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

old=${BED_OLD_REL%-amd64}-cloud-amd64
new=${BED_NEW_REL%-amd64}-cloud-amd64
mod=acpi-call/1.2.2
install_new=(apt-get install -y linux-image-cloud-amd64 linux-headers-cloud-amd64)

# Ordinary packages first; then the kernel: it comes, or a clear stop says the way out, and that works.
expect_usable() {
    run apt-get install -y hello
    expect_rc 0
    run dpkg -P hello
    expect_rc 0
    run dpkg -i /srv/bed/base/hello_*.deb
    expect_rc 0
    bed_pockets base old new
    run "${install_new[@]}"
    if [ "$RC" != 0 ]; then expect_way_out "${install_new[@]}"; fi
    expect_installed "linux-image-$new"
    expect_path "/boot/initrd.img-$new"
    expect_clean_dpkg
}

# bed: layer=kgc limit=240
case_removed_but_not_purged() {
    run apt-get remove -y kmodgate
    expect_rc 0
    expect_not_installed kmodgate
    expect_no_path /usr/sbin/kmodgate
    expect_usable
    expect_no_grep 'kmodgate: (warning|error)'
    run apt-get remove -y "linux-image-$new"
    expect_rc 0
    run apt-get purge -y kmodgate
    expect_rc 0
    expect_eq "$(find / -xdev -name '*kmodgate*' -not -path '/run/*' -not -path '/srv/*' -not -path '/tmp/*' -not -path '/proc/*' \
        -not -path '/var/cache/apt/*' 2>/dev/null)" '' 'left after purge'
}

case_removed_by_dpkg_with_its_hooks_put_back_by_a_restore() {
    # The files of /etc come back from a backup, the program does not.
    cp -a /etc /tmp/etc
    dpkg -r --force-depends kmodgate
    cp -a /tmp/etc/apt/apt.conf.d/. /etc/apt/apt.conf.d/
    cp -a /tmp/etc/dpkg/dpkg.cfg.d/. /etc/dpkg/dpkg.cfg.d/
    cp -a /tmp/etc/kernel/. /etc/kernel/
    run dpkg -i /srv/bed/base/hello_*.deb
    expect_rc 0
    run dpkg -P hello
    expect_rc 0
    run dpkg -i "/srv/bed/new/linux-image-${new}"_*.deb
    expect_rc 0
    expect_path "/boot/initrd.img-$new"
}

case_its_program_is_missing() {
    rm /usr/sbin/kmodgate
    expect_usable
    expect_grep kmodgate
    apt-get remove -y "linux-image-$new"
}

case_all_its_programs_are_missing() {
    rm -r /usr/sbin/kmodgate /usr/sbin/dkms /usr/lib/kmodgate
    expect_usable
}

case_its_programs_cannot_start_for_want_of_a_library() {
    mkdir /tmp/libs
    mv /usr/lib/x86_64-linux-gnu/libyaml-0.so.* /tmp/libs/ # nobody else's here
    run kmodgate status
    [ "$RC" -ne 0 ] || fail 'it still starts'
    expect_usable
    note "the library is back: the module comes with the next look"
    mv /tmp/libs/* /usr/lib/x86_64-linux-gnu/
    run kmodgate arrive "$new"
    expect_rc 0
    expect_module "$new" acpi_call
    expect_dkms "$new" $mod
}

case_a_library_that_it_opens_late_is_missing_and_the_reason_is_said() {
    local plan=/usr/lib/kmodgate/apt-plan
    mkdir /tmp/bad
    echo damaged >/tmp/bad/libcrypto.so.3
    mv $plan $plan.real # (for this program alone: depmod needs the library, too)
    printf '#!/bin/sh\nLD_LIBRARY_PATH=/tmp/bad exec %s.real "$@"\n' $plan >$plan
    chmod 755 $plan
    bed_pockets base old
    run apt-get install -y --reinstall acpi-call-dkms
    expect_rc 0
    expect_grep '^kmodgate: warning: cannot load libcrypto.so.3: .*/tmp/bad/libcrypto.so.3.*its package again.*: kernel modules are not checked$'
    expect_no_grep 'Operation not supported'
    expect_dkms "$old" $mod
}

case_its_program_crashes() {
    printf '#!/bin/sh\nkill -SEGV $$\n' >/usr/sbin/kmodgate
    expect_usable
}

case_its_state_folder_is_a_file() {
    rm -rf /var/lib/kmodgate
    echo gone >/var/lib/kmodgate
    expect_usable
    expect_grep kmodgate
}

case_its_state_folder_cannot_be_read() {
    # Root reads everything but what the file system itself refuses.
    rm -rf /var/lib/kmodgate/*
    mkdir -p /var/lib/kmodgate
    mount -t proc -o ro proc /var/lib/kmodgate
    expect_usable
    umount /var/lib/kmodgate
}

case_its_state_folder_is_full() {
    mkdir -p /var/lib/kmodgate
    mount -t tmpfs -o size=64k full /var/lib/kmodgate
    head -c 1M /dev/zero >/var/lib/kmodgate/filler 2>/dev/null || true
    expect_usable
    umount /var/lib/kmodgate
}

case_its_state_is_damaged() {
    mkdir -p /var/lib/kmodgate/txn/apt-1-2-0123456789abcdef /var/lib/kmodgate/txn/apt-3-4-0123456789abcdef
    head -c 4096 /dev/urandom >/var/lib/kmodgate/txn/apt-1-2-0123456789abcdef/journal
    head -c 4096 /dev/urandom >/var/lib/kmodgate/txn/apt-1-2-0123456789abcdef/plan
    echo 'from the future' >/var/lib/kmodgate/txn/apt-3-4-0123456789abcdef/journal
    find /var/lib/kmodgate /var/cache/kmodgate -type f -path '*cache*' -exec sh -c 'head -c 4096 /dev/urandom >"$1"' _ {} \;
    expect_usable
    expect_served "$new" $mod acpi_call
    expect_path "/var/lib/kmodgate/txn/apt-3-4-0123456789abcdef" # what it does not understand it does not delete
}

case_its_store_is_damaged_and_the_build_is_made_anew() {
    find /var/cache/kmodgate -name '*.ko*' -exec sh -c 'echo broken >"$1"' _ {} \;
    bed_pockets base old
    run apt-get install -y --reinstall "linux-image-$old" acpi-call-dkms
    expect_rc 0
    expect_served "$old" $mod acpi_call
}

case_its_build_user_is_missing() {
    sed -i '/^_kmodgate:/d' /etc/passwd /etc/group /etc/shadow /etc/gshadow
    expect_usable
}

# bed: layer=kgc
case_it_is_upgraded_in_the_same_run_as_the_kernel() {
    local dir=/tmp/newer
    dpkg-deb -R "$(echo /run/bed/kg/kmodgate_*.deb)" $dir
    sed -i 's/^Version: .*/&+next/' $dir/DEBIAN/control
    bed_local "$(bed_deb $dir)"
    bed_pockets base old new local
    run "${install_new[@]}" kmodgate
    expect_rc 0
    expect_order '^kmodgate: .*acpi-call/1.2.2' '^Unpacking '
    expect_grep 'Unpacking kmodgate .*next'
    expect_served "$new" $mod acpi_call
    expect_builds 1 acpi-call "$new"
    expect_settled
    expect_clean_dpkg
}

case_it_is_removed_in_the_same_run_as_the_kernel_comes() {
    bed_pockets base old new
    run "${install_new[@]}" kmodgate- acpi-call-dkms-
    expect_rc 0
    expect_installed "linux-image-$new"
    expect_path "/boot/initrd.img-$new"
    expect_clean_dpkg
}

case_it_is_half_unpacked_when_the_kernel_is_configured() {
    # Its own preinst of the next version fails: dpkg leaves the old one, the run goes on.
    local dir=/tmp/newer
    dpkg-deb -R "$(echo /run/bed/kg/kmodgate_*.deb)" $dir
    sed -i 's/^Version: .*/&+next/' $dir/DEBIAN/control
    printf '#!/bin/sh\nexit 1\n' >$dir/DEBIAN/preinst
    bed_local "$(bed_deb $dir)"
    bed_pockets base old new local
    run "${install_new[@]}" kmodgate
    expect_rc 100
    run dpkg --configure -a
    run apt-get install -y -f
    run "${install_new[@]}"
    expect_rc 0
    expect_served "$new" $mod acpi_call
    kmodgate recover
    expect_settled
    expect_clean_dpkg
}
