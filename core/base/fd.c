// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/fd.h"

#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static int open_beneath(int root_fd, const char *path, int flags, mode_t mode,
			uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? mode : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

int fd_try_open_in(int root_fd, const char *path, int flags)
{
	return open_beneath(root_fd, path, flags, 0, RESOLVE_IN_ROOT);
}

int fd_try_open_plain(int dir_fd, const char *path, int flags)
{
	return open_beneath(dir_fd, path, flags, 0,
			    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int fd_open_in(int root_fd, const char *path, int flags, mode_t mode, struct kg_err *err)
{
	int fd = open_beneath(root_fd, path, flags, mode, RESOLVE_IN_ROOT);

	return fd >= 0 ? fd : kg_fail_errno(err, fd, "cannot open %s", path);
}

int fd_open_dir_in(int root_fd, const char *path, struct kg_err *err)
{
	return fd_open_in(root_fd, path, O_RDONLY | O_DIRECTORY, 0, err);
}

int fd_lstat_in(int root_fd, const char *path, struct stat *ret_stat)
{
	_cleanup_close_ int fd = fd_try_open_in(root_fd, path, O_PATH | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	return fstatat(fd, "", ret_stat, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Opens the directory @path, made with @mode when it is missing and its parent is there. */
static int open_or_make_dir(int root_fd, char *path, mode_t mode)
{
	_cleanup_close_ int parent_fd = -1;
	char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	int fd = fd_try_open_in(root_fd, path, O_RDONLY | O_DIRECTORY);

	if (fd != -ENOENT)
		return fd;
	if (slash != NULL)
		*slash = '\0';
	parent_fd = fd_try_open_in(root_fd, slash != NULL ? path : ".",
				   O_RDONLY | O_DIRECTORY);
	if (slash != NULL)
		*slash = '/';
	if (parent_fd < 0)
		return parent_fd;
	if (mkdirat(parent_fd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	return fd_try_open_in(root_fd, path, O_RDONLY | O_DIRECTORY);
}

int fd_make_dir_in(int root_fd, const char *path, mode_t mode, struct kg_err *err)
{
	_cleanup_free_ char *copy = strdup(path);
	int fd = -EINVAL;

	if (copy == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot make %s", path);
	for (char *p = copy + strspn(copy, "/");;) {
		char *slash = strchr(p, '/');

		if (slash != NULL)
			*slash = '\0';
		fd = open_or_make_dir(root_fd, copy, mode);
		if (fd < 0 || slash == NULL)
			break;
		close(fd);
		*slash = '/';
		p = slash + 1;
	}
	return fd >= 0 ? fd : kg_fail_errno(err, fd, "cannot make directory %s", path);
}

int fd_open_dir_at(int dir_fd, const char *name, struct kg_err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 ? fd
		       : kg_fail_errno(err, -errno, "cannot open directory %s", name);
}

DIR *fd_list(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (dir == NULL)
		close(fd);
	return dir;
}

struct dirent *fd_list_next(DIR *dir)
{
	struct dirent *entry;

	do
		entry = readdir(dir);
	while (entry != NULL &&
	       (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry;
}

int fd_list_folders(int dir_fd, struct strv *ret_names)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;
	struct stat st;

	if (dir == NULL)
		return -errno;
	while ((entry = fd_list_next(dir)) != NULL)
		if (fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			strv_add(ret_names, entry->d_name);
	strv_sort(ret_names);
	return strv_ok(ret_names) ? 0 : -ENOMEM;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	_cleanup_str_ struct str s = { 0 };
	char buf[32768];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (s.len + (size_t)n > max)
			return -KGE_LIMIT;
		str_addn(&s, buf, (size_t)n);
		if (!str_ok(&s))
			return -ENOMEM;
	}
	if (ret_len != NULL)
		*ret_len = s.len;
	*ret_data = str_take(&s);
	return *ret_data != NULL ? 0 : -ENOMEM;
}

int fd_read_file_in(int root_fd, const char *path, size_t max, char **ret_data,
		    size_t *ret_len, struct kg_err *err)
{
	_cleanup_close_ int fd = fd_try_open_in(root_fd, path, O_RDONLY | O_NOCTTY);
	int r = fd < 0 ? fd : fd_read_all(fd, max, ret_data, ret_len);

	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot read %s", path);
}

int fd_read_link_at(int dir_fd, const char *name, char **ret_target)
{
	char buf[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, buf, sizeof(buf));

	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(buf))
		return -ENAMETOOLONG;
	*ret_target = strndup(buf, (size_t)n);
	return *ret_target != NULL ? 0 : -ENOMEM;
}

/* The temporary name of @name; stale ones of a killed process are removed. */
static int temp_name(int dir_fd, const char *name, char ret_tmp[NAME_MAX + 1])
{
	if (snprintf(ret_tmp, NAME_MAX + 1, ".%s.kmodgate-new", name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (unlinkat(dir_fd, ret_tmp, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int write_synced(int dir_fd, const char *name, const void *data, size_t len,
			mode_t mode)
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* Renames a finished temporary over @name and makes that durable; no temporary stays. */
static int rename_synced(int dir_fd, const char *tmp, const char *name,
			 struct kg_err *err)
{
	if (renameat(dir_fd, tmp, dir_fd, name) < 0) {
		int r = -errno;

		unlinkat(dir_fd, tmp, 0);
		return kg_fail_errno(err, r, "cannot replace %s", name);
	}
	if (fsync(dir_fd) < 0)
		return kg_fail_errno(err, -errno, "cannot sync the directory of %s",
				     name);
	return 0;
}

int fd_replace_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
		  struct kg_err *err)
{
	char tmp[NAME_MAX + 1];
	int r = temp_name(dir_fd, name, tmp);

	if (r == 0)
		r = write_synced(dir_fd, tmp, data, len, mode);
	if (r < 0) {
		unlinkat(dir_fd, tmp, 0);
		return kg_fail_errno(err, r, "cannot write %s", name);
	}
	return rename_synced(dir_fd, tmp, name, err);
}

int fd_replace_link_at(int dir_fd, const char *name, const char *target,
		       struct kg_err *err)
{
	char tmp[NAME_MAX + 1];
	int r = temp_name(dir_fd, name, tmp);

	if (r == 0 && symlinkat(target, dir_fd, tmp) < 0)
		r = -errno;
	if (r < 0)
		return kg_fail_errno(err, r, "cannot make link %s", name);
	return rename_synced(dir_fd, tmp, name, err);
}

int fd_copy_data(int from_fd, int to_fd)
{
	char buf[65536];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(from_fd, buf, sizeof(buf), at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		r = fd_write_all(to_fd, buf, (size_t)n);
		if (r < 0)
			return r;
		at += n;
	}
}

/* A new regular file with the content of @from_fd. */
static int copy_to_new(int from_fd, int dir_fd, const char *name, mode_t mode,
		       int *ret_fd)
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_copy_data(from_fd, fd);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* Opens a regular file that nobody can swap for a fifo or a link under us. */
static int open_regular(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

int fd_copy_file_at(int from_dir_fd, const char *from_name, int to_dir_fd,
		    const char *to_name, mode_t mode, struct kg_err *err)
{
	_cleanup_close_ int from_fd = open_regular(from_dir_fd, from_name);
	_cleanup_close_ int to_fd = -1;
	int r = from_fd < 0 ? from_fd
			    : copy_to_new(from_fd, to_dir_fd, to_name, mode, &to_fd);

	if (r == 0 && fsync(to_fd) < 0)
		r = -errno;
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot copy %s", from_name);
}

struct copy_to {
	enum fd_copy_owner owner;
	uid_t uid;
	gid_t gid;
	struct kg_err *err;
};

static int copy_attributes(int fd, const struct stat *st, const struct copy_to *to)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	uid_t uid = to->owner == FD_COPY_TO_OWNER ? to->uid : st->st_uid;
	gid_t gid = to->owner == FD_COPY_TO_OWNER ? to->gid : st->st_gid;

	if (fchown(fd, uid, gid) < 0)
		return -errno;
	if (fchmod(fd, st->st_mode & 0777) < 0)
		return -errno;
	return futimens(fd, times) < 0 ? -errno : 0;
}

static int copy_regular(int from_fd, const char *name, int to_fd,
			const struct copy_to *to)
{
	_cleanup_close_ int src_fd = open_regular(from_fd, name);
	_cleanup_close_ int dst_fd = -1;
	struct stat st;
	int r = src_fd < 0 ? src_fd : copy_to_new(src_fd, to_fd, name, 0600, &dst_fd);

	if (r == 0 && fstat(src_fd, &st) < 0)
		r = -errno;
	return r < 0 ? r : copy_attributes(dst_fd, &st, to);
}

static int copy_link(int from_fd, const char *name, int to_fd, const struct copy_to *to)
{
	_cleanup_free_ char *target = NULL;
	int r = fd_read_link_at(from_fd, name, &target);

	if (r < 0)
		return r;
	if (symlinkat(target, to_fd, name) < 0)
		return -errno;
	if (to->owner == FD_COPY_TO_OWNER &&
	    fchownat(to_fd, name, to->uid, to->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

#define TREE_MAX_DEPTH 64

static int copy_entries(int from_fd, int to_fd, const struct copy_to *to,
			unsigned int depth);

static int copy_dir(int from_fd, const char *name, int to_fd, const struct copy_to *to,
		    unsigned int depth)
{
	_cleanup_close_ int src_fd = fd_open_dir_at(from_fd, name, to->err);
	_cleanup_close_ int dst_fd = -1;
	struct stat st;
	int r;

	if (src_fd < 0)
		return src_fd;
	if (mkdirat(to_fd, name, 0700) < 0)
		return kg_fail_errno(to->err, -errno, "cannot make directory %s", name);
	dst_fd = fd_open_dir_at(to_fd, name, to->err);
	if (dst_fd < 0)
		return dst_fd;
	r = copy_entries(src_fd, dst_fd, to, depth + 1);
	if (r == 0 && fstat(src_fd, &st) < 0)
		r = -errno;
	return r < 0 ? r : copy_attributes(dst_fd, &st, to);
}

static int copy_entry(int from_fd, const char *name, int to_fd, const struct copy_to *to,
		      unsigned int depth)
{
	struct stat st;

	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_regular(from_fd, name, to_fd, to);
	case S_IFLNK:
		return copy_link(from_fd, name, to_fd, to);
	case S_IFDIR:
		return copy_dir(from_fd, name, to_fd, to, depth);
	default:
		return kg_fail(to->err, -EINVAL, "%s is a device, socket or fifo", name);
	}
}

static int copy_entries(int from_fd, int to_fd, const struct copy_to *to,
			unsigned int depth)
{
	_cleanup_dir_ DIR *dir = fd_list(from_fd);
	struct dirent *entry;

	if (dir == NULL)
		return kg_fail_errno(to->err, -errno, "cannot list a directory");
	if (depth > TREE_MAX_DEPTH)
		return kg_fail(to->err, -KGE_LIMIT, "directories nested too deep");
	while ((entry = fd_list_next(dir)) != NULL) {
		int r = copy_entry(from_fd, entry->d_name, to_fd, to, depth);

		if (r < 0)
			return kg_fail_errno(to->err, r, "cannot copy %s", entry->d_name);
	}
	return 0;
}

int fd_copy_tree(int from_fd, int to_fd, enum fd_copy_owner owner, uid_t uid, gid_t gid,
		 struct kg_err *err)
{
	const struct copy_to to = { .owner = owner, .uid = uid, .gid = gid, .err = err };

	return copy_entries(from_fd, to_fd, &to, 0);
}

static int remove_entries(int dir_fd, unsigned int depth);

static int remove_entry(int dir_fd, const char *name, unsigned int depth)
{
	_cleanup_close_ int sub_fd = -1;
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	sub_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_fd < 0)
		return -errno;
	r = remove_entries(sub_fd, depth + 1);
	if (r == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

static int remove_entries(int dir_fd, unsigned int depth)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;
	int first = 0;

	if (dir == NULL)
		return -errno;
	if (depth > 512)
		return -KGE_LIMIT;
	while ((entry = fd_list_next(dir)) != NULL) {
		int r = remove_entry(dir_fd, entry->d_name, depth);

		first = first < 0 ? first : r;
	}
	return first;
}

int fd_remove_tree_at(int dir_fd, const char *name, struct kg_err *err)
{
	int r = remove_entry(dir_fd, name, 0);

	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot remove %s", name);
}

int fd_empty_dir(int dir_fd, struct kg_err *err)
{
	int r = remove_entries(dir_fd, 0);

	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot empty a directory");
}

void fd_prune_empty_in(int root_fd, const char *path, const char *keep)
{
	_cleanup_free_ char *copy = strdup(path);

	while (copy != NULL && strlen(copy) > strlen(keep) && str_starts(copy, keep)) {
		_cleanup_close_ int parent_fd = -1;
		char *slash = strrchr(copy, '/');

		if (slash == NULL)
			return;
		*slash = '\0';
		parent_fd = fd_try_open_in(root_fd, copy, O_RDONLY | O_DIRECTORY);
		if (parent_fd == -ENOENT)
			continue;
		if (parent_fd < 0)
			return;
		if (unlinkat(parent_fd, slash + 1, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return;
	}
}

static int sync_entry(int dir_fd, const struct dirent *entry, struct kg_err *err)
{
	_cleanup_close_ int fd = openat(dir_fd, entry->d_name,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? 0 : -errno; /* a symlink lives in its directory */
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return fd_sync_tree(fd, err);
	return fsync(fd) < 0 ? -errno : 0;
}

int fd_sync_tree(int dir_fd, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	if (dir == NULL)
		return kg_fail_errno(err, -errno, "cannot list a directory");
	while ((entry = fd_list_next(dir)) != NULL) {
		int r = sync_entry(dir_fd, entry, err);

		if (r < 0)
			return kg_fail_errno(err, r, "cannot sync %s", entry->d_name);
	}
	return fsync(dir_fd) < 0 ? kg_fail_errno(err, -errno, "cannot sync a directory")
				 : 0;
}
