/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a path in a package says about kernels and module sources. libc only. */
#include <stddef.h>

#include "plugins/common/content.h"

struct content {
	unsigned int bit;    /* one of content_bits, or 0: nothing to us */
	const char *release; /* within the path; NULL for CONTENT_SOURCE */
	size_t release_len;
};

/* @path of @len bytes, with or without a leading "/" or "./". */
struct content content_of(const char *path, size_t len);
/* The path without its leading "/" or "./". */
const char *content_strip(const char *path, size_t *len);
