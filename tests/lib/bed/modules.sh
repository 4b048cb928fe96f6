#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Module sources and -dkms packages that a case makes itself, and what kmodgate is expected to leave behind.
# shellcheck disable=SC1091,SC2034 # checked file by file; used by the cases

# A literal text as a pattern for expect_grep and expect_order.
re() { sed 's/[].+*?(){}|$[]/[&]/g' <<<"$1"; }

# Of the newer v4l2loopback-dkms, which the backports go on with.
BED_BPO_V4L=$(sed -n '/^Package: v4l2loopback-dkms$/,/^$/s/^Version: \([^-]*\).*/\1/p' /srv/bed/backports/Packages 2>/dev/null || true)

# bed_tree DIR NAME VERSION [LINE...]: a module source that builds everywhere; LINEs go into its dkms.conf.
bed_tree() {
    local dir=$1 name=$2 version=$3
    shift 3
    mkdir -p "$dir"
    cat >"$dir/$name.c" <<C
#include <linux/module.h>
static int __init ${name}_init(void) { return 0; }
static void __exit ${name}_exit(void) { }
module_init(${name}_init);
module_exit(${name}_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION("$version");
C
    echo "obj-m := $name.o" >"$dir/Makefile"
    {
        printf 'PACKAGE_NAME="%s"\nPACKAGE_VERSION="%s"\n' "$name" "$version"
        printf 'BUILT_MODULE_NAME[0]="%s"\nDEST_MODULE_LOCATION[0]="/updates/dkms"\nAUTOINSTALL="yes"\n' "$name"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$dir/dkms.conf"
}

# bed_break FILE [RELEASE-VERSION]: it no longer compiles; with a version like 6.1.176 only for newer kernels.
bed_break() {
    if [ $# -gt 1 ]; then
        printf '#include <linux/version.h>\n#if LINUX_VERSION_CODE > KERNEL_VERSION(%s)\n' "${2//./,}" >>"$1"
    fi
    echo '#error "this interface of the kernel is gone"' >>"$1"
    if [ $# -gt 1 ]; then echo '#endif' >>"$1"; fi
}

# bed_tree_deb DIR [PACKAGE-VERSION]: a -dkms package of that source, with the maintainer scripts of dh_dkms.
bed_tree_deb() {
    local name version dir
    name=$(sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' "$1/dkms.conf")
    version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$1/dkms.conf")
    dir=$(mktemp -d /var/tmp/tree.XXXXXX)
    dpkg-deb -e "$(compgen -G '/srv/bed/base/v4l2loopback-dkms_*.deb' | sed -n 1p)" "$dir/DEBIAN"
    rm -f "$dir/DEBIAN/md5sums"
    sed -i "s/^\(DKMS_NAME=\).*/\1$name/; s/^\(DKMS_VERSION=\).*/\1$version/" "$dir"/DEBIAN/{postinst,prerm}
    printf 'Package: %s-dkms\nVersion: %s\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDepends: dkms\nDescription: %s\n' \
        "$name" "${2:-$version-1}" "$name" >"$dir/DEBIAN/control"
    mkdir -p "$dir/usr/src"
    cp -a "$1" "$dir/usr/src/$name-$version"
    bed_deb "$dir"
    rm -rf "$dir"
}

# Logs of builds of module $1 for release $2 (patterns): how often it was really built.
bed_builds() { find /var/log/kmodgate -name "$1-*$2*.log" 2>/dev/null | wc -l; }
expect_builds() { # N MODULE RELEASE
    local n
    n=$(bed_builds "$2" "$3")
    [ "$n" = "$1" ] || { find /var/log/kmodgate -name '*.log'; fail "$2 was built $n times for $3, expected $1"; }
}

expect_dkms() { # RELEASE MODULE/VERSION [STATE]
    local line
    line=$(dkms status "$2" -k "$1" 2>&1) || true
    expect_eq "$line" "$2, $1, x86_64: ${3:-installed}" 'dkms status'
}
expect_no_dkms() { # RELEASE [MODULE]
    local line
    line=$(dkms status ${2:+-m "$2"} -k "$1" 2>&1 | grep -F ", $1," || true)
    expect_eq "$line" '' 'dkms status'
}

# Module, index, registry and initramfs of a release that is there.
expect_served() { # RELEASE MODULE/VERSION [FILE-NAME]
    local mod=${3:-${2%%/*}}
    expect_module "$1" "$mod"
    expect_in_initramfs "$1" "$mod"
    expect_dkms "$1" "$2"
}

# Nothing of a kernel that is not there (any more): neither its own files nor ours. Headers that stay have a
# link below lib/modules, and a kernel that is removed but not purged leaves its indexes.
expect_no_release() { # RELEASE
    expect_no_path "/boot/vmlinuz-$1" "/boot/initrd.img-$1" "/usr/lib/modules/$1/updates" "/usr/lib/modules/$1/kernel"
    expect_eq "$(find "/usr/lib/modules/$1" -name '*.ko*' 2>/dev/null)" '' 'modules'
    expect_no_dkms "$1"
    expect_eq "$(find /var/lib/dkms /usr/lib/modules/.kmodgate /var/lib/kmodgate -name "*$1*" 2>/dev/null)" '' 'left of it'
}

# No transaction is open, none is held, no scratch is left, nothing of ours runs or is mounted.
expect_settled() { # [held]
    local what=${1:-}
    run kmodgate status
    expect_rc 0
    if [ "$what" = held ]; then expect_grep '^apt: held: '; else expect_grep '^nothing open, nothing held$'; fi
    expect_eq "$(find /var/lib/kmodgate/txn /usr/lib/modules/.kmodgate -mindepth 1 2>/dev/null)" '' 'left of a transaction'
    expect_eq "$(awk '$2 ~ /kmodgate/' /proc/mounts)" '' 'mounts'
    expect_eq "$(bed_pids '(kmodgate|apt-plan|apt-event|dpkg-event)( |$)')" '' 'programs of ours that still run'
}

# What a stop says, all of it. LOG must have the compiler's whole words.
expect_stopped() { # RELEASE MODULE/VERSION PHASE ERROR-RE
    local log
    expect_no_grep '^(Unpacking|Setting up|Preparing to unpack|Removing) '
    expect_order 'kmodgate: error: stopped' "^ *kernel +$(re "$1")" "^ *module +$(re "$2")$" "^ *phase +$3" "^ *error +.*$4" \
        '^ *log +/var/log/kmodgate/.*\.log$' '^Nothing was changed' '^To go on:' 'kmodgate skip-once'
    log=$(sed -n 's/^ *log  *//p' "$OUT" | grep -F "${2%%/*}" | sed -n 1p)
    expect_grep "$4" "$log"
}

# Everything but logs, store, our own state and, where it is due, the hold is what it was.
bed_before() { bed_snapshot /tmp/before "$@"; }
expect_unchanged() { # [hold]
    if [ "${1:-}" = hold ]; then
        expect_path "$BED_HOLD"
        mv "$BED_HOLD" /tmp/hold
    fi
    bed_snapshot /tmp/after
    if [ "${1:-}" = hold ]; then mv /tmp/hold "$BED_HOLD"; fi
    expect_same /tmp/before /tmp/after
}
# After a stop: the way out it names, and the same command again. The kernel comes then.
expect_way_out() { # CMD...
    expect_rc 100
    expect_grep 'kmodgate: (error|warning): '
    if grep -q 'KMODGATE=off' "$OUT"; then
        run env KMODGATE=off "$@"
    else
        expect_grep 'kmodgate skip-once'
        kmodgate skip-once
        run "$@"
    fi
    expect_rc 0
}
BED_HOLD=/etc/apt/preferences.d/00kmodgate-hold.pref

# bed_policy TEXT: the administrator's own.
bed_policy() { printf '%s\n' "$1" >/etc/kmodgate/kmodgate.d/test.yaml; }

# Content of a .ko without the signature at its end.
bed_unsigned_sum() { # FILE
    perl -0777 -ne '
        if (/~Module signature appended~\n\z/) {
            my $len = unpack("N", substr($_, -32, 4));
            $_ = substr($_, 0, length($_) - 28 - 12 - $len);
        }
        print' "$1" | sha256sum | cut -d' ' -f1
}

# Processes whose command line fits (a regex), but for this shell.
bed_pids() {
    local p words
    for p in /proc/[0-9]*; do
        words=()
        { mapfile -d '' -t words <"$p/cmdline"; } 2>/dev/null || continue
        if [ "${p#/proc/}" != $$ ] && [ "${p#/proc/}" != "$BASHPID" ] && [[ ${words[*]} =~ $1 ]]; then echo "${p#/proc/}"; fi
    done
}
# bed_kill RE: the hard way, parents first.
bed_kill() {
    local p
    for p in $(bed_pids "$1" | sort -n); do kill -KILL "$p" 2>/dev/null || true; done
}

# run_keys CONDITION KEYS CMD: CMD on a terminal; KEYS are typed when the shell command CONDITION holds.
run_keys() {
    local typist
    printf '+ (pty) %s\n' "$3"
    RC=0
    rm -f /run/bed/keys
    mkfifo /run/bed/keys
    {
        set +e
        exec >/run/bed/keys
        bed_until "$1" || echo "never: $1" >&2
        # shellcheck disable=SC2059 # escapes wanted
        printf "$2"
        sleep 600
    } &
    typist=$!
    script -qefc "exec $3" /dev/null </run/bed/keys >"$OUT.cr" 2>&1 || RC=$?
    kill $typist 2>/dev/null || true
    tr -d '\r' <"$OUT.cr" >"$OUT"
    bed_ran
}
# Waits until the shell command $1 holds, for two minutes or $2 tenths of a second.
bed_until() {
    local i
    for ((i = 0; i < ${2:-1200}; i++)); do
        if eval "$1"; then return 0; fi
        sleep 0.1
    done
    return 1
}
bed_wait() { bed_until "$@" || fail "waited in vain for: $1"; }
