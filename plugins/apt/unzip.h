/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Decompressing part of a file, as a stream. */
#include <stdint.h>
#include <sys/types.h>

#include "core/base/err.h"

enum unzip_kind { UNZIP_PLAIN, UNZIP_GZ, UNZIP_XZ, UNZIP_ZSTD };

struct unzip;

/* @len bytes of @fd from @offset; @fd stays the caller's. Caller closes. */
int unzip_open(int fd, uint64_t offset, uint64_t len, enum unzip_kind kind,
	       struct unzip **ret) _must_check_;
void unzip_close(struct unzip *z);
/* Up to @len bytes; 0 at the end; -KGE_FORMAT when damaged, or cut off. */
ssize_t unzip_read(struct unzip *z, void *data, size_t len);
