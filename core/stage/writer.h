/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Archive members as files below one folder, which nothing can leave: paths are resolved with
 * that folder as their root, so even a member below a symlink of the same archive stays
 * inside. setuid, setgid and sticky bits are dropped, files belong to who we are.
 */
#include "core/base/str.h"
#include "core/stage/package.h"

struct writer_dir;

struct writer {
	const char *archive; /* for messages */
	const struct stage_limits *limits;
	struct kg_err *err;
	int root_fd;
	mode_t mask; /* bits the umask takes away */
	int dir_fd;  /* the folder written to last */
	struct str dir_path;
	struct writer_dir *dirs; /* modes and times are set when everything is in them */
	size_t n_dirs;
	uint64_t bytes;
	uint64_t checked_bytes;
};

/*
 * @root_fd: an empty folder made with mode 0777, which tells the umask; from then on it is
 * ours alone.
 */
int writer_init(struct writer *w, int root_fd) _must_check_;
void writer_fini(struct writer *w);

/* @path is clean; the content comes from @package. */
int writer_add(struct writer *w, struct package *package, struct archive_entry *entry,
	       const char *path) _must_check_;
int writer_finish(struct writer *w) _must_check_;
