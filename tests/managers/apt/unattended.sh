#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# unattended-upgrades: minimal steps (the image without its headers), hooks that run twice, nobody who reads.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# Every call of apt's hooks, with the packages.
watch_hooks() {
    # shellcheck disable=SC2016
    echo 'DPkg::Pre-Install-Pkgs {"{ echo CALL; grep -o [^/]*$; } >>/run/calls";};' >/etc/apt/apt.conf.d/00watch
}

# The hooks' words end in the dpkg log, u-u's own in the other; nobody asked for a warning.
expect_quiet_logs() {
    local log
    expect_grep 'kmodgate: .*ready: v4l2loopback' /var/log/unattended-upgrades/unattended-upgrades-dpkg.log
    for log in /var/log/unattended-upgrades/unattended-upgrades{,-dpkg}.log; do
        expect_no_grep 'kmodgate: (error|warning)' "$log"
    done
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
    expect_quiet_logs
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
    expect_quiet_logs
    expect_settled
}

# Both calls of a step come from one process, with one plan: the second has its verdict at once.
case_the_second_call_of_a_hook_stages_nothing() {
    bed_pockets base old new
    run env KMODGATE_DEBUG=1 unattended-upgrade -v
    expect_rc 0
    expect_count 1 '^kmodgate: staged ' /var/log/unattended-upgrades/unattended-upgrades-dpkg.log
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_quiet_logs
    expect_settled
}

# bed: layer=kg uname=old
case_a_run_that_ends_after_the_gate_is_done_again_without_a_word() {
    local apt=(apt-get install -y linux-image-amd64 linux-headers-amd64)
    bed_before
    bed_pockets base old new
    echo 'DPkg::Pre-Install-Pkgs {"exit 1";};' >/etc/apt/apt.conf.d/99later
    run "${apt[@]}"
    expect_rc 100
    expect_grep "^kmodgate: .*ready: v4l2loopback/0.12.7"
    expect_not_installed "linux-image-$BED_NEW_REL"
    rm /etc/apt/apt.conf.d/99later
    run "${apt[@]}"
    expect_rc 0
    expect_no_grep '^kmodgate: (error|warning)'
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_settled
}

# One process, two transactions, as in synaptic: the first ended after its gate, the second has another plan.
# bed: layer=kg-uu uname=old
case_a_process_that_asks_again_with_another_plan_gets_what_that_one_says() {
    bed_pockets base old new
    echo 'DPkg::Pre-Install-Pkgs {"[ ! -e /run/later ]";};' >/etc/apt/apt.conf.d/99later
    touch /run/later
    cat >/tmp/twice <<'P'
import apt, apt.progress.base, os
class Here(apt.progress.base.InstallProgress):
    def run(self, pm):
        return pm.do_install()
def install(*names):
    cache = apt.Cache()
    for name in names:
        cache[name].mark_install()
    try:
        cache.commit(install_progress=Here())
    except SystemError as e:
        print("ended:", e, flush=True)
install("linux-image-amd64", "linux-headers-amd64")
os.unlink("/run/later")
install("linux-image-amd64", "linux-headers-amd64", "acpi-call-dkms")
P
    run python3 /tmp/twice
    expect_rc 0
    expect_order '^kmodgate: .*ready: v4l2loopback' '^ended: ' "^kmodgate: .*$(re "$BED_NEW_REL").*ready: .*acpi-call" '^Unpacking '
    expect_no_grep '^kmodgate: (error|warning)'
    expect_builds 1 v4l2loopback "$BED_NEW_REL"
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_dkms "$BED_NEW_REL" acpi-call/1.2.2
    expect_settled
}
