// SPDX-License-Identifier: GPL-2.0-or-later
/* A signing key gets to its place whole, or not at all, and in the place of nothing else. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "core/run/run.h"
#include "tests/unit/test_registry.h"

#define TMP "to/.mok.key.kmodgate-new"

struct folders {
	int from_fd;
	int to_fd;
};

static struct folders open_folders(struct fixture *f)
{
	make_file(f, "from/key", "the key");
	make_file(f, "victim", "safe");
	make_dir(f, "to");
	return (struct folders){
		.from_fd = fd_open_dir_in(f->sys.root_fd, "from", NULL),
		.to_fd = fd_open_dir_in(f->sys.root_fd, "to", NULL),
	};
}

static int place(struct fixture *f)
{
	struct folders at = open_folders(f);
	int r = run_mok_place(at.from_fd, "key", at.to_fd, "mok.key", NULL);

	close(at.from_fd);
	close(at.to_fd);
	assert_content(f, "victim", "safe");
	assert_false(is_there(f, TMP));
	return r;
}

static void it_is_copied_with_its_mode(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	make_file(f, "from/key", "the key");
	assert_int_equal(fchmodat(f->sys.root_fd, "from/key", 0600, 0), 0);
	assert_int_equal(place(f), 0);
	assert_content(f, "to/mok.key", "the key");
	assert_int_equal(fstatat(f->sys.root_fd, "to/mok.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
}

static void one_that_is_there_stays(void **state)
{
	struct fixture *f = *state;

	make_file(f, "to/mok.key", "another key");
	assert_int_equal(place(f), -EEXIST);
	assert_content(f, "to/mok.key", "another key");
}

static void the_same_is_no_failure(void **state)
{
	struct fixture *f = *state;
	struct stat before;
	struct stat after;

	make_file(f, "to/mok.key", "the key");
	assert_int_equal(fstatat(f->sys.root_fd, "to/mok.key", &before, 0), 0);
	assert_int_equal(place(f), 0);
	assert_int_equal(fstatat(f->sys.root_fd, "to/mok.key", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void no_link_in_its_place_is_followed(void **state)
{
	static const char *const targets[] = { "../victim", "nowhere", "../nowhere",
					       "." };
	struct fixture *f = *state;

	make_dir(f, "to");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		make_link(f, "to/mok.key", targets[i]);
		assert_int_equal(place(f), -EEXIST);
		assert_false(is_there(f, "nowhere"));
		assert_false(is_there(f, "to/nowhere"));
		assert_int_equal(unlinkat(f->sys.root_fd, "to/mok.key", 0), 0);
	}
}

static void what_a_killed_one_left_is_not_written_through(void **state)
{
	struct fixture *f = *state;

	make_dir(f, "to");
	make_link(f, TMP, "../victim");
	assert_int_equal(place(f), 0);
	assert_content(f, "to/mok.key", "the key");
}

static void a_link_is_no_key(void **state)
{
	struct fixture *f = *state;
	struct folders at = open_folders(f);

	assert_int_equal(unlinkat(at.from_fd, "key", 0), 0);
	make_link(f, "from/key", "../victim");
	assert_true(run_mok_place(at.from_fd, "key", at.to_fd, "mok.key", NULL) < 0);
	assert_false(is_there(f, "to/mok.key"));
	assert_false(is_there(f, TMP));
	close(at.from_fd);
	close(at.to_fd);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	struct fixture *f = *state;
	struct folders at = open_folders(f);
	char name[NAME_MAX + 1];

	memset(name, 'x', NAME_MAX);
	name[NAME_MAX] = '\0';
	assert_int_equal(run_mok_place(at.from_fd, "key", at.to_fd, name, NULL),
			 -ENAMETOOLONG);
	close(at.from_fd);
	close(at.to_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_copied_with_its_mode),
		TEST(one_that_is_there_stays),
		TEST(the_same_is_no_failure),
		TEST(no_link_in_its_place_is_followed),
		TEST(what_a_killed_one_left_is_not_written_through),
		TEST(a_link_is_no_key),
		TEST(a_name_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
