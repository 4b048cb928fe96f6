// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/fd.h"
#include "core/base/libarchive.h"
#include "core/base/spawn.h"
#include "core/tarball/tarball.h"

#define COPY_SIZE (64u * 1024)
#define MAX_DEPTH 64u

struct tarball {
	struct archive *archive;
	const char *name;
	struct archive_entry *entry;
	char *buffer;
};

static int fail(struct tarball *t, struct kg_err *err)
{
	const char *why = archive_error_string(t->archive);
	int code = archive_errno(t->archive);

	return kg_fail(err, code > 0 ? -code : -EIO, "cannot write %s: %s", t->name,
		       why != NULL ? why : "unknown reason");
}

static int set_compression(struct archive *a, const char *name)
{
	if (str_ends(name, ".gz") || str_ends(name, ".tgz"))
		return archive_write_add_filter_gzip(a);
	if (str_ends(name, ".xz") || str_ends(name, ".txz"))
		return archive_write_add_filter_xz(a);
	if (str_ends(name, ".zst") || str_ends(name, ".tzst"))
		return archive_write_add_filter_zstd(a);
	if (str_ends(name, ".bz2") || str_ends(name, ".tbz2") || str_ends(name, ".tbz"))
		return archive_write_add_filter_bzip2(a);
	return archive_write_add_filter_none(a);
}

int tarball_create(int fd, const char *name, struct tarball **ret_tarball,
		   struct kg_err *err)
{
	struct tarball *t;
	int r = libarchive_load(err);

	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot write %s", name);
	t->name = name;
	t->archive = archive_write_new();
	t->entry = archive_entry_new();
	t->buffer = malloc(COPY_SIZE);
	if (t->archive == NULL || t->entry == NULL || t->buffer == NULL)
		r = kg_fail_errno(err, -ENOMEM, "cannot write %s", name);
	else if (set_compression(t->archive, name) != ARCHIVE_OK ||
		 archive_write_set_format_gnutar(t->archive) != ARCHIVE_OK ||
		 archive_write_open_fd(t->archive, fd) != ARCHIVE_OK)
		r = fail(t, err);
	if (r < 0)
		tarball_free(t);
	else
		*ret_tarball = t;
	return r;
}

void tarball_free(struct tarball *t)
{
	if (t == NULL)
		return;
	if (t->archive != NULL)
		archive_write_free(t->archive);
	if (t->entry != NULL)
		archive_entry_free(t->entry);
	free(t->buffer);
	free(t);
}

