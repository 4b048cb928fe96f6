// SPDX-License-Identifier: GPL-2.0-or-later
/* rpm's architectures, as the kernel names them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugins/rpm/arch.h"

static void test_names_of_rpm_become_those_of_the_kernel(void **state)
{
	(void)state;
	assert_string_equal(arch_to_machine("i386"), "i686");
	assert_string_equal(arch_to_machine("i586"), "i686");
	assert_string_equal(arch_to_machine("i686"), "i686");
	assert_string_equal(arch_to_machine("armv7hl"), "armv7l");
	assert_string_equal(arch_to_machine("armv7hnl"), "armv7l");
	assert_string_equal(arch_to_machine("x86_64_v2"), "x86_64");
}

static void test_other_names_stay(void **state)
{
	static const char *const same[] = { "x86_64",  "aarch64", "ppc64le", "s390x",
					    "riscv64", "armv7l",  "noarch",  "" };

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_string_equal(arch_to_machine(same[i]), same[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_rpm_become_those_of_the_kernel),
		cmocka_unit_test(test_other_names_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
