// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/test_registry.h"

#define ORIGINALS TREE "/m/original_module/" K1 "/" ARCH
#define IN_TREE "kernel/drivers/net/m.ko"
#define LIB "lib/modules/" K1

static void archive(struct fixture *f, const char *file)
{
	if (reg_archive_original(&f->sys, "m", K1, ARCH, file, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static void restore(struct fixture *f)
{
	if (reg_restore_originals(&f->sys, "m", K1, ARCH, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static void archived_file_moves_with_its_origin(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/" IN_TREE, "in-tree");
	archive(f, IN_TREE);
	assert_false(is_there(f, LIB "/" IN_TREE));
	assert_content(f, ORIGINALS "/m.ko", "in-tree");
	assert_content(f, ORIGINALS "/m.ko.origin", "/" LIB "/" IN_TREE "\n");
}

static void restore_puts_it_back_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, LIB "/" IN_TREE ".xz", "in-tree");
	archive(f, IN_TREE ".xz");
	restore(f);
	restore(f);
	assert_content(f, LIB "/" IN_TREE ".xz", "in-tree");
	assert_false(is_there(f, TREE "/m/original_module"));
	assert_true(is_there(f, TREE "/m/1"));
}

static void restore_keeps_mode_and_time(void **state)
{
	struct fixture *f = *state;
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 5 } };
	struct stat st;

	make_file(f, LIB "/" IN_TREE, "x");
	assert_int_equal(utimensat(f->sys.root_fd, LIB "/" IN_TREE, times, 0), 0);
	archive(f, IN_TREE);
	restore(f);
	assert_int_equal(fstatat(f->sys.root_fd, LIB "/" IN_TREE, &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void second_of_a_name_is_a_collision(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/updates/m.ko", "updates");
	make_file(f, LIB "/" IN_TREE, "in-tree");
	archive(f, "updates/m.ko");
	archive(f, IN_TREE);
	assert_content(f, ORIGINALS "/m.ko", "updates");
	assert_content(f, ORIGINALS "/collisions/" IN_TREE, "in-tree");
	restore(f);
	assert_content(f, LIB "/updates/m.ko", "updates");
	assert_content(f, LIB "/" IN_TREE, "in-tree");
	assert_false(is_there(f, TREE "/m/original_module"));
}

static void archiving_again_after_a_crash_is_safe(void **state)
{
	struct fixture *f = *state;

	/* Killed between the archive and the removal. */
	make_file(f, LIB "/" IN_TREE, "in-tree");
	make_file(f, ORIGINALS "/m.ko", "in-tree");
	make_file(f, ORIGINALS "/m.ko.origin", "/" LIB "/" IN_TREE "\n");
	make_file(f, ORIGINALS "/.kmodgate-part.m.ko", "rubbish");
	archive(f, IN_TREE);
	assert_false(is_there(f, LIB "/" IN_TREE));
	assert_false(is_there(f, ORIGINALS "/collisions"));
	restore(f);
	assert_content(f, LIB "/" IN_TREE, "in-tree");
}

static void file_that_came_again_is_not_overwritten(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/" IN_TREE, "old kernel's");
	archive(f, IN_TREE);
	make_file(f, LIB "/" IN_TREE, "new kernel's");
	restore(f);
	assert_content(f, LIB "/" IN_TREE, "new kernel's");
	assert_false(is_there(f, TREE "/m/original_module"));
}

/* DKMS 3.0 wrote no .origin. */
static void archive_without_origin_goes_where_the_kernel_lists_it(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/modules.order", "kernel/fs/am.ko\n" IN_TREE "\nkernel/x.ko\n");
	make_file(f, ORIGINALS "/m.ko.xz", "in-tree");
	restore(f);
	assert_content(f, LIB "/" IN_TREE ".xz", "in-tree");
}

static void file_of_unknown_origin_stays_archived(void **state)
{
	struct fixture *f = *state;

	make_file(f, ORIGINALS "/m.ko", "whose?");
	make_file(f, ORIGINALS "/bad.ko", "escape");
	make_file(f, ORIGINALS "/bad.ko.origin", "/" LIB "/../../../etc/bad.ko\n");
	make_file(f, ORIGINALS "/evil.ko", "escape");
	make_file(f, ORIGINALS "/evil.ko.origin", "/etc/passwd\n");
	restore(f);
	assert_content(f, ORIGINALS "/m.ko", "whose?");
	assert_content(f, ORIGINALS "/bad.ko", "escape");
	assert_false(is_there(f, "etc"));
}

static void recover_puts_back_what_no_active_version_replaces(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, LIB "/" IN_TREE, "in-tree");
	archive(f, IN_TREE);
	assert_int_equal(reg_recover(&f->sys, &f->err), 0);
	assert_content(f, LIB "/" IN_TREE, "in-tree");
	assert_false(is_there(f, TREE "/m/original_module"));
	archive(f, IN_TREE);
	make_active(f, "m", "1", K1);
	assert_int_equal(reg_recover(&f->sys, &f->err), 0);
	assert_false(is_there(f, LIB "/" IN_TREE));
	assert_content(f, ORIGINALS "/m.ko", "in-tree");
}

static void only_plain_paths_are_archived(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reg_archive_original(&f->sys, "m", K1, ARCH, "../x.ko", NULL),
			 -EINVAL);
	assert_int_equal(reg_archive_original(&f->sys, "m", K1, ARCH, "/etc/x.ko", NULL),
			 -EINVAL);
	assert_int_equal(reg_archive_original(&f->sys, "..", K1, ARCH, "x.ko", NULL),
			 -EINVAL);
	assert_int_equal(reg_archive_original(&f->sys, "m", K1, ARCH, "no/x.ko", NULL),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(archived_file_moves_with_its_origin),
		TEST(restore_puts_it_back_and_leaves_nothing),
		TEST(restore_keeps_mode_and_time),
		TEST(second_of_a_name_is_a_collision),
		TEST(archiving_again_after_a_crash_is_safe),
		TEST(file_that_came_again_is_not_overwritten),
		TEST(archive_without_origin_goes_where_the_kernel_lists_it),
		TEST(file_of_unknown_origin_stays_archived),
		TEST(recover_puts_back_what_no_active_version_replaces),
		TEST(only_plain_paths_are_archived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
