// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/apt/verdict.h"

static char dir[64];
static char path[128];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/kg-verdict-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", dir, VERDICT_FILE);
	return 0;
}

static int drop_dir(void **state)
{
	(void)state;
	fd_remove_tree_at(AT_FDCWD, dir, NULL);
	return 0;
}

static struct stat stat_of(ino_t inode)
{
	return (struct stat){ .st_dev = 1, .st_ino = inode, .st_size = 100 };
}

static void save(size_t n)
{
	struct verdict_cache c;

	verdict_open(&c, dir);
	for (size_t i = 1; i <= n; i++) {
		struct stat st = stat_of(i);

		if (verdict_find(&c, &st) == NULL)
			verdict_learn(&c, &st, (unsigned int)(i % 3), i);
	}
	assert_int_equal(verdict_save(&c, dir), 0);
	verdict_close(&c);
}

static size_t count_known(void)
{
	struct verdict_cache c;
	size_t n;

	verdict_open(&c, dir);
	n = c.n_known;
	verdict_close(&c);
	return n;
}

static void test_what_is_learned_is_found_in_the_next_run(void **state)
{
	struct verdict_cache c;
	struct stat st = stat_of(7);

	(void)state;
	save(20);
	verdict_open(&c, dir);
	assert_non_null(verdict_find(&c, &st));
	assert_int_equal(verdict_find(&c, &st)->bits, 1);
	assert_int_equal(verdict_find(&c, &st)->installed_kib, 7);
	st.st_ctim.tv_nsec = 1;
	assert_null(verdict_find(&c, &st));
	verdict_learn(&c, &st, 4, 0);
	assert_int_equal(verdict_find(&c, &st)->bits, 4);
	verdict_close(&c);
}

static void test_damaged_file_is_an_empty_cache(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	save(20);
	assert_int_equal(count_known(), 20);
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at += 11) {
		char old;
		char bad;

		fd = open(path, O_RDWR);
		assert_int_equal(pread(fd, &old, 1, at), 1);
		bad = (char)(old ^ 0x40);
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		assert_int_equal(count_known(), 0);
		assert_int_equal(pwrite(fd, &old, 1, at), 1);
		close(fd);
	}
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_int_equal(count_known(), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(count_known(), 0);
	save(5);
	assert_int_equal(count_known(), 5);
}

static void test_file_that_others_may_write_is_not_trusted(void **state)
{
	(void)state;
	save(3);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(count_known(), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(count_known(), 3);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(count_known(), 0);
}

static void test_symlink_is_not_followed(void **state)
{
	char other[160];

	(void)state;
	save(3);
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink("other", path), 0);
	assert_int_equal(count_known(), 0);
}

static void test_cache_is_bounded(void **state)
{
	struct verdict_cache c = { 0 };

	(void)state;
	c.fresh = calloc(VERDICT_MAX + 50, sizeof(*c.fresh));
	assert_non_null(c.fresh);
	c.n_fresh = VERDICT_MAX + 50;
	for (size_t i = 0; i < c.n_fresh; i++) {
		c.fresh[i].id[0] = i;
		c.fresh[i].day = i < 50 ? 1 : 2;
	}
	assert_int_equal(verdict_save(&c, dir), 0);
	verdict_close(&c);
	verdict_open(&c, dir);
	assert_int_equal(c.n_known, VERDICT_MAX);
	for (size_t i = 0; i < c.n_known; i++)
		assert_int_equal(c.known[i].day, 2);
	verdict_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_is_learned_is_found_in_the_next_run, make_dir,
			drop_dir),
		cmocka_unit_test_setup_teardown(test_damaged_file_is_an_empty_cache,
						make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			test_file_that_others_may_write_is_not_trusted, make_dir,
			drop_dir),
		cmocka_unit_test_setup_teardown(test_symlink_is_not_followed, make_dir,
						drop_dir),
		cmocka_unit_test_setup_teardown(test_cache_is_bounded, make_dir,
						drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
