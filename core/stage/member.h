/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Names out of archives: made safe to use as paths, and safe to print. */
#include <limits.h>

#include "core/base/err.h"

#define MEMBER_SHOW_SIZE 200
#define MEMBER_MAX_DEPTH 48u

/*
 * @raw without "./", "//" and a trailing '/', in @ret_path; "" for the root itself. Absolute
 * paths and ".." are -KGE_HOSTILE, names the file system cannot hold -ENAMETOOLONG, more
 * than MEMBER_MAX_DEPTH folders -KGE_LIMIT (every later walk of the stage recurses).
 */
int member_clean_path(const char *raw, char ret_path[PATH_MAX]) _must_check_;

/* For messages: control characters replaced, long names cut. Returns @buffer. */
const char *member_show(const char *raw, char buffer[MEMBER_SHOW_SIZE]);
