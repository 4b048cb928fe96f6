// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/apt/hold.h"

static char dir[64];
static int dir_fd = -1;

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/kg-hold-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0;
}

static int drop_dir(void **state)
{
	(void)state;
	closep(&dir_fd);
	fd_remove_tree_at(AT_FDCWD, dir, NULL);
	return 0;
}

static void read_holds(struct hold_list *list)
{
	struct kg_err err = { 0 };

	assert_int_equal(hold_read(dir_fd, list, &err), 0);
}

static void test_holds_are_written_and_read_back(void **state)
{
	struct hold_list list = { 0 };
	struct hold_list back;
	struct hold *hold = hold_of(&list, "6.1.0-56-amd64");

	(void)state;
	list.reason = "abc";
	hold_add_pin(&list, hold, "linux-image-6.1.0-56-amd64", "6.1.192-2");
	hold_add_pin(&list, hold, "linux-image-amd64", "6.1.192-2");
	hold_add_pin(&list, hold, "linux-image-amd64", "6.1.192-2");
	hold_add_pin(&list, hold_of(&list, "other"), "x", "1:2~3");
	assert_int_equal(hold_write(dir_fd, &list, NULL), 0);
	read_holds(&back);
	assert_string_equal(back.reason, "abc");
	assert_int_equal(back.n, 2);
	assert_int_equal(back.holds[0].n_pins, 2);
	assert_string_equal(back.holds[0].release, "6.1.0-56-amd64");
	assert_string_equal(back.holds[0].pins[1].package, "linux-image-amd64");
	assert_string_equal(back.holds[1].pins[0].version, "1:2~3");
	hold_drop(&back, "6.1.0-56-amd64");
	assert_int_equal(back.n, 1);
	assert_string_equal(back.holds[0].release, "other");
	hold_fini(&list);
	hold_fini(&back);
}

static void test_file_goes_with_the_last_hold(void **state)
{
	struct hold_list list = { 0 };
	struct stat st;

	(void)state;
	hold_add_pin(&list, hold_of(&list, "r"), "p", "1");
	assert_int_equal(hold_write(dir_fd, &list, NULL), 0);
	assert_int_equal(fstatat(dir_fd, HOLD_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	hold_drop(&list, "r");
	assert_int_equal(hold_write(dir_fd, &list, NULL), 0);
	assert_int_equal(fstatat(dir_fd, HOLD_FILE, &st, 0), -1);
	assert_int_equal(hold_write(dir_fd, &list, NULL), 0);
	hold_fini(&list);
}

static void test_what_is_not_understood_is_dropped(void **state)
{
	static const char text[] = "Package: a\nPin: version 1\nPin-Priority: -1\n\n"
				   "Explanation: kmodgate: held for kernel ../x\n"
				   "Package: b\nPin: version 1\n\n"
				   "Explanation: kmodgate: held for kernel r\n"
				   "Package: c\nPin: release x\nPin: version 2";
	struct hold_list list;

	(void)state;
	assert_int_equal(fd_replace_at(dir_fd, HOLD_FILE, text, strlen(text), 0644, NULL),
			 0);
	read_holds(&list);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.holds[0].release, "r");
	assert_string_equal(list.holds[0].pins[0].package, "c");
	assert_string_equal(list.holds[0].pins[0].version, "2");
	hold_fini(&list);
}

static void test_no_file_is_no_hold(void **state)
{
	struct hold_list list;

	(void)state;
	read_holds(&list);
	assert_int_equal(list.n, 0);
	hold_fini(&list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_holds_are_written_and_read_back),
		TEST(test_file_goes_with_the_last_hold),
		TEST(test_what_is_not_understood_is_dropped),
		TEST(test_no_file_is_no_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
