/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Questions about the two sides of a union, for merge.c. */
#include "core/sandbox/internal.h"

#define MERGE_MAX_DEPTH 48

bool side_stat(int dir_fd, const char *name, struct stat *ret_stat);
/* O_PATH fd of a folder, the caller's; negative when it is none. */
int side_open_dir(int dir_fd, const char *name);
bool side_stat_staged(const struct merge *m, const char *name, struct stat *ret_stat);
int side_open_staged(const struct merge *m, const char *name);
bool sides_is_dull(const struct merge *m, const char *name);
enum merge_place sides_place_of(const struct merge *parent, const char *name);
/* Does the live side show @name after the removals? */
bool sides_has_live(const struct merge *m, const char *name, struct stat *ret_stat);
bool sides_is_replaced(int live_fd, int stage_fd, const struct paths *removed,
		       unsigned int depth);
/* Do names come or go, so that covering the live folder does not do? */
bool sides_wants_skeleton(const struct merge *m);
