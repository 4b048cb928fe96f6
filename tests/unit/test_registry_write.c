// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/test_registry.h"

static const struct kg_source m1 = { .name = "m", .version = "1", .path = "usr/src/m-1" };

/* A folder such as a build leaves, with one module of that text. */
static int open_result(struct fixture *f, const char *text)
{
	make_file(f, "work/module/m.ko", text);
	make_file(f, "work/log/make.log", "log");
	make_file(f, "work/.dep_other", "3");
	return fd_open_dir_in(f->sys.root_fd, "work", &f->err);
}

static void put(struct fixture *f, const char *text)
{
	int fd = open_result(f, text);

	assert_int_equal(reg_put_built(&f->sys, &m1, K1, ARCH, fd, &f->err), 0);
	close(fd);
}

static void add_makes_what_dkms_makes(void **state)
{
	struct fixture *f = *state;
	char *target = NULL;
	int fd;

	make_source(f, "m", "1");
	assert_int_equal(reg_add(&f->sys, &m1, &f->err), 0);
	fd = fd_open_dir_in(f->sys.root_fd, TREE "/m/1", &f->err);
	assert_int_equal(fd_read_link_at(fd, "source", &target), 0);
	assert_string_equal(target, "/usr/src/m-1");
	assert_true(is_there(f, TREE "/m/1/build"));
	free(target);
	close(fd);
	assert_list(f, ALL, "m/1: added\n");
}

static void add_twice_says_so(void **state)
{
	struct fixture *f = *state;

	make_source(f, "m", "1");
	assert_int_equal(reg_add(&f->sys, &m1, &f->err), 0);
	assert_int_equal(reg_add(&f->sys, &m1, &f->err), -KGE_EXISTS);
}

static void add_repairs_a_lost_or_dangling_link(void **state)
{
	struct fixture *f = *state;

	make_source(f, "m", "1");
	make_built(f, "m", "1", K1);
	assert_int_equal(reg_add(&f->sys, &m1, &f->err), 0);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built\n");
	assert_int_equal(unlinkat(f->sys.root_fd, TREE "/m/1/source", 0), 0);
	make_link(f, TREE "/m/1/source", "/nowhere");
	assert_list(f, ALL, "m/1: broken\n");
	assert_int_equal(reg_add(&f->sys, &m1, &f->err), 0);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built\n");
}

static void add_without_a_source_folder_fails(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reg_add(&f->sys, &m1, &f->err), -ENOENT);
	assert_false(is_there(f, TREE));
}

static void add_refuses_names_that_lead_elsewhere(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {
		"..", ".", "", "a/b", "a b", "a\nb", "-x", ".x"
	};

	make_source(f, "m", "1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kg_source s = { .name = bad[i],
				       .version = "1",
				       .path = "usr/src/m-1" };

		assert_int_equal(reg_add(&f->sys, &s, NULL), -EINVAL);
		s.name = "m";
		s.version = bad[i];
		assert_int_equal(reg_add(&f->sys, &s, NULL), -EINVAL);
	}
	assert_false(is_there(f, TREE));
}

static void find_tells_unknown_from_broken(void **state)
{
	struct fixture *f = *state;
	struct kg_source s;

	make_added(f, "m", "1");
	make_link(f, TREE "/bad/1/source", "/nowhere");
	make_dir(f, TREE "/foreign/1");
	assert_int_equal(reg_find_source(&f->sys, "m", "1", &f->arena, &s, &f->err), 0);
	assert_string_equal(s.path, "usr/src/m-1");
	assert_int_equal(reg_find_source(&f->sys, "m", "2", &f->arena, &s, NULL),
			 -KGE_NOT_ADDED);
	assert_int_equal(reg_find_source(&f->sys, "x", "1", &f->arena, &s, NULL),
			 -KGE_NOT_ADDED);
	assert_int_equal(reg_find_source(&f->sys, "foreign", "1", &f->arena, &s, NULL),
			 -KGE_NOT_ADDED);
	assert_int_equal(reg_find_source(&f->sys, "bad", "1", &f->arena, &s, NULL),
			 -KGE_BROKEN);
	assert_int_equal(reg_find_source(&f->sys, "..", "1", &f->arena, &s, NULL),
			 -EINVAL);
}

