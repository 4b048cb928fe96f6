#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input: a clear error, nothing written outside the stage, nothing lost.
# shellcheck source=../../lib/bed/inside.sh disable=SC2317

# tar_of LINE...: a tar archive on stdout. A LINE is NAME|TYPE|LINK|CONTENT: 0 file, 1 hard link, 2 symlink, 3 device, 5 folder.
tar_of() {
    printf '%s\n' "$@" | perl -ne '
        chomp; my ($name, $type, $link, $data) = split /\|/, $_, 4; $data = defined $data ? "$data\n" : "";
        my $h = pack("a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 a12", $name, $type eq "5" ? "0000755" : "0000644",
            "0000000", "0000000", sprintf("%011o", length $data), "00000000000", " " x 8, $type, $link // "", "ustar\0", "00",
            "root", "root", "0000001", "0000003", "", "");
        substr($h, 148, 8) = sprintf("%06o\0 ", unpack("%32C*", $h));
        print $h, $data, "\0" x (-length($data) % 512);'
}
tar_end() { head -c 1024 /dev/zero; }
good=('usr/|5' 'usr/src/|5' 'usr/src/evil-1/|5' 'usr/src/evil-1/dkms.conf|0||PACKAGE_NAME=evil; PACKAGE_VERSION=1; BUILT_MODULE_NAME=evil; DEST_MODULE_LOCATION=/extra; AUTOINSTALL=yes'
    'usr/src/evil-1/Makefile|0||obj-m := evil.o' 'usr/src/evil-1/evil.c|0||#include <linux/module.h>')

# deb_of NAME DATA-MEMBER: a .deb around that data.tar.*
deb_of() {
    local dir=/tmp/deb.$1
    mkdir -p "$dir/c"
    printf 'Package: evil-dkms\nVersion: 1\nArchitecture: all\nMaintainer: bed <bed@localhost>\nDepends: dkms\nDescription: evil\n' >"$dir/c/control"
    tar -C "$dir/c" -czf "$dir/control.tar.gz" ./control
    echo 2.0 >"$dir/debian-binary"
    mv "$2" "$dir/"
    (cd "$dir" && ar rc "/tmp/$1.deb" debian-binary control.tar.gz "${2##*/}")
    echo "/tmp/$1.deb"
}
hostile() { # NAME LINE...: the good source, then these
    local name=$1
    shift
    { tar_of "${good[@]}" "$@"; tar_end; } | gzip -1 >/tmp/data.tar.gz
    deb_of "$name" /tmp/data.tar.gz
}

# A plan that brings the source of one archive.
plan_of() { # ARCHIVE
    cat <<YAML
kmodgate-plan: 1
manager: dpkg
owner: {pid: $$, start: $(awk '{ print $22 }' /proc/$$/stat)}
root: /
kernels:
  - release: $BED_OLD_REL
    arch: x86_64
    flavour: amd64
    change: stays
    packages:
      - {name: linux-image-$BED_OLD_REL, version: $BED_OLD_VER, role: image, change: stays}
    headers:
      - {name: linux-headers-$BED_OLD_REL, version: $BED_OLD_VER, change: stays}
sources:
  - path: usr/src/evil-1/dkms.conf
    change: enters
    package: evil-dkms
archives:
  - package: evil-dkms
    version: 1
    path: $1
    change: enters
YAML
}
gate() { run timeout -s KILL 120 sh -c 'kmodgate gate <"$1"' _ "$1"; }

expect_refused() { # TEXT
    case $RC in
    2 | 3) ;;
    *) fail "exit code $RC of a gate with bad input" ;;
    esac
    expect_grep "^kmodgate: error: .*$1"
    expect_no_grep '(root:|Segmentation|Assertion|sanitizer)'
    expect_eq "$(find / -xdev -name '*pwned*' 2>/dev/null)" '' 'written outside'
    expect_settled
}

