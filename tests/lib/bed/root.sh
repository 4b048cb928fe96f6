#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Layers and throw-away roots. A root is ONE overlay mount over plain folders (a third overlay on
# another is refused by the kernel), in its own mount, pid, uts, ipc and net namespaces: when pid 1
# in there ends, processes and mounts are gone, whatever happened.

bed_layer_names() { printf '%s\n' "${!BED_PARENT[@]}" | sort; }

# Content key of a layer: packages, recipe, parents, and the kmodgate package where the recipe takes it.
bed_layer_key() {
    local name=$1 parent recipe
    [ -n "${BED_PARENT[$name]+x}" ] || bed_die "no layer called $name ($(bed_layer_names | xargs))"
    parent=${BED_PARENT[$name]}
    {
        readlink "$BED/repo"
        if [ -n "$parent" ]; then
            bed_layer_key "$parent"
            recipe=$(declare -f "layer_${name//-/_}")
            echo "$recipe"
            if [ "$name" = base ]; then cat "$BED_LIB/uname.c"; fi
            # (no pipe into grep -q: that one leaves early, and the other's SIGPIPE then means "no")
            if [[ $recipe == *bed_install_kmodgate* ]]; then bed_kg_digest; fi
            if [ "$name" = rpmkernels ]; then cat "$BED_LIB/rpm.sh"; fi
            if [[ $recipe == *'/run/bed/kg/*.rpm'* ]]; then bed_kg_rpm | xargs sha256sum; fi
        else
            declare -f "$(bed_boot_of "$name")"
        fi
        if declare -F "bed_key_$name" >/dev/null; then "bed_key_$name"; fi
    } | sha256sum | cut -c1-12
}

# What makes a layer without a parent.
bed_boot_of() { if [ "$1" = boot ]; then echo bed_boot; else echo "bed_boot_$1"; fi; }

bed_kg_deb() {
    local debs=()
    # shellcheck disable=SC2206 # may be a pattern
    [ -z "${KG_DEB:-}" ] || debs=($KG_DEB)
    [ -e "${debs[0]:-}" ] || bed_die "no kmodgate package: set KG_DEB (make deb)"
    printf '%s\n' "${debs[@]}"
}

bed_kg_digest() { bed_kg_deb | xargs cat | sha256sum; }

# Folders of a layer, uppermost first, as overlay wants them.
bed_lowers() {
    local name=$1 out=''
    while [ -n "$name" ]; do
        out+=${out:+:}$BED/layers/$name-$(bed_layer_key "$name")/root
        name=${BED_PARENT[$name]}
    done
    echo "$out"
}

# Makes a layer and its parents unless they are there; prints the folder.
bed_layer() {
    local name=$1 dir fd t=$SECONDS rc=0 need
    dir=$BED/layers/$name-$(bed_layer_key "$name")
    if [ ! -e "$dir/done" ]; then
        [ -z "${BED_PARENT[$name]}" ] || bed_layer "${BED_PARENT[$name]}" >/dev/null
        for need in ${BED_NEEDS[$name]:-}; do bed_layer "$need" >/dev/null; done
        exec {fd}>>"$BED/build.lock"
        flock -x "$fd"
        if [ ! -e "$dir/done" ]; then
            rm -rf --one-file-system "$dir"
            t=$SECONDS
            if declare -F "bed_prepare_$name" >/dev/null; then "bed_prepare_$name"; fi
            mkdir -p "$dir/root"
            chmod 755 "$dir/root"
            if [ -z "${BED_PARENT[$name]}" ]; then
                "$(bed_boot_of "$name")" "$dir/root" || rc=$?
            else
                mkdir "$dir/work"
                BED_UPPER=$dir BED_OUT=$dir BED_LIMIT=900 bed_enter "${BED_PARENT[$name]}" - bed_make_layer "$name" \
                    >"$dir/log" 2>&1 || rc=$?
                rm -rf --one-file-system "$dir/work"
            fi
            if [ "$rc" -ne 0 ]; then
                if [ -e "$dir/log" ]; then tail -n 25 "$dir/log" >&2; fi
                bed_die "layer $name failed ($rc): $dir/log"
            fi
            sync -f "$dir"
            touch "$dir/done"
            bed_say "layer $name: $((SECONDS - t)) s, $(du -sh "$dir/root" | cut -f1)"
        fi
        exec {fd}>&-
    fi
    touch "$dir/done" # in use: bed_gc leaves it
    echo "$dir"
}

