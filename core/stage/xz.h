/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * .xz on all CPUs. libarchive reads it on one, which took longer than everything else about a
 * header package together; dpkg-deb writes blocks that can be read beside each other.
 */
#include <sys/types.h>

#include "core/stage/feed.h"

struct xz_io {
	/* the next input, 0 at its end, negative on failure (described there) */
	ssize_t (*read)(void *data, const void **ret_block);
	/* @len more bytes are out; negative stops */
	int (*count)(void *data, size_t len);
	void *data;
	struct feed *feed;
};

/* Until the end, or until the reader of the feed has gone; @ret_why is set on -KGE_FORMAT. */
int xz_decode(const struct xz_io *io, const char **ret_why) _must_check_;
