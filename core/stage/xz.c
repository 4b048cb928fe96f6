// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/xz.h"

#include <lzma.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Beyond this it decodes on one CPU, beyond the second it refuses. */
#define XZ_THREADS_MEMORY (512ull << 20)
#define XZ_MAX_MEMORY (1024ull << 20)

#define HUGE_PAGE ((size_t)2 << 20)

/*
 * Whole blocks and dictionaries lie in memory that was never touched before: page by page that is
 * tens of thousands of faults an archive.
 */
static void *xz_alloc(void *opaque, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	(void)opaque;
	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE)
		return NULL;
	if (bytes < HUGE_PAGE)
		return malloc(bytes > 0 ? bytes : 1);
	bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	p = aligned_alloc(HUGE_PAGE, bytes);
	if (p != NULL)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void xz_free(void *opaque, void *p)
{
	(void)opaque;
	free(p);
}

static int xz_init(lzma_stream *s)
{
	uint64_t quarter = lzma_physmem() / 4;
	lzma_mt how = {
		.flags = LZMA_CONCATENATED | LZMA_FAIL_FAST,
		.threads = lzma_cputhreads(),
		.memlimit_threading = XZ_THREADS_MEMORY,
		.memlimit_stop = XZ_MAX_MEMORY,
	};

	if (quarter != 0 && quarter < how.memlimit_threading)
		how.memlimit_threading = quarter;
	if (how.threads == 0)
		how.threads = 1;
	return lzma_stream_decoder_mt(s, &how) == LZMA_OK ? 0 : -ENOMEM;
}

static const char *xz_reason(lzma_ret ret)
{
	switch ((int)ret) {
	case LZMA_FORMAT_ERROR:
		return "not xz data";
	case LZMA_MEMLIMIT_ERROR:
		return "needs too much memory to unpack";
	case LZMA_BUF_ERROR:
		return "truncated";
	case LZMA_OPTIONS_ERROR:
		return "unknown kind of xz data";
	default:
		return "damaged xz data";
	}
}

/* 1: give it more input; 0: done; negative: failed. */
static int xz_step(lzma_stream *s, lzma_action action, const struct xz_io *io,
		   const char **ret_why)
{
	size_t room;
	lzma_ret ret;
	int r;

	do {
		s->next_out = feed_room(io->feed, &room);
		s->avail_out = room;
		ret = lzma_code(s, action);
		r = io->count(io->data, room - s->avail_out);
		if (r < 0)
			return r;
		if (!feed_filled(io->feed, room - s->avail_out))
			return 0;
	} while (ret == LZMA_OK &&
		 (s->avail_in > 0 || s->avail_out == 0 || action == LZMA_FINISH));
	if (ret == LZMA_OK || (ret == LZMA_BUF_ERROR && action == LZMA_RUN))
		return 1;
	if (ret == LZMA_STREAM_END)
		return 0;
	*ret_why = xz_reason(ret);
	return ret == LZMA_MEM_ERROR ? -ENOMEM : -KGE_FORMAT;
}

static int xz_run(lzma_stream *s, const struct xz_io *io, const char **ret_why)
{
	lzma_action action = LZMA_RUN;
	int r = 1;

	while (r > 0) {
		const void *block = NULL;
		ssize_t n = io->read(io->data, &block);

		if (n < 0)
			return (int)n;
		if (n == 0)
			action = LZMA_FINISH;
		s->next_in = block;
		s->avail_in = (size_t)n;
		r = xz_step(s, action, io, ret_why);
	}
	return r;
}

int xz_decode(const struct xz_io *io, const char **ret_why)
{
	static const lzma_allocator allocator = { .alloc = xz_alloc, .free = xz_free };
	lzma_stream s = { .allocator = &allocator };
	int r = xz_init(&s);

	*ret_why = "out of memory";
	if (r == 0)
		r = xz_run(&s, io, ret_why);
	lzma_end(&s);
	return r;
}
