// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "core/seal/seal.h"

#define SAMPLE_SIZE 3000000

/* Compressible here, noise there; larger than every window and job in use. */
static char *make_sample(void)
{
	char *data = malloc(SAMPLE_SIZE);
	uint32_t seed = 1;

	assert_non_null(data);
	for (size_t i = 0; i < SAMPLE_SIZE; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (i >> 14) % 3 == 0 ? (char)(seed >> 24)
					     : (char)("ELF.text\n"[i % 9]);
	}
	return data;
}

static void pack(const char *data, size_t len, const char *suffix, struct str *out)
{
	struct kg_err err = { 0 };

	assert_int_equal(seal_compress(data, len, suffix, out, &err), 0);
	assert_int_equal(err.code, 0);
}

static void unxz(const struct str *in, char *out, size_t size, size_t *ret_len)
{
	uint64_t memory = 64U << 20;
	size_t at = 0;

	*ret_len = 0;
	assert_int_equal(lzma_stream_buffer_decode(&memory, 0, NULL,
						   (const uint8_t *)in->p, &at, in->len,
						   (uint8_t *)out, ret_len, size),
			 LZMA_OK);
	assert_int_equal(at, in->len);
}

static void gunzip(const struct str *in, char *out, size_t size, size_t *ret_len)
{
	z_stream z = { 0 };

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)in->p;
	z.avail_in = (unsigned int)in->len;
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned int)size;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	*ret_len = z.total_out;
	inflateEnd(&z);
}

static void unzstd(const struct str *in, char *out, size_t size, size_t *ret_len)
{
	assert_int_equal(ZSTD_getFrameContentSize(in->p, in->len), size);
	*ret_len = ZSTD_decompress(out, size, in->p, in->len);
	assert_false(ZSTD_isError(*ret_len));
}

static void test_what_goes_in_comes_out(void **state)
{
	static const size_t sizes[] = { SAMPLE_SIZE, 65536, 65537, 1 };
	char *data = make_sample();
	char *back = malloc(SAMPLE_SIZE);

	(void)state;
	assert_non_null(back);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		static const struct {
			const char *suffix;
			void (*run)(const struct str *, char *, size_t, size_t *);
		} ways[] = { { ".xz", unxz }, { ".gz", gunzip }, { ".zst", unzstd } };

		for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
			struct str out = { 0 };
			size_t len;

			pack(data, sizes[i], ways[w].suffix, &out);
			ways[w].run(&out, back, sizes[i], &len);
			assert_int_equal(len, sizes[i]);
			assert_memory_equal(back, data, len);
			str_fini(&out);
		}
	}
	free(back);
	free(data);
}

static void test_no_suffix_changes_nothing(void **state)
{
	struct str out = { 0 };

	(void)state;
	pack("\177ELF\0x", 6, "", &out);
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.p, "\177ELF\0x", 6);
	str_fini(&out);
}

static void test_nothing_is_compressed_too(void **state)
{
	struct str out = { 0 };
	char back[1];
	size_t len;

	(void)state;
	pack("", 0, ".gz", &out);
	gunzip(&out, back, sizeof(back), &len);
	assert_int_equal(len, 0);
	str_fini(&out);
}

static void test_the_same_input_gives_the_same_bytes(void **state)
{
	static const char *const suffixes[] = { ".gz", ".xz", ".zst" };
	char *data = make_sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		struct str one = { 0 };
		struct str two = { 0 };

		pack(data, SAMPLE_SIZE, suffixes[i], &one);
		pack(data, SAMPLE_SIZE, suffixes[i], &two);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.p, two.p, one.len);
		str_fini(&one);
		str_fini(&two);
	}
	free(data);
}

static void test_xz_has_what_the_kernels_decoder_needs(void **state)
{
	struct str out = { 0 };
	lzma_stream_flags flags;

	(void)state;
	pack("module", 6, ".xz", &out);
	assert_int_equal(lzma_stream_header_decode(&flags, (const uint8_t *)out.p),
			 LZMA_OK);
	assert_int_equal(flags.check, LZMA_CHECK_CRC32);
	/* block header: one filter, LZMA2 (0x21), one byte of properties: 1 MiB is 16 */
	assert_int_equal(out.p[14], 0x21);
	assert_int_equal(out.p[16], 16);
	str_fini(&out);
}

