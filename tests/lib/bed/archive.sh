#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bed's packages: fetched once from the machine's own Debian mirror, then served to the roots
# as small local repositories ("pockets") which a case switches on and off:
#   base       everything but kernels, current versions      old        the older kernel, two ordinary packages (old)
#   new        the newer kernel                              more       the two ordinary packages, new versions
#   backports  kernel and headers of SUITE-backports, with what they bring

BED_PKGS_BASE=(apt dpkg mount bsdutils initramfs-tools kmod zstd gcc-12 gcc libc6-dev make patch dpkg-dev bzip2 lsb-release
    libyaml-0-2 libarchive13 libkmod2 libssl3 libapt-pkg6.0 libzstd1 liblzma5 zlib1g libelf1 libseccomp2 libcrypt1
    adduser openssl ca-certificates)
BED_PKGS_EXTRA=(hello unattended-upgrades aptitude dkms pahole
    v4l2loopback-dkms acpi-call-dkms dm-writeboost-dkms bbswitch-dkms ddcci-dkms tp-smapi-dkms lime-forensics-dkms
    digimend-dkms openvpn-dco-dkms evdi-dkms jool-dkms lttng-modules-dkms zfs-dkms)
BED_FLAVOURS=('' rt- cloud-)
# Ordinary packages with some weight; the first two that the mirror has in two versions are taken.
BED_MORE_FROM=(git python3.11-minimal imagemagick-6-common sudo curl openssl perl xz-utils)

bed_apt() { APT_CONFIG=$BED/apt/apt.conf "$@"; }

# URI of the repository that has suite $1 in the machine's own configuration.
bed_repo_uri() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v s="$1" '$1 == s && !seen++ { print $2 }'
}

bed_sources() {
    local own main security parts=${BED_COMPONENTS:-main contrib} keyring=/usr/share/keyrings/debian-archive-keyring.gpg opt=''
    # shellcheck disable=SC1091
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    main=$(bed_repo_uri "$BED_SUITE")
    [ -n "$main" ] || main=$(bed_repo_uri "$own")
    [ -n "$main" ] || bed_die "no Debian archive in this machine's apt sources"
    security=$(bed_repo_uri "$own-security")
    [ -n "$security" ] || security=${main%/}-security/
    [ ! -e $keyring ] || opt="[signed-by=$keyring] "
    echo "deb $opt$main $BED_SUITE $parts"
    echo "deb $opt$main $BED_SUITE-updates $parts"
    echo "deb $opt$main $BED_SUITE-backports $parts"
    echo "deb $opt$security $BED_SUITE-security $parts"
}

