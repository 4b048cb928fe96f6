#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Other roots are not this machine's business.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# A kernel package without maintainer scripts, for roots that have no shell.
plain_kernel() { bed_redeb "linux-image-${BED_NEW_REL%-amd64}-cloud-amd64" new "$BED_NEW_VER" without_scripts; }
without_scripts() { rm -f DEBIAN/{pre,post}{inst,rm} && sed -i '/^\(Depends\|Breaks\|Recommends\|Suggests\):/d' DEBIAN/control; }
other_root() {
    mkdir -p "$1"/var/lib/dpkg/{info,updates,triggers} "$1"/var/lib/apt/lists/partial "$1"/var/cache/apt/archives/partial \
        "$1"/etc/apt/{apt.conf.d,sources.list.d,preferences.d,trusted.gpg.d} "$1"/var/log/apt "$1"/usr/lib
    : >"$1/var/lib/dpkg/status"
    ln -s usr/lib "$1/lib"
}
expect_nothing_done() {
    expect_rc 0
    expect_no_grep kmodgate
    expect_eq "$(find /var/lib/kmodgate /var/log/kmodgate -printf '%p %C@\n' 2>/dev/null | sort)" "$(cat /tmp/ours)" 'kmodgate did something'
}

# bed: layer=kg uname=old
case_dpkg_with_another_root_admindir_or_instdir_and_apt_for_another_root() {
    local deb r rel=${BED_NEW_REL%-amd64}-cloud-amd64
    deb=$(plain_kernel)
    for r in /mnt/{a,b,c,d}; do other_root $r; done
    # what would be needed here is not even asked for: the module could not be built
    bed_break /usr/src/v4l2loopback-0.12.7/v4l2loopback.c
    bed_snapshot /tmp/before
    find /var/lib/kmodgate /var/log/kmodgate -printf '%p %C@\n' 2>/dev/null | sort >/tmp/ours

    run dpkg --root=/mnt/a -i "$deb"
    expect_nothing_done
    expect_path "/mnt/a/boot/vmlinuz-$rel"
    run dpkg --instdir=/mnt/b --admindir=/mnt/b/var/lib/dpkg -i "$deb"
    expect_nothing_done
    run dpkg --admindir /mnt/c/var/lib/dpkg --instdir /mnt/c --unpack "$deb"
    expect_nothing_done
    run env DPKG_ROOT=/mnt/d dpkg --admindir=/mnt/d/var/lib/dpkg --instdir=/mnt/d -i "$deb"
    expect_nothing_done
    run dpkg --root=/mnt/a -r "linux-image-$rel"
    expect_nothing_done

    echo 'deb [trusted=yes] copy:/srv/local ./' >/mnt/a/etc/apt/sources.list
    bed_local "$deb"
    apt-get -o Dir=/mnt/a -qq update
    run apt-get -o Dir=/mnt/a -o DPkg::Options::=--root=/mnt/a install -y "linux-image-$rel"
    expect_nothing_done
    expect_grep "^Unpacking linux-image-$(re "$rel")"
    expect_path "/mnt/a/boot/vmlinuz-$rel"
    expect_no_path "/boot/vmlinuz-$rel"
    bed_snapshot /tmp/after
    expect_same /tmp/before /tmp/after
}

case_kernel_hooks_of_another_root_do_nothing() {
    local script dir
    other_root /mnt/a
    mkdir -p "/mnt/a/lib/modules/$BED_OLD_REL"
    bed_snapshot /tmp/before
    find /var/lib/kmodgate /var/log/kmodgate -printf '%p %C@\n' 2>/dev/null | sort >/tmp/ours
    for dir in preinst postinst prerm postrm header_postinst; do
        for script in /etc/kernel/$dir.d/*kmodgate* /etc/kernel/$dir.d/dkms; do
            [ -e "$script" ] || continue
            note "$script"
            run env DPKG_ROOT=/mnt/a DEB_MAINT_PARAMS=remove "$script" "$BED_OLD_REL" "/boot/vmlinuz-$BED_OLD_REL"
            expect_nothing_done
        done
    done
    bed_snapshot /tmp/after
    expect_same /tmp/before /tmp/after
    expect_module "$BED_OLD_REL" v4l2loopback
}
