/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* SHA-256 by libcrypto, with length-prefixed fields so that no two inputs run together. */
#include <stddef.h>

#include "core/base/err.h"

#define DIGEST_HEX_SIZE 65 /* 64 hex digits and the NUL */

struct digest {
	void *ctx; /* EVP_MD_CTX */
	bool failed;
};

/* Why digest_init() would fail: for who has no log, where it says so itself. */
int digest_ready(struct kg_err *err) _must_check_;
int digest_init(struct digest *d) _must_check_;
void digest_fini(struct digest *d);
void digest_add_raw(struct digest *d, const void *data, size_t len);
/* name=value, both length-prefixed; @value may be NULL (differs from ""). */
void digest_add_field(struct digest *d, const char *name, const char *value);
/* Content of @fd from its start. */
int digest_add_fd(struct digest *d, int fd) _must_check_;
/*
 * Every entry below @dir_fd in sorted order: path, type, permission bits, content or link
 * target. Not owner, not time.
 */
int digest_add_tree(struct digest *d, int dir_fd, struct kg_err *err) _must_check_;
/* Writes the hex form; sticky failures are reported here. */
int digest_final(struct digest *d, char ret_hex[DIGEST_HEX_SIZE]) _must_check_;
/* Of a buffer, at once. */
int digest_hex(const void *data, size_t len, char ret_hex[DIGEST_HEX_SIZE]) _must_check_;
