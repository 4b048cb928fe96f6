/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a path in an rpm package says about kernels and module sources, in the layouts of Fedora
 * and SUSE. libc only: it runs in rpm's own process.
 */
#include <limits.h>
#include <stdbool.h>

#include "plugins/common/content.h"

#define CONTENT_RELEASE_SIZE (NAME_MAX + 1)

/* Nothing below @dir ("/usr/bin/") can be of interest. */
bool content_is_elsewhere(const char *dir);
/*
 * One of content_bits, or 0; @dir is absolute and ends in "/", as rpm keeps it. The release is
 * filled in for all but CONTENT_SOURCE.
 */
unsigned int content_of(const char *dir, const char *base,
			char ret_release[CONTENT_RELEASE_SIZE]);
