/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/stage/feed.h"
#include "core/stage/stage.h"

/*
 * The payload (a cpio archive) of the .rpm @fd (named @path in messages), decompressed into @feed
 * until its end or until the reader closes the feed. Ends the feed in every case.
 */
int rpm_decode(int fd, const char *path, const struct stage_limits *limits,
	       struct feed *feed, struct kg_err *err) _must_check_;
