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

/* ---- options ---- */

struct how {
	int level;	    /* -1: the way's own */
	uint32_t dict_size; /* 0: the level's */
	bool is_extreme;
};

/* "1MiB", "512KiB", "65536". */
static uint32_t parse_size(const char *p, size_t len)
{
	const size_t digits = strspn(p, "0123456789");
	uint64_t n;

	if (digits > len || parse_u64n(p, digits, &n) < 0 || n > UINT32_MAX)
		return 0;
	if (digits < len && (p[digits] == 'M' || p[digits] == 'm'))
		n <<= 20;
	else if (digits < len && (p[digits] == 'K' || p[digits] == 'k'))
		n <<= 10;
	return n >= LZMA_DICT_SIZE_MIN && n <= UINT32_MAX / 2 ? (uint32_t)n : 0;
}

/* A level takes back what was said of the dictionary, as in xz. */
static void take_option(struct how *how, const char *p, size_t len)
{
	static const char lzma2[] = "--lzma2=";
	const size_t digits = p[0] == '-' ? strspn(p + 1, "0123456789") : 0;
	const char *dict;
	uint64_t n;

	if (digits > 0 && digits < 4 && parse_u64n(p + 1, digits, &n) == 0) {
		how->level = (int)n;
		how->dict_size = 0;
		how->is_extreme |= digits + 1 < len && p[digits + 1] == 'e';
	} else if (len == 2 && memcmp(p, "-e", 2) == 0) {
		how->is_extreme = true;
	} else if (len > strlen(lzma2) && memcmp(p, lzma2, strlen(lzma2)) == 0) {
		dict = memmem(p, len, "dict=", 5);
		if (dict != NULL)
			how->dict_size =
				parse_size(dict + 5, (size_t)(p + len - dict) - 5);
	}
}

static struct how read_options(const char *options)
{
	struct how how = { .level = -1, .dict_size = options == NULL ? XZ_DICT_SIZE : 0 };
	const char *p = options ?: "";

	for (p += strspn(p, " \t"); *p != '\0'; p += strspn(p, " \t")) {
		size_t len = strcspn(p, " \t");

		take_option(&how, p, len);
		p += len;
	}
	return how;
}

/* One that is out of the way's range is as none. */
static int level_of(const struct how *how, int least, int most, int usual)
{
	return how->level >= least && how->level <= most ? how->level : usual;
}

/* ---- gzip ---- */

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

static int compress_gzip(const void *data, size_t len, const struct how *how,
			 struct str *out)
{
	z_stream z = { 0 };
	int r;

	/* 15 + 16: the largest window, gzip header (zlib fills it with time 0 and no name) */
	if (deflateInit2(&z, level_of(how, 1, 9, 6), Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = gzip_run(&z, data, len, out);
	deflateEnd(&z);
	return r;
}

/* ---- xz ---- */

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
static int compress_xz(const void *data, size_t len, const struct how *how,
		       struct str *out)
{
	const uint32_t preset = (uint32_t)level_of(how, 0, 9, LZMA_PRESET_DEFAULT) |
				(how->is_extreme ? LZMA_PRESET_EXTREME : 0);
	lzma_stream xz = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	const lzma_filter filters[] = {
		{ .id = LZMA_FILTER_LZMA2, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	int r;

	if (lzma_lzma_preset(&options, preset))
		return -EIO;
	if (how->dict_size > 0)
		options.dict_size = how->dict_size;
	if (lzma_stream_encoder(&xz, filters, LZMA_CHECK_CRC32) != LZMA_OK)
		return -ENOMEM;
	xz.next_in = data;
	xz.avail_in = len;
	r = xz_run(&xz, out);
	lzma_end(&xz);
	return r;
}

/* ---- zstd ---- */

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

static int compress_zstd(const void *data, size_t len, const struct how *how,
			 struct str *out)
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
	if (!ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel,
						 level_of(how, 1, 22, 3))) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)) &&
	    !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(zstd, len)))
		r = zstd_run(zstd, data, len, out);
	ZSTD_freeCCtx(zstd);
	return r;
}

/* ---- all ---- */

static int compress_none(const void *data, size_t len, const struct how *how,
			 struct str *out)
{
	(void)how;
	str_addn(out, data, len);
	return 0;
}

static const struct {
	const char *suffix;
	int (*run)(const void *data, size_t len, const struct how *how, struct str *out);
} ways[] = {
	{ "", compress_none },
	{ ".gz", compress_gzip },
	{ ".xz", compress_xz },
	{ ".zst", compress_zstd },
};

int seal_compress_with(const void *data, size_t len, const char *suffix,
		       const char *options, struct str *ret_data, struct kg_err *err)
{
	const struct how how = read_options(options);
	_cleanup_str_ struct str out = { 0 };
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(ways[i].suffix, suffix) == 0)
			r = ways[i].run(data, len, &how, &out);
	if (r == 0 && !str_ok(&out))
		r = -ENOMEM;
	if (r < 0)
		return kg_fail_errno(err, r, "cannot compress a module as .ko%s", suffix);
	*ret_data = out;
	out = (struct str){ 0 };
	return 0;
}

int seal_compress(const void *data, size_t len, const char *suffix, struct str *ret_data,
		  struct kg_err *err)
{
	return seal_compress_with(data, len, suffix, NULL, ret_data, err);
}
