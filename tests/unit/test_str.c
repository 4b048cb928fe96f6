// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/name.h"
#include "core/base/str.h"

static void str_grows_and_stays_terminated(void **state)
{
	struct str s = { 0 };

	(void)state;
	assert_string_equal(str_get(&s), "");
	for (int i = 0; i < 1000; i++)
		str_addf(&s, "%d,", i);
	assert_true(str_ok(&s));
	assert_int_equal(strlen(str_get(&s)), s.len);
	assert_true(str_starts(str_get(&s), "0,1,2,"));
	assert_true(str_ends(str_get(&s), "998,999,"));
	str_fini(&s);
	assert_null(s.p);
}

static void a_size_beyond_memory_sticks(void **state)
{
	struct str s = { 0 };

	(void)state;
	str_addn(&s, "x", SIZE_MAX / 2);
	assert_false(str_ok(&s));
	str_add(&s, "more");
	assert_int_equal(s.len, 0);
	assert_null(str_take(&s));
}

static void strv_sorts_and_finds(void **state)
{
	struct strv l = { 0 };

	(void)state;
	strv_add(&l, "b");
	strv_addf(&l, "%s", "a");
	strv_addn(&l, "cc", 1);
	strv_sort(&l);
	assert_string_equal(l.v[0], "a");
	assert_string_equal(l.v[2], "c");
	assert_null(l.v[3]);
	assert_true(strv_has(&l, "b"));
	assert_false(strv_has(&l, "cc"));
	strv_fini(&l);
}

static void numbers_are_whole_or_refused(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(parse_u64("", &v), -EINVAL);
	assert_int_equal(parse_u64("12x", &v), -EINVAL);
	assert_int_equal(parse_u64("-1", &v), -EINVAL);
	assert_int_equal(parse_u64(" 1", &v), -EINVAL);
}

static void names_that_could_leave_a_folder_are_not_plain(void **state)
{
	static const char *const bad[] = { "",	      ".",    "..",   "a/b",
					   ".hidden", "a\nb", "a\x7f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(name_is_plain(bad[i]));
		assert_false(name_is_word(bad[i]));
	}
	assert_true(name_is_plain("has space"));
	assert_false(name_is_word("has space"));
	assert_false(name_is_word("-rf"));
	assert_true(name_is_word("6.1.0-56-amd64"));
	assert_true(name_is_word("1:2.3~rc1+b2"));
	assert_false(name_is_word("zfs-2.2^git1-1.x86_64"));
	assert_true(name_is_package("zfs-2.2^git1-1.x86_64"));
	assert_false(name_is_package("-zfs"));
}

static void paths_have_plain_components_only(void **state)
{
	static const char *const bad[] = { "/usr",	 "usr/", "usr//src",
					   "usr/../etc", "",	 "a/./b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(name_is_path(bad[i]));
	assert_true(name_is_path("usr/src/zfs-2.1"));
}

static void first_report_wins(void **state)
{
	struct kg_err err = { 0 };

	(void)state;
	assert_int_equal(kg_fail_errno(&err, -ENOENT, "a %d", 1), -ENOENT);
	assert_int_equal(kg_fail(&err, -KGE_BUILD, "b"), -KGE_BUILD);
	assert_string_equal(err.text, "a 1: No such file or directory");
	assert_int_equal(err.code, -ENOENT);
	assert_int_equal(kg_fail(NULL, -KGE_BUILD, "nobody listens"), -KGE_BUILD);
	assert_string_equal(kg_strerror(-KGE_NO_HEADERS), "no headers for this kernel");
}

static void arena_lists_keep_their_elements(void **state)
{
	struct arena a = { 0 };
	int *list = NULL;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int *slot = ARENA_ADD(&a, list, n);

		assert_non_null(slot);
		assert_int_equal(*slot, 0);
		*slot = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(list[i], i);
	assert_null(arena_array(&a, SIZE_MAX / 2, 16));
	assert_true(a.failed);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_grows_and_stays_terminated),
		cmocka_unit_test(a_size_beyond_memory_sticks),
		cmocka_unit_test(strv_sorts_and_finds),
		cmocka_unit_test(numbers_are_whole_or_refused),
		cmocka_unit_test(names_that_could_leave_a_folder_are_not_plain),
		cmocka_unit_test(paths_have_plain_components_only),
		cmocka_unit_test(first_report_wins),
		cmocka_unit_test(arena_lists_keep_their_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
