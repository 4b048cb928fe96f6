// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/test_registry.h"

static void no_tree_is_an_empty_list(void **state)
{
	assert_list(*state, ALL, "");
}

static void states_are_told_apart(void **state)
{
	struct fixture *f = *state;

	make_added(f, "added", "1");
	make_added(f, "built", "1");
	make_built(f, "built", "1", K1);
	make_added(f, "inst", "1");
	make_installed(f, "inst", "1", K1);
	assert_list(f, ALL,
		    "added/1: added\n"
		    "built/1, " K1 ", " ARCH ": built\n"
		    "inst/1, " K1 ", " ARCH ": installed\n");
}

/* As DKMS's shell globs: of whole paths, and '-' comes before '/'. */
static void order_is_that_of_whole_paths(void **state)
{
	struct fixture *f = *state;

	make_added(f, "a", "1");
	make_added(f, "a-b", "1");
	make_built(f, "a", "1", "6.1.0");
	make_built(f, "a", "1", "6.1.0-1");
	assert_list(f, ALL,
		    "a-b/1: added\n"
		    "a/1, 6.1.0-1, " ARCH ": built\n"
		    "a/1, 6.1.0, " ARCH ": built\n");
}

static void dangling_link_is_broken_and_hides_nothing(void **state)
{
	struct fixture *f = *state;

	make_link(f, TREE "/bad/1/source", "/usr/src/bad-1");
	make_added(f, "good", "1");
	assert_list(f, ALL, "bad/1: broken\ngood/1: added\n");
}

static void missing_link_is_broken_only_with_a_source_folder(void **state)
{
	struct fixture *f = *state;

	make_dir(f, TREE "/lost/1");
	make_dir(f, TREE "/foreign/1");
	make_dir(f, "usr/src/lost-1");
	assert_list(f, ALL, "lost/1: broken\n");
}

static void link_loop_is_broken(void **state)
{
	struct fixture *f = *state;

	make_link(f, TREE "/loop/1/source", "source");
	assert_list(f, ALL, "loop/1: broken\n");
}

static void foreign_and_half_written_things_are_no_entries(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, TREE "/mok.key", "key");
	make_link(f, TREE "/nowhere", "/does/not/exist");
	make_dir(f, TREE "/m/original_module/" K1 "/" ARCH);
	make_dir(f, TREE "/m/1/" K1 "/" ARCH); /* no module folder */
	make_file(f, TREE "/m/1/" K2, "not a folder");
	make_dir(f, TREE "/m/1/build/module"); /* no kernel's name */
	make_dir(f, TREE "/m/1/" K2 "-x/.kmodgate-part." ARCH "/module");
	make_dir(f, TREE "/m/.kmodgate-part.2/source");
	make_dir(f, TREE "/m/kernel-6-x");
	assert_list(f, ALL, "m/1: added\n");
}

static void unreadable_conf_does_not_hide_the_entry(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_installed(f, "m", "1", K1);
	make_file(f, "usr/src/m-1/dkms.conf", "if true; then\n\x01\x02 fi\n");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed\n");
}

static void absolute_active_link_counts(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_file(f, "lib/modules/" K1 "/updates/dkms/m.ko", "1");
	make_link(f, TREE "/m/kernel-" K1 "-" ARCH, "/" TREE "/m/1/" K1 "/" ARCH);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed\n");
}

static void only_the_active_version_is_installed(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_added(f, "m", "2");
	make_built(f, "m", "1", K1);
	make_installed(f, "m", "2", K1);
	assert_list(f, ALL,
		    "m/1, " K1 ", " ARCH ": built\n"
		    "m/2, " K1 ", " ARCH ": installed\n");
}

static void filters_are_names_or_patterns(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_added(f, "n", "1");
	make_installed(f, "m", "1", K1);
	make_built(f, "m", "1", K2);
	assert_list(f, (struct reg_filter){ .name = "n" }, "n/1: added\n");
	assert_list(f, (struct reg_filter){ .name = "m", .release = K2 },
		    "m/1, " K2 ", " ARCH ": built\n");
	assert_list(f, (struct reg_filter){ .name = "m", .release = "*-2-*" },
		    "m/1, " K2 ", " ARCH ": built\n");
	assert_list(f, (struct reg_filter){ .name = "m", .arch = "aarch64" },
		    "m/1: added\n");
	assert_list(f, (struct reg_filter){ .name = "m", .version = "2" }, "");
	assert_list(f, (struct reg_filter){ .name = "../m" }, "");
	assert_list(f, (struct reg_filter){ .name = "[mn]", .release = K2 },
		    "m/1, " K2 ", " ARCH ": built\nn/1: added\n");
}

static void notes_say_what_dkms_says(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_installed(f, "m", "1", K1);
	make_file(f, "lib/modules/" K1 "/updates/dkms/m.ko", "9");
	make_installed(f, "m", "1", K2);
	assert_int_equal(
		unlinkat(f->sys.root_fd, TREE "/m/1/" K2 "/" ARCH "/module/m.ko", 0), 0);
	make_dir(f, TREE "/m/original_module/" K2 "/" ARCH);
	assert_list(f, ALL,
		    "m/1, " K1 ", " ARCH ": installed D\n"
		    "m/1, " K2 ", " ARCH ": installed O B\n");
}

