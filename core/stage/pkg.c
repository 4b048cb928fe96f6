// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/pkg.h"

#include <sys/stat.h>

#include "core/stage/payload.h"

int pkg_decode(int fd, const char *path, const struct stage_limits *limits,
	       struct feed *feed, struct kg_err *err)
{
	struct payload payload = { .path = path, .fd = fd, .limits = limits };
	struct stat st;
	int r = fstat(fd, &st) < 0 ? kg_fail_errno(err, -errno, "%s", path) : 0;

	if (r == 0) {
		payload.packed_bytes = (uint64_t)st.st_size;
		r = payload_decode(&payload, feed, err);
	}
	feed_end(feed);
	return r;
}
