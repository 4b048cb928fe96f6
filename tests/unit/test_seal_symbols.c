// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/str.h"
#include "core/seal/symbols.h"

static int add_text(struct symbols *table, const char *text, struct kg_err *err)
{
	return symbols_add_symvers(table, text, strlen(text), "Module.symvers", err);
}

static void test_every_provider_of_a_symbol_is_found(void **state)
{
	struct symbols table = { 0 };
	const struct symbol *s;
	struct kg_err err = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(
		add_text(
			&table,
			"0x4c9d28b0\tphys_base\tvmlinux\tEXPORT_SYMBOL\t\n"
			"0x00000001\tdrm_open\tdrivers/gpu/drm/drm\tEXPORT_SYMBOL_GPL\tNS\n"
			"0x00000000\tvideo_devdata\tvideodev\tEXPORT_SYMBOL\n",
			&err),
		0);
	assert_int_equal(symbols_add(&table, "drm_open", 7, NULL), 0);
	symbols_sort(&table);

	s = symbols_find(&table, "phys_base", &n);
	assert_int_equal(n, 1);
	assert_string_equal(s->module, "vmlinux");
	assert_int_equal(s->crc, 0x4c9d28b0);
	s = symbols_find(&table, "drm_open", &n);
	assert_int_equal(n, 2);
	assert_int_equal(s[0].crc + s[1].crc, 8);
	s = symbols_find(&table, "video_devdata", &n);
	assert_int_equal(n, 1);
	assert_string_equal(s->module, "videodev");
	assert_null(symbols_find(&table, "drm_ope", &n));
	assert_int_equal(n, 0);
	symbols_fini(&table);
}

static void test_the_module_is_a_name_not_a_path(void **state)
{
	struct symbols table = { 0 };
	const struct symbol *s;
	size_t n;

	(void)state;
	assert_int_equal(
		add_text(&table, "0x1\ta\tdrivers/gpu/drm/drm\tEXPORT_SYMBOL\t\n", NULL),
		0);
	symbols_sort(&table);
	s = symbols_find(&table, "a", &n);
	assert_string_equal(s->module, "drm");
	symbols_fini(&table);
}

static void test_an_empty_table_has_nothing(void **state)
{
	struct symbols table = { 0 };
	size_t n = 1;

	(void)state;
	assert_int_equal(add_text(&table, "", NULL), 0);
	symbols_sort(&table);
	assert_null(symbols_find(&table, "a", &n));
	assert_int_equal(n, 0);
	symbols_fini(&table);
}

static void test_malformed_lines_are_named(void **state)
{
	static const char *const bad[] = {
		"0x1\tone\tvmlinux\tX\n\n",
		"0x1\tone\tvmlinux\tX\nword",
		"0x1\tone\tvmlinux\tX\n0x1\tname\n",
		"0x1\tone\tvmlinux\tX\n0x1\t\tvmlinux\n",
		"0x1\tone\tvmlinux\tX\n1\tname\tvmlinux\n",
		"0x1\tone\tvmlinux\tX\n0x\tname\tvmlinux\n",
		"0x1\tone\tvmlinux\tX\n0x1g\tname\tvmlinux\n",
		"0x1\tone\tvmlinux\tX\n0x11111111111111111\tname\tvmlinux\n",
		"0x1\tone\tvmlinux\tX\n0x1 name vmlinux\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct symbols table = { 0 };
		struct kg_err err = { 0 };

		assert_int_equal(add_text(&table, bad[i], &err), -KGE_FORMAT);
		assert_non_null(strstr(err.text, "Module.symvers: line 2"));
		symbols_fini(&table);
	}
}

static void test_thousands_are_found(void **state)
{
	struct symbols table = { 0 };
	struct str text = { 0 };
	struct kg_err err = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 20000; i++)
		str_addf(&text, "0x%08x\tsymbol_%u\tvmlinux\tEXPORT_SYMBOL\t\n", i * 7,
			 i * 7919);
	assert_int_equal(symbols_add_symvers(&table, text.p, text.len, "x", &err), 0);
	symbols_sort(&table);
	for (unsigned int i = 0; i < 20000; i++) {
		char name[32];
		size_t n;
		const struct symbol *s;

		snprintf(name, sizeof(name), "symbol_%u", i * 7919);
		s = symbols_find(&table, name, &n);
		assert_int_equal(n, 1);
		assert_int_equal(s->crc, i * 7);
	}
	symbols_fini(&table);
	str_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_provider_of_a_symbol_is_found),
		cmocka_unit_test(test_the_module_is_a_name_not_a_path),
		cmocka_unit_test(test_an_empty_table_has_nothing),
		cmocka_unit_test(test_malformed_lines_are_named),
		cmocka_unit_test(test_thousands_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
