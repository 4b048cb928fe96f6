/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* KEY=value lines of a shell file, as far as they can be read without a shell. */
#include "core/base/err.h"
#include "core/base/str.h"

/*
 * One shell word without expansions: bare, '...' and "..." parts, joined. 0 and *@at behind
 * it; -EAGAIN when a shell would be needed; -KGE_FORMAT for an open quote.
 */
int confline_read_word(const char **at, struct str *out) _must_check_;
/* Nothing but blanks, ';' and a comment follow. */
bool confline_is_end(const char *p);
