// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/base/fd.h"
#include "core/stage/member.h"

#define WRITER_CHECK_BYTES (16u * 1024 * 1024)

struct writer_dir {
	char *path;
	mode_t mode;
	struct timespec mtime;
};

int writer_init(struct writer *w, int root_fd)
{
	struct stat st;

	w->root_fd = root_fd;
	w->dir_fd = -1;
	if (fstat(root_fd, &st) < 0 || fchmod(root_fd, 0700) < 0)
		return kg_fail_errno(w->err, -errno, "cannot look at the stage");
	w->mask = 0777 & ~st.st_mode;
	return 0;
}

void writer_fini(struct writer *w)
{
	for (size_t i = 0; i < w->n_dirs; i++)
		free(w->dirs[i].path);
	free(w->dirs);
	str_fini(&w->dir_path);
	closep(&w->dir_fd);
}

static int writer_fail(struct writer *w, int code, const char *path, const char *what)
{
	char shown[MEMBER_SHOW_SIZE];

	return kg_fail(w->err, code, "%s: member %s: %s", w->archive,
		       member_show(path, shown), what);
}

static int writer_fail_errno(struct writer *w, int code, const char *path)
{
	return writer_fail(w, code, path, kg_strerror(code));
}

/*
 * The folder @path is in, kept open for the next member: archives are sorted, so one openat2()
 * serves a whole folder.
 */
static int writer_open_parent(struct writer *w, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	*ret_name = slash != NULL ? slash + 1 : path;
	if (len == 0)
		return w->root_fd;
	if (w->dir_fd >= 0 && w->dir_path.len == len &&
	    memcmp(w->dir_path.p, path, len) == 0)
		return w->dir_fd;
	closep(&w->dir_fd);
	w->dir_fd = -1;
	str_clear(&w->dir_path);
	str_addn(&w->dir_path, path, len);
	if (!str_ok(&w->dir_path))
		return -ENOMEM;
	w->dir_fd = fd_try_open_in(w->root_fd, w->dir_path.p, O_PATH | O_DIRECTORY);
	if (w->dir_fd == -ENOENT)
		w->dir_fd = fd_make_dir_in(w->root_fd, w->dir_path.p, 0755, NULL);
	return w->dir_fd;
}

