/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/stage/feed.h"
#include "core/stage/stage.h"

/* A compressed stream that makes up the rest of a file. */
struct payload {
	const char *path; /* for messages */
	int fd;		  /* at its first byte */
	uint64_t packed_bytes;
	const struct stage_limits *limits;
};

/*
 * Decompressed into @feed until its end or until the reader closes the feed. What kind of
 * compression it is, its first bytes say. Does not end the feed.
 */
int payload_decode(const struct payload *payload, struct feed *feed,
		   struct kg_err *err) _must_check_;