# A private apt: the machine's way to the mirror (proxy and the like), nothing else of it.
bed_apt_config() {
    local d=$BED/apt
    mkdir -p "$d/lists/partial" "$d/cache/archives/partial" "$d/preferences.d" "$BED/debs/partial"
    : >"$d/status"
    : >"$d/extended_states"
    apt-config dump | grep '^Acquire::' >"$d/acquire.conf" || true
    {
        cat "$d/acquire.conf"
        cat <<CONF
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::sourcelist "$d/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "$d/preferences";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$d";
Dir::State::lists "$d/lists";
Dir::State::status "$d/status";
Dir::State::extended_states "$d/extended_states";
Dir::Cache "$d/cache";
Dir::Cache::archives "$d/cache/archives";
Dir::Log "$d";
APT::Architecture "$BED_ARCH";
APT::Architectures { "$BED_ARCH"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    } >"$d/apt.conf"
    bed_sources >"$d/sources.list"
}

bed_update() {
    local stamp=$BED/apt/updated
    if [ -z "$(find "$stamp" -mmin "-${BED_MAX_AGE:-1440}" 2>/dev/null)" ] ||
        ! cmp -s <(bed_sources) "$BED/apt/sources.list"; then
        bed_apt_config
        if bed_apt apt-get -qq update >&2; then
            touch "$stamp"
        elif [ ! -e "$stamp" ]; then
            bed_die "apt-get update failed"
        else
            bed_say "apt-get update failed: going on with what is here"
        fi
    fi
}

bed_versions() { bed_apt apt-cache madison "$1" 2>/dev/null | awk -v re="${2:-.}" -v not="${3:-^$}" '
    { v = $3 } $0 ~ re && $0 !~ not && !seen[v]++ { print v }'; }

# What an installation of "$@" on an empty machine would fetch, as apt names the archives.
bed_closure() {
    local pins=$1
    shift
    printf '%s' "$pins" >"$BED/apt/preferences"
    bed_apt apt-get -qq --print-uris install "$@" | awk '{ print $2 }' | sort -u
}

bed_fetch() {
    local pins=$1
    shift
    printf '%s' "$pins" >"$BED/apt/preferences"
    bed_apt apt-get -qq -o "Dir::Cache::archives=$BED/debs" --download-only install "$@" >/dev/null
}

bed_pin() { printf 'Package: %s\nPin: version %s\nPin-Priority: 1001\n\n' "$1" "$2"; }

# Decides versions; sets BED_OLD_* BED_NEW_* BED_BPO_* BED_MORE.
bed_choose() {
    local pkg versions
    mapfile -t versions < <(bed_versions "linux-image-$BED_ARCH" . "$BED_SUITE-backports")
    [ "${#versions[@]}" -ge 2 ] || bed_die "the mirror has only one linux-image-$BED_ARCH: ${versions[*]}"
    BED_NEW_VER=${versions[0]}
    BED_OLD_VER=${versions[1]}
    BED_BPO_VER=$(bed_versions "linux-image-$BED_ARCH" "$BED_SUITE-backports" | sed -n 1p)
    BED_OLD_REL=$(bed_release "$BED_OLD_VER")
    BED_NEW_REL=$(bed_release "$BED_NEW_VER")
    BED_BPO_REL=${BED_BPO_VER:+$(bed_release "$BED_BPO_VER")}
    BED_MORE=()
    BED_MORE_OLD=()
    for pkg in "${BED_MORE_FROM[@]}"; do
        mapfile -t versions < <(bed_versions "$pkg" . "$BED_SUITE-backports")
        if [ "${#versions[@]}" -lt 2 ] || [ "${#BED_MORE[@]}" -ge 2 ]; then continue; fi
        BED_MORE+=("$pkg")
        BED_MORE_OLD+=("${versions[1]}")
    done
}

# The release of the kernel that version $1 of the meta package brings.
bed_release() {
    bed_apt apt-cache show "linux-image-$BED_ARCH=$1" |
        sed -n 's/^Depends:.*linux-image-\([0-9][^ ,]*\).*/\1/p' | sed -n 1p
}

bed_facts() {
    local f
    for f in BED_OLD_VER BED_OLD_REL BED_NEW_VER BED_NEW_REL BED_BPO_VER BED_BPO_REL BED_SUITE BED_ARCH; do
        printf '%s=%q\n' "$f" "${!f}"
    done
    printf 'BED_MORE=(%s)\n' "${BED_MORE[*]}"
}

# Brings $BED/repo (a link to repo-DIGEST) up to date.
bed_archive() {
    local fd
    exec {fd}>>"$BED/build.lock"
    flock -x "$fd"
    bed_update
    if [ ! -e "$BED/repo/facts" ] || [ "$BED/apt/updated" -nt "$BED/repo/checked" ] ||
        [ "$(cat "$BED/repo/recipe" 2>/dev/null)" != "$(bed_archive_recipe)" ]; then
        bed_archive_make
    fi
    exec {fd}>&-
    # shellcheck disable=SC1091
    . "$BED/repo/facts"
}

# What decides the pockets besides the mirror: no need to begin anew for a comment.
bed_archive_recipe() {
    { declare -p BED_PKGS_BASE BED_PKGS_EXTRA BED_FLAVOURS BED_MORE_FROM; declare -f bed_choose bed_archive_make bed_pocket bed_release_file; } |
        sha256sum | cut -c1-16
}

bed_archive_make() {
    local t=$SECONDS old_pins new_pins metas=() f bpo=() tmp=$BED/apt/lists.tmp digest
    bed_choose
    bed_say "kernels: $BED_OLD_REL ($BED_OLD_VER), $BED_NEW_REL ($BED_NEW_VER), ${BED_BPO_REL:-no backport} ($BED_BPO_VER); upgradable: ${BED_MORE[*]}"
    for f in "${BED_FLAVOURS[@]}"; do metas+=("linux-image-$f$BED_ARCH" "linux-headers-$f$BED_ARCH"); done
    new_pins=$(bed_pin 'src:linux src:linux-signed-amd64 linux-image-* linux-headers-* linux-kbuild-*' "$BED_NEW_VER")$'\n\n'
    old_pins=$(bed_pin 'src:linux src:linux-signed-amd64 linux-image-* linux-headers-* linux-kbuild-*' "$BED_OLD_VER")$'\n\n'
    for f in "${!BED_MORE[@]}"; do
        old_pins+=$(bed_pin "src:$(bed_source "${BED_MORE[f]}")" "${BED_MORE_OLD[f]}")$'\n\n'
    done
    local all=("${BED_PKGS_BASE[@]}" "${BED_PKGS_EXTRA[@]}" "${BED_MORE[@]}")
    if [ -n "$BED_BPO_VER" ]; then
        bpo=("linux-image-$BED_ARCH/$BED_SUITE-backports" "linux-headers-$BED_ARCH/$BED_SUITE-backports")
        for f in v4l2loopback-dkms acpi-call-dkms; do
            [ -z "$(bed_versions "$f" "$BED_SUITE-backports")" ] || bpo+=("$f/$BED_SUITE-backports")
        done
    fi
    mkdir -p "$tmp"
    bed_essential >"$tmp/essential"
    mapfile -t -O "${#all[@]}" all <"$tmp/essential"
    bed_closure "$old_pins" "${all[@]}" "${metas[@]}" >"$tmp/P.old"
    bed_closure "$new_pins" "${all[@]}" "${metas[@]}" >"$tmp/P.new"
    bed_closure "$new_pins" "${BED_PKGS_BASE[@]}" "${bpo[@]}" | grep -vxFf "$tmp/P.new" | grep -vxFf "$tmp/P.old" >"$tmp/backports" || true
    comm -12 "$tmp/P.old" "$tmp/P.new" >"$tmp/base"
    comm -23 "$tmp/P.old" "$tmp/P.new" >"$tmp/old"
    comm -13 "$tmp/P.old" "$tmp/P.new" | grep -F "_${BED_NEW_VER}_" >"$tmp/new"
    comm -13 "$tmp/P.old" "$tmp/P.new" | grep -vF "_${BED_NEW_VER}_" >"$tmp/more" || true
    bed_say "resolved in $((SECONDS - t)) s: $(cd "$tmp" && wc -l base old new more backports | awk '{ printf "%s %s, ", $2, $1 }')"
    t=$SECONDS
    # What `make deps` has fetched a minute ago need not come twice (apt checks the size, dpkg-deb the content).
    cp -ln /var/cache/apt/archives/*.deb "$BED/debs/" 2>/dev/null || true
    bed_fetch "$old_pins" "${all[@]}" "${metas[@]}"
    bed_fetch "$new_pins" "${all[@]}" "${metas[@]}"
    bed_fetch "$new_pins" "${BED_PKGS_BASE[@]}" "${bpo[@]}"
    bed_say "fetched in $((SECONDS - t)) s"
    digest=$(cat "$tmp"/{base,old,new,more,backports} <(declare -f bed_pocket bed_release_file bed_facts) | sha256sum | cut -c1-12)
    if [ ! -e "$BED/repo-$digest/facts" ]; then
        rm -rf "$BED/repo.tmp"
        mkdir -p "$BED/repo.tmp"
        bed_pocket base "$BED_SUITE" oldstable Debian
        bed_pocket old "$BED_SUITE" oldstable Debian
        bed_pocket new "$BED_SUITE-security" oldstable-security Debian-Security
        bed_pocket more "$BED_SUITE-security" oldstable-security Debian-Security
        bed_pocket backports "$BED_SUITE-backports" "$BED_SUITE-backports" 'Debian Backports' $'NotAutomatic: yes\nButAutomaticUpgrades: yes\n'
        bed_archive_recipe >"$BED/repo.tmp/recipe"
        bed_facts >"$BED/repo.tmp/facts"
        mv "$BED/repo.tmp" "$BED/repo-$digest"
    fi
    touch "$BED/repo-$digest/checked"
    ln -sfn "repo-$digest" "$BED/repo"
    cat "$tmp"/{base,old,new,more,backports} | sort >"$tmp/all"
    find "$BED/debs" -maxdepth 1 -name '*.deb' -printf '%f\n' | sort | comm -23 - "$tmp/all" |
        sed "s|^|$BED/debs/|" | xargs -r rm -f
    rm -rf "$tmp"
}

bed_source() { bed_apt apt-cache show "$1" | awk -v s="$1" '/^Source: / { s = $2 } END { print s }'; }

# Everything Essential or required, so that mmdebstrap can work from the pockets alone.
bed_essential() {
    bed_apt apt-cache dumpavail |
        awk '/^Package: /{ p = $2 } /^(Essential: yes|Priority: required)$/ { print p }' | sort -u
}

# One flat repository from the lists of names in apt/lists.tmp; the stanzas are the mirror's own.
bed_pocket() {
    local name=$1 codename=$2 suite=$3 label=$4 more=${5:-} d=$BED/repo.tmp/$1 file ver arch pkg
    mkdir -p "$d"
    local specs=()
    while read -r file; do
        pkg=${file%%_*} ver=${file#*_} arch=${file##*_}
        ver=${ver%_*} arch=${arch%.deb}
        ver=${ver//%3a/:}
        specs+=("$pkg=$ver")
        ln "$BED/debs/$file" "$d/${pkg}_${ver#*:}_$arch.deb"
    done <"$BED/apt/lists.tmp/$name"
    if [ "${#specs[@]}" -gt 0 ]; then bed_apt apt-cache show "${specs[@]}"; fi | awk '
        BEGIN { RS = ""; FS = "\n" }
        {
            p = v = a = ""
            for (i = 1; i <= NF; i++) {
                if ($i ~ /^Package: /) p = substr($i, 10)
                if ($i ~ /^Version: /) v = substr($i, 10)
                if ($i ~ /^Architecture: /) a = substr($i, 15)
            }
            if (seen[p, v, a]++) next
            e = v; sub(/^[0-9]+:/, "", e)
            for (i = 1; i <= NF; i++)
                print ($i ~ /^Filename: / ? "Filename: ./" p "_" e "_" a ".deb" : $i)
            print ""
        }' >"$d/Packages"
    bed_release_file "$d" "$codename" "$suite" "$label" "$more" >"$d/Release"
}

bed_release_file() {
    printf 'Origin: Debian\nLabel: %s\nSuite: %s\nCodename: %s\n%s' "$4" "$3" "$2" "${5:-}"
    printf 'Date: %s\nArchitectures: %s all\nComponents: main\nSHA256:\n' "$(LC_ALL=C date -uR)" "$BED_ARCH"
    printf ' %s %s Packages\n' "$(sha256sum <"$1/Packages" | cut -d' ' -f1)" "$(stat -c %s "$1/Packages")"
}
