// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/sandbox/internal.h"

#define RANGE(list) ((struct paths){ .v = list, .n = ARRAY_SIZE(list) })

static void test_order_puts_a_folder_before_what_is_below_it(void **state)
{
	const char *list[] = { "usr/src-x", "usr/src/b",   "usr/src",
			       "usr",	    "usr/src/a/c", "usr/src/a" };
	const char *want[] = { "usr",	      "usr/src",   "usr/src/a",
			       "usr/src/a/c", "usr/src/b", "usr/src-x" };

	(void)state;
	qsort(list, ARRAY_SIZE(list), sizeof(*list), paths_compare);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(list[i], want[i]);
}

static void test_below_finds_exactly_the_component(void **state)
{
	const char *list[] = { "a", "a/b", "a/b/c", "a-b/x", "ab", "b/a" };
	struct paths all = RANGE(list);
	struct paths below;
	struct paths lower;

	(void)state;
	qsort(list, ARRAY_SIZE(list), sizeof(*list), paths_compare);
	assert_true(paths_below(&all, "a", &below));
	assert_int_equal(below.n, 2);
	assert_true(paths_below(&below, "b", &lower));
	assert_int_equal(lower.n, 1);
	assert_true(paths_below(&lower, "c", &below));
	assert_int_equal(below.n, 0);
	assert_false(paths_below(&all, "b", &below));
	assert_int_equal(below.n, 1);
	assert_true(paths_below(&all, "ab", &below));
	assert_int_equal(below.n, 0);
	assert_false(paths_below(&all, "a-", &below));
	assert_int_equal(below.n, 0);
	assert_false(paths_below(&all, "abc", &below));
	assert_int_equal(below.n, 0);
}

static void test_below_of_nothing_is_nothing(void **state)
{
	struct paths none = { 0 };
	struct paths below;

	(void)state;
	assert_false(paths_below(&none, "usr", &below));
	assert_int_equal(below.n, 0);
}

static void test_component_counts_those_that_share_it(void **state)
{
	const char *list[] = { "var/lib/a", "var/lib/a/b", "var/lib/c" };
	struct paths all = RANGE(list);
	struct paths below;
	size_t same;

	(void)state;
	assert_int_equal(paths_component(&all, 0, &same), 3);
	assert_int_equal(same, 3);
	paths_below(&all, "var", &below);
	all = below;
	paths_below(&all, "lib", &below);
	assert_int_equal(paths_component(&below, 0, &same), 1);
	assert_int_equal(same, 2);
	assert_int_equal(paths_component(&below, 2, &same), 1);
	assert_int_equal(same, 1);
}

static void test_request_without_user_or_program_is_refused(void **state)
{
	const char *const argv[] = { "/bin/true", NULL };
	const char *const relative[] = { "true", NULL };
	const struct sandbox_bind bad = { .at = "relative", .fd = -1, .target = "x" };
	struct kg_child child = { .pidfd = -1 };
	struct sandbox how = SANDBOX_INIT;
	struct kg_err err = { 0 };

	(void)state;
	how.argv = argv;
	assert_int_equal(sandbox_start(&how, &child, &err), -EINVAL);
	how.uid = how.gid = 990;
	how.argv = NULL;
	assert_int_equal(sandbox_start(&how, &child, &err), -EINVAL);
	how.argv = relative;
	assert_int_equal(sandbox_start(&how, &child, &err), -EINVAL);
	how.argv = argv;
	how.binds = &bad;
	how.n_binds = 1;
	assert_int_equal(sandbox_start(&how, &child, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_puts_a_folder_before_what_is_below_it),
		cmocka_unit_test(test_below_finds_exactly_the_component),
		cmocka_unit_test(test_below_of_nothing_is_nothing),
		cmocka_unit_test(test_component_counts_those_that_share_it),
		cmocka_unit_test(test_request_without_user_or_program_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
