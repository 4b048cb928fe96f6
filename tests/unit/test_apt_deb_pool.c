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
#include "core/base/spawn.h"
#include "plugins/apt/deb_pool.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/kg-pool-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int drop_dir(void **state)
{
	(void)state;
	fd_remove_tree_at(AT_FDCWD, dir, NULL);
	return 0;
}

static void write_control(const char *tree, const char *name, const char *version,
			  const char *depends)
{
	_cleanup_str_ struct str text = { 0 };
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/DEBIAN", tree);
	assert_int_equal(mkdir(tree, 0755), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/DEBIAN/control", tree);
	str_addf(&text,
		 "Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: x\n"
		 "Description: x\n",
		 name, version);
	if (depends != NULL)
		str_addf(&text, "Depends: %s\n", depends);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_int_equal(fd_write_all(fd, text.p, text.len), 0);
	close(fd);
}

/* A real package as @file (below dir). */
static void make_deb(const char *file, const char *name, const char *version,
		     const char *depends)
{
	char tree[128];
	char path[256];
	const char *const argv[] = {
		"/usr/bin/dpkg-deb", "-Znone", "-b", tree, path, NULL
	};
	struct kg_spawn how = {
		.argv = argv, .dir_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = 2
	};
	_cleanup_str_ struct str out = { 0 };
	int status = 0;

	snprintf(tree, sizeof(tree), "%s/tree", dir);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	write_control(tree, name, version, depends);
	assert_int_equal(spawn_capture(&how, 60000, 65536, &out, &status, NULL), 0);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(path, 0644), 0);
	fd_remove_tree_at(AT_FDCWD, tree, NULL);
}

/* Their file names, sorted, blanks between. */
static const char *found(const char *name)
{
	static char text[1024];
	struct deb_pool pool = { 0 };
	_cleanup_strv_ struct strv paths = { 0 };

	deb_pool_add(&pool, dir);
	deb_pool_add(&pool, "/nonexistent");
	assert_int_equal(deb_pool_find(&pool, name, &paths), 0);
	deb_pool_fini(&pool);
	strv_sort(&paths);
	text[0] = '\0';
	for (size_t i = 0; i < paths.n; i++) {
		size_t len = strlen(text);

		assert_int_equal(strncmp(paths.v[i], dir, strlen(dir)), 0);
		snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
			 paths.v[i] + strlen(dir) + 1);
	}
	return text;
}

static void dependencies_are_followed_as_far_as_there_are_files(void **state)
{
	(void)state;
	make_deb("a_1_all.deb", "a", "1", "b (= 1), gone:any | c, a");
	make_deb("b_1_all.deb", "b", "1", "d, a");
	make_deb("c_2_all.deb", "c", "2", NULL);
	make_deb("d_3_all.deb", "d", "3", NULL);
	make_deb("aa_1_all.deb", "aa", "1", NULL);
	assert_string_equal(found("a"),
			    "a_1_all.deb b_1_all.deb c_2_all.deb d_3_all.deb");
	assert_string_equal(found("d"), "d_3_all.deb");
	assert_string_equal(found("gone"), "");
}

static void every_version_is_a_candidate(void **state)
{
	(void)state;
	make_deb("a_1_all.deb", "a", "1", NULL);
	make_deb("a_1%3a0.5_all.deb", "a", "1:0.5", NULL);
	assert_string_equal(found("a"), "a_1%3a0.5_all.deb a_1_all.deb");
}

static void what_it_says_it_is_must_be_its_name(void **state)
{
	(void)state;
	make_deb("a_1_all.deb", "a", "2", NULL);
	make_deb("a_2_all.deb", "b", "2", NULL);
	make_deb("a_3_amd64.deb", "a", "3", NULL);
	make_deb("a_4:5_all.deb", "a", "4:5", NULL);
	assert_string_equal(found("a"), "");
}

static void only_roots_own_files_count(void **state)
{
	char path[256];
	char link_path[256];

	(void)state;
	make_deb("a_1_all.deb", "a", "1", NULL);
	snprintf(path, sizeof(path), "%s/a_1_all.deb", dir);
	assert_string_equal(found("a"), "a_1_all.deb");
	assert_int_equal(chmod(path, 0664), 0);
	assert_string_equal(found("a"), "");
	assert_int_equal(chmod(path, 0646), 0);
	assert_string_equal(found("a"), "");
	assert_int_equal(chmod(path, 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, (gid_t)-1), 0);
		assert_string_equal(found("a"), "");
		assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	}
	snprintf(link_path, sizeof(link_path), "%s/else", dir);
	assert_int_equal(rename(path, link_path), 0);
	assert_int_equal(symlink("else", path), 0);
	assert_string_equal(found("a"), "");
}

static void nothing_counts_in_a_folder_that_others_can_write_to(void **state)
{
	(void)state;
	make_deb("a_1_all.deb", "a", "1", NULL);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_string_equal(found("a"), "");
	assert_int_equal(chmod(dir, 0755), 0);
	assert_string_equal(found("a"), "a_1_all.deb");
}

static void a_file_that_is_cut_off_does_not_count(void **state)
{
	struct stat st;
	char path[256];

	(void)state;
	make_deb("a_1_all.deb", "a", "1", NULL);
	snprintf(path, sizeof(path), "%s/a_1_all.deb", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1024), 0);
	assert_string_equal(found("a"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dependencies_are_followed_as_far_as_there_are_files),
		TEST(every_version_is_a_candidate),
		TEST(what_it_says_it_is_must_be_its_name),
		TEST(only_roots_own_files_count),
		TEST(nothing_counts_in_a_folder_that_others_can_write_to),
		TEST(a_file_that_is_cut_off_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
