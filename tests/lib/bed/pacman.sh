#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's pacman in a throw-away root, and kernels of Debian as packages in the layout of Arch. On top of layer base;
# made once. What cases use is in pacman_inside.sh.
# shellcheck disable=SC2016,SC2034,SC2154,SC2317 # read and called through their names

BED_PAC_PKGS=(pacman-package-manager libarchive-tools makepkg)

BED_PARENT+=(
    [pactools]=base        # pacman with an empty database
    [packernels]=pactools  # repositories below /srv/pac: old new (linux, linux-lts, their headers), modules
    [kgarch]=packernels    # the older kernel `linux`, kmodgate's package, acpi_call
)

# ---- outside ----

# The pocket `pacman`, beside the others.
bed_prepare_pactools() {
    local d=$BED/repo/pacman deb tmp
    [ ! -e "$d/Release" ] || return 0
    tmp=$(readlink -f "$BED/repo")/pacman.tmp
    rm -rf "$tmp"
    mkdir -p "$tmp" "$BED/pac-debs/partial"
    : >"$BED/apt/preferences"
    bed_apt apt-get -qq -o "Dir::Cache::archives=$BED/pac-debs" --download-only install "${BED_PAC_PKGS[@]}" >/dev/null ||
        bed_die "cannot fetch ${BED_PAC_PKGS[*]}"
    for deb in "$BED"/pac-debs/*.deb; do
        ln "$deb" "$tmp/"
        dpkg-deb -f "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" "$(sha256sum <"$deb" | cut -d' ' -f1)"
    done >"$tmp/Packages"
    bed_release_file "$tmp" bed bed bed >"$tmp/Release"
    mv -T "$tmp" "$d"
}

# kmodgate's own package for pacman.
bed_kg_pkg() {
    [ -e "${KG_PKG:-}" ] || bed_die "no kmodgate package for pacman: set KG_PKG (make arch)"
    printf '%s\n' "$KG_PKG"
}
bed_key_pactools() { declare -p BED_PAC_PKGS && declare -f bed_pac_conf bed_pac_hooks; }
bed_key_packernels() { declare -f bed_pac_build bed_pac_repo bed_pac_unpack bed_pac_kernel bed_pac_version; }
bed_key_kgarch() { bed_kg_pkg | xargs sha256sum; }

# ---- layers ----

layer_pactools() {
    bed_pockets base old pacman
    apt-get install -y "${BED_PAC_PKGS[@]:0:2}"
    # Of makepkg only what Debian's repo-add misses.
    dpkg-deb -x "$(compgen -G '/srv/bed/pacman/makepkg_*.deb')" /
    bed_pac_system
}
bed_pac_system() {
    mkdir -p /etc/pacman.d /usr/share/libalpm/hooks /usr/lib/bed /srv/pac/modules /var/lib/pacman /var/cache/pacman/pkg
    bed_pac_conf
    bed_pac_hooks
}

# A file that is included has to be there, also without kmodgate.
bed_pac_conf() { # REPO...
    local r
    [ -e /etc/pacman.d/kmodgate-hold.conf ] || : >/etc/pacman.d/kmodgate-hold.conf
    {
        printf '[options]\nArchitecture = auto\nSigLevel = Never\nCacheDir = /var/cache/pacman/pkg/\n'
        printf 'Include = /etc/pacman.d/kmodgate-hold.conf\n'
        for r in "$@"; do printf '[%s]\nServer = file:///srv/pac/%s\n' "$r" "$r"; done
    } >/etc/pacman.conf
}

# As kmod's 60-depmod and mkinitcpio's hooks: the initramfs is "made", which lists the modules it would take.
bed_pac_hooks() {
    local d=/usr/share/libalpm/hooks
    printf '[Trigger]\nType = Path\nOperation = Install\nOperation = Upgrade\nOperation = Remove\nTarget = usr/lib/modules/*/\n[Action]\nDescription = Updating module dependencies...\nWhen = PostTransaction\nExec = /usr/lib/bed/depmod\nNeedsTargets\n' >$d/60-depmod.hook
    printf '[Trigger]\nType = Path\nOperation = Remove\nTarget = usr/lib/modules/*/vmlinuz\n[Action]\nDescription = Removing linux initcpios...\nWhen = PreTransaction\nExec = /usr/lib/bed/mkinitcpio remove\nNeedsTargets\n' >$d/60-mkinitcpio-remove.hook
    printf '[Trigger]\nType = Path\nOperation = Install\nOperation = Upgrade\nTarget = usr/lib/modules/*/vmlinuz\nTarget = usr/src/*/dkms.conf\n[Action]\nDescription = Updating linux initcpios...\nWhen = PostTransaction\nExec = /usr/lib/bed/mkinitcpio install\nNeedsTargets\n' >$d/90-mkinitcpio-install.hook
    cat >/usr/lib/bed/depmod <<'SH'
#!/bin/sh
sed -n 's|^usr/lib/modules/\([^/]*\)/.*|\1|p' | sort -u | while read -r r; do
    if [ -e "/usr/lib/modules/$r/modules.order" ]; then depmod "$r"; continue; fi
    rm -f "/usr/lib/modules/$r"/modules.*
    rmdir "/usr/lib/modules/$r" 2>/dev/null || :
done
SH
    cat >/usr/lib/bed/mkinitcpio <<'SH'
#!/bin/sh
sed -n 's|^usr/lib/modules/\([^/]*\)/.*|\1|p' | sort -u | while read -r r; do
    rm -f "/boot/initramfs-$r"
    [ "$1" = install ] || continue
    (cd "/usr/lib/modules/$r" && find . -name '*.ko*' -path './updates/*'; grep -c . modules.dep) >"/boot/initramfs-$r"
done
SH
    chmod 755 /usr/lib/bed/depmod /usr/lib/bed/mkinitcpio
}

