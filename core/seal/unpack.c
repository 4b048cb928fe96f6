// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libkmod knows what its distribution built it with (Debian's: no gzip), and may find a
 * library missing at run time. The three ways kernels pack their modules are read here instead.
 */
#include "core/seal/unpack.h"

#define ZLIB_CONST /* next_in is const */
#include <lzma.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/fd.h"

#define CHUNK_SIZE 65536
#define UNPACKED_MAX_BYTES (512ULL << 20)
#define XZ_MEMORY_MAX (256ULL << 20)

struct unpack {
	int from_fd;
	int to_fd;
	uint64_t written;
	unsigned char in[CHUNK_SIZE];
	unsigned char out[CHUNK_SIZE];
};

/* Bytes in u->in; 0 at the end. */
static ssize_t fill(struct unpack *u)
{
	ssize_t n;

	do
		n = read(u->from_fd, u->in, sizeof(u->in));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int flush(struct unpack *u, size_t len)
{
	u->written += len;
	return u->written > UNPACKED_MAX_BYTES ? -KGE_LIMIT
					       : fd_write_all(u->to_fd, u->out, len);
}

static int run_gzip(struct unpack *u, z_stream *z)
{
	int status = Z_OK;
	int r = 0;

	while (r == 0 && status != Z_STREAM_END) {
		if (z->avail_in == 0) {
			ssize_t n = fill(u);

			if (n <= 0)
				return n < 0 ? (int)n : -EINVAL;
			z->next_in = u->in;
			z->avail_in = (unsigned int)n;
		}
		z->next_out = u->out;
		z->avail_out = sizeof(u->out);
		status = inflate(z, Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END)
			return status == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
		r = flush(u, sizeof(u->out) - z->avail_out);
	}
	return r;
}

static int unpack_gzip(struct unpack *u)
{
	z_stream z = { 0 };
	int r;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -ENOMEM;
	r = run_gzip(u, &z);
	inflateEnd(&z);
	return r;
}

static int run_xz(struct unpack *u, lzma_stream *xz)
{
	lzma_ret status = LZMA_OK;
	int r = 0;

	while (r == 0 && status != LZMA_STREAM_END) {
		if (xz->avail_in == 0) {
			ssize_t n = fill(u);

			if (n <= 0)
				return n < 0 ? (int)n : -EINVAL;
			xz->next_in = u->in;
			xz->avail_in = (size_t)n;
		}
		xz->next_out = u->out;
		xz->avail_out = sizeof(u->out);
		status = lzma_code(xz, LZMA_RUN);
		if (status != LZMA_OK && status != LZMA_STREAM_END)
			return status == LZMA_MEM_ERROR ? -ENOMEM : -EINVAL;
		r = flush(u, sizeof(u->out) - xz->avail_out);
	}
	return r;
}

static int unpack_xz(struct unpack *u)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	int r;

	if (lzma_stream_decoder(&xz, XZ_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	r = run_xz(u, &xz);
	lzma_end(&xz);
	return r;
}

static int run_zstd(struct unpack *u, ZSTD_DCtx *zstd)
{
	ZSTD_inBuffer in = { .src = u->in };
	size_t left = 1;
	int r = 0;

	while (r == 0 && left > 0) {
		ZSTD_outBuffer out = { .dst = u->out, .size = sizeof(u->out) };

		if (in.pos == in.size) {
			ssize_t n = fill(u);

			if (n <= 0)
				return n < 0 ? (int)n : -EINVAL;
			in.size = (size_t)n;
			in.pos = 0;
		}
		left = ZSTD_decompressStream(zstd, &out, &in);
		if (ZSTD_isError(left))
			return -EINVAL;
		r = flush(u, out.pos);
	}
	return r;
}

static int unpack_zstd(struct unpack *u)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	int r = zstd != NULL ? run_zstd(u, zstd) : -ENOMEM;

	ZSTD_freeDCtx(zstd);
	return r;
}

static const struct {
	const char *magic;
	size_t len;
	int (*run)(struct unpack *u);
} ways[] = {
	{ "\x1f\x8b", 2, unpack_gzip },
	{ "\xfd"
	  "7zXZ\0",
	  6, unpack_xz },
	{ "\x28\xb5\x2f\xfd", 4, unpack_zstd },
};

int unpack_fd(int fd)
{
	struct unpack u = { .from_fd = fd };
	_cleanup_close_ int to_fd = -1;
	char head[6];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	int r = -ENOTSUP;

	if (n < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if ((size_t)n < ways[i].len ||
		    memcmp(head, ways[i].magic, ways[i].len) != 0)
			continue;
		to_fd = u.to_fd = memfd_create("module", MFD_CLOEXEC);
		if (to_fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		r = ways[i].run(&u);
	}
	return r < 0 ? r : TAKE_FD(to_fd);
}