static void test_gzip_tells_neither_time_nor_name(void **state)
{
	static const unsigned char header[8] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0 };
	struct str out = { 0 };

	(void)state;
	pack("module", 6, ".gz", &out);
	assert_memory_equal(out.p, header, sizeof(header));
	str_fini(&out);
}

static void pack_with(const char *suffix, const char *options, struct str *out)
{
	char *data = make_sample();
	char *back = malloc(SAMPLE_SIZE);
	size_t len = 0;

	assert_int_equal(
		seal_compress_with(data, SAMPLE_SIZE, suffix, options, out, NULL), 0);
	if (strcmp(suffix, ".gz") == 0)
		gunzip(out, back, SAMPLE_SIZE, &len);
	else if (strcmp(suffix, ".zst") == 0)
		unzstd(out, back, SAMPLE_SIZE, &len);
	else
		len = SAMPLE_SIZE;
	assert_int_equal(len, SAMPLE_SIZE);
	if (strcmp(suffix, ".xz") != 0)
		assert_memory_equal(back, data, SAMPLE_SIZE);
	free(back);
	free(data);
}

/* gzip notes the fastest and the best level; xz its dictionary, 2^(12 + N/2) bytes. */
static void test_options_of_the_programs_count(void **state)
{
	static const struct {
		const char *suffix;
		const char *options;
		size_t at;
		int byte;
	} cases[] = {
		{ ".gz", NULL, 8, 0 },
		{ ".gz", "-9", 8, 2 },
		{ ".gz", "-q -1", 8, 4 },
		{ ".gz", "-99", 8, 0 },
		{ ".xz", NULL, 16, 16 },
		{ ".xz", "", 16, 22 },
		{ ".xz", "--check=crc64 -9e", 16, 28 },
		{ ".xz", "-9 --lzma2=preset=9,dict=2MiB,nice=9", 16, 18 },
		{ ".xz", "--check=crc32 --lzma2=dict=1MiB -6", 16, 22 },
		{ ".xz", "--lzma2=dict=1", 16, 22 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str out = { 0 };

		pack_with(cases[i].suffix, cases[i].options, &out);
		assert_int_equal((unsigned char)out.p[cases[i].at], cases[i].byte);
		str_fini(&out);
	}
}

static void test_a_level_of_zstd_is_taken(void **state)
{
	struct str usual = { 0 };
	struct str three = { 0 };
	struct str best = { 0 };

	(void)state;
	pack_with(".zst", NULL, &usual);
	pack_with(".zst", "-q --rm -T0 -3", &three);
	pack_with(".zst", "--ultra -19", &best);
	assert_int_equal(usual.len, three.len);
	assert_memory_equal(usual.p, three.p, usual.len);
	assert_true(usual.len != best.len || memcmp(usual.p, best.p, best.len) != 0);
	str_fini(&usual);
	str_fini(&three);
	str_fini(&best);
}

static void test_an_unknown_suffix_is_refused(void **state)
{
	struct kg_err err = { 0 };
	struct str out = { 0 };

	(void)state;
	assert_int_equal(seal_compress("x", 1, ".bz2", &out, &err), -EINVAL);
	assert_non_null(strstr(err.text, ".bz2"));
	assert_null(out.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_goes_in_comes_out),
		cmocka_unit_test(test_no_suffix_changes_nothing),
		cmocka_unit_test(test_nothing_is_compressed_too),
		cmocka_unit_test(test_the_same_input_gives_the_same_bytes),
		cmocka_unit_test(test_xz_has_what_the_kernels_decoder_needs),
		cmocka_unit_test(test_gzip_tells_neither_time_nor_name),
		cmocka_unit_test(test_options_of_the_programs_count),
		cmocka_unit_test(test_a_level_of_zstd_is_taken),
		cmocka_unit_test(test_an_unknown_suffix_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
