// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/unzip.h"

#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define UNZIP_IN_SIZE (64u << 10)
#define UNZIP_XZ_MEMORY (512u << 20)

struct unzip {
	int fd;
	enum unzip_kind kind;
	uint64_t offset; /* of what is read next */
	uint64_t left;
	bool is_done;
	const unsigned char *in; /* within @buffer: not yet decompressed */
	size_t in_len;
	z_stream gz;
	lzma_stream xz;
	ZSTD_DStream *zstd;
	unsigned char buffer[UNZIP_IN_SIZE];
};

static int start(struct unzip *z)
{
	const lzma_stream fresh = LZMA_STREAM_INIT;

	switch (z->kind) {
	case UNZIP_PLAIN:
		return 0;
	case UNZIP_GZ:
		return inflateInit2(&z->gz, 15 + 16) == Z_OK ? 0 : -ENOMEM;
	case UNZIP_XZ:
		z->xz = fresh;
		return lzma_auto_decoder(&z->xz, UNZIP_XZ_MEMORY, LZMA_CONCATENATED) ==
				       LZMA_OK
			       ? 0
			       : -ENOMEM;
	case UNZIP_ZSTD:
		z->zstd = ZSTD_createDStream();
		return z->zstd != NULL ? 0 : -ENOMEM;
	}
	return -EINVAL;
}

int unzip_open(int fd, uint64_t offset, uint64_t len, enum unzip_kind kind,
	       struct unzip **ret)
{
	struct unzip *z = malloc(sizeof(*z));
	int r;

	if (z == NULL)
		return -ENOMEM;
	/* Not the buffer: 64 KiB to clear for each of 300 archives. */
	z->fd = fd;
	z->kind = kind;
	z->offset = offset;
	z->left = len;
	z->is_done = false;
	z->in = z->buffer;
	z->in_len = 0;
	z->gz = (z_stream){ 0 };
	z->zstd = NULL;
	r = start(z);
	if (r < 0) {
		free(z);
		return r;
	}
	*ret = z;
	return 0;
}

void unzip_close(struct unzip *z)
{
	if (z == NULL)
		return;
	if (z->kind == UNZIP_GZ)
		inflateEnd(&z->gz);
	if (z->kind == UNZIP_XZ)
		lzma_end(&z->xz);
	ZSTD_freeDStream(z->zstd);
	free(z);
}

/* More compressed bytes; none at the end of the part. */
static int fill(struct unzip *z)
{
	size_t want = z->left < UNZIP_IN_SIZE ? (size_t)z->left : UNZIP_IN_SIZE;
	ssize_t n;

	if (z->in_len > 0 || want == 0)
		return 0;
	do {
		n = pread(z->fd, z->buffer, want, (off_t)z->offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -KGE_FORMAT;
	z->in = z->buffer;
	z->in_len = (size_t)n;
	z->offset += (uint64_t)n;
	z->left -= (uint64_t)n;
	return 0;
}

/* What one step took from the input. */
static void used(struct unzip *z, size_t n)
{
	z->in += n;
	z->in_len -= n;
}

static ssize_t step_plain(struct unzip *z, unsigned char *out, size_t len)
{
	size_t n = z->in_len < len ? z->in_len : len;

	for (size_t i = 0; i < n; i++)
		out[i] = z->in[i];
	used(z, n);
	z->is_done = z->in_len == 0 && z->left == 0;
	return (ssize_t)n;
}

static ssize_t step_gz(struct unzip *z, unsigned char *out, size_t len)
{
	int r;

	z->gz.next_in = (unsigned char *)(uintptr_t)z->in;
	z->gz.avail_in = (unsigned int)z->in_len;
	z->gz.next_out = out;
	z->gz.avail_out = (unsigned int)len;
	r = inflate(&z->gz, Z_NO_FLUSH);
	used(z, z->in_len - z->gz.avail_in);
	z->is_done = r == Z_STREAM_END;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return -KGE_FORMAT;
	return (ssize_t)(len - z->gz.avail_out);
}

static ssize_t step_xz(struct unzip *z, unsigned char *out, size_t len)
{
	lzma_ret r;

	z->xz.next_in = z->in;
	z->xz.avail_in = z->in_len;
	z->xz.next_out = out;
	z->xz.avail_out = len;
	r = lzma_code(&z->xz, z->left == 0 ? LZMA_FINISH : LZMA_RUN);
	used(z, z->in_len - z->xz.avail_in);
	z->is_done = r == LZMA_STREAM_END;
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
		return -KGE_FORMAT;
	return (ssize_t)(len - z->xz.avail_out);
}

static ssize_t step_zstd(struct unzip *z, unsigned char *out, size_t len)
{
	ZSTD_inBuffer in = { z->in, z->in_len, 0 };
	ZSTD_outBuffer to = { out, len, 0 };
	size_t r = ZSTD_decompressStream(z->zstd, &to, &in);

	if (ZSTD_isError(r))
		return -KGE_FORMAT;
	used(z, in.pos);
	z->is_done = r == 0 && z->in_len == 0 && z->left == 0;
	return (ssize_t)to.pos;
}

static ssize_t step(struct unzip *z, unsigned char *out, size_t len)
{
	switch (z->kind) {
	case UNZIP_PLAIN:
		return step_plain(z, out, len);
	case UNZIP_GZ:
		return step_gz(z, out, len);
	case UNZIP_XZ:
		return step_xz(z, out, len);
	case UNZIP_ZSTD:
		return step_zstd(z, out, len);
	}
	return -EINVAL;
}

ssize_t unzip_read(struct unzip *z, void *data, size_t len)
{
	unsigned char *out = data;
	size_t have = 0;

	/* zlib counts in int */
	if (len > (1u << 30))
		len = 1u << 30;
	while (have < len && !z->is_done) {
		size_t before;
		ssize_t n = fill(z);

		if (n < 0)
			return n;
		before = z->in_len;
		n = step(z, out + have, len - have);
		if (n < 0)
			return n;
		have += (size_t)n;
		if (n == 0 && z->in_len == before && !z->is_done && z->left == 0)
			return -KGE_FORMAT; /* cut off */
	}
	return (ssize_t)have;
}
