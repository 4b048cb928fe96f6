// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/deb.h"

#include <string.h>

#include "core/base/libarchive.h"
#include "core/base/str.h"
#include "core/stage/member.h"
#include "core/stage/xz.h"

#define DEB_READ_SIZE (1024u * 1024)

/*
 * What a small file may unfold to. The best real compressors reach 1000:1 only on long runs
 * of one byte; header packages have about 6:1.
 */
#define DEB_MAX_RATIO 1000u
#define DEB_RATIO_FREE_BYTES (64u * 1024 * 1024)

struct deb {
	const char *path;
	struct archive *ar;
	struct archive *data;
	char member[MEMBER_SHOW_SIZE]; /* of the ar, being read */
	uint64_t packed_bytes;
	uint64_t unpacked_bytes;
	const struct stage_limits *limits;
	struct kg_err *err;
};

static void deb_fini(struct deb *d)
{
	archive_read_free(d->data);
	archive_read_free(d->ar);
}

static int deb_fail(struct deb *d, struct archive *a)
{
	const char *why = archive_error_string(a);
	char shown[MEMBER_SHOW_SIZE];
	int r = archive_errno(a) == ENOMEM ? -ENOMEM : -KGE_FORMAT;

	return kg_fail(d->err, r, "%s: %s%s%s", d->path, d->member,
		       d->member[0] != '\0' ? ": " : "",
		       member_show(why != NULL ? why : "unreadable", shown));
}

/* The next block of the ar's current member, 0 at its end; -KGE_FORMAT: ask @d->ar why. */
static ssize_t deb_read_member(void *user, const void **ret_data)
{
	struct deb *d = user;
	la_int64_t offset;
	size_t len = 0;
	int r;

	do
		r = archive_read_data_block(d->ar, ret_data, &len, &offset);
	while (r == ARCHIVE_OK && len == 0);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return deb_fail(d, d->ar);
	d->packed_bytes += len;
	return (ssize_t)len;
}

/* The same, as what an inner reader sees as its file; its own complaint comes second. */
static la_ssize_t deb_read_inner(struct archive *a, void *user, const void **ret_data)
{
	ssize_t n = deb_read_member(user, ret_data);

	if (n >= 0)
		return n;
	archive_set_error(a, EIO, "unreadable");
	return ARCHIVE_FATAL;
}

/* 1: @d->member names the next one; 0: no more. */
static int deb_next(struct deb *d)
{
	struct archive_entry *entry;
	int r = archive_read_next_header(d->ar, &entry);
	const char *name;

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return deb_fail(d, d->ar);
	name = archive_entry_pathname(entry);
	if (name == NULL || name[0] == '\0')
		return kg_fail(d->err, -KGE_FORMAT, "%s: a member without a name",
			       d->path);
	member_show(name, d->member);
	return 1;
}

static int deb_check_version(struct deb *d)
{
	char version[2] = "";
	int r = deb_next(d);

	if (r < 0)
		return r;
	if (r == 0 || strcmp(d->member, "debian-binary") != 0 ||
	    archive_read_data(d->ar, version, sizeof(version)) != sizeof(version) ||
	    memcmp(version, "2.", 2) != 0)
		return kg_fail(d->err, -KGE_FORMAT,
			       "%s: not a Debian package (no debian-binary 2.x in front)",
			       d->path);
	return 0;
}

static int deb_find_data(struct deb *d)
{
	int r;

	while ((r = deb_next(d)) > 0)
		if (str_starts(d->member, "data.tar"))
			return 0;
	d->member[0] = '\0';
	return r < 0 ? r : kg_fail(d->err, -KGE_FORMAT, "%s: no data member", d->path);
}

static const struct deb_filter {
	const char *suffix;
	int (*support)(struct archive *a);
} deb_filters[] = {
	{ "", archive_read_support_filter_none },
	{ ".zst", archive_read_support_filter_zstd },
	{ ".gz", archive_read_support_filter_gzip },
	{ ".bz2", archive_read_support_filter_bzip2 },
	{ ".lzma", archive_read_support_filter_lzma },
};

