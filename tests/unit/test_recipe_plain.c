// SPDX-License-Identifier: GPL-2.0-or-later
/* The C reader of assignments. That bash agrees is shown by cases/recipe/same.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/recipe/ways.h"

static int read_text(const char *text, struct recipe_vars *vars)
{
	const struct recipe_file file = { .name = "dkms.conf",
					  .text = text,
					  .len = strlen(text) };
	const struct recipe_env env = {
		.kernelver = "6.1.0-50-amd64",
		.arch = "x86_64",
		.kernel_source_dir = "/lib/modules/6.1.0-50-amd64/build",
		.dkms_tree = "/var/lib/dkms",
		.source_tree = "/usr/src",
		.module = "m",
		.module_version = "1",
	};

	return plain_read(&file, &env, vars);
}

static void assert_make(const char *text, const char *make)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct recipe_vars vars = { .arena = &arena };
	const char *value;

	assert_int_equal(read_text(text, &vars), 0);
	value = vars_get(&vars, D_MAKE, 0);
	assert_non_null(value);
	assert_string_equal(value, make);
}

static void assert_needs_bash(const char *text)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct recipe_vars vars = { .arena = &arena };

	if (read_text(text, &vars) != -EAGAIN)
		fail_msg("read without bash: %s", text);
	assert_int_equal(vars.n, 0);
}

static void test_quotes_variables_and_continued_lines_are_read(void **state)
{
	(void)state;
	assert_make("MAKE=make", "make");
	assert_make("  # note $( '\n\n\tMAKE[0]='a  b' # note\n", "a b");
	assert_make("MAKE=a'b c'\"d $arch\"${module}\\ e", "ab cd x86_64m e");
	assert_make("X=1;Y=\"$X-2\" Z=3\nMAKE=$Y$Z", "1-23");
	assert_make("MAKE=\"a \\\n   b\"", "a b");
	assert_make("MAKE=a\\\nb", "ab");
	assert_make("MAKE=a#b", "a#b");
	assert_make("MAKE=2.9~1", "2.9~1");
}

static void test_the_last_assignment_wins(void **state)
{
	(void)state;
	assert_make("MAKE=a\nMAKE[0]=b\n", "b");
	assert_make("kernelver=x\nMAKE=$kernelver", "x");
}

static void test_blanks_are_squeezed_to_one(void **state)
{
	(void)state;
	assert_make("MAKE=' a \t\n b  '", " a b ");
}

static void test_backslashes_are_read_back_once_more(void **state)
{
	(void)state;
	assert_make("MAKE='\\\\ \\. \\$x \\\"y\\\"'", "\\ \\. $x \"y\"");
	assert_make("MAKE=\"^5\\.1$|^6$\"", "^5\\.1$|^6$");
}

static void test_what_bash_would_expand_needs_bash(void **state)
{
	static const char *const texts[] = {
		"MAKE=$(x)",	  "MAKE=\"`x`\"", "MAKE=$((1))",   "MAKE=${arch%4}",
		"MAKE=${#arch}",  "MAKE=${arch",  "MAKE=$unknown", "MAKE=$1",
		"MAKE=$$",	  "MAKE=$'a'",	  "MAKE=$\"a\"",   "MAKE=~/x",
		"MAKE=a:~",	  "MAKE=*",	  "MAKE=a[b]",	   "MAKE={a,b}",
		"MAKE=(a)",	  "MAKE+=a",	  "MAKE[x]=a",	   "MAKE[01]=a",
		"MAKE[10000]=a",  "MAKE[]=a",	  "MAKE[1=a",	   "MAKE='x\\'",
		"MAKE='a \"b\"'", "MAKE='$arch'",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_needs_bash(texts[i]);
}

static void test_what_is_no_assignment_needs_bash(void **state)
{
	static const char *const texts[] = {
		"true",		  "export MAKE=x", "if x; then MAKE=y; fi",
		"MAKE=x true",	  "MAKE=x & Y=z",  "MAKE=x | y",
		"MAKE=x > y",	  ". x",	   "MAKE =x",
		"1MAKE=x",	  ";MAKE=x",	   "MAKE=x;;",
		"MAKE=x \\\nY=z", "MAKE='x",	   "MAKE=\"x",
		"MAKE=x\\",	  "MAKE=\"x\\",	   "MAKE=$",
		"MAKE=\x01",	  "MAKE=\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_needs_bash(texts[i]);
}

static void test_variables_of_bash_itself_need_bash(void **state)
{
	static const char *const texts[] = {
		"PATH=x",   "IFS=x", "HOME=x",	 "BASH_ENV=x",	     "UID=1",
		"LC_ALL=x", "_=x",   "RANDOM=1", "POSIXLY_CORRECT=1"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_needs_bash(texts[i]);
}

static void test_a_later_file_sees_and_changes_what_was_set(void **state)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct recipe_vars vars = { .arena = &arena };

	(void)state;
	assert_int_equal(read_text("helper=1\nMAKE='a \\\"b\\\"'\nPATCH[5]=x", &vars), 0);
	assert_int_equal(read_text("PATCH[2]=\"${PACKAGE_NAME}y\"", &vars), -EAGAIN);
	assert_int_equal(read_text("PATCH[2]=$helper", &vars), -EAGAIN);
	assert_int_equal(read_text("PATCH[2]=z", &vars), 0);
	assert_string_equal(vars_get(&vars, D_MAKE, 0), "a \"b\"");
	assert_string_equal(vars_get(&vars, D_PATCH, 2), "z");
	assert_string_equal(vars_get(&vars, D_PATCH, 5), "x");
	assert_null(vars_get(&vars, D_PATCH, 0));
	assert_int_equal(vars.n, 3);
}

static void test_directives_are_found_by_whole_name_and_index(void **state)
{
	enum recipe_directive directive;
	unsigned int index;

	(void)state;
	assert_true(directive_parse("MAKE_MATCH[12]", 14, &directive, &index));
	assert_int_equal(directive, D_MAKE_MATCH);
	assert_int_equal(index, 12);
	assert_true(directive_parse("MAKE", 4, &directive, &index));
	assert_int_equal(directive, D_MAKE);
	assert_int_equal(index, 0);
	assert_false(directive_parse("MAK", 3, &directive, &index));
	assert_false(directive_parse("MAKE[", 5, &directive, &index));
	assert_false(directive_parse("MAKE[]", 6, &directive, &index));
	assert_false(directive_parse("MAKE[-1]", 8, &directive, &index));
	assert_false(directive_parse("", 0, &directive, &index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quotes_variables_and_continued_lines_are_read),
		cmocka_unit_test(test_the_last_assignment_wins),
		cmocka_unit_test(test_blanks_are_squeezed_to_one),
		cmocka_unit_test(test_backslashes_are_read_back_once_more),
		cmocka_unit_test(test_what_bash_would_expand_needs_bash),
		cmocka_unit_test(test_what_is_no_assignment_needs_bash),
		cmocka_unit_test(test_variables_of_bash_itself_need_bash),
		cmocka_unit_test(test_a_later_file_sees_and_changes_what_was_set),
		cmocka_unit_test(test_directives_are_found_by_whole_name_and_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
