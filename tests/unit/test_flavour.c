// SPDX-License-Identifier: GPL-2.0-or-later
/* Which releases follow each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/run/run.h"

static void test_a_flavour_is_what_the_next_release_has_too(void **state)
{
	static const struct {
		const char *release;
		const char *flavour;
	} known[] = {
		{ "6.1.0-56-amd64", "amd64" },
		{ "6.1.0-56-cloud-amd64", "cloud-amd64" },
		{ "6.12.95+deb12-rt-amd64", "rt-amd64" },
		{ "6.5.6-300.fc39.x86_64", "" },
		{ "6.1-rc1-amd64", "rc1-amd64" },
		{ "6.6.1", "" },
		{ "6.6.1-", "" },
		{ "6.6.1-arch1-1", "" },
		{ "6.6.2-arch1-2", "" },
		{ "6.6.1-zen1-1-zen", "zen" },
		{ "6.5.9-hardened1-1-hardened", "hardened" },
		{ "6.1.60-1-lts", "lts" },
		{ "6.6.1-rt5-1-rt-lts", "rt-lts" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_string_equal(run_flavour(known[i].release), known[i].flavour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_flavour_is_what_the_next_release_has_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
