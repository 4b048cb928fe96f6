# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A small machine for recorded transactions: what each package holds, so that an archive can be
# made for every line of a stream and a database for what is installed. Sourced by plan.sh, in a
# mount namespace where all the folders it writes to are its own.

# Files of package $1 in version $2, one a line.
world_files() {
    local name=$1 version=$2 r
    case $name in
    linux-image-*[0-9]-*|linux-image-*+*)
        r=${name#linux-image-}
        echo "boot/vmlinuz-$r" "boot/config-$r" "lib/modules/$r/kernel/drivers/a.ko" \
            "lib/modules/$r/modules.order"
        [ "$version" = 6.1.176-1 ] && echo "lib/modules/$r/kernel/drivers/only-old.ko"
        ;;
    linux-headers-*-common) echo "usr/src/$name/Makefile" "usr/src/$name/include/linux/only-$version.h" ;;
    linux-headers-*[0-9]-*|linux-headers-*+*)
        r=${name#linux-headers-}
        echo "usr/src/$name/Makefile" "usr/src/$name/Module.symvers" "usr/src/$name/only-$version"
        ;;
    linux-kbuild-*) echo "usr/lib/$name/scripts/mod/modpost" ;;
    foo-dkms) echo "usr/src/foo-$version/dkms.conf" "usr/src/foo-$version/foo.c" ;;
    esac
    echo "usr/share/doc/$name/copyright"
}

# Depends of package $1.
world_depends() {
    local name=$1 r
    case $name in
    linux-image-amd64|linux-headers-amd64) ;;
    linux-headers-*-common) ;;
    linux-headers-*-rt-amd64)
        r=${name#linux-headers-}
        echo "linux-headers-${r%-rt-amd64}-common"
        ;;
    linux-headers-*[0-9]-amd64|linux-headers-*+*-amd64)
        r=${name#linux-headers-}
        # As since Debian 13: the kernel itself, whose own needs no build has.
        case $r in *+*) echo -n "linux-image-$r | linux-image-$r-unsigned, " ;; esac
        echo "linux-headers-${r%-amd64}-common, linux-kbuild-${r%-amd64} | linux-kbuild-6.1, linux-compiler-gcc-12-x86 | gcc"
        ;;
    linux-image-*+*) echo "linux-libc-dev" ;;
    linux-kbuild-*) echo "libc6 (>= 2.34), libelf1 (>= 0.142), pahole | libc6" ;;
    pahole) echo "libbpf1 (>= 1:1.4), libdw1" ;;
    libbpf1) echo "libelf1, zlib1g" ;;
    foo-dkms) echo "dkms (>= 3) | kmodgate" ;;
    esac
}

# world_deb PATH NAME VERSION ARCH COMPRESSION
world_deb() {
    local path=$1 name=$2 version=$3 arch=$4 tree f
    tree=$(mktemp -d)
    mkdir -p "$tree/DEBIAN" "$(dirname "$path")"
    for f in $(world_files "$name" "$version"); do
        mkdir -p "$tree/$(dirname "$f")"
        echo "$f" >"$tree/$f"
    done
    case $name in linux-headers-*[0-9]-amd64)
        mkdir -p "$tree/lib/modules/${name#linux-headers-}"
        ln -s "/usr/src/$name" "$tree/lib/modules/${name#linux-headers-}/build"
        ;;
    esac
    {
        echo "Package: $name"
        echo "Version: $version"
        echo "Architecture: $arch"
        echo "Maintainer: Nobody <nobody@example.org>"
        echo "Installed-Size: 100"
        f=$(world_depends "$name")
        [ -z "$f" ] || echo "Depends: $f"
        echo "Description: made for a test"
    } >"$tree/DEBIAN/control"
    (cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
        >"$tree/DEBIAN/md5sums"
    dpkg-deb --root-owner-group "-Z$5" -b "$tree" "$path" >/dev/null
    rm -r "$tree"
}

# world_install NAME VERSION ARCH [MULTI-ARCH]: in the database, and its files on disk.
world_install() {
    local name=$1 version=$2 arch=$3 ma=${4-} list=/var/lib/dpkg/info/$1.list f
    [ "$ma" != same ] || list=/var/lib/dpkg/info/$name:$arch.list
    {
        echo "Package: $name"
        echo "Status: install ok installed"
        echo "Installed-Size: 50"
        echo "Architecture: $arch"
        [ -z "$ma" ] || echo "Multi-Arch: $ma"
        echo "Version: $version"
        f=$(world_depends "$name")
        [ -z "$f" ] || echo "Depends: $f"
        echo "Description: made for a test"
        echo
    } >>/var/lib/dpkg/status
    {
        echo "/."
        for f in $(world_files "$name" "$version"); do echo "/$f"; done
    } >"$list"
    for f in $(world_files "$name" "$version"); do
        case $f in usr/share/*) continue ;; esac
        mkdir -p "/$(dirname "$f")"
        echo "$f" >"/$f"
    done
    case $name in linux-headers-*[0-9]-amd64)
        echo "/lib/modules/${name#linux-headers-}/build" >>"$list"
        ln -sfn "/usr/src/$name" "/lib/modules/${name#linux-headers-}/build"
        ;;
    esac
}

# One Debian 12 with a kernel, its headers and a compiler.
world_base() {
    mkdir -p /var/lib/dpkg/info
    : >/var/lib/dpkg/status
    world_install linux-image-amd64 6.1.176-1 amd64
    world_install linux-image-6.1.0-50-amd64 6.1.176-1 amd64
    world_install linux-headers-amd64 6.1.176-1 amd64
    world_install linux-headers-6.1.0-50-common 6.1.176-1 all foreign
    world_install linux-headers-6.1.0-50-amd64 6.1.176-1 amd64
    world_install linux-kbuild-6.1 6.1.192-2 amd64 foreign
    world_install libelf1 0.188-2.1 amd64 same
    world_install gcc 4:12.2.0-3 amd64
    world_install make 4.3-4.1 amd64
}

# One more, whose image is newer than its headers.
world_second_kernel() {
    world_install linux-image-6.1.0-50-rt-amd64 6.1.999-1 amd64
    world_install linux-headers-6.1.0-50-rt-amd64 6.1.176-1 amd64
}
