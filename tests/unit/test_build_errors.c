// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/build/internal.h"

static int log_of(const char *text)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	return fd;
}

static void assert_first(const char *text, const char *want)
{
	_cleanup_close_ int fd = log_of(text);
	_cleanup_strv_ struct strv lines = { 0 };

	assert_int_equal(build_first_errors(fd, 1, &lines), 0);
	assert_int_equal(lines.n, want != NULL ? 1 : 0);
	if (want != NULL)
		assert_string_equal(lines.v[0], want);
}

static void test_compiler_error_comes_before_what_make_says(void **state)
{
	(void)state;
	assert_first("  CC [M]  /b/a.o\n"
		     "/b/a.c: In function 'f':\n"
		     "/b/a.c:12:9: warning: unused variable 'x'\n"
		     "/b/a.c:20:2: error: too few arguments to function 'g'\n"
		     "/b/a.c:30:2: error: another\n"
		     "make[2]: *** [/h/scripts/Makefile.build:250: /b/a.o] Error 1\n"
		     "make: *** [Makefile:9: all] Error 2\n",
		     "/b/a.c:20:2: error: too few arguments to function 'g'");
}

static void test_fatal_error_names_the_header(void **state)
{
	(void)state;
	assert_first(
		"cc1: some note\n/b/a.c:3:10: fatal error: linux/x.h: No such file or directory\n",
		"/b/a.c:3:10: fatal error: linux/x.h: No such file or directory");
}

static void test_modpost_and_linker_come_before_make(void **state)
{
	(void)state;
	assert_first("make[1]: *** [x] Error 1\n"
		     "ERROR: modpost: \"gone\" [/b/a.ko] undefined!\n",
		     "ERROR: modpost: \"gone\" [/b/a.ko] undefined!");
	assert_first(
		"/b/a.o: in function `f':\na.c:(.text+0x5): undefined reference to `g'\n"
		"make: *** [all] Error 1\n",
		"a.c:(.text+0x5): undefined reference to `g'");
}

static void test_make_is_quoted_when_nobody_else_spoke(void **state)
{
	(void)state;
	assert_first(
		"make: *** /lib/modules/6.1.0-99/build: No such file or directory.  Stop.\n",
		"make: *** /lib/modules/6.1.0-99/build: No such file or directory.  Stop.");
}

static void test_configure_and_echoed_commands_are_no_errors(void **state)
{
	(void)state;
	assert_first("checking whether an error: field exists... no\n"
		     "gcc-12 -Wall -Werror=implicit -DMSG=\"error: x\" -c a.c\n"
		     "configure: error: kernel is too new\n",
		     "configure: error: kernel is too new");
	assert_first("  LD [M]  /b/a.ko\n", NULL);
	assert_first("", NULL);
}

static void test_lines_are_clean_and_short(void **state)
{
	char text[2000] = "\033[31ma.c:1:1: error: \t";
	_cleanup_close_ int fd = -1;
	_cleanup_strv_ struct strv lines = { 0 };

	(void)state;
	memset(text + strlen(text), 'x', 1500);
	fd = log_of(text);
	assert_int_equal(build_first_errors(fd, 1, &lines), 0);
	assert_int_equal(lines.n, 1);
	assert_null(strchr(lines.v[0], '\033'));
	assert_true(strlen(lines.v[0]) <= 400);
}

static void test_at_most_so_many_and_from_there_on(void **state)
{
	const char *old = "a.c:1:1: error: of an earlier command\n";
	_cleanup_close_ int fd = log_of("a.c:1:1: error: of an earlier command\n"
					"a.c:2:1: error: one\na.c:3:1: error: two\n"
					"a.c:4:1: error: three\n");
	_cleanup_strv_ struct strv lines = { 0 };

	(void)state;
	assert_int_equal(errors_find(fd, (off_t)strlen(old), 2, &lines), 0);
	assert_int_equal(lines.n, 2);
	assert_string_equal(lines.v[0], "a.c:2:1: error: one");
	assert_string_equal(lines.v[1], "a.c:3:1: error: two");
	assert_true(errors_mention(fd, 0, "earlier"));
	assert_false(errors_mention(fd, (off_t)strlen(old), "earlier"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compiler_error_comes_before_what_make_says),
		cmocka_unit_test(test_fatal_error_names_the_header),
		cmocka_unit_test(test_modpost_and_linker_come_before_make),
		cmocka_unit_test(test_make_is_quoted_when_nobody_else_spoke),
		cmocka_unit_test(test_configure_and_echoed_commands_are_no_errors),
		cmocka_unit_test(test_lines_are_clean_and_short),
		cmocka_unit_test(test_at_most_so_many_and_from_there_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
