/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Files of the trees a build reads, listed in sorted order, and two digests of them. */
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "core/base/arena.h"
#include "core/base/digest.h"
#include "core/base/str.h"

struct tree_entry {
	const char *path;   /* absolute below the root */
	const char *target; /* of a symlink, else NULL */
	mode_t mode;
	uint64_t size_bytes;
	uint64_t ino;
	struct timespec mtime;
	struct timespec ctime;
};

struct tree {
	int root_fd; /* borrowed; may be the view's own "/" */
	struct arena arena;
	struct tree_entry *entries;
	size_t n;
};

void tree_fini(struct tree *t);

/* The file or folder @path (canonical, absolute) and everything below it. */
int tree_add(struct tree *t, const char *path, struct kg_err *err) _must_check_;
/* Once, after the last tree_add(). */
void tree_sort(struct tree *t);

/* Changes whenever any of the files may have: size, times and inode. No file is opened. */
int tree_digest_stat(const struct tree *t, char ret_hex[DIGEST_HEX_SIZE]) _must_check_;
/*
 * Paths, types, permissions, link targets and contents: the same for equal trees at equal
 * paths. A file that may not be read (a build could not either) counts by its size.
 */
int tree_digest_content(const struct tree *t, char ret_hex[DIGEST_HEX_SIZE],
			struct kg_err *err) _must_check_;