# bed_pac_build NAME VERSION FOLDER REPO [LINE...]: a package of all that is in FOLDER; LINEs go into .PKGINFO; FOLDER
# may hold a .INSTALL. As makepkg writes it.
bed_pac_build() {
    local name=$1 version=$2 folder=$3 repo=$4 file content
    shift 4
    mkdir -p "/srv/pac/$repo"
    file=/srv/pac/$repo/$name-$version-x86_64.pkg.tar.zst
    (
        cd "$folder" || exit
        rm -f .MTREE .PKGINFO
        printf 'pkgname = %s\npkgbase = %s\npkgver = %s\npkgdesc = %s\nurl = bed\nbuilddate = 1\npackager = bed\nsize = %s\narch = x86_64\nlicense = GPL\n' \
            "$name" "$name" "$version" "$name" "$(du -sb . | cut -f1)" >.PKGINFO
        if [ $# -gt 0 ]; then printf '%s\n' "$@" >>.PKGINFO; fi
        mapfile -t content < <(find . -mindepth 1 -maxdepth 1 ! -name '.*' -printf '%P\n' | LC_ALL=C sort)
        [ ! -e .INSTALL ] || content=(.INSTALL "${content[@]}")
        bsdtar -cf - --format=mtree --options='!all,use-set,type,uid,gid,mode,time,size,sha256,link' .PKGINFO "${content[@]}" | gzip -cfn >.MTREE
        bsdtar --no-fflags -cf - .MTREE .PKGINFO "${content[@]}" | zstd -q -1 -T1 >"$file"
    )
    echo "$file"
}
bed_pac_repo() { # REPO
    rm -f "/srv/pac/$1/$1".{db,files}*
    repo-add -q "/srv/pac/$1/$1.db.tar.gz" "/srv/pac/$1"/*.pkg.tar.zst >/dev/null
}

# bed_pac_unpack DEB DIR [PATTERN...]: without what matches.
bed_pac_unpack() {
    local deb=$1 dir=$2
    shift 2
    mkdir -p "$dir"
    dpkg-deb --fsys-tarfile "$(compgen -G "$deb")" | tar -x -C "$dir" "${@/#/--exclude=}"
}

# linux (Debian's -cloud) or linux-lts (its ordinary one), most drivers left out, with headers.
bed_pac_kernel() { # POCKET RELEASE NAME VERSION
    local p=/srv/bed/$1 rel=$2 name=$3 u m tree t
    u=$(mktemp -d /var/tmp/unpack.XXXXXX)
    m=$u/pkg/usr/lib/modules
    tree=$u/dev/usr/lib/modules/$rel/build
    mkdir -p "$m" "${tree%/*}"
    bed_pac_unpack "$p/linux-image-${rel}_*.deb" "$u/image" '*/kernel/drivers' '*/kernel/fs' '*/kernel/net' '*/kernel/sound'
    bed_pac_unpack "$p/linux-headers-${rel}_*.deb" "$u/headers"
    bed_pac_unpack "$p/linux-headers-$(sed -E 's/-(cloud-)?amd64$//' <<<"$rel")-common_*.deb" "$u/common" \
        '*/arch/arm*' '*/arch/powerpc' '*/arch/mips' '*/arch/s390' '*/arch/sh' '*/arch/sparc' '*/arch/m68k' '*/include/dt-bindings'
    bed_pac_unpack "$p/linux-kbuild-*.deb" "$u/kbuild"
    mv "$u/image/lib/modules/$rel" "$m/"
    rm -f "$m/$rel"/{build,source}
    mv "$u/image/boot/vmlinuz-$rel" "$m/$rel/vmlinuz"
    echo "$name" >"$m/$rel/pkgbase"
    mv "$u"/common/usr/src/linux-headers-*-common "$tree"
    rm -f "$tree/scripts" "$tree/tools"
    mv "$u"/kbuild/usr/lib/linux-kbuild-*/{scripts,tools} "$tree/"
    for t in .config Module.symvers include arch; do cp -a "$u/headers/usr/src/linux-headers-$rel/$t" "$tree/"; done
    mv "$u/image/boot/System.map-$rel" "$tree/System.map"
    bed_pac_build "$name" "$4" "$u/pkg" "$1"
    bed_pac_build "$name-headers" "$4" "$u/dev" "$1"
    rm -rf "$u"
}

# Arch's versions have one dash, before the package's own release.
bed_pac_version() { sed 's/-/.arch/; s/-.*//; s/$/-1/' <<<"$1"; }

layer_packernels() {
    local src
    bed_pac_kernel old "${BED_OLD_REL%-amd64}-cloud-amd64" linux "$(bed_pac_version "$BED_OLD_VER")"
    bed_pac_kernel new "${BED_NEW_REL%-amd64}-cloud-amd64" linux "$(bed_pac_version "$BED_NEW_VER")"
    bed_pac_kernel old "$BED_OLD_REL" linux-lts "$(bed_pac_version "$BED_OLD_VER")"
    bed_pac_kernel new "$BED_NEW_REL" linux-lts "$(bed_pac_version "$BED_NEW_VER")"
    src=$(mktemp -d /var/tmp/unpack.XXXXXX)
    dpkg-deb -x "$(compgen -G '/srv/bed/base/acpi-call-dkms_*.deb')" "$src/deb"
    mkdir -p "$src/pkg/usr"
    mv "$src/deb/usr/src" "$src/pkg/usr/"
    bed_pac_build acpi_call-dkms 1-1 "$src/pkg" modules 'depend = dkms'
    rm -rf "$src"
    bed_pac_repo old
    bed_pac_repo new
    bed_pac_repo modules
}

layer_kgarch() {
    printf 'ID=arch\n' >/etc/os-release
    bed_pac_conf old modules
    pacman -Udd --noconfirm /run/bed/kg/kmodgate-*.pkg.tar.zst
    pacman -Sy --noconfirm linux linux-headers acpi_call-dkms
    rm -f /var/cache/pacman/pkg/*
}
