// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/libarchive.h"
#include "core/base/spawn.h"
#include "core/stage/member.h"
#include "core/tarball/tarball.h"

#define MAX_MEMBERS 400000u
#define MAX_BYTES ((uint64_t)4 << 30)
#define READ_SIZE (64u * 1024)

struct unpacking {
	struct archive *archive;
	const char *name;
	int dir_fd;
	size_t n_members;
	uint64_t bytes;
	struct kg_err *err;
};

static int fail_member(struct unpacking *u, int code, const char *path, const char *what)
{
	char shown[MEMBER_SHOW_SIZE];

	return kg_fail(u->err, code, "%s: member %s: %s", u->name,
		       member_show(path, shown), what);
}

static int fail_archive(struct unpacking *u)
{
	const char *why = archive_error_string(u->archive);
	int code = archive_errno(u->archive) == ENOMEM ? -ENOMEM : -KGE_FORMAT;
	char shown[MEMBER_SHOW_SIZE];

	return kg_fail(u->err, code, "%s: not an archive that can be read: %s", u->name,
		       member_show(why != NULL ? why : "unknown reason", shown));
}

/* No filter that would start a program, no format but the two that sources come in. */
static int open_archive(struct unpacking *u, int archive_fd)
{
	struct archive *a = archive_read_new();

	if (a == NULL)
		return kg_fail_errno(u->err, -ENOMEM, "%s", u->name);
	u->archive = a;
	(void)archive_read_support_filter_rpm(a);
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_lzma(a);
	(void)archive_read_support_filter_zstd(a);
	(void)archive_read_support_filter_bzip2(a);
	(void)archive_read_support_format_tar(a);
	(void)archive_read_support_format_cpio(a);
	(void)archive_read_support_format_empty(a);
	if (archive_read_open_fd(a, archive_fd, READ_SIZE) != ARCHIVE_OK)
		return fail_archive(u);
	return 0;
}

/* The folder @path is in; what is missing of it is made. Caller owns the fd. */
static int open_parent(const struct unpacking *u, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	*ret_name = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		return fd_try_open_in(u->dir_fd, ".", O_RDONLY | O_DIRECTORY);
	memcpy(parent, path, len);
	parent[len] = '\0';
	return fd_make_dir_in(u->dir_fd, parent, 0755, NULL);
}

static int fill_file(struct unpacking *u, int fd, const char *path)
{
	const void *data;
	la_int64_t offset = 0;
	size_t len;
	int r;

	while ((r = archive_read_data_block(u->archive, &data, &len, &offset)) ==
	       ARCHIVE_OK) {
		/* a hole counts: somebody will copy it */
		if (offset < 0 || (uint64_t)offset + len > MAX_BYTES - u->bytes)
			return fail_member(u, -KGE_LIMIT, path, "too large");
		if (lseek(fd, offset, SEEK_SET) < 0)
			return fail_member(u, -errno, path, "cannot be written");
		r = fd_write_all(fd, data, len);
		if (r < 0)
			return fail_member(u, r, path, kg_strerror(r));
	}
	if (r != ARCHIVE_EOF)
		return fail_archive(u);
	u->bytes += (uint64_t)lseek(fd, 0, SEEK_END);
	return 0;
}

static int finish_file(struct unpacking *u, int fd, struct archive_entry *entry)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = archive_entry_mtime(entry),
		  .tv_nsec = archive_entry_mtime_nsec(entry) },
	};
	int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (size < 0)
		return -KGE_LIMIT;
	if (size > st.st_size) {
		uint64_t hole = (uint64_t)(size - st.st_size);

		if (hole > MAX_BYTES - u->bytes)
			return -KGE_LIMIT;
		u->bytes += hole;
		if (ftruncate(fd, size) < 0)
			return -errno;
	}
	return futimens(fd, times) < 0 ? -errno : 0;
}

static int create_file(int dir_fd, const char *name, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags, mode);

	/* a later member of that name counts */
	if (fd < 0 && errno == EEXIST && unlinkat(dir_fd, name, 0) == 0)
		fd = openat(dir_fd, name, flags, mode);
	return fd < 0 ? -errno : fd;
}

static int add_file(struct unpacking *u, int dir_fd, const char *name,
		    struct archive_entry *entry, const char *path)
{
	mode_t perm = archive_entry_perm(entry);
	_cleanup_close_ int fd = -1;
	int r;

	if ((perm & 06000) != 0)
		return fail_member(u, -KGE_HOSTILE, path, "a setuid or setgid file");
	fd = create_file(dir_fd, name, (perm & 0755) | 0600);
	if (fd < 0)
		return fail_member(u, fd, path, kg_strerror(fd));
	r = fill_file(u, fd, path);
	if (r < 0)
		return r;
	r = finish_file(u, fd, entry);
	return r < 0 ? fail_member(u, r, path, kg_strerror(r)) : 0;
}

