// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a module says of itself against what the kernel's says, as DKMS 3.2.2 takes it: each row
 * was tried with it (docs/registry.md has the rules).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/seal/seal.h"

static void test_every_combination_of_versions_and_sources(void **state)
{
	static const struct {
		struct seal_version there;
		struct seal_version ours;
		enum seal_order order;
	} known[] = {
		{ { "", "A" }, { "", "A" }, SEAL_SAME },
		{ { "", "A" }, { "", "B" }, SEAL_OTHER },
		{ { "", "" }, { "", "" }, SEAL_OTHER },
		{ { "", "" }, { "", "B" }, SEAL_OTHER },
		{ { "", "A" }, { "", "" }, SEAL_OTHER },
		{ { "2.0", "A" }, { "", "B" }, SEAL_OLDER },
		{ { "2.0", "A" }, { "", "A" }, SEAL_OLDER },
		{ { "2.0", "A" }, { "", "" }, SEAL_OLDER },
		{ { "", "A" }, { "2.0", "B" }, SEAL_NEWER },
		{ { "", "A" }, { "2.0", "A" }, SEAL_NEWER },
		{ { "", "" }, { "2.0", "" }, SEAL_NEWER },
		{ { "2.0", "A" }, { "1.0", "B" }, SEAL_OLDER },
		{ { "2.0", "A" }, { "1.0", "A" }, SEAL_OLDER },
		{ { "2.0", "" }, { "1.0", "" }, SEAL_OLDER },
		{ { "2.0", "A" }, { "2.0", "A" }, SEAL_SAME },
		{ { "2.0", "A" }, { "2.0", "B" }, SEAL_OTHER },
		{ { "2.0", "" }, { "2.0", "" }, SEAL_SAME },
		{ { "2.0", "" }, { "2.0", "B" }, SEAL_OTHER },
		{ { "2.0", "A" }, { "2.0", "" }, SEAL_OTHER },
		{ { "2.0", "A" }, { "3.0", "B" }, SEAL_NEWER },
		{ { "2.0", "A" }, { "3.0", "A" }, SEAL_NEWER },
		{ { "2.0", "" }, { "3.0", "" }, SEAL_NEWER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_int_equal(seal_compare_versions(&known[i].ours, &known[i].there),
				 known[i].order);
}

static void test_which_version_is_newer(void **state)
{
	static const struct {
		const char *there;
		const char *ours;
		enum seal_order order;
	} known[] = {
		{ "2.9", "2.10", SEAL_NEWER },
		{ "2.10", "2.9", SEAL_OLDER },
		{ "2.0", "2.0-rc1", SEAL_NEWER },
		{ "2.0-rc1", "2.0", SEAL_OLDER },
		{ "v1.0", "2.0", SEAL_OLDER },
		{ "2.0", "v1.0", SEAL_NEWER },
		{ "B1", "a1", SEAL_NEWER },
		{ "20230101", "20240101", SEAL_NEWER },
		{ "20240101", "20230101", SEAL_OLDER },
		/* the same number, in other words: not the same version */
		{ "1.07", "1.7", SEAL_OTHER },
		/* (DKMS pads to three digits, and takes 1000 to be less than 999) */
		{ "999", "1000", SEAL_NEWER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct seal_version there = { known[i].there, "A" };
		const struct seal_version ours = { known[i].ours, "B" };

		assert_int_equal(seal_compare_versions(&ours, &there), known[i].order);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_combination_of_versions_and_sources),
		cmocka_unit_test(test_which_version_is_newer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
