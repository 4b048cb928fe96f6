/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Packages made byte by byte, so that they can say what no packer would write; and a scratch
 * folder with a stage and something outside it to attack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/base/libarchive.h"
#include "core/stage/stage.h"

#define MTIME 1700000000

struct scratch {
	char path[64];
	int fd;
	int stage_fd;
};

static inline int scratch_make(void **state)
{
	static struct scratch s;

	snprintf(s.path, sizeof(s.path), "/tmp/kg-stage-XXXXXX");
	if (mkdtemp(s.path) == NULL)
		return -1;
	s.fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.fd < 0 || mkdirat(s.fd, "stage", 0755) < 0 ||
	    mkdirat(s.fd, "out", 0755) < 0)
		return -1;
	s.stage_fd = fd_open_dir_in(s.fd, "stage", NULL);
	*state = &s;
	return s.stage_fd < 0 ? -1 : 0;
}

static inline int scratch_drop(void **state)
{
	struct scratch *s = *state;
	int r;

	close(s->stage_fd);
	r = fd_empty_dir(s->fd, NULL);
	close(s->fd);
	return r < 0 ? r : rmdir(s->path);
}

static inline size_t count_entries(int dir_fd)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	size_t n = 0;

	assert_non_null(dir);
	while (fd_list_next(dir) != NULL)
		n++;
	return n;
}

/* ---- tar ---- */

struct tar_head {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type;
	char link[100], magic[8], uname[32], gname[32], devmajor[8], devminor[8];
	char prefix[155], rest[12];
};

static inline void tar_pad(struct str *tar)
{
	while (tar->len % 512 != 0)
		str_addc(tar, '\0');
}

static inline void tar_put(char *field, size_t size, const char *text, size_t len)
{
	memcpy(field, text, len < size ? len : size);
}

/* @name_len bytes of @name, which may hold anything. */
static inline void tar_add_raw(struct str *tar, char type, const char *name,
			       size_t name_len, const char *link, unsigned int mode,
			       const char *data, size_t len)
{
	struct tar_head h;
	unsigned int sum = 0;

	memset(&h, 0, sizeof(h));
	tar_put(h.name, sizeof(h.name), name, name_len);
	tar_put(h.link, sizeof(h.link), link, strlen(link));
	snprintf(h.mode, sizeof(h.mode), "%07o", mode);
	snprintf(h.uid, sizeof(h.uid), "%07o", 0);
	snprintf(h.gid, sizeof(h.gid), "%07o", 0);
	snprintf(h.size, sizeof(h.size), "%011o", (unsigned int)len & 0x7fffffff);
	snprintf(h.mtime, sizeof(h.mtime), "%011o", (unsigned int)MTIME);
	memcpy(h.magic, "ustar  ", 8);
	memset(h.sum, ' ', sizeof(h.sum));
	h.type = type;
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((unsigned char *)&h)[i];
	snprintf(h.sum, sizeof(h.sum), "%06o", sum);
	str_addn(tar, (char *)&h, sizeof(h));
	str_addn(tar, data, len);
	tar_pad(tar);
}

static inline void tar_add(struct str *tar, char type, const char *name, const char *link,
			   unsigned int mode)
{
	tar_add_raw(tar, type, name, strlen(name), link, mode, "", 0);
}

static inline void tar_file(struct str *tar, const char *name, const char *text)
{
	tar_add_raw(tar, '0', name, strlen(name), "", 0644, text, strlen(text));
}

static inline void tar_dir(struct str *tar, const char *name)
{
	tar_add(tar, '5', name, "", 0755);
}

static inline void tar_link(struct str *tar, const char *name, const char *target)
{
	tar_add(tar, '2', name, target, 0777);
}

/* GNU's way to say a name of any length; the next header's own is ignored. */
static inline void tar_long_name(struct str *tar, const char *name, size_t len)
{
	tar_add_raw(tar, 'L', "././@LongLink", 13, "", 0, name, len + 1);
}

static inline void tar_end(struct str *tar)
{
	char zero[1024] = { 0 };

	str_addn(tar, zero, sizeof(zero));
}

/* ---- ar and compression ---- */

static inline la_ssize_t pack_write(struct archive *a, void *user, const void *data,
				    size_t len)
{
	(void)a;
	str_addn(user, data, len);
	return (la_ssize_t)len;
}

/* @filter: ARCHIVE_FILTER_XZ and the like. */
static inline void pack(const struct str *in, int filter, struct str *out)
{
	struct archive *a = libarchive_load(NULL) == 0 ? archive_write_new() : NULL;
	struct archive_entry *entry = archive_entry_new();

	assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open(a, out, NULL, pack_write, NULL), ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, in->p, in->len), in->len);
	archive_entry_free(entry);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

static inline void ar_add(struct str *ar, const char *name, const char *data, size_t len)
{
	if (ar->len == 0)
		str_add(ar, "!<arch>\n");
	str_addf(ar, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, MTIME, 0, 0, "100644", len);
	str_addn(ar, data, len);
	if (len % 2 != 0)
		str_addc(ar, '\n');
}

static inline void deb_begin(struct str *deb)
{
	ar_add(deb, "debian-binary", "2.0\n", 4);
	ar_add(deb, "control.tar.xz", "unread", 6);
}

static inline const char *save(const struct scratch *s, const char *name,
			       const struct str *bytes)
{
	static char paths[8][128];
	static unsigned int next;
	char *path = paths[next++ % 8];
	int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, str_get(bytes), bytes->len), 0);
	close(fd);
	snprintf(path, 128, "%s/%s", s->path, name);
	return path;
}

/* Ends @tar and makes it the data member, compressed as @filter, called data.tar@suffix. */
static inline const char *save_packed(const struct scratch *s, const char *name,
				      struct str *tar, int filter, const char *suffix)
{
	_cleanup_str_ struct str deb = { 0 };
	_cleanup_str_ struct str data = { 0 };
	char member[32];

	tar_end(tar);
	pack(tar, filter, &data);
	snprintf(member, sizeof(member), "data.tar%s", suffix);
	deb_begin(&deb);
	ar_add(&deb, member, data.p, data.len);
	str_fini(tar);
	return save(s, name, &deb);
}

static inline const char *save_deb(const struct scratch *s, const char *name,
				   struct str *tar)
{
	return save_packed(s, name, tar, ARCHIVE_FILTER_NONE, "");
}

/* ---- looks at the stage ---- */

static inline void assert_file(const struct scratch *s, const char *path,
			       const char *text)
{
	_cleanup_free_ char *data = NULL;

	assert_int_equal(fd_read_file_in(s->stage_fd, path, 1 << 20, &data, NULL, NULL),
			 0);
	assert_string_equal(data, text);
}

static inline void assert_absent(const struct scratch *s, const char *path)
{
	struct stat st;

	assert_int_equal(fd_lstat_in(s->stage_fd, path, &st), -ENOENT);
}

static inline void assert_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, text);
}
