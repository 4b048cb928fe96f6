// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/package.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/stage/deb.h"
#include "core/stage/member.h"
#include "core/stage/pkg.h"
#include "core/stage/rpm.h"

/* A package of pacman, compressed in one way or another, or not at all. */
#define PKG(magic, magic_len) \
	{ \
		magic, magic_len, pkg_decode, archive_read_support_format_tar, "tar", \
			true \
	}

/* What a package file begins with, how its content is got at, and what that is. */
static const struct package_format {
	const char *magic;
	size_t magic_len;
	int (*decode)(int fd, const char *path, const struct stage_limits *limits,
		      struct feed *feed, struct kg_err *err);
	int (*support)(struct archive *a);
	const char *content;
	bool has_notes; /* members with a leading dot are about the package, not of it */
} formats[] = {
	{ "!<arch>\n", 8, deb_decode, archive_read_support_format_tar, "data.tar",
	  false },
	{ "\xed\xab\xee\xdb", 4, rpm_decode, archive_read_support_format_cpio, "payload",
	  false },
	PKG("\x28\xb5\x2f\xfd", 4),
	PKG("\xfd\x37zXZ", 5),
	PKG("\x1f\x8b", 2),
	PKG("BZh", 3),
	PKG(".BUILDINFO", 8),
	PKG(".PKGINFO", 8),
	PKG(".MTREE", 6),
};

struct package {
	const char *path;
	const struct stage_limits *limits;
	const struct package_format *format;
	int fd;
	struct feed feed;
	pthread_t decoder;
	bool has_decoder;
	int decode_result; /* the decoder's own until it is joined */
	struct kg_err decode_err;
	struct archive *tar;
};

static const struct package_format *package_detect(int fd)
{
	char magic[8];

	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (memcmp(magic, formats[i].magic, formats[i].magic_len) == 0)
			return &formats[i];
	return NULL;
}

static void *package_decode(void *data)
{
	struct package *p = data;

	p->decode_result =
		p->format->decode(p->fd, p->path, p->limits, &p->feed, &p->decode_err);
	return NULL;
}

/* Signals belong to the thread that undoes things: none is taken here. */
static int package_start_decoder(struct package *p)
{
	sigset_t all;
	sigset_t saved;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&p->decoder, NULL, package_decode, p);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	p->has_decoder = r == 0;
	return -r;
}

static int package_join(struct package *p)
{
	if (p->has_decoder) {
		feed_close(&p->feed);
		pthread_join(p->decoder, NULL);
		p->has_decoder = false;
	}
	return p->decode_result;
}

void package_free(struct package *p)
{
	if (p == NULL)
		return;
	package_join(p);
	archive_read_free(p->tar);
	feed_fini(&p->feed);
	closep(&p->fd);
	free(p);
}

static la_ssize_t package_pull(struct archive *a, void *user, const void **ret_data)
{
	struct package *p = user;

	(void)a;
	return (la_ssize_t)feed_get(&p->feed, ret_data);
}

/* What the decoder met comes first: it explains what the tar reader then misses. */
static int package_fail(struct package *p, struct kg_err *err)
{
	const char *why = archive_error_string(p->tar);
	char shown[MEMBER_SHOW_SIZE];
	int r = package_join(p);

	if (r < 0)
		return kg_fail(err, r, "%s", kg_err_text(&p->decode_err, r));
	r = archive_errno(p->tar) == ENOMEM ? -ENOMEM : -KGE_FORMAT;
	return kg_fail(err, r, "%s: %s: %s", p->path, p->format->content,
		       member_show(why != NULL ? why : "unreadable", shown));
}

static int package_open_file(struct package *p, struct kg_err *err)
{
	struct stat st;

	p->fd = open(p->path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return kg_fail_errno(err, -errno, "cannot open package %s", p->path);
	p->format = S_ISREG(st.st_mode) ? package_detect(p->fd) : NULL;
	if (p->format == NULL)
		return kg_fail(err, -KGE_FORMAT, "%s: not a package archive", p->path);
	(void)posix_fadvise(p->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

static int package_open_tar(struct package *p, struct kg_err *err)
{
	int r = feed_init(&p->feed);

	p->tar = archive_read_new();
	if (p->tar == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = package_start_decoder(p);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read package %s", p->path);
	p->format->support(p->tar);
	archive_read_support_format_empty(p->tar);
	if (archive_read_open(p->tar, p, NULL, package_pull, NULL) != ARCHIVE_OK)
		return package_fail(p, err);
	return 0;
}

int package_open(const char *path, const struct stage_limits *limits,
		 struct package **ret_package, struct kg_err *err)
{
	struct package *p;
	int r = libarchive_load(err);

	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot read package %s", path);
	p->path = path;
	p->limits = limits;
	p->fd = -1;
	r = package_open_file(p, err);
	if (r == 0)
		r = package_open_tar(p, err);
	if (r < 0)
		package_free(p);
	else
		*ret_package = p;
	return r;
}

/* .PKGINFO, .MTREE, .INSTALL of pacman. */
static bool is_note(const struct package *p, struct archive_entry *entry)
{
	const char *path = package_entry_path(entry);

	return p->format->has_notes && path != NULL && path[0] == '.' && path[1] != '/' &&
	       path[1] != '.' && strchr(path, '/') == NULL;
}

int package_next(struct package *p, struct archive_entry **ret_entry, struct kg_err *err)
{
	int r;

	do
		r = archive_read_next_header(p->tar, ret_entry);
	while ((r == ARCHIVE_OK || r == ARCHIVE_WARN) && is_note(p, *ret_entry));
	if (r == ARCHIVE_EOF)
		return 0;
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 1 : package_fail(p, err);
}

const char *package_entry_path(struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);

	return path != NULL ? path : archive_entry_pathname_utf8(entry);
}

int package_read(struct package *p, struct package_block *ret_block, struct kg_err *err)
{
	la_int64_t offset = 0;
	int r = archive_read_data_block(p->tar, &ret_block->data, &ret_block->len,
					&offset);

	ret_block->offset = offset;
	if (r == ARCHIVE_EOF)
		return 0;
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 1 : package_fail(p, err);
}

int package_finish(struct package *p, struct kg_err *err)
{
	const void *data;
	int r;

	while (feed_get(&p->feed, &data) > 0)
		continue;
	r = package_join(p);
	return r == 0 ? 0 : kg_fail(err, r, "%s", kg_err_text(&p->decode_err, r));
}
