/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/stage/feed.h"
#include "core/stage/stage.h"

/*
 * A package of pacman: a compressed tar archive, in which what is not to be installed has a name
 * that begins with a dot. Decompressed into @feed as deb_decode() does.
 */
int pkg_decode(int fd, const char *path, const struct stage_limits *limits,
	       struct feed *feed, struct kg_err *err) _must_check_;
