/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a path in a package says about kernels and module sources. libc only. */
#include <stddef.h>

enum content_bits {
	CONTENT_IMAGE = 1,   /* a kernel image: its release enters, changes or leaves */
	CONTENT_MODULES = 2, /* anything else below lib/modules/R */
	CONTENT_SOURCE = 4,  /* usr/src/X/dkms.conf */
	CONTENT_HEADERS = 8, /* a header tree, or lib/modules/R/build */
};
/* Headers alone change no kernel and no module source. */
#define CONTENT_MATTERS (CONTENT_IMAGE | CONTENT_MODULES | CONTENT_SOURCE)

struct content {
	unsigned int bit;    /* one of content_bits, or 0: nothing to us */
	const char *release; /* within the path; NULL for CONTENT_SOURCE */
	size_t release_len;
};

/* @path of @len bytes, with or without a leading "/" or "./". */
struct content content_of(const char *path, size_t len);
/* The path without its leading "/" or "./". */
const char *content_strip(const char *path, size_t *len);