static int deb_add_filter(struct deb *d)
{
	const char *suffix = d->member + strlen("data.tar");

	for (size_t i = 0; i < ARRAY_SIZE(deb_filters); i++) {
		if (strcmp(suffix, deb_filters[i].suffix) != 0)
			continue;
		/* a warning means it would run a decompressor program found in PATH */
		if (deb_filters[i].support(d->data) == ARCHIVE_OK)
			return 0;
		return kg_fail(d->err, -EOPNOTSUPP, "%s: this libarchive cannot read %s",
			       d->path, d->member);
	}
	return kg_fail(d->err, -KGE_FORMAT, "%s: %s: unknown compression", d->path,
		       d->member);
}

static int deb_open_data(struct deb *d)
{
	struct archive_entry *entry;
	int r;

	d->data = archive_read_new();
	if (d->data == NULL)
		return kg_fail_errno(d->err, -ENOMEM, "%s", d->path);
	r = deb_add_filter(d);
	if (r < 0)
		return r;
	archive_read_support_format_raw(d->data);
	if (archive_read_open(d->data, d, NULL, deb_read_inner, NULL) != ARCHIVE_OK ||
	    archive_read_next_header(d->data, &entry) != ARCHIVE_OK)
		return deb_fail(d, d->data);
	return 0;
}

static int deb_count(void *user, size_t more)
{
	struct deb *d = user;

	d->unpacked_bytes += more;
	if (d->unpacked_bytes > d->limits->max_bytes)
		return kg_fail(d->err, -KGE_LIMIT,
			       "%s: %s: unpacks to more than %llu MiB", d->path,
			       d->member,
			       (unsigned long long)(d->limits->max_bytes >> 20));
	if (d->unpacked_bytes > DEB_RATIO_FREE_BYTES &&
	    d->unpacked_bytes / DEB_MAX_RATIO > d->packed_bytes)
		return kg_fail(d->err, -KGE_LIMIT,
			       "%s: %s: unpacks to over %u times its size", d->path,
			       d->member, DEB_MAX_RATIO);
	return 0;
}

static int deb_pump_xz(struct deb *d, struct feed *feed)
{
	const struct xz_io io = {
		.read = deb_read_member, .count = deb_count, .data = d, .feed = feed
	};
	const char *why = NULL;
	int r = xz_decode(&io, &why);

	return r == 0 ? 0 : kg_fail(d->err, r, "%s: %s: %s", d->path, d->member, why);
}

/* What is not .xz: decompressed by libarchive. */
static int deb_pump(struct deb *d, struct feed *feed)
{
	la_int64_t offset;
	const void *block;
	size_t len;
	int r = deb_open_data(d);

	if (r < 0)
		return r;
	while ((r = archive_read_data_block(d->data, &block, &len, &offset)) ==
	       ARCHIVE_OK) {
		r = deb_count(d, len);
		if (r < 0)
			return r;
		if (!feed_put(feed, block, len))
			return 0; /* the reader has what it wanted */
	}
	return r == ARCHIVE_EOF ? 0 : deb_fail(d, d->data);
}

static int deb_run(struct deb *d, int fd, struct feed *feed)
{
	int r;

	d->ar = archive_read_new();
	if (d->ar == NULL)
		return kg_fail_errno(d->err, -ENOMEM, "%s", d->path);
	archive_read_support_format_ar(d->ar);
	if (archive_read_open_fd(d->ar, fd, DEB_READ_SIZE) != ARCHIVE_OK)
		return deb_fail(d, d->ar);
	r = deb_check_version(d);
	if (r == 0)
		r = deb_find_data(d);
	if (r < 0)
		return r;
	return str_ends(d->member, ".xz") ? deb_pump_xz(d, feed) : deb_pump(d, feed);
}

int deb_decode(int fd, const char *path, const struct stage_limits *limits,
	       struct feed *feed, struct kg_err *err)
{
	struct deb d = { .path = path, .limits = limits, .err = err };
	int r = deb_run(&d, fd, feed);

	deb_fini(&d);
	feed_end(feed);
	return r;
}
