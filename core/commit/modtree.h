/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * lib/modules and the folder we keep in it, .kmodgate: on the same file system, so that a
 * rename is enough, and found neither by depmod nor by a `*` glob.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/job.h"

#define MODTREE_WORK ".kmodgate"
#define MODTREE_SWITCH "switch"	    /* .kmodgate/switch/RELEASE: swaps that are open */
#define MODTREE_MADE "made-modules" /* a file in it: lib/modules itself was made by us */

/* Bare -errno, for "is it there?". The caller owns the fd, as everywhere below. */
int modtree_try_modules(const struct kg_system *sys);
int modtree_try_work(const struct kg_system *sys);
/* lib/modules/RELEASE, never through a link. */
int modtree_try_release(const struct kg_system *sys, const char *release);
/* Makes lib/modules and .kmodgate where missing. */
int modtree_make_work(const struct kg_system *sys, struct kg_err *err) _must_check_;
/* Removes .kmodgate when nothing is kept in it, and a lib/modules that we made for it. */
void modtree_drop_work(const struct kg_system *sys);
/* Folder @name in @dir_fd, made when missing, mode 0755 whatever the umask. */
int modtree_make_dir_at(int dir_fd, const char *name, struct kg_err *err) _must_check_;

/*
 * The folder that holds @path (below lib/modules/RELEASE; "." is the release's own folder), and
 * its last component, borrowed from @path. Silent.
 */
int modtree_open_parent(const struct kg_system *sys, const char *release,
			const char *path, const char **ret_name);
/* -KGE_HOSTILE unless @release and the NULL-terminated @files are names we may write. */
int modtree_check_names(const char *release, const char *const *files,
			struct kg_err *err) _must_check_;
/* The kernel's own files are there: modules.dep, modules.order or kernel/. */
bool modtree_has_kernel(const struct kg_system *sys, const char *release);

/* 1: something that is no folder is at @path below lib/modules/RELEASE, 0: nothing. Silent. */
int modtree_has_file(const struct kg_system *sys, const char *release, const char *path);
/* Digest of the regular file @name; -ENOENT absent, -KGE_EXISTS: something else is there. */
int modtree_digest_at(int dir_fd, const char *name, char ret_hex[DIGEST_HEX_SIZE]);
/* The same for @path below lib/modules/RELEASE. */
int modtree_digest_in(const struct kg_system *sys, const char *release, const char *path,
		      char ret_hex[DIGEST_HEX_SIZE]);

/* Renames over @to_name; where lib/modules/RELEASE is a mount of its own: a fsynced copy first. */
int modtree_move(int from_fd, const char *from_name, int to_fd, const char *to_name);
/* A second name for a file, symlinks too; a fsynced copy where there can't be one. */
int modtree_link(int from_fd, const char *from_name, int to_fd, const char *to_name);
/* What a kill in the middle of such a copy may have left in @dir_fd. */
void modtree_drop_temp(int dir_fd, const char *name);

/*
 * -ENOSPC unless the file system of lib/modules has room for @bytes in @n_files files, the indexes
 * of @release, made @n_indexes times, and @reserve_bytes.
 */
struct modtree_need {
	uint64_t bytes;
	uint64_t n_files;
	uint64_t reserve_bytes;
	unsigned int n_indexes;
};
int modtree_check_room(const struct kg_system *sys, const char *release,
		       const struct modtree_need *need, struct kg_err *err) _must_check_;
/* -EROFS, -EACCES or -EPERM when @path could not be made below lib/modules/RELEASE. */
int modtree_check_writable(const struct kg_system *sys, const char *release,
			   const char *path, struct kg_err *err) _must_check_;
