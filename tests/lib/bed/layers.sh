#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The layers: what is in which root before a case starts. A recipe is a function layer_NAME that runs
# inside the parent's root; what it changes becomes the layer. Add one when several cases share a start.
# shellcheck disable=SC1091,SC2016,SC2034,SC2317 # read and called through their names

declare -A BED_PARENT=(
    [boot]=''      # mmdebstrap's result: Essential and apt
    [base]=boot    # compiler, initramfs-tools, libraries; pockets base and old; no kernel
    [kold]=base    # the older kernel and its headers (BED_OLD_REL), initramfs made
    [kold-dkms-only]=kold  # and Debian's own dkms, no module source
    [kold-dkms]=kold       # and Debian's own dkms with v4l2loopback-dkms
    [kold-flavours]=kold   # and the -cloud and -rt kernels of the same version, with headers
    [kold-uu]=kold         # and unattended-upgrades
    [kg]=kold              # and the kmodgate under test with v4l2loopback-dkms
    [kg-flavours]=kold-flavours
    [kg-uu]=kold-uu
    [kcloud]=base          # the small -cloud kernel and its headers instead: where the kernel does not matter
    [kgc]=kcloud           # and kmodgate with acpi-call-dkms
)

# Layers whose content goes into another that does not lie on them.
declare -A BED_NEEDS=()

layer_base() {
    bed_pockets base old
    apt-get install -y "${BED_PKGS_BASE[@]}" "${BED_MORE[@]}"
    # MODULES=most copies 2,000 modules, one process each: 23 s. What /etc/initramfs-tools/modules names is treated
    # the same way with "list". Case option initramfs=most for the whole thing.
    printf 'COMPRESS=zstd\nCOMPRESSLEVEL=1\nMODULES=list\n' >/etc/initramfs-tools/conf.d/bed
    # Without this the modules of DKMS never get into an initramfs, however they were built.
    echo v4l2loopback >>/etc/initramfs-tools/modules
    # do_symlinks would put /vmlinuz and /initrd.img into /, as on a real machine: left as it is.
    gcc -shared -fPIC -O2 -o /usr/local/lib/bed-uname.so /run/bed/lib/uname.c
}

layer_kold() { apt-get install -y "linux-image-$BED_ARCH" "linux-headers-$BED_ARCH"; }
layer_kold_dkms_only() { apt-get install -y dkms; }
layer_kold_dkms() { apt-get install -y dkms v4l2loopback-dkms; }
layer_kold_flavours() {
    apt-get install -y linux-{image,headers}-{rt,cloud}-"$BED_ARCH"
}
layer_kold_uu() { apt-get install -y unattended-upgrades; }
layer_kg() { bed_install_kmodgate v4l2loopback-dkms && update-initramfs -u -k all; }
layer_kg_flavours() { bed_install_kmodgate v4l2loopback-dkms && update-initramfs -u -k all; }
layer_kg_uu() { bed_install_kmodgate v4l2loopback-dkms && update-initramfs -u -k all; }
layer_kcloud() {
    echo acpi_call >>/etc/initramfs-tools/modules
    apt-get install -y linux-{image,headers}-cloud-"$BED_ARCH"
}
layer_kgc() { bed_install_kmodgate acpi-call-dkms && update-initramfs -u -k all; }

# mmdebstrap runs on the outside, from the pockets.
bed_boot() {
    local root=$1
    mmdebstrap --quiet --mode=root --variant=apt --include=mount --architectures="$BED_ARCH" \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
        --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$1"/etc/resolv.conf "$1"/etc/hostname' \
        "$BED_SUITE" "$root" \
        "deb [trusted=yes] copy:$(readlink -f "$BED/repo")/base ./" \
        "deb [trusted=yes] copy:$(readlink -f "$BED/repo")/old ./" >&2
    rm -f "$root/etc/apt/sources.list" "$root"/var/lib/apt/lists/*_*
    mkdir -p "$root/srv/bed" "$root/srv/local"
    : >"$root/srv/local/Packages"
    echo bed >"$root/etc/hostname"
    echo '127.0.0.1 localhost bed' >"$root/etc/hosts"
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/00bed"
    cat >"$root/etc/apt/apt.conf.d/00bed" <<'CONF'
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dpkg::Use-Pty "false";
CONF
    # Services have nobody to start them in here.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}
