/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One package archive as a stream of members. A second thread decompresses ahead of the
 * caller. Everything is named in @err: archive, inner archive, what is wrong.
 */
#include <stdint.h>

#include "core/base/libarchive.h"
#include "core/stage/stage.h"

struct package;

/* @path and @limits stay the caller's, and must outlive the package. */
int package_open(const char *path, const struct stage_limits *limits,
		 struct package **ret_package, struct kg_err *err) _must_check_;
void package_free(struct package *p);

/* 1: the next member (borrowed until the next call); 0: no more. */
int package_next(struct package *p, struct archive_entry **ret_entry,
		 struct kg_err *err) _must_check_;
/* The member's name as the archive has it; NULL when it is not representable. */
const char *package_entry_path(struct archive_entry *entry);

struct package_block {
	const void *data;
	size_t len;
	int64_t offset;
};
/* 1: the next piece of the member's content; 0: no more. */
int package_read(struct package *p, struct package_block *ret_block,
		 struct kg_err *err) _must_check_;
/* After the last member: reads the rest, so that a damaged end does not pass. */
int package_finish(struct package *p, struct kg_err *err) _must_check_;
