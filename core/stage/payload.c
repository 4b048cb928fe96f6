// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/payload.h"

#include "core/base/libarchive.h"
#include "core/stage/member.h"

#define PAYLOAD_READ_SIZE (1024u * 1024)

/* As deb.c: the best real compressors reach 1000:1 only on long runs of one byte. */
#define PAYLOAD_MAX_RATIO 1000u
#define PAYLOAD_RATIO_FREE_BYTES (64u * 1024 * 1024)

struct decoder {
	const struct payload *p;
	struct archive *raw;
	uint64_t unpacked_bytes;
	struct kg_err *err;
};

static int decoder_fail(struct decoder *d)
{
	const char *why = archive_error_string(d->raw);
	char shown[MEMBER_SHOW_SIZE];
	int r = archive_errno(d->raw) == ENOMEM ? -ENOMEM : -KGE_FORMAT;

	return kg_fail(d->err, r, "%s: payload: %s", d->p->path,
		       member_show(why != NULL ? why : "unreadable", shown));
}

/* A warning means it would run a decompressor program found in PATH. */
static int add_filters(struct archive *a)
{
	if (archive_read_support_filter_none(a) == ARCHIVE_OK &&
	    archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
	    archive_read_support_filter_bzip2(a) == ARCHIVE_OK &&
	    archive_read_support_filter_xz(a) == ARCHIVE_OK &&
	    archive_read_support_filter_lzma(a) == ARCHIVE_OK &&
	    archive_read_support_filter_zstd(a) == ARCHIVE_OK)
		return 0;
	return -EOPNOTSUPP;
}

static int decoder_open(struct decoder *d)
{
	struct archive_entry *entry;

	d->raw = archive_read_new();
	if (d->raw == NULL)
		return kg_fail_errno(d->err, -ENOMEM, "%s", d->p->path);
	if (add_filters(d->raw) < 0)
		return kg_fail(d->err, -EOPNOTSUPP,
			       "%s: this libarchive lacks a compression", d->p->path);
	archive_read_support_format_raw(d->raw);
	archive_read_support_format_empty(d->raw);
	if (archive_read_open_fd(d->raw, d->p->fd, PAYLOAD_READ_SIZE) != ARCHIVE_OK)
		return decoder_fail(d);
	if (archive_read_next_header(d->raw, &entry) != ARCHIVE_OK)
		return decoder_fail(d);
	return 0;
}

static int decoder_count(struct decoder *d, size_t more)
{
	const struct payload *p = d->p;

	d->unpacked_bytes += more;
	if (d->unpacked_bytes > p->limits->max_bytes)
		return kg_fail(d->err, -KGE_LIMIT, "%s: unpacks to more than %llu MiB",
			       p->path, (unsigned long long)(p->limits->max_bytes >> 20));
	if (d->unpacked_bytes > PAYLOAD_RATIO_FREE_BYTES &&
	    d->unpacked_bytes / PAYLOAD_MAX_RATIO > p->packed_bytes)
		return kg_fail(d->err, -KGE_LIMIT,
			       "%s: unpacks to over %u times its size", p->path,
			       PAYLOAD_MAX_RATIO);
	return 0;
}

static int decoder_pump(struct decoder *d, struct feed *feed)
{
	la_int64_t offset;
	const void *block;
	size_t len;
	int r;

	while ((r = archive_read_data_block(d->raw, &block, &len, &offset)) ==
	       ARCHIVE_OK) {
		r = decoder_count(d, len);
		if (r < 0)
			return r;
		if (!feed_put(feed, block, len))
			return 0; /* the reader has what it wanted */
	}
	return r == ARCHIVE_EOF ? 0 : decoder_fail(d);
}

int payload_decode(const struct payload *payload, struct feed *feed, struct kg_err *err)
{
	struct decoder d = { .p = payload, .err = err };
	int r = decoder_open(&d);

	if (r == 0)
		r = decoder_pump(&d, feed);
	archive_read_free(d.raw);
	return r;
}
