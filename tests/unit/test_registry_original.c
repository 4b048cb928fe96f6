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

static const struct reg_archive m_archive = { .name = "m", .release = K1, .arch = ARCH };

/* What is in the archive, as "BASE -> FILE" each. */
static void assert_listed(struct fixture *f, const char *want)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_str_ struct str text = { 0 };
	struct reg_original *v = NULL;
	size_t n = 0;

	if (reg_list_originals(&f->sys, &m_archive, &arena, &v, &n, &f->err) < 0)
		fail_msg("%s", f->err.text);
	for (size_t i = 0; i < n; i++)
		str_addf(&text, "%s -> %s\n", v[i].base, v[i].file ?: "?");
	assert_string_equal(str_get(&text), want);
}

static void drop(struct fixture *f)
{
	if (reg_drop_originals(&f->sys, &m_archive, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static void archive_is_a_copy_with_its_origin(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/" IN_TREE, "in-tree");
	archive(f, IN_TREE);
	assert_content(f, LIB "/" IN_TREE, "in-tree");
	assert_content(f, ORIGINALS "/m.ko", "in-tree");
	assert_content(f, ORIGINALS "/m.ko.origin", "/" LIB "/" IN_TREE "\n");
	assert_listed(f, "m.ko -> " IN_TREE "\n");
}

static void drop_leaves_nothing_of_it(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, LIB "/" IN_TREE ".xz", "in-tree");
	archive(f, IN_TREE ".xz");
	drop(f);
	drop(f);
	assert_listed(f, "");
	assert_false(is_there(f, TREE "/m/original_module"));
	assert_true(is_there(f, TREE "/m/1"));
}

static void archive_keeps_mode_and_time(void **state)
{
	struct fixture *f = *state;
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 5 } };
	struct stat st;

	make_file(f, LIB "/" IN_TREE, "x");
	assert_int_equal(utimensat(f->sys.root_fd, LIB "/" IN_TREE, times, 0), 0);
	archive(f, IN_TREE);
	assert_int_equal(fstatat(f->sys.root_fd, ORIGINALS "/m.ko", &st, 0), 0);
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
	assert_listed(f, "m.ko -> " IN_TREE "\nm.ko -> updates/m.ko\n");
	drop(f);
	assert_false(is_there(f, TREE "/m/original_module"));
}

static void archiving_again_after_a_crash_is_safe(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/" IN_TREE, "in-tree, newer");
	make_file(f, ORIGINALS "/m.ko", "in-tree");
	make_file(f, ORIGINALS "/m.ko.origin", "/" LIB "/" IN_TREE "\n");
	make_file(f, ORIGINALS "/.kmodgate-part.m.ko", "rubbish");
	archive(f, IN_TREE);
	assert_false(is_there(f, ORIGINALS "/collisions"));
	assert_content(f, ORIGINALS "/m.ko", "in-tree, newer");
}

/* DKMS 3.0 wrote no .origin. */
static void archive_without_origin_goes_where_the_kernel_lists_it(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/modules.order", "kernel/fs/am.ko\n" IN_TREE "\nkernel/x.ko\n");
	make_file(f, ORIGINALS "/m.ko.xz", "in-tree");
	assert_listed(f, "m.ko.xz -> " IN_TREE ".xz\n");
}

static void file_of_unknown_origin_stays_archived(void **state)
{
	struct fixture *f = *state;

	make_file(f, LIB "/" IN_TREE, "in-tree");
	make_file(f, ORIGINALS "/bad.ko", "escape");
	make_file(f, ORIGINALS "/bad.ko.origin", "/" LIB "/../../../etc/bad.ko\n");
	make_file(f, ORIGINALS "/evil.ko", "escape");
	make_file(f, ORIGINALS "/evil.ko.origin", "/etc/passwd\n");
	archive(f, IN_TREE);
	assert_listed(f, "bad.ko -> ?\nevil.ko -> ?\nm.ko -> " IN_TREE "\n");
	drop(f);
	assert_content(f, ORIGINALS "/bad.ko", "escape");
	assert_content(f, ORIGINALS "/evil.ko", "escape");
	assert_false(is_there(f, ORIGINALS "/m.ko"));
	assert_false(is_there(f, ORIGINALS "/m.ko.origin"));
}

static size_t count_orphans(struct fixture *f)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reg_archive *v = NULL;
	size_t n = 0;

	if (reg_list_orphans(&f->sys, &arena, &v, &n, &f->err) < 0)
		fail_msg("%s", f->err.text);
	if (n > 0) {
		assert_string_equal(v[0].name, "m");
		assert_string_equal(v[0].release, K1);
		assert_string_equal(v[0].arch, ARCH);
	}
	return n;
}

static void archive_without_an_active_version_is_an_orphan(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	assert_int_equal(count_orphans(f), 0);
	make_file(f, LIB "/" IN_TREE, "in-tree");
	archive(f, IN_TREE);
	assert_int_equal(count_orphans(f), 1);
	make_active(f, "m", "1", K1);
	assert_int_equal(count_orphans(f), 0);
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
		TEST(archive_is_a_copy_with_its_origin),
		TEST(drop_leaves_nothing_of_it),
		TEST(archive_keeps_mode_and_time),
		TEST(second_of_a_name_is_a_collision),
		TEST(archiving_again_after_a_crash_is_safe),
		TEST(archive_without_origin_goes_where_the_kernel_lists_it),
		TEST(file_of_unknown_origin_stays_archived),
		TEST(archive_without_an_active_version_is_an_orphan),
		TEST(only_plain_paths_are_archived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