/* Makes room for a member whose name is there: the later one of an archive counts. */
static int writer_unlink(int dir_fd, const char *name)
{
	return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

static int writer_create(const struct writer *w, int dir_fd, const char *name,
			 mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
	_cleanup_close_ int fd = openat(dir_fd, name, flags, mode);

	if (fd < 0 && errno == EEXIST) {
		int r = writer_unlink(dir_fd, name);

		if (r < 0)
			return r;
		fd = openat(dir_fd, name, flags, mode);
	}
	if (fd < 0)
		return -errno;
	if ((mode & w->mask) != 0 && fchmod(fd, mode) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Stops before the file system is so full that the transaction itself would fail. */
static int writer_check_space(struct writer *w, int fd)
{
	struct statvfs vfs;
	uint64_t room;

	if (w->limits->reserve_bytes == 0 ||
	    (w->checked_bytes != 0 && w->bytes - w->checked_bytes < WRITER_CHECK_BYTES))
		return 0;
	w->checked_bytes = w->bytes;
	if (fstatvfs(fd, &vfs) < 0)
		return 0;
	room = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (room >= w->limits->reserve_bytes)
		return 0;
	return kg_fail(
		w->err, -ENOSPC,
		"%s: no room to unpack it: %llu MiB are left, %llu MiB must stay free",
		w->archive, (unsigned long long)(room >> 20),
		(unsigned long long)(w->limits->reserve_bytes >> 20));
}

/* @size_bytes more, also those of a hole: somebody will read them. */
static int writer_count(struct writer *w, const char *path, uint64_t size_bytes)
{
	if (size_bytes > w->limits->max_bytes ||
	    w->bytes + size_bytes > w->limits->max_bytes)
		return writer_fail(w, -KGE_LIMIT, path, "too large");
	w->bytes += size_bytes;
	return 0;
}

static int write_block(int fd, const struct package_block *block, off_t at)
{
	if (block->offset != at && lseek(fd, block->offset, SEEK_SET) < 0)
		return -errno;
	return fd_write_all(fd, block->data, block->len);
}

/* 0 and @ret_end, where the content ended. */
static int writer_fill(struct writer *w, struct package *package, const char *path,
		       int fd, off_t *ret_end)
{
	struct package_block block;
	off_t end = 0;
	int r;

	while ((r = package_read(package, &block, w->err)) > 0) {
		if (block.offset < end)
			return writer_fail(w, -KGE_FORMAT, path, "content out of order");
		r = writer_count(w, path, (uint64_t)(block.offset - end) + block.len);
		if (r == 0)
			r = writer_check_space(w, fd);
		if (r < 0)
			return r;
		r = write_block(fd, &block, end);
		if (r < 0)
			return writer_fail_errno(w, r, path);
		end = block.offset + (off_t)block.len;
	}
	*ret_end = end;
	return r;
}

static int set_mtime(int fd, struct timespec mtime)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

	return futimens(fd, times) < 0 ? -errno : 0;
}

static struct timespec entry_mtime(struct archive_entry *entry)
{
	return (struct timespec){ .tv_sec = archive_entry_mtime(entry),
				  .tv_nsec = archive_entry_mtime_nsec(entry) };
}

static int writer_add_file(struct writer *w, struct package *package,
			   struct archive_entry *entry, const char *path)
{
	off_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	_cleanup_close_ int fd = -1;
	const char *name;
	off_t end = 0;
	int dir_fd;
	int r;

	if (size < 0 || (uint64_t)size > w->limits->max_bytes - w->bytes)
		return writer_fail(w, -KGE_LIMIT, path, "too large");
	dir_fd = writer_open_parent(w, path, &name);
	fd = dir_fd < 0
		     ? dir_fd
		     : writer_create(w, dir_fd, name, archive_entry_perm(entry) & 0777);
	if (fd < 0)
		return writer_fail_errno(w, fd, path);
	r = writer_fill(w, package, path, fd, &end);
	if (r < 0)
		return r;
	if (end < size) /* a hole at the end */
		r = ftruncate(fd, size) < 0 ? -errno : 0;
	if (r == 0)
		r = set_mtime(fd, entry_mtime(entry));
	return r == 0 ? 0 : writer_fail_errno(w, r, path);
}

static int writer_remember_dir(struct writer *w, struct archive_entry *entry,
			       const char *path)
{
	struct writer_dir *dirs = w->dirs;

	if ((w->n_dirs & (w->n_dirs - 1)) == 0)
		dirs = reallocarray(dirs, w->n_dirs > 0 ? w->n_dirs * 2 : 1,
				    sizeof(*dirs));
	if (dirs == NULL)
		return -ENOMEM;
	w->dirs = dirs;
	dirs[w->n_dirs] = (struct writer_dir){ .path = strdup(path),
					       .mode = archive_entry_perm(entry) & 0777,
					       .mtime = entry_mtime(entry) };
	if (dirs[w->n_dirs].path == NULL)
		return -ENOMEM;
	w->n_dirs++;
	return 0;
}

/* As dpkg does, a link that leads to a folder stands for it. */
static int writer_add_dir(struct writer *w, struct archive_entry *entry, const char *path)
{
	const char *name;
	int dir_fd = writer_open_parent(w, path, &name);
	int r = 0;

	if (dir_fd < 0)
		return writer_fail_errno(w, dir_fd, path);
	if (mkdirat(dir_fd, name, 0755) < 0)
		r = -errno;
	if (r == -EEXIST) {
		_cleanup_close_ int fd =
			fd_try_open_in(w->root_fd, path, O_PATH | O_DIRECTORY);

		if (fd < 0)
			return writer_fail(
				w, -KGE_HOSTILE, path,
				"a folder where the archive has something else");
		r = 0;
	}
	if (r == 0)
		r = writer_remember_dir(w, entry, path);
	return r == 0 ? 0 : writer_fail_errno(w, r, path);
}

static int make_link(int dir_fd, const char *name, const char *target)
{
	int r;

	if (symlinkat(target, dir_fd, name) == 0)
		return 0;
	r = errno == EEXIST ? writer_unlink(dir_fd, name) : -errno;
	if (r == 0 && symlinkat(target, dir_fd, name) < 0)
		r = -errno;
	return r;
}

static int writer_add_link(struct writer *w, struct archive_entry *entry,
			   const char *path)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   entry_mtime(entry) };
	const char *target = archive_entry_symlink(entry);
	const char *name;
	int dir_fd = writer_open_parent(w, path, &name);
	int r;

	if (target == NULL)
		target = archive_entry_symlink_utf8(entry);
	if (target == NULL || target[0] == '\0')
		return writer_fail(w, -KGE_FORMAT, path, "a link to nowhere");
	r = dir_fd < 0 ? dir_fd : make_link(dir_fd, name, target);
	if (r == -EISDIR)
		return writer_fail(w, -KGE_HOSTILE, path, "a link where a folder is");
	if (r < 0)
		return writer_fail_errno(w, r, path);
	(void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
	/* the kept folder may have been reached through the link that was here before */
	str_clear(&w->dir_path);
	return 0;
}

/* linkat() that replaces; a link to itself is left alone. */
static int make_hard_link(int from_dir_fd, const char *from, int dir_fd, const char *name)
{
	struct stat from_st;
	struct stat st;

	if (fstatat(from_dir_fd, from, &from_st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(from_st.st_mode) && !S_ISLNK(from_st.st_mode))
		return -KGE_HOSTILE;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (st.st_ino == from_st.st_ino && st.st_dev == from_st.st_dev)
			return 0;
		if (unlinkat(dir_fd, name, 0) < 0)
			return -errno;
	}
	return linkat(from_dir_fd, from, dir_fd, name, 0) < 0 ? -errno : 0;
}

static int writer_add_hard_link(struct writer *w, const char *raw_from, const char *path)
{
	_cleanup_close_ int from_dir_fd = -1;
	char from[PATH_MAX];
	const char *name;
	char *slash;
	int dir_fd;
	int r = member_clean_path(raw_from, from);

	if (r < 0 || from[0] == '\0')
		return writer_fail(w, -KGE_HOSTILE, path,
				   "a hard link out of the archive");
	slash = strrchr(from, '/');
	if (slash != NULL)
		*slash = '\0';
	from_dir_fd = fd_try_open_in(w->root_fd, slash != NULL ? from : ".",
				     O_PATH | O_DIRECTORY);
	dir_fd = writer_open_parent(w, path, &name);
	if (from_dir_fd < 0)
		r = from_dir_fd;
	else if (dir_fd < 0)
		r = dir_fd;
	else
		r = make_hard_link(from_dir_fd, slash != NULL ? slash + 1 : from, dir_fd,
				   name);
	if (r == -ENOENT)
		return writer_fail(w, r, path,
				   "a hard link to a member that is not there");
	return r == 0 ? 0 : writer_fail_errno(w, r, path);
}

/* In a cpio archive the last link to a file brings its content, the others none. */
static int writer_fill_link(struct writer *w, struct package *package,
			    struct archive_entry *entry, const char *path)
{
	_cleanup_close_ int fd = -1;
	const char *name;
	off_t end = 0;
	int dir_fd;
	int r;

	if (archive_entry_size(entry) <= 0)
		return 0;
	dir_fd = writer_open_parent(w, path, &name);
	if (dir_fd < 0)
		return writer_fail_errno(w, dir_fd, path);
	fd = openat(dir_fd, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return writer_fail_errno(w, -errno, path);
	r = writer_fill(w, package, path, fd, &end);
	if (r < 0)
		return r;
	r = set_mtime(fd, entry_mtime(entry));
	return r == 0 ? 0 : writer_fail_errno(w, r, path);
}

int writer_add(struct writer *w, struct package *package, struct archive_entry *entry,
	       const char *path)
{
	const char *from = archive_entry_hardlink(entry);

	if (from != NULL) {
		int r = writer_add_hard_link(w, from, path);

		return r < 0 ? r : writer_fill_link(w, package, entry, path);
	}
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return writer_add_file(w, package, entry, path);
	case AE_IFDIR:
		return writer_add_dir(w, entry, path);
	case AE_IFLNK:
		return writer_add_link(w, entry, path);
	default:
		return writer_fail(w, -KGE_HOSTILE, path, "a device, fifo or socket");
	}
}

int writer_finish(struct writer *w)
{
	/* inner folders first: nothing is written below one whose time is set */
	for (size_t i = w->n_dirs; i-- > 0;) {
		const struct writer_dir *dir = &w->dirs[i];
		_cleanup_close_ int fd =
			fd_try_open_in(w->root_fd, dir->path, O_RDONLY | O_DIRECTORY);
		int r = fd < 0 ? fd : 0;

		if (r == 0)
			r = set_mtime(fd, dir->mtime);
		if (r == 0 && fchmod(fd, dir->mode) < 0)
			r = -errno;
		if (r < 0)
			return writer_fail_errno(w, r, dir->path);
	}
	return 0;
}