# bed: layer=kg uname=old
case_hostile_archives_are_refused_by_name_and_write_nothing_outside_the_stage() {
    local up=../../../../../../../../../../../.. deb
    bed_before /boot /usr/lib/modules /usr/src /var/lib/dkms /etc /root /srv/local
    local debs=(
        "$(hostile dotdot "usr/src/evil-1/$up/etc/pwned|0||x")"
        "$(hostile absolute '/etc/pwned|0||x')"
        "$(hostile link-abs 'usr/src/evil-1/out|2|/etc' 'usr/src/evil-1/out/pwned|0||x')"
        "$(hostile link-up "usr/src/evil-1/out|2|$up/etc" 'usr/src/evil-1/out/pwned|0||x')"
        "$(hostile link-top 'lib|2|/etc' 'lib/pwned|0||x')"
        "$(hostile link-usr 'usr|2|/' 'usr/etc/pwned|0||x')"
        "$(hostile hardlink "usr/src/evil-1/pwned|1|$up/etc/shadow")"
        "$(hostile device 'usr/src/evil-1/null|3')"
    )
    for deb in "${debs[@]}"; do
        plan_of "$deb" >/tmp/plan
        gate /tmp/plan
        if [ "${deb##*/}" = device.deb ] || [ "${deb##*/}" = absolute.deb ] || [ "${deb##*/}" = link-top.deb ] && [ "$RC" = 3 ]; then
            expect_no_path /etc/pwned # taken as a path in the stage, left out, or refused: evil does not build anyway
        else expect_refused "${deb##*/}"; fi
    done

    note "a conf that is a link to what others may not read"
    { tar_of 'usr/|5' 'usr/src/|5' 'usr/src/evil-1/|5' 'usr/src/evil-1/dkms.conf|2|/etc/shadow'; tar_end; } | gzip -1 >/tmp/data.tar.gz
    plan_of "$(deb_of conf-link /tmp/data.tar.gz)" >/tmp/plan
    gate /tmp/plan
    expect_refused ''

    note "half of an archive; none at all; a folder; a device"
    head -c 20000 /srv/bed/base/v4l2loopback-dkms_0*.deb >/tmp/half.deb
    head -c 20000 /dev/urandom >/tmp/noise.deb
    mkdir /tmp/folder.deb
    for deb in /tmp/half.deb /tmp/noise.deb /tmp/folder.deb /tmp/nowhere.deb /dev/zero; do
        plan_of "$deb" >/tmp/plan
        gate /tmp/plan
        expect_refused "${deb##*/}"
    done

    note "a million members; eight gigabytes of nothing"
    local i
    {
        tar_of "${good[@]}" | zstd -q
        for ((i = 0; i < 10000; i++)); do echo "usr/src/evil-1/$i|0"; done >/tmp/names
        mapfile -t many </tmp/names
        tar_of "${many[@]}" | zstd -q >/tmp/frame
        for ((i = 0; i < 100; i++)); do cat /tmp/frame; done
        tar_end | zstd -q
    } >/tmp/data.tar.zst
    plan_of "$(deb_of million /tmp/data.tar.zst)" >/tmp/plan
    gate /tmp/plan
    expect_refused million.deb
    {
        # one header that promises 8 GiB less a byte, then frames of a gibibyte of zeros
        tar_of "${good[@]}" | zstd -q
        tar_of 'usr/src/evil-1/big|0' | perl -0777 -pe 'substr($_, 124, 11) = "77777777777"; substr($_, 148, 8) = " " x 8;
            substr($_, 148, 8) = sprintf("%06o\0 ", unpack("%32C*", substr($_, 0, 512)))' | zstd -q
        head -c 1G /dev/zero | zstd -q -1 >/tmp/frame
        for ((i = 0; i < 8; i++)); do cat /tmp/frame; done
    } >/tmp/data.tar.zst
    plan_of "$(deb_of bomb /tmp/data.tar.zst)" >/tmp/plan
    gate /tmp/plan
    expect_refused bomb.deb

    bed_snapshot /tmp/after /boot /usr/lib/modules /usr/src /var/lib/dkms /etc /root /srv/local
    expect_same /tmp/before /tmp/after
    note "and a good one is still served"
    { tar_of "${good[@]:0:5}" 'usr/src/evil-1/evil.c|0||#include <linux/module.h>
MODULE_LICENSE("GPL");'; tar_end; } | gzip -1 >/tmp/data.tar.gz
}

case_hostile_plans_are_refused_with_a_line_and_change_nothing() {
    local valid=/tmp/valid.yaml n=0 what
    bed_before
    plan_of /srv/bed/base/acpi-call-dkms_1.2.2-2.1_all.deb | sed 's,evil-1,acpi-call-1.2.2,; s,evil-dkms,acpi-call-dkms,' >$valid
    # The error names the first line that is not as it was; with "any", some line.
    bad() { # NAME SED-SCRIPT [any|none]
        local line
        sed "$2" $valid >/tmp/plan
        line=$({ diff $valid /tmp/plan || true; } | sed -n '1s/^[0-9,]*[acd]\([0-9]*\).*/\1/p')
        [ -n "$line" ] || fail "$1: nothing was changed in the plan"
        note "$1"
        gate /tmp/plan
        [ "$RC" = 2 ] || fail "exit code $RC for a plan with $1"
        case ${3:-} in
        any) expect_grep '^kmodgate: error: .*line [0-9]' ;;
        none) expect_grep '^kmodgate: error: ' ;;
        *) expect_grep "^kmodgate: error: .*line $line\b" ;;
        esac
        n=$((n + 1))
    }
    bad 'an unknown key' 's/^sources:/origins:/'
    bad 'an unknown key in a kernel' '0,/^    change: stays/s//    chance: stays/'
    bad 'a missing key' '/^manager:/d' any
    bad 'a key that is there twice' '2p'
    bad 'a release that climbs' 's,release: .*,release: ../../../etc,'
    bad 'a release with a slash' 's,release: .*,release: a/b,'
    bad 'a source path that climbs' 's,path: usr/src.*,path: usr/src/../../etc/x/dkms.conf,'
    bad 'an absolute source path' 's,path: usr/src.*,path: /etc/x/dkms.conf,'
    bad 'a package name that climbs' 's,package: acpi.*,package: ../../x,'
    bad 'a manager that climbs' 's,^manager:.*,manager: ../../../tmp/evil,'
    bad 'an id that climbs' '2i id: ../../../tmp/evil'
    bad 'an archive path that is relative' 's,path: /srv.*,path: x.deb,'
    bad 'an unknown change' 's,change: enters,change: explodes,'
    bad 'an owner that is no process' 's,pid: [0-9]*,pid: -1,'
    bad 'a list where a word belongs' 's,change: enters,change: [enters],'
    bad 'an anchor' 's,change: enters,change: \&a enters,'
    bad 'a tag' 's,change: enters,change: !!python/object:os.system enters,'
    bad 'a second document' '$a ---\nmore: 1' any
    bad 'another format' 's/^kmodgate-plan: 1/kmodgate-plan: 2/'
    bad 'a byte that is not UTF-8' 's/acpi-call-dkms/acpi\xff/' none
    bad 'a line break in a name' 's/package: acpi-call-dkms/package: "acpi\\ncall"/'
    for what in /dev/null /bin/true; do
        gate $what
        [ "$RC" = 2 ] || fail "exit code $RC for $what"
        expect_grep '^kmodgate: error: '
    done
    { cat $valid; perl -e 'print "# more\n" x 1000 for 1 .. 43000'; } >/tmp/plan
    gate /tmp/plan
    [ "$RC" = 2 ] || fail "exit code $RC for a plan of 300 MB"
    perl -e 'print "kmodgate-plan: ", "[" x 1000000' >/tmp/plan
    gate /tmp/plan
    [ "$RC" = 2 ] || fail "exit code $RC for a plan a million levels deep"
    bed_snapshot /tmp/after
    expect_same /tmp/before /tmp/after
    expect_settled
    note "$n bad plans; the good one passes"
    gate $valid
    expect_rc 0
}

