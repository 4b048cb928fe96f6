#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# unattended-upgrades: minimal steps (the image without its headers), hooks that run twice, nobody who reads.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# Every call of apt's hooks, with the packages.
watch_hooks() {
    # shellcheck disable=SC2016
    echo 'DPkg::Pre-Install-Pkgs {"{ echo CALL; grep -o [^/]*$; } >>/run/calls";};' >/etc/apt/apt.conf.d/00watch
}

# bed: layer=kg-uu uname=old
case_minimal_steps_build_once_and_every_step_is_right() {
    bed_pockets base old new more
    watch_hooks
    run unattended-upgrade -v
    expect_rc 0
    note "$(grep -c CALL /run/calls) calls of the hook: $(tr '\n' ' ' </run/calls)"
    expect_installed "linux-image-$BED_NEW_REL"
    expect_installed "linux-headers-$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_no_grep 'kmodgate: (error|warning)' /var/log/unattended-upgrades/unattended-upgrades.log
    expect_settled
    expect_clean_dpkg
}

case_the_first_stop_sets_the_hold_and_the_next_run_installs_the_rest() {
    bed_tree /tmp/held held 1
    bed_break /tmp/held/held.c "${BED_OLD_VER%-*}"
    bed_pockets base old new more
    apt-get install -y "$(bed_tree_deb /tmp/held)"
    expect_dkms "$BED_OLD_REL" held/1
    run unattended-upgrade -v
    [ "$RC" -ne 0 ] || note 'unattended-upgrade says 0'
    expect_not_installed "linux-image-$BED_NEW_REL"
    expect_no_release "$BED_NEW_REL"
    expect_path "$BED_HOLD"
    expect_clean_dpkg
    run unattended-upgrade -v
    expect_rc 0
    expect_no_grep 'kmodgate: error'
    expect_not_installed "linux-image-$BED_NEW_REL"
    expect_eq "$(dpkg-query -Wf '${Version}\n' "${BED_MORE[@]}")" "$(sed -n "/^Package: \(${BED_MORE[0]}\|${BED_MORE[1]}\)\$/,/^\$/s/^Version: //p" /srv/bed/more/Packages)" \
        'the two packages behind it'
    expect_served "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_dkms "$BED_OLD_REL" held/1
    expect_settled held
    expect_clean_dpkg
}

case_all_in_one_step_is_like_any_other_run() {
    echo 'Unattended-Upgrade::MinimalSteps "false";' >/etc/apt/apt.conf.d/99steps
    bed_pockets base old new
    watch_hooks
    run unattended-upgrade -v
    expect_rc 0
    note "$(grep -c CALL /run/calls) calls of the hook"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_settled
}
