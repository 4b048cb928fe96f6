/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Files beneath a directory descriptor. Paths of more than one component are resolved by
 * openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS): symlinks of a merged /usr work, an
 * escape from @root_fd does not. Every returned fd is O_CLOEXEC and owned by the caller.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/str.h"

/* Keeps errno: runs between a failing call and the caller's look at it. */
static inline void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
static inline void closedirp(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}
#define _cleanup_close_ __attribute__((cleanup(closep)))
#define _cleanup_dir_ __attribute__((cleanup(closedirp)))
#define TAKE_FD(fd) \
	({ \
		int fd__ = (fd); \
		(fd) = -1; \
		fd__; \
	})

/* open(2) beneath @root_fd; @mode counts with O_CREAT. */
int fd_open_in(int root_fd, const char *path, int flags, mode_t mode,
	       struct kg_err *err) _must_check_;
int fd_open_dir_in(int root_fd, const char *path, struct kg_err *err) _must_check_;
/* As fd_open_in(), but silent: a bare -errno, for "is it there?" questions. */
int fd_try_open_in(int root_fd, const char *path, int flags);
/* The same for a path without any link on it: -ELOOP where there is one. */
int fd_try_open_plain(int dir_fd, const char *path, int flags);
/* lstat beneath @root_fd: the last component is not followed. 0 or -errno, silent. */
int fd_lstat_in(int root_fd, const char *path, struct stat *ret_stat);

/* mkdir -p beneath @root_fd, fsyncing nothing; returns the last directory's fd. */
int fd_make_dir_in(int root_fd, const char *path, mode_t mode,
		   struct kg_err *err) _must_check_;
/* One component, O_NOFOLLOW. */
int fd_open_dir_at(int dir_fd, const char *name, struct kg_err *err) _must_check_;
/* A new stream over @dir_fd's entries from the start; @dir_fd stays the caller's. */
DIR *fd_list(int dir_fd);
/* readdir without "." and "..". */
struct dirent *fd_list_next(DIR *dir);
/* Adds the names of @dir_fd's folders, sorted; links are none. */
int fd_list_folders(int dir_fd, struct strv *ret_names) _must_check_;

int fd_write_all(int fd, const void *data, size_t len) _must_check_;
/* Whole content, NUL-terminated, at most @max bytes (-KGE_LIMIT beyond). Caller frees. */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len) _must_check_;
int fd_read_file_in(int root_fd, const char *path, size_t max, char **ret_data,
		    size_t *ret_len, struct kg_err *err) _must_check_;
/* Target of the symlink @name; caller frees. */
int fd_read_link_at(int dir_fd, const char *name, char **ret_target);

/*
 * 0: @name holds @data, also after a crash. Negative: it holds the old content, or @data if
 * only the directory's fsync failed. Never a mixture, and no temporary file stays behind.
 */
int fd_replace_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
		  struct kg_err *err) _must_check_;
/* Replace @name by a symlink to @target, atomically. */
int fd_replace_link_at(int dir_fd, const char *name, const char *target,
		       struct kg_err *err) _must_check_;

/* Bytes of @from_fd (from its start) to @to_fd. */
int fd_copy_data(int from_fd, int to_fd) _must_check_;
/* Regular file @from_name to new file @to_name (O_EXCL), mode @mode, fsynced. */
int fd_copy_file_at(int from_dir_fd, const char *from_name, int to_dir_fd,
		    const char *to_name, mode_t mode, struct kg_err *err) _must_check_;

enum fd_copy_owner { FD_COPY_KEEP_OWNER, FD_COPY_TO_OWNER };
/*
 * Content of directory @from_fd into the empty directory @to_fd: regular files, directories
 * and symlinks (as they are), modes and mtimes kept; devices, sockets and fifos are refused.
 * With FD_COPY_TO_OWNER everything is given to @uid/@gid.
 */
int fd_copy_tree(int from_fd, int to_fd, enum fd_copy_owner owner, uid_t uid, gid_t gid,
		 struct kg_err *err) _must_check_;
/* Remove @name and all below it, following no symlink. Absent is fine. */
int fd_remove_tree_at(int dir_fd, const char *name, struct kg_err *err);
/* Remove what is in @dir_fd, not itself. */
int fd_empty_dir(int dir_fd, struct kg_err *err);
/* rmdir @path and its parents below @root_fd while empty, up to but not including @keep. */
void fd_prune_empty_in(int root_fd, const char *path, const char *keep);
/* fsync every file and directory below @dir_fd. */
int fd_sync_tree(int dir_fd, struct kg_err *err) _must_check_;
