// SPDX-License-Identifier: GPL-2.0-or-later
/* Our blocks in a client's file of locks: what a person wrote stays, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugins/rpm/hold.h"

#define OURS "# kmodgate hold 6.5-1 abc\n!kernel-core-0:6.5-1.*\n# kmodgate end\n"
#define OTHER "# kmodgate hold 6.5-1.rt abc\n!kernel-rt-0:6.5-1.*\n# kmodgate end\n"

static void assert_strip(const char *text, const char *release, const char *wanted)
{
	struct str out = { 0 };

	hold_strip(text, release, &out);
	assert_string_equal(str_get(&out), wanted);
	str_fini(&out);
}

static void test_strip(void **state)
{
	(void)state;
	assert_strip("", NULL, "");
	assert_strip("mine\n" OURS "yours\n", NULL, "mine\nyours\n");
	assert_strip("mine\n" OURS "yours", "6.5-1", "mine\nyours");
	assert_strip(OURS OTHER "x\n", "6.5-1", OTHER "x\n");
	assert_strip(OURS OTHER, "6.5", OURS OTHER);
	/* no newline at the end, no end at all */
	assert_strip("mine", NULL, "mine");
	assert_strip("mine\n# kmodgate hold 6.5-1 abc\nx\n", NULL, "mine\n");
}

static void test_list(void **state)
{
	struct strv list = { 0 };
	struct str reason = { 0 };

	(void)state;
	hold_list("mine\n" OURS OTHER, &list, &reason);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.v[0], "6.5-1");
	assert_string_equal(list.v[1], "6.5-1.rt");
	assert_string_equal(str_get(&reason), "abc");
	strv_fini(&list);
	str_fini(&reason);
}

static void test_begin_after_an_open_line(void **state)
{
	struct str out = { 0 };

	(void)state;
	str_add(&out, "mine");
	hold_begin(&out, "6.5-1", "abc");
	hold_end(&out);
	assert_string_equal(str_get(&out),
			    "mine\n# kmodgate hold 6.5-1 abc\n# kmodgate end\n");
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strip),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_begin_after_an_open_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