static int add_link(struct unpacking *u, int dir_fd, const char *name,
		    struct archive_entry *entry, const char *path)
{
	const char *target = archive_entry_symlink(entry);
	int r;

	if (target == NULL)
		target = archive_entry_symlink_utf8(entry);
	if (target == NULL || target[0] == '\0')
		return fail_member(u, -KGE_FORMAT, path, "a link to nowhere");
	if (target[0] == '/')
		return fail_member(u, -KGE_HOSTILE, path, "a link out of the archive");
	r = symlinkat(target, dir_fd, name) < 0 ? -errno : 0;
	if (r == -EEXIST && unlinkat(dir_fd, name, 0) == 0)
		r = symlinkat(target, dir_fd, name) < 0 ? -errno : 0;
	return r < 0 ? fail_member(u, r, path, kg_strerror(r)) : 0;
}

/* cpio has the content with the last name of a file: it is written into what they share. */
static int add_hard_link(struct unpacking *u, int dir_fd, const char *name,
			 struct archive_entry *entry, const char *path)
{
	_cleanup_close_ int from_dir_fd = -1;
	_cleanup_close_ int fd = -1;
	const char *from_name;
	char from[PATH_MAX];
	struct stat st;

	if (member_clean_path(archive_entry_hardlink(entry), from) < 0 || from[0] == '\0')
		return fail_member(u, -KGE_HOSTILE, path,
				   "a hard link out of the archive");
	from_dir_fd = open_parent(u, from, &from_name);
	if (from_dir_fd < 0 ||
	    fstatat(from_dir_fd, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return fail_member(u, -KGE_FORMAT, path,
				   "a hard link to a file that is not there");
	if (linkat(from_dir_fd, from_name, dir_fd, name, 0) < 0)
		return fail_member(u, -errno, path, kg_strerror(-errno));
	if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) == 0)
		return 0;
	fd = openat(dir_fd, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_member(u, -errno, path, "cannot be written")
		      : fill_file(u, fd, path);
}

static int add_member(struct unpacking *u, struct archive_entry *entry, const char *path)
{
	_cleanup_close_ int dir_fd = -1;
	const char *name;

	dir_fd = open_parent(u, path, &name);
	if (dir_fd == -ENOENT || dir_fd == -EEXIST || dir_fd == -ENOTDIR ||
	    dir_fd == -ELOOP)
		return fail_member(u, -KGE_HOSTILE, path,
				   "below something that is no folder");
	if (dir_fd < 0)
		return fail_member(u, dir_fd, path, kg_strerror(dir_fd));
	if (archive_entry_hardlink(entry) != NULL)
		return add_hard_link(u, dir_fd, name, entry, path);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return add_file(u, dir_fd, name, entry, path);
	case AE_IFLNK:
		return add_link(u, dir_fd, name, entry, path);
	case AE_IFDIR:
		/* setgid of a folder is its file system's habit, no danger: dropped */
		if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
			return fail_member(u, -errno, path, kg_strerror(-errno));
		return 0;
	default:
		return fail_member(u, -KGE_HOSTILE, path, "a device, fifo or socket");
	}
}

/* rpm and cpio of some tools begin every name with a slash; so does `tar -P`: refused. */
static int take_member(struct unpacking *u, struct archive_entry *entry)
{
	const char *raw = archive_entry_pathname(entry);
	char path[PATH_MAX];
	int r = cancel_check(u->err);

	if (r < 0)
		return r;
	if (raw == NULL)
		raw = archive_entry_pathname_utf8(entry);
	if (raw == NULL)
		return kg_fail(u->err, -KGE_FORMAT, "%s: a member without a name",
			       u->name);
	if (++u->n_members > MAX_MEMBERS)
		return fail_member(u, -KGE_LIMIT, raw, "too many members");
	r = member_clean_path(raw, path);
	if (r == -KGE_HOSTILE)
		return fail_member(u, r, raw, "would leave its folder");
	if (r < 0)
		return fail_member(u, r, raw, kg_strerror(r));
	return path[0] == '\0' ? 0 : add_member(u, entry, path);
}

static int unpack_all(struct unpacking *u, int archive_fd)
{
	struct archive_entry *entry;
	int r = open_archive(u, archive_fd);

	while (r == 0) {
		int got = archive_read_next_header(u->archive, &entry);

		if (got == ARCHIVE_EOF)
			return 0;
		r = got == ARCHIVE_OK || got == ARCHIVE_WARN ? take_member(u, entry)
							     : fail_archive(u);
	}
	return r;
}

int tarball_unpack(int archive_fd, const char *name, int dir_fd, struct kg_err *err)
{
	struct unpacking u = { .name = name, .dir_fd = dir_fd, .err = err };
	int r = libarchive_load(err);

	if (r < 0)
		return r;
	r = unpack_all(&u, archive_fd);
	archive_read_free(u.archive);
	return r < 0 ? r : tarball_check_links(dir_fd, name, err);
}
