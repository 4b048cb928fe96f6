// SPDX-License-Identifier: GPL-2.0-or-later
/* Is there room, may we write: asked before the first byte, of the folders it would go to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/commit/modtree.h"

/* Of a distribution kernel with some 4000 modules, when there is no other to go by. */
#define INDEX_BYTES_GUESS (8u << 20)
#define INDEX_FILES 16
/* Our own folders and journals. */
#define OWN_FILES 16

static uint64_t size_of_indexes(int modules_fd, const char *release)
{
	_cleanup_close_ int fd = openat(modules_fd, release,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fd_list(fd) : NULL;
	struct dirent *entry;
	uint64_t sum = 0;
	struct stat st;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (str_starts(entry->d_name, "modules.") &&
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	return sum;
}

/* As large as they are now; for a kernel without any, as the largest of the others. */
static uint64_t estimate_indexes(int modules_fd, const char *release)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	uint64_t largest = modules_fd >= 0 ? size_of_indexes(modules_fd, release) : 0;

	if (largest > 0 || modules_fd < 0)
		return largest > 0 ? largest : INDEX_BYTES_GUESS;
	dir = fd_list(modules_fd);
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		uint64_t size = 0;

		if (name_is_word(entry->d_name))
			size = size_of_indexes(modules_fd, entry->d_name);
		largest = size > largest ? size : largest;
	}
	return largest > 0 ? largest : INDEX_BYTES_GUESS;
}

/* The deepest folder of @path (absolute or not) that is there. */
static int open_deepest(int root_fd, const char *path)
{
	_cleanup_str_ struct str s = { 0 };
	int fd = fd_try_open_in(root_fd, path, O_RDONLY | O_DIRECTORY);

	str_add(&s, path);
	while (fd == -ENOENT && s.len > 0 && str_ok(&s)) {
		char *slash = strrchr(s.p, '/');

		s.len = slash != NULL ? (size_t)(slash - s.p) : 0;
		s.p[s.len] = '\0';
		fd = fd_try_open_in(root_fd, s.len > 0 ? s.p : ".",
				    O_RDONLY | O_DIRECTORY);
	}
	return fd;
}

int modtree_check_room(const struct kg_system *sys, const char *release,
		       const struct modtree_need *need, struct kg_err *err)
{
	_cleanup_close_ int modules_fd = modtree_try_modules(sys);
	_cleanup_close_ int fd = open_deepest(sys->root_fd, sys->install_tree);
	uint64_t files =
		need->n_files + (uint64_t)need->n_indexes * INDEX_FILES + OWN_FILES;
	uint64_t bytes = need->bytes + need->reserve_bytes;
	struct statvfs vfs;
	uint64_t room;

	if (fd < 0 || fstatvfs(fd, &vfs) < 0)
		return kg_fail_errno(err, fd < 0 ? fd : -errno,
				     "cannot ask for the room in %s", sys->install_tree);
	bytes += need->n_indexes * estimate_indexes(modules_fd, release);
	bytes += files * vfs.f_frsize; /* the last block of each is half empty; folders */
	room = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (room < bytes)
		return kg_fail(err, -ENOSPC,
			       "%s: no room in %s: %ju KiB needed, %ju KiB free", release,
			       sys->install_tree, (uintmax_t)bytes >> 10,
			       (uintmax_t)room >> 10);
	/* btrfs and others that make inodes as they go say 0 of 0 */
	if (vfs.f_files > 0 && vfs.f_favail < files)
		return kg_fail(err, -ENOSPC,
			       "%s: no inodes left in %s: %ju needed, %ju free", release,
			       sys->install_tree, (uintmax_t)files,
			       (uintmax_t)vfs.f_favail);
	return 0;
}

int modtree_check_writable(const struct kg_system *sys, const char *release,
			   const char *path, struct kg_err *err)
{
	_cleanup_close_ int release_fd = modtree_try_release(sys, release);
	_cleanup_str_ struct str s = { 0 };
	_cleanup_close_ int fd = -1;
	const char *slash = strrchr(path, '/');

	if (release_fd < 0 && release_fd != -ENOENT)
		return kg_fail_errno(err, release_fd, "cannot open %s/%s",
				     sys->install_tree, release);
	str_addf(&s, "%s/%s/%.*s", sys->install_tree, release,
		 slash != NULL ? (int)(slash - path) : 0, path);
	if (!str_ok(&s))
		return kg_fail_errno(err, -ENOMEM, "%s", path);
	fd = open_deepest(sys->root_fd, str_get(&s));
	if (fd < 0)
		return kg_fail_errno(err, fd, "cannot open %s", str_get(&s));
	/* Says EROFS of a read-only mount and EPERM of an immutable folder, for root too. */
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return kg_fail_errno(err, -errno, "%s: cannot write to %s", release,
				     str_get(&s));
	return 0;
}