bed_is_made() { [ -e "$BED/layers/$1-$(bed_layer_key "$1")/done" ]; }

# Runs FUNCTION (of FILE, or of the bed's own when FILE is -) in a fresh root on LAYER. Exit code: the function's;
# 137: time limit. Options by environment:
#   BED_LIMIT=600  BED_OUT=folder seen as /run/bed/out  BED_UNAME=release  BED_NET=1 (machine's network)
#   BED_MODULES=most (a whole initramfs, not a quick one)
#   BED_NEST=1 (the root is an overlay on an overlay)  BED_UPPER=tmpfs|disk|<folder with root/ and work/>
bed_enter() {
    local layer=$1 file=$2 work lowers rc=0 unshare=(-m -p -f --kill-child=KILL -u -i) upper
    shift 2
    lowers=$(bed_lowers "$layer")
    work=$(mktemp -d "${BED_RUN:-$BED/run}/XXXXXXXX")
    mkdir "$work/m"
    upper=${BED_UPPER:-$(bed_upper_kind)}
    [ "${BED_NET:-0}" = 1 ] || unshare+=(-n)
    local in=/dev/null
    [ -z "${BED_STDIN:-}" ] || in=/dev/stdin
    # Whoever dies takes the next one along: this shell, timeout, unshare, pid 1, everything in there.
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM="${TERM:-dumb}" DEBIAN_FRONTEND=noninteractive BED_LIB="$BED_LIB" BED_LOWERS="$lowers" BED_SUMS="${lowers%%/root*}/sums" BED_WORK="$work" \
        BED_UPPER="$upper" BED_NEST="${BED_NEST:-}" BED_UNAME="${BED_UNAME:-}" BED_MODULES="${BED_MODULES:-}" BED_NO_OVERLAY="${BED_NO_OVERLAY:-}" BED_OUT="${BED_OUT:-}" \
        BED_REPO="$(readlink -f "$BED/repo")" BED_FILE="$file" BED_KG="$( (bed_kg_deb) 2>/dev/null || true; (bed_kg_rpm) 2>/dev/null || true; (bed_kg_pkg) 2>/dev/null || true)" \
        setpriv --pdeathsig KILL timeout --foreground -s KILL "${BED_LIMIT:-600}" \
        setpriv --pdeathsig KILL unshare "${unshare[@]}" \
        /bin/bash "$BED_LIB/init.sh" "$@" <"$in" || rc=$?
    rm -rf --one-file-system "$work"
    return $rc
}

# Memory when there is enough of it for everybody, else the bed's disk.
bed_upper_kind() {
    awk '/^MemAvailable/ { exit !($2 > 6 * 1024 * 1024) }' /proc/meminfo && echo tmpfs || echo disk
}

# Called by who has the bed for himself: leftovers of killed runs, layers and pockets of older packages.
bed_gc() {
    local d
    rm -rf --one-file-system "$BED"/run/*
    [ -e "$BED/repo/facts" ] || return 0
    for d in "$BED"/repo-*; do
        [ "$d" -ef "$BED/repo" ] || rm -rf --one-file-system "$d"
    done
    for d in "$BED"/layers/*; do
        if [ ! -e "$d/done" ] || [ -n "$(find "$d/done" -mtime +3)" ]; then rm -rf --one-file-system "$d"; fi
    done
}
