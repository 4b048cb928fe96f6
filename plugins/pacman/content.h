/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a path in a package of pacman says about kernels and module sources, in Arch's layout. */
#include <limits.h>
#include <stdbool.h>

#include "plugins/common/content.h"

#define CONTENT_RELEASE_SIZE (NAME_MAX + 1)

/*
 * One of content_bits, or 0; @path has no leading slash, a folder ends in "/". The release is
 * filled in for all but CONTENT_SOURCE.
 */
unsigned int content_of(const char *path, char ret_release[CONTENT_RELEASE_SIZE]);
/* The folder of a path that is CONTENT_SOURCE: "usr/src/x" of "usr/src/x/dkms.conf". */
int content_source_length(const char *path);
