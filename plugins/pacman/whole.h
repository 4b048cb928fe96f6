/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * pacman notes a package as installed also when its archive broke in the middle, or the disk was
 * full. libarchive leaves such a file out, short, or of its full size with a hole for the rest.
 */
#include <alpm.h>
#include <stdbool.h>

/*
 * Every file of @pkg, which is in the local database, that a build or a boot needs is on the disk: as
 * the package's own list (.MTREE) has it, or changed by somebody (a module that is larger is signed,
 * a source or an index of depmod may be any size but 0). Without that list: every file is there. What
 * NoExtract leaves out is not missed, nor what `dkms` has archived. Needs "/" to be its root.
 */
bool package_is_whole(alpm_handle_t *alpm, alpm_pkg_t *pkg);