# bed: layer=kg uname=old
case_damaged_sources_are_named_and_the_others_are_served() {
    local s
    for s in syntax dangling locked slow endless; do
        bed_tree /usr/src/$s-1 $s 1
        dkms add $s/1
    done
    echo 'if [ "x" = ; then' >>/usr/src/syntax-1/dkms.conf
    mv /usr/src/dangling-1 /usr/src/elsewhere
    # what root cannot read: a folder of a file system that refuses
    rm -r /usr/src/locked-1
    mkdir /usr/src/locked-1
    mount -t tmpfs -o mode=000,size=4k none /usr/src/locked-1
    echo 'while :; do :; done' >>/usr/src/endless-1/dkms.conf
    rm /usr/src/slow-1/slow.c
    ln -s /etc/shadow /usr/src/slow-1/slow.c
    touch -d 2020-01-01 /usr/src/syntax-1/keep
    bed_pockets base old new
    run apt-get install -y linux-image-amd64 linux-headers-amd64
    expect_rc 0
    for s in syntax dangling locked slow endless; do expect_grep "kmodgate.*$s"; done
    expect_no_grep 'root:'
    expect_order '^kmodgate: .*v4l2loopback/0.12.7' '^Unpacking '
    expect_served "$BED_NEW_REL" v4l2loopback/0.12.7
    expect_path /usr/src/syntax-1/keep /usr/src/elsewhere/dkms.conf /usr/src/endless-1/dkms.conf /var/lib/dkms/dangling/1/source
    umount /usr/src/locked-1
    run dkms status
    expect_grep '^v4l2loopback/0.12.7, .*: installed$'
    expect_grep '^dangling/1: broken$'
    expect_settled
}

# bed: layer=kg uname=old limit=240
case_a_truncated_archive_in_an_apt_run_is_said_and_nothing_is_lost() {
    local deb
    deb=$(echo /srv/bed/base/acpi-call-dkms_*.deb)
    mkdir /tmp/cut
    head -c $(($(stat -c %s "$deb") * 2 / 3)) "$deb" >/tmp/cut/"${deb##*/}"
    # the index agrees with the broken file, so apt does not mind
    awk -v RS= -v ORS='\n\n' '/^Package: acpi-call-dkms\n/' /srv/bed/base/Packages | sed '/^\(Size\|SHA256\|MD5sum\|Filename\):/d' | sed '/^$/d' >/tmp/cut/Packages
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s /tmp/cut/*.deb)" "$(sha256sum </tmp/cut/"${deb##*/}" | cut -d' ' -f1)" >>/tmp/cut/Packages
    bed_release_file /tmp/cut bed bed bed >/tmp/cut/Release
    echo 'deb [trusted=yes] copy:/tmp/cut ./' >/etc/apt/sources.list.d/bed.list
    apt-get -qq update
    run apt-get install -y acpi-call-dkms
    expect_rc 100
    expect_grep "^kmodgate: .*$(re "${deb##*/}")"
    expect_not_installed acpi-call-dkms
    expect_dkms "$BED_OLD_REL" v4l2loopback/0.12.7
    expect_module "$BED_OLD_REL" v4l2loopback
    expect_eq "$(dkms status | grep acpi || true)" ''
    expect_settled
    bed_pockets base old
    apt-get clean
    run apt-get install -y acpi-call-dkms
    expect_rc 0
    expect_dkms "$BED_OLD_REL" acpi-call/1.2.2
}
