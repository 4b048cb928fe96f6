// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/seal/seal.h"
#include "core/seal/unpack.h"

static const char *const suffixes[] = { ".gz", ".xz", ".zst" };

static int make_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	return fd;
}

static void make_packed(const char *suffix, size_t size, struct str *out)
{
	char *data = malloc(size + 1);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i % 251 + i / 4096);
	assert_int_equal(seal_compress(data, size, suffix, out, NULL), 0);
	free(data);
}

static void test_what_we_pack_we_unpack(void **state)
{
	static const size_t sizes[] = { 0, 1, 65536, 1000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes) * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i / ARRAY_SIZE(suffixes)];
		struct str packed = { 0 };
		struct str plain = { 0 };
		char *back = NULL;
		size_t len;
		int fd;
		int out_fd;

		make_packed(suffixes[i % ARRAY_SIZE(suffixes)], size, &packed);
		make_packed("", size, &plain);
		fd = make_file(packed.p, packed.len);
		out_fd = unpack_fd(fd);
		assert_true(out_fd >= 0);
		assert_int_equal(lseek(out_fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_read_all(out_fd, 1U << 24, &back, &len), 0);
		assert_int_equal(len, size);
		assert_memory_equal(back, str_get(&plain), len);
		free(back);
		close(fd);
		close(out_fd);
		str_fini(&packed);
		str_fini(&plain);
	}
}

static void test_what_is_not_packed_is_said_so(void **state)
{
	static const char *const plain[] = { "", "\177ELF", "\x1f", "\x28\xb5\x2f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		int fd = make_file(plain[i], strlen(plain[i]));

		assert_int_equal(unpack_fd(fd), -ENOTSUP);
		close(fd);
	}
}

static void test_cut_and_damaged_files_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		struct str packed = { 0 };
		int fd;

		make_packed(suffixes[i], 100000, &packed);
		for (size_t len = 6; len < packed.len; len += packed.len / 40) {
			fd = make_file(packed.p, len);
			assert_int_equal(unpack_fd(fd), -EINVAL);
			close(fd);
		}
		packed.p[packed.len / 2] ^= 0x55;
		fd = make_file(packed.p, packed.len);
		assert_int_equal(unpack_fd(fd), -EINVAL);
		close(fd);
		str_fini(&packed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_we_pack_we_unpack),
		cmocka_unit_test(test_what_is_not_packed_is_said_so),
		cmocka_unit_test(test_cut_and_damaged_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