static void odd_link_is_reached_through_itself(void **state)
{
	struct fixture *f = *state;
	struct kg_source s;

	make_source(f, "m", "1");
	make_link(f, TREE "/m/1/source", "../../../../../../usr/src/m-1");
	assert_int_equal(reg_find_source(&f->sys, "m", "1", &f->arena, &s, &f->err), 0);
	assert_string_equal(s.path, TREE "/m/1/source");
}

static void sources_lists_only_good_ones(void **state)
{
	struct fixture *f = *state;
	struct kg_source *sources;
	size_t n;

	make_added(f, "b", "1");
	make_added(f, "a", "2");
	make_installed(f, "a", "2", K1);
	make_link(f, TREE "/bad/1/source", "/nowhere");
	assert_int_equal(reg_sources(&f->sys, &f->arena, &sources, &n, &f->err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(sources[0].name, "a");
	assert_string_equal(sources[1].path, "usr/src/b-1");
}

static void put_makes_it_built(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_added(f, "m", "1");
	assert_int_equal(reg_open_built(&f->sys, "m", "1", K1, ARCH, NULL), -ENOENT);
	put(f, "one");
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built\n");
	assert_content(f, TREE "/m/1/" K1 "/" ARCH "/.dep_other", "3");
	fd = reg_open_built(&f->sys, "m", "1", K1, ARCH, &f->err);
	assert_true(fd >= 0);
	close(fd);
}

static void put_replaces_what_was_there(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_file(f, TREE "/m/1/" K1 "/" ARCH "/old", "old");
	put(f, "two");
	assert_content(f, TREE "/m/1/" K1 "/" ARCH "/module/m.ko", "two");
	assert_false(is_there(f, TREE "/m/1/" K1 "/" ARCH "/old"));
	assert_false(is_there(f, TREE "/m/1/" K1 "/.kmodgate-part." ARCH));
}

/* Who installs what is registered with --symlink-modules does it twice. */
static void put_of_what_is_there_already_keeps_it(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_added(f, "m", "1");
	put(f, "one");
	fd = reg_open_built(&f->sys, "m", "1", K1, ARCH, &f->err);
	assert_true(fd >= 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(reg_put_built(&f->sys, &m1, K1, ARCH, fd, &f->err), 0);
	assert_content(f, TREE "/m/1/" K1 "/" ARCH "/module/m.ko", "one");
	close(fd);
}

static void put_wants_a_registered_source(void **state)
{
	struct fixture *f = *state;
	int fd = open_result(f, "x");

	assert_int_equal(reg_put_built(&f->sys, &m1, K1, ARCH, fd, NULL), -KGE_NOT_ADDED);
	assert_false(is_there(f, TREE));
	close(fd);
}

static void active_link_follows_set_and_clear(void **state)
{
	struct fixture *f = *state;
	const struct kg_source m2 = { .name = "m", .version = "2" };
	const char *version = "";

	make_added(f, "m", "1");
	assert_int_equal(
		reg_active_version(&f->sys, "m", K1, ARCH, &f->arena, &version, NULL), 0);
	assert_null(version);
	assert_int_equal(reg_set_active(&f->sys, &m1, K1, ARCH, &f->err), 0);
	assert_int_equal(reg_set_active(&f->sys, &m2, K1, ARCH, &f->err), 0);
	assert_int_equal(
		reg_active_version(&f->sys, "m", K1, ARCH, &f->arena, &version, NULL), 0);
	assert_string_equal(version, "2");
	assert_int_equal(reg_clear_active(&f->sys, "m", K1, ARCH, &f->err), 0);
	assert_int_equal(reg_clear_active(&f->sys, "m", K1, ARCH, &f->err), 0);
	assert_int_equal(
		reg_active_version(&f->sys, "m", K1, ARCH, &f->arena, &version, NULL), 0);
	assert_null(version);
	assert_int_equal(
		reg_active_version(&f->sys, "x", K1, ARCH, &f->arena, &version, NULL), 0);
}

static void foreign_active_link_is_none(void **state)
{
	struct fixture *f = *state;
	const char *version = "";

	make_added(f, "m", "1");
	make_link(f, TREE "/m/kernel-" K1 "-" ARCH, "../other/1/" K2 "/" ARCH);
	make_dir(f, TREE "/m/kernel-" K2 "-" ARCH);
	assert_int_equal(
		reg_active_version(&f->sys, "m", K1, ARCH, &f->arena, &version, &f->err),
		0);
	assert_null(version);
	assert_int_equal(
		reg_active_version(&f->sys, "m", K2, ARCH, &f->arena, &version, &f->err),
		0);
	assert_null(version);
}

static void remove_built_takes_empty_kernel_folder_along(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_built(f, "m", "1", K2);
	assert_int_equal(reg_remove_built(&f->sys, "m", "1", K1, ARCH, &f->err), 0);
	assert_int_equal(reg_remove_built(&f->sys, "m", "1", K1, ARCH, &f->err), 0);
	assert_false(is_there(f, TREE "/m/1/" K1));
	assert_list(f, ALL, "m/1, " K2 ", " ARCH ": built\n");
}

static void remove_source_refuses_while_built(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	assert_int_equal(reg_remove_source(&f->sys, "m", "1", &f->err), -EBUSY);
	assert_list(f, ALL, "m/1, " K1 ", " ARCH ": built\n");
}

static void remove_source_goes_with_its_rubbish(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, TREE "/m/1/build/make.log", "log");
	make_dir(f, TREE "/m/1/" K1 "/" ARCH); /* half-written */
	make_file(f, TREE "/m/1/tarball/x.tar.gz", "t");
	assert_int_equal(reg_remove_source(&f->sys, "m", "1", &f->err), 0);
	assert_false(is_there(f, TREE "/m"));
	assert_true(is_there(f, "usr/src/m-1/dkms.conf"));
	assert_int_equal(reg_remove_source(&f->sys, "m", "1", NULL), -KGE_NOT_ADDED);
}

static void remove_source_keeps_other_versions_and_foreign_folders(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_added(f, "m", "2");
	make_file(f, TREE "/m/1/notes/text", "somebody's");
	assert_int_equal(reg_remove_source(&f->sys, "m", "1", &f->err), 0);
	assert_content(f, TREE "/m/1/notes/text", "somebody's");
	assert_int_equal(unlinkat(f->sys.root_fd, "usr/src/m-1/dkms.conf", 0), 0);
	assert_int_equal(unlinkat(f->sys.root_fd, "usr/src/m-1", AT_REMOVEDIR), 0);
	assert_list(f, ALL, "m/2: added\n");
}

/* What a process killed at each step leaves, put there by hand. */
static void recover_drops_parts_and_finishes_new_ones(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_file(f, TREE "/m/.kmodgate-part.2/build/x", "half an add");
	make_link(f, TREE "/m/.kernel-" K1 "-" ARCH ".kmodgate-new", "1/" K1 "/" ARCH);
	make_file(f, TREE "/m/1/" K1 "/.kmodgate-part." ARCH "/module/m.ko", "half");
	make_file(f, TREE "/m/1/" K2 "/.kmodgate-new." ARCH "/module/m.ko", "whole");
	make_file(f, TREE "/m/1/" K2 "/" ARCH "/module/rest.ko", "half removed");
	make_file(f, TREE "/m/1/" K2 "/" ARCH "/.dep_other", "not ours to touch");
	make_file(f, TREE "/m/original_module/" K1 "/" ARCH "/.kmodgate-part.x.ko",
		  "half");
	assert_int_equal(reg_recover(&f->sys, &f->err), 0);
	assert_int_equal(reg_recover(&f->sys, &f->err), 0);
	assert_false(is_there(f, TREE "/m/.kmodgate-part.2"));
	assert_false(is_there(f, TREE "/m/.kernel-" K1 "-" ARCH ".kmodgate-new"));
	assert_false(is_there(f, TREE "/m/1/" K1 "/.kmodgate-part." ARCH));
	assert_false(is_there(f, TREE "/m/original_module/" K1 "/" ARCH
				      "/.kmodgate-part.x.ko"));
	assert_content(f, TREE "/m/1/" K2 "/" ARCH "/module/m.ko", "whole");
	assert_false(is_there(f, TREE "/m/1/" K2 "/" ARCH "/module/rest.ko"));
}

static void recover_keeps_foreign_dot_files(void **state)
{
	struct fixture *f = *state;

	make_added(f, "m", "1");
	make_built(f, "m", "1", K1);
	make_file(f, TREE "/m/1/" K1 "/" ARCH "/.dep_zfs", "1");
	make_file(f, TREE "/m/.hidden", "x");
	assert_int_equal(reg_recover(&f->sys, &f->err), 0);
	assert_true(is_there(f, TREE "/m/1/" K1 "/" ARCH "/.dep_zfs"));
	assert_true(is_there(f, TREE "/m/.hidden"));
}

static void link_out_of_the_root_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct kg_source s = { .name = "evil", .version = "1", .path = "usr/src/evil-1" };

	make_dir(f, TREE);
	make_source(f, "evil", "1");
	make_dir(f, "trap");
	/* As if an attacker had made M a link: below our root it leads to the root's own /trap. */
	make_link(f, TREE "/evil", "/trap");
	assert_int_equal(reg_add(&f->sys, &s, &f->err), 0);
	assert_true(is_there(f, "trap/1/source"));
	assert_int_not_equal(access("/trap", F_OK), 0);
}

static void import_copies_and_replaces(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_file(f, "home/me/drv/dkms.conf",
		  "PACKAGE_NAME=drv\nPACKAGE_VERSION=\"1.5\"\n");
	make_file(f, "home/me/drv/drv.c", "new");
	make_file(f, "usr/src/drv-1.5/stale.c", "old");
	fd = fd_open_dir_in(f->sys.root_fd, "home/me/drv", &f->err);
	assert_int_equal(reg_import_source(&f->sys, fd, "drv", "1.5", &f->err), 0);
	assert_content(f, "usr/src/drv-1.5/drv.c", "new");
	assert_false(is_there(f, "usr/src/drv-1.5/stale.c"));
	assert_false(is_there(f, "usr/src/.kmodgate-part.drv-1.5"));
	close(fd);
	fd = fd_open_dir_in(f->sys.root_fd, "usr/src/drv-1.5", &f->err);
	assert_int_equal(reg_import_source(&f->sys, fd, "drv", "1.5", &f->err), 0);
	assert_content(f, "usr/src/drv-1.5/drv.c", "new");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(add_makes_what_dkms_makes),
		TEST(add_twice_says_so),
		TEST(add_repairs_a_lost_or_dangling_link),
		TEST(add_without_a_source_folder_fails),
		TEST(add_refuses_names_that_lead_elsewhere),
		TEST(find_tells_unknown_from_broken),
		TEST(odd_link_is_reached_through_itself),
		TEST(sources_lists_only_good_ones),
		TEST(put_makes_it_built),
		TEST(put_replaces_what_was_there),
		TEST(put_of_what_is_there_already_keeps_it),
		TEST(put_wants_a_registered_source),
		TEST(active_link_follows_set_and_clear),
		TEST(foreign_active_link_is_none),
		TEST(remove_built_takes_empty_kernel_folder_along),
		TEST(remove_source_refuses_while_built),
		TEST(remove_source_goes_with_its_rubbish),
		TEST(remove_source_keeps_other_versions_and_foreign_folders),
		TEST(recover_drops_parts_and_finishes_new_ones),
		TEST(recover_keeps_foreign_dot_files),
		TEST(link_out_of_the_root_is_not_followed),
		TEST(import_copies_and_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