static void file_gone_from_lib_modules_is_a_difference(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_active(f, "m", "1", K1);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed D\n");
}

static void place_of_its_own_is_found_by_the_index(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_active(f, "m", "1", K1);
	make_file(f, "lib/modules/" K1 "/kernel/net/m.ko", "1");
	make_file(f, "lib/modules/" K1 "/modules.dep",
		  "kernel/a.ko:\nkernel/net/m.ko: kernel/a.ko\n");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed\n");
}

static void symlinked_module_is_the_same(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_active(f, "m", "1", K1);
	make_link(f, "lib/modules/" K1 "/updates/dkms/m.ko",
		  "/" TREE "/m/1/" K1 "/" ARCH "/module/m.ko");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed\n");
}

static void declared_module_that_was_not_built_is_noted(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(
		f, "usr/src/m-1/dkms.conf",
		"PACKAGE_NAME=m\nBUILT_MODULE_NAME[0]=m # one\nDEST_MODULE_LOCATION[0]=/extra\n"
		"BUILT_MODULE_NAME[7]='raw'; \nDEST_MODULE_NAME[7]=\"other\"\r\n"
		"MAKE=\"make KVER=$kernelver\"\n");
	make_built(f, "m", "1", K1);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built B\n");
	make_file(f, TREE "/m/1/" K1 "/" ARCH "/module/other.ko.xz", "x");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built\n");
}

static void nothing_is_missing_where_nothing_is_declared(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, "usr/src/m-1/dkms.conf", "PACKAGE_NAME=m\nPACKAGE_VERSION=1\n");
	make_dir(f, TREE "/m/1/" K1 "/" ARCH "/module");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built\n");
	make_active(f, "m", "1", K1);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed\n");
	make_file(f, "usr/src/m-1/dkms.conf", "if true; then\nfi\n");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": installed B\n");
}

static void many_kernels_are_all_compared(void **state)
{
	struct fixture *f = *state;
	struct reg_list list;

	make_added(f, "m", "1");
	make_added(f, "n", "1");
	for (int i = 0; i < 40; i++) {
		char release[32];

		snprintf(release, sizeof(release), "6.1.%d", i);
		make_installed(f, "m", "1", release);
		make_installed(f, "n", "1", release);
	}
	assert_int_equal(reg_list_read(&f->sys, &ALL, REG_COMPARE, &list, &f->err), 0);
	assert_int_equal(list.n, 80);
	for (size_t i = 0; i < list.n; i++)
		assert_false(list.entries[i].differs_installed);
	reg_list_fini(&list);
}

/* More than one thread reads them: none is lost, and their order is that of paths. */
static void many_versions_come_in_order(void **state)
{
	struct fixture *f = *state;
	struct reg_list list;

	for (int i = 0; i < 130; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%03d", i);
		make_added(f, name, "1");
		if (i % 3 == 0)
			make_installed(f, name, "1", K1);
		if (i % 2 == 0)
			make_built(f, name, "1", K2);
	}
	assert_int_equal(reg_list_read(&f->sys, &ALL, REG_COMPARE, &list, &f->err), 0);
	assert_int_equal(list.n, 130 + 22);
	for (size_t i = 1; i < list.n; i++) {
		int order = strcmp(list.entries[i - 1].name, list.entries[i].name);

		assert_true(order < 0 ||
			    (order == 0 && strcmp(list.entries[i - 1].release,
						  list.entries[i].release) < 0));
		assert_false(list.entries[i].differs_installed);
	}
	reg_list_fini(&list);
}

static void tree_that_is_no_folder_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct reg_list list;

	make_file(f, TREE, "file");
	assert_int_equal(reg_list_read(&f->sys, &ALL, REG_COMPARE, &list, &f->err),
			 -ENOTDIR);
	assert_non_null(strstr(f->err.text, TREE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_tree_is_an_empty_list),
		TEST(states_are_told_apart),
		TEST(order_is_that_of_whole_paths),
		TEST(dangling_link_is_broken_and_hides_nothing),
		TEST(missing_link_is_broken_only_with_a_source_folder),
		TEST(link_loop_is_broken),
		TEST(foreign_and_half_written_things_are_no_entries),
		TEST(unreadable_conf_does_not_hide_the_entry),
		TEST(absolute_active_link_counts),
		TEST(only_the_active_version_is_installed),
		TEST(filters_are_names_or_patterns),
		TEST(notes_say_what_dkms_says),
		TEST(file_gone_from_lib_modules_is_a_difference),
		TEST(place_of_its_own_is_found_by_the_index),
		TEST(symlinked_module_is_the_same),
		TEST(declared_module_that_was_not_built_is_noted),
		TEST(nothing_is_missing_where_nothing_is_declared),
		TEST(many_kernels_are_all_compared),
		TEST(many_versions_come_in_order),
		TEST(tree_that_is_no_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
