// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A package of rpm, formats 3 to 6: a lead of 96 bytes, two headers (an index of entries of 16 bytes and
 * a store each, the first one padded to 8 bytes), and the compressed payload.
 */
#include "core/stage/rpm.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "core/stage/payload.h"

#define RPM_LEAD_SIZE 96
#define RPM_INTRO_SIZE 16
#define RPM_ENTRY_SIZE 16u
#define RPM_MAX_HEADER (256u << 20)

struct rpm {
	const char *path;
	int fd;
	uint64_t packed_bytes; /* of the file */
	struct kg_err *err;
};

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

int rpm_decode(int fd, const char *path, const struct stage_limits *limits,
	       struct feed *feed, struct kg_err *err)
{
	struct rpm p = { .path = path, .fd = fd, .err = err };
	int r = rpm_seek_payload(&p);

	if (r == 0) {
		const struct payload payload = {
			.path = path,
			.fd = fd,
			.packed_bytes = p.packed_bytes,
			.limits = limits,
		};

		r = payload_decode(&payload, feed, err);
	}
	feed_end(feed);
	return r;
}