/* Root's, and none of the builder's own names: it is unpacked on another machine. */
static int put_header(struct tarball *t, const char *path, const struct stat *st,
		      const char *target, struct kg_err *err)
{
	_cleanup_str_ struct str name = { 0 };
	struct archive_entry *e = archive_entry_clear(t->entry);

	str_addf(&name, "./%s%s", path,
		 S_ISDIR(st->st_mode) && path[0] != '\0' ? "/" : "");
	if (!str_ok(&name))
		return kg_fail_errno(err, -ENOMEM, "cannot write %s", t->name);
	archive_entry_set_pathname(e, str_get(&name));
	archive_entry_set_filetype(e, st->st_mode & S_IFMT);
	archive_entry_set_perm(e, st->st_mode & 0777);
	archive_entry_set_size(e, S_ISREG(st->st_mode) ? st->st_size : 0);
	archive_entry_set_mtime(e, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	archive_entry_set_uname(e, "root");
	archive_entry_set_gname(e, "root");
	if (target != NULL)
		archive_entry_set_symlink(e, target);
	return archive_write_header(t->archive, e) == ARCHIVE_OK ? 0 : fail(t, err);
}

static int put_data(struct tarball *t, const void *data, size_t len, struct kg_err *err)
{
	la_ssize_t n = archive_write_data(t->archive, data, len);

	return n >= 0 && (size_t)n == len ? 0 : fail(t, err);
}

int tarball_add_folder(struct tarball *t, const char *path, struct kg_err *err)
{
	const struct stat st = { .st_mode = S_IFDIR | 0755,
				 .st_mtim.tv_sec = time(NULL) };

	return put_header(t, path, &st, NULL, err);
}

int tarball_add_text(struct tarball *t, const char *path, const char *text,
		     struct kg_err *err)
{
	const struct stat st = { .st_mode = S_IFREG | 0644,
				 .st_size = (off_t)strlen(text),
				 .st_mtim.tv_sec = time(NULL) };
	int r = put_header(t, path, &st, NULL, err);

	return r < 0 ? r : put_data(t, text, strlen(text), err);
}

/* Exactly as many bytes as the header says, whatever happens to the file meanwhile. */
static int put_content(struct tarball *t, int fd, off_t size, const char *path,
		       struct kg_err *err)
{
	while (size > 0) {
		size_t want = size < COPY_SIZE ? (size_t)size : COPY_SIZE;
		ssize_t n = read(fd, t->buffer, want);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return kg_fail(err, n < 0 ? -errno : -EAGAIN,
				       "cannot read %s, or it changed meanwhile", path);
		r = put_data(t, t->buffer, (size_t)n, err);
		if (r < 0)
			return r;
		size -= n;
	}
	return 0;
}

int tarball_add_file(struct tarball *t, const char *path, int dir_fd, const char *name,
		     struct kg_err *err)
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kg_fail_errno(err, -errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return kg_fail(err, -EINVAL, "%s is not a regular file", path);
	r = put_header(t, path, &st, NULL, err);
	return r < 0 ? r : put_content(t, fd, st.st_size, path, err);
}

static int add_below(struct tarball *t, const char *path, int dir_fd, unsigned int depth,
		     struct kg_err *err);

static int add_one(struct tarball *t, const char *path, int dir_fd, const char *name,
		   unsigned int depth, struct kg_err *err)
{
	_cleanup_free_ char *target = NULL;
	_cleanup_close_ int sub_fd = -1;
	struct stat st;
	int r = cancel_check(err);

	if (r < 0)
		return r;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return kg_fail_errno(err, -errno, "cannot read %s", path);
	if (S_ISREG(st.st_mode))
		return tarball_add_file(t, path, dir_fd, name, err);
	if (S_ISLNK(st.st_mode)) {
		r = fd_read_link_at(dir_fd, name, &target);
		return r < 0 ? kg_fail_errno(err, r, "cannot read %s", path)
			     : put_header(t, path, &st, target, err);
	}
	if (!S_ISDIR(st.st_mode))
		return kg_fail(err, -EINVAL, "%s: a device, fifo or socket", path);
	r = put_header(t, path, &st, NULL, err);
	if (r < 0)
		return r;
	sub_fd = fd_open_dir_at(dir_fd, name, err);
	return sub_fd < 0 ? sub_fd : add_below(t, path, sub_fd, depth + 1, err);
}

static int list_names(int dir_fd, struct strv *ret_names)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *e;

	if (dir == NULL)
		return -errno;
	while ((e = fd_list_next(dir)) != NULL)
		strv_add(ret_names, e->d_name);
	strv_sort(ret_names);
	return strv_ok(ret_names) ? 0 : -ENOMEM;
}

static int add_below(struct tarball *t, const char *path, int dir_fd, unsigned int depth,
		     struct kg_err *err)
{
	_cleanup_strv_ struct strv names = { 0 };
	int r = depth > MAX_DEPTH ? -KGE_LIMIT : list_names(dir_fd, &names);

	if (r < 0)
		return kg_fail_errno(err, r, "cannot list %s", path);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_str_ struct str sub = { 0 };

		str_addf(&sub, "%s/%s", path, names.v[i]);
		r = str_ok(&sub)
			    ? add_one(t, str_get(&sub), dir_fd, names.v[i], depth, err)
			    : kg_fail_errno(err, -ENOMEM, "cannot list %s", path);
	}
	return r;
}

int tarball_add_tree(struct tarball *t, const char *path, int dir_fd, struct kg_err *err)
{
	return add_below(t, path, dir_fd, 0, err);
}

int tarball_finish(struct tarball *t, struct kg_err *err)
{
	return archive_write_close(t->archive) == ARCHIVE_OK ? 0 : fail(t, err);
}
