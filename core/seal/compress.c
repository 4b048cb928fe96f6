// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Settings of the kernel's own "make modules_install", which are DKMS's defaults since 3.1:
 * "xz --check=crc32 --lzma2=dict=1MiB", "zstd -T0" (level 3), gzip's level 6 without name and
 * time. The same input gives the same bytes, on any number of CPUs.
 */
#include "core/seal/seal.h"

#define ZLIB_CONST /* next_in is const */
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK_SIZE 65536
#define XZ_DICT_SIZE (1U << 20)
#define ZSTD_LEVEL 3

/* A z_stream counts in unsigned int, so the input is fed in parts. */
static int gzip_run(z_stream *z, const unsigned char *data, size_t len, struct str *out)
{
	unsigned char chunk[CHUNK_SIZE];
	int r = Z_OK;

	while (r != Z_STREAM_END) {
		if (z->avail_in == 0 && len > 0) {
			z->next_in = data;
			z->avail_in = len > CHUNK_SIZE ? CHUNK_SIZE : (unsigned int)len;
			data += z->avail_in;
			len -= z->avail_in;
		}
		z->next_out = chunk;
		z->avail_out = sizeof(chunk);
		r = deflate(z, len > 0 ? Z_NO_FLUSH : Z_FINISH);
		if (r != Z_OK && r != Z_STREAM_END)
			return -EIO;
		str_addn(out, (const char *)chunk, sizeof(chunk) - z->avail_out);
	}
	return 0;
}

static int compress_gzip(const void *data, size_t len, struct str *out)
{
	z_stream z = { 0 };
	int r;

	/* 15 + 16: the largest window, gzip header (zlib fills it with time 0 and no name) */
	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = gzip_run(&z, data, len, out);
	deflateEnd(&z);
	return r;
}

static int xz_run(lzma_stream *xz, struct str *out)
{
	unsigned char chunk[CHUNK_SIZE];
	lzma_ret r = LZMA_OK;

	while (r != LZMA_STREAM_END) {
		xz->next_out = chunk;
		xz->avail_out = sizeof(chunk);
		r = lzma_code(xz, LZMA_FINISH);
		if (r != LZMA_OK && r != LZMA_STREAM_END)
			return r == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
		str_addn(out, (const char *)chunk, sizeof(chunk) - xz->avail_out);
	}
	return 0;
}

/* The kernel's decoder knows CRC32 only, and allocates the whole dictionary. */
static int compress_xz(const void *data, size_t len, struct str *out)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	const lzma_filter filters[] = {
		{ .id = LZMA_FILTER_LZMA2, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	int r;

	if (lzma_lzma_preset(&options, LZMA_PRESET_DEFAULT))
		return -EIO;
	options.dict_size = XZ_DICT_SIZE;
	if (lzma_stream_encoder(&xz, filters, LZMA_CHECK_CRC32) != LZMA_OK)
		return -ENOMEM;
	xz.next_in = data;
	xz.avail_in = len;
	r = xz_run(&xz, out);
	lzma_end(&xz);
	return r;
}

static int zstd_run(ZSTD_CCtx *zstd, const void *data, size_t len, struct str *out)
{
	ZSTD_inBuffer in = { .src = data, .size = len };
	unsigned char chunk[CHUNK_SIZE];
	size_t left;

	do {
		ZSTD_outBuffer to = { .dst = chunk, .size = sizeof(chunk) };

		left = ZSTD_compressStream2(zstd, &to, &in, ZSTD_e_end);
		if (ZSTD_isError(left))
			return -EIO;
		str_addn(out, (const char *)chunk, to.pos);
	} while (left > 0);
	return 0;
}

static int compress_zstd(const void *data, size_t len, struct str *out)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	int r = -EIO;

	if (zstd == NULL)
		return -ENOMEM;
	/*
	 * One worker: zstd cuts the input into jobs as "zstd -T0" does, whatever the number of
	 * CPUs; without any the bytes differ. A libzstd without threads refuses it, and its
	 * zstd program makes what we then make.
	 */
	(void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_nbWorkers, 1);
	if (!ZSTD_isError(
		    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)) &&
	    !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(zstd, len)))
		r = zstd_run(zstd, data, len, out);
	ZSTD_freeCCtx(zstd);
	return r;
}

static int compress_none(const void *data, size_t len, struct str *out)
{
	str_addn(out, data, len);
	return 0;
}

static const struct {
	const char *suffix;
	int (*run)(const void *data, size_t len, struct str *out);
} ways[] = {
	{ "", compress_none },
	{ ".gz", compress_gzip },
	{ ".xz", compress_xz },
	{ ".zst", compress_zstd },
};

int seal_compress(const void *data, size_t len, const char *suffix, struct str *ret_data,
		  struct kg_err *err)
{
	_cleanup_str_ struct str out = { 0 };
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(ways[i].suffix, suffix) == 0)
			r = ways[i].run(data, len, &out);
	if (r == 0 && !str_ok(&out))
		r = -ENOMEM;
	if (r < 0)
		return kg_fail_errno(err, r, "cannot compress a module as .ko%s", suffix);
	*ret_data = out;
	out = (struct str){ 0 };
	return 0;
}
