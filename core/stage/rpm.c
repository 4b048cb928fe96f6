// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A package of rpm, formats 3 to 6: a lead of 96 bytes, two headers (an index of entries of 16 bytes and
 * a store each, the first one padded to 8 bytes), and the compressed payload.
 */
#include "core/stage/rpm.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "core/base/libarchive.h"
#include "core/stage/member.h"

#define RPM_LEAD_SIZE 96
#define RPM_INTRO_SIZE 16
#define RPM_ENTRY_SIZE 16u
#define RPM_MAX_HEADER (256u << 20)
#define RPM_READ_SIZE (1024u * 1024)

/* As deb.c: the best real compressors reach 1000:1 only on long runs of one byte. */
#define RPM_MAX_RATIO 1000u
#define RPM_RATIO_FREE_BYTES (64u * 1024 * 1024)

struct rpm {
	const char *path;
	int fd;
	struct archive *payload;
	uint64_t packed_bytes; /* of the file */
	uint64_t unpacked_bytes;
	const struct stage_limits *limits;
	struct kg_err *err;
};

static int rpm_fail(struct rpm *p)
{
	const char *why = archive_error_string(p->payload);
	char shown[MEMBER_SHOW_SIZE];
	int r = archive_errno(p->payload) == ENOMEM ? -ENOMEM : -KGE_FORMAT;

	return kg_fail(p->err, r, "%s: payload: %s", p->path,
		       member_show(why != NULL ? why : "unreadable", shown));
}

/* The size of the header at @at, without padding. */
static int rpm_header_size(struct rpm *p, off_t at, uint32_t *ret_size)
{
	static const unsigned char magic[] = { 0x8e, 0xad, 0xe8, 0x01 };
	unsigned char intro[RPM_INTRO_SIZE];
	uint32_t entries;
	uint32_t store;

	if (pread(p->fd, intro, sizeof(intro), at) != sizeof(intro) ||
	    memcmp(intro, magic, sizeof(magic)) != 0)
		return kg_fail(p->err, -KGE_FORMAT, "%s: not an rpm package: no header",
			       p->path);
	memcpy(&entries, intro + 8, sizeof(entries));
	memcpy(&store, intro + 12, sizeof(store));
	entries = be32toh(entries);
	store = be32toh(store);
	if (entries > RPM_MAX_HEADER / RPM_ENTRY_SIZE || store > RPM_MAX_HEADER)
		return kg_fail(p->err, -KGE_LIMIT, "%s: its header is too long", p->path);
	*ret_size = RPM_INTRO_SIZE + entries * RPM_ENTRY_SIZE + store;
	return 0;
}

static int rpm_seek_payload(struct rpm *p)
{
	uint32_t size;
	off_t at = RPM_LEAD_SIZE;
	off_t end;
	int r = rpm_header_size(p, at, &size);

	if (r < 0)
		return r;
	at += (size + 7u) & ~7u;
	r = rpm_header_size(p, at, &size);
	if (r < 0)
		return r;
	at += size;
	end = lseek(p->fd, 0, SEEK_END);
	if (end < at || lseek(p->fd, at, SEEK_SET) != at)
		return kg_fail(p->err, -KGE_FORMAT, "%s: cut off: no payload", p->path);
	p->packed_bytes = (uint64_t)(end - at);
	return 0;
}

/* A warning means it would run a decompressor program found in PATH. */
static int rpm_add_filters(struct archive *a)
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

static int rpm_open_payload(struct rpm *p)
{
	struct archive_entry *entry;

	p->payload = archive_read_new();
	if (p->payload == NULL)
		return kg_fail_errno(p->err, -ENOMEM, "%s", p->path);
	if (rpm_add_filters(p->payload) < 0)
		return kg_fail(p->err, -EOPNOTSUPP,
			       "%s: this libarchive lacks a compression", p->path);
	archive_read_support_format_raw(p->payload);
	archive_read_support_format_empty(p->payload);
	if (archive_read_open_fd(p->payload, p->fd, RPM_READ_SIZE) != ARCHIVE_OK)
		return rpm_fail(p);
	if (archive_read_next_header(p->payload, &entry) != ARCHIVE_OK)
		return rpm_fail(p);
	return 0;
}

static int rpm_count(struct rpm *p, size_t more)
{
	p->unpacked_bytes += more;
	if (p->unpacked_bytes > p->limits->max_bytes)
		return kg_fail(p->err, -KGE_LIMIT, "%s: unpacks to more than %llu MiB",
			       p->path, (unsigned long long)(p->limits->max_bytes >> 20));
	if (p->unpacked_bytes > RPM_RATIO_FREE_BYTES &&
	    p->unpacked_bytes / RPM_MAX_RATIO > p->packed_bytes)
		return kg_fail(p->err, -KGE_LIMIT,
			       "%s: unpacks to over %u times its size", p->path,
			       RPM_MAX_RATIO);
	return 0;
}

static int rpm_pump(struct rpm *p, struct feed *feed)
{
	la_int64_t offset;
	const void *block;
	size_t len;
	int r;

	while ((r = archive_read_data_block(p->payload, &block, &len, &offset)) ==
	       ARCHIVE_OK) {
		r = rpm_count(p, len);
		if (r < 0)
			return r;
		if (!feed_put(feed, block, len))
			return 0; /* the reader has what it wanted */
	}
	return r == ARCHIVE_EOF ? 0 : rpm_fail(p);
}

int rpm_decode(int fd, const char *path, const struct stage_limits *limits,
	       struct feed *feed, struct kg_err *err)
{
	struct rpm p = { .path = path, .fd = fd, .limits = limits, .err = err };
	int r = rpm_seek_payload(&p);

	if (r == 0)
		r = rpm_open_payload(&p);
	if (r == 0)
		r = rpm_pump(&p, feed);
	archive_read_free(p.payload);
	feed_end(feed);
	return r;
}
