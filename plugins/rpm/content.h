/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a path in an rpm package says about kernels and module sources, in the layouts of Fedora
 * and SUSE. libc only: it runs in rpm's own process.
 */
#include <limits.h>
#include <stdbool.h>

enum content_bits {
	CONTENT_IMAGE = 1,   /* a kernel image: its release enters, changes or leaves */
	CONTENT_MODULES = 2, /* anything else below lib/modules/R */
	CONTENT_SOURCE = 4,  /* usr/src/X/dkms.conf */
	CONTENT_HEADERS = 8, /* a header tree, or lib/modules/R/build */
};
/* Headers alone change no kernel and no module source. */
#define CONTENT_MATTERS (CONTENT_IMAGE | CONTENT_MODULES | CONTENT_SOURCE)

#define CONTENT_RELEASE_SIZE (NAME_MAX + 1)

/* Nothing below @dir ("/usr/bin/") can be of interest. */
bool content_is_elsewhere(const char *dir);
/*
 * One of content_bits, or 0; @dir is absolute and ends in "/", as rpm keeps it. The release is
 * filled in for all but CONTENT_SOURCE.
 */
unsigned int content_of(const char *dir, const char *base,
			char ret_release[CONTENT_RELEASE_SIZE]);
