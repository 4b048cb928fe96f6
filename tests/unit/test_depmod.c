// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/commit/index.h"
#include "tests/unit/commit_root.h"

static bool has_depmod(void)
{
	return access("/sbin/depmod", X_OK) == 0 || access("/usr/sbin/depmod", X_OK) == 0;
}

/* A kernel that is there, with one old module and old indexes. */
static void put_kernel(const struct commit_root *t)
{
	root_put(t, MODULES "/modules.order", "");
	root_put(t, MODULES "/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
	root_put(t, MODULES "/modules.builtin.modinfo", "");
	root_put(t, MODULES "/modules.dep", "old indexes\n");
	root_put(t, DKMS "/one.ko", "old one");
}

static void expect_nothing_changed(const struct commit_root *t)
{
	root_expect(t, MODULES "/modules.dep", "old indexes\n");
	root_expect(t, MODULES "/modules.alias", NULL);
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", NULL);
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

/* ---- the real depmod: these modules are no ELF files, but it lists them ---- */

static void modules_and_indexes_switch_together(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_free_ char *dep = NULL;
	struct stat st;

	if (!has_depmod())
		skip();
	put_kernel(t);
	OK(set_publish(&t->sys, NULL, &set, why));
	OK(depmod_run(&t->sys, RELEASE, one_and_two, why));
	root_expect(t, DKMS "/one.ko", "new one");
	OK(fd_read_file_in(t->sys.root_fd, MODULES "/modules.dep", 1u << 20, &dep, NULL,
			   why));
	assert_non_null(strstr(dep, "updates/dkms/one.ko:"));
	assert_non_null(strstr(dep, "updates/dkms/two.ko:"));
	assert_true(root_has(t, MODULES "/modules.alias.bin"));
	assert_int_equal(fd_lstat_in(t->sys.root_fd, MODULES "/modules.dep", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_false(root_has(t, "lib/modules/.kmodgate"));
	/* the kernel's own are what they were, not links of the stage */
	root_expect(t, MODULES "/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
}

static void a_module_that_is_not_listed_undoes_the_whole_swap(void **state)
{
	static const char *const wanted[] = { "updates/dkms/one.ko",
					      "updates/dkms/none.ko", NULL };
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	struct kg_err err = { 0 };

	if (!has_depmod())
		skip();
	put_kernel(t);
	OK(set_publish(&t->sys, NULL, &set, why));
	assert_int_equal(depmod_run(&t->sys, RELEASE, wanted, &err), -KGE_DEPMOD);
	assert_non_null(strstr(err.text, "did not list updates/dkms/none.ko"));
	expect_nothing_changed(t);
}

static void a_second_module_of_that_name_that_comes_first_is_noticed(void **state)
{
	static const char *const wanted[] = { "extra/one.ko", NULL };
	const struct commit_root *t = *state;

	if (!has_depmod())
		skip();
	put_kernel(t);
	root_put(t, MODULES "/extra/one.ko", "hidden by updates/");
	assert_int_equal(depmod_run(&t->sys, RELEASE, wanted, NULL), -KGE_DEPMOD);
	root_expect(t, MODULES "/modules.dep", "old indexes\n");
}

static void withdrawn_modules_leave_the_indexes(void **state)
{
	static const char *const one[] = { "updates/dkms/one.ko", NULL };
	const struct commit_root *t = *state;

	if (!has_depmod())
		skip();
	put_kernel(t);
	OK(set_withdraw(&t->sys, NULL, RELEASE, one, why));
	OK(depmod_run(&t->sys, RELEASE, NULL, why));
	root_expect(t, MODULES "/modules.dep", "");
	assert_false(root_has(t, MODULES "/updates"));
}

static void a_root_has_its_own_configuration(void **state)
{
	static const char *const wanted[] = { "extra/one.ko", NULL };
	const struct commit_root *t = *state;

	if (!has_depmod())
		skip();
	put_kernel(t);
	root_put(t, MODULES "/extra/one.ko", "first by configuration");
	root_put(t, "etc/depmod.d/order.conf", "search extra updates\n");
	OK(depmod_run(&t->sys, RELEASE, wanted, why));
}

static void a_kernel_that_is_not_there_needs_no_indexes(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);

	OK(set_publish(&t->sys, NULL, &set, why));
	OK(depmod_run(&t->sys, RELEASE, one_and_two, why));
	root_expect(t, DKMS "/one.ko", "new one");
	root_expect(t, MODULES "/modules.dep", NULL);
	assert_false(root_has(t, "lib/modules/.kmodgate"));
	OK(depmod_run(&t->sys, "9.9", NULL, why));
	assert_false(root_has(t, "lib/modules/9.9"));
}

/* ---- depmods that go wrong ---- */

#define MAKE_ALL \
	"#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = -b ] && b=$2; shift; done\n" \
	"cd \"$b/lib/modules/$1\" || exit 3\n" \
	"trie() { printf '\\260\\007\\364\\127\\000\\002\\000\\001\\000\\000\\000\\014' >$1; }\n" \
	"for i in alias symbols softdep devname; do : >modules.$i; done\n" \
	"for i in dep alias symbols builtin builtin.alias; do trie modules.$i.bin; done\n" \
	"printf 'updates/dkms/one.ko:\\nupdates/dkms/two.ko:\\n' >modules.dep\n"

static int build_with(const struct commit_root *t, const char *script, struct kg_err *err)
{
	const struct set set = root_set(t);
	struct swap s = SWAP_INIT;
	char path[128];
	const char *const paths[] = { "/nonexistent/depmod", path, NULL };
	int r;

	put_kernel(t);
	snprintf(path, sizeof(path), "%s/depmod", t->path);
	if (script != NULL) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

		assert_true(fd >= 0);
		assert_int_equal(fd_write_all(fd, script, strlen(script)), 0);
		close(fd);
	}
	OK(set_publish(&t->sys, NULL, &set, why));
	assert_int_equal(swap_find(&t->sys, RELEASE, &s, NULL), 1);
	r = index_build(&s, paths, one_and_two, err);
	if (r == 0)
		r = swap_finish_indexed(&s, err);
	else
		OK(swap_undo(&s, why));
	swap_fini(&s);
	return r;
}

static void expect_refused(void **state, const char *script, const char *why)
{
	const struct commit_root *t = *state;
	struct kg_err err = { 0 };

	assert_int_equal(build_with(t, script, &err), -KGE_DEPMOD);
	if (strstr(err.text, why) == NULL)
		fail_msg("said: %s", err.text);
	expect_nothing_changed(t);
}

static void one_that_makes_all_is_believed(void **state)
{
	const struct commit_root *t = *state;

	OK(build_with(t, MAKE_ALL, why));
	root_expect(t, MODULES "/modules.dep",
		    "updates/dkms/one.ko:\nupdates/dkms/two.ko:\n");
	root_expect(t, DKMS "/two.ko", "new two");
}

static void the_kernels_system_map_is_handed_to_it(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_free_ char *text = NULL;
	char wanted[128];

	root_put(t, "boot/System.map-9.9", "another kernel's");
	OK(build_with(t, "#!/bin/sh\necho \"$*\" >\"${0%/*}/said\"\n" MAKE_ALL, why));
	OK(fd_read_file_in(t->sys.root_fd, "said", 4096, &text, NULL, why));
	assert_null(strstr(text, " -F "));
	free(text);
	text = NULL;
	root_put(t, "boot/System.map-" RELEASE, "ffff T x\n");
	OK(build_with(t, "#!/bin/sh\necho \"$*\" >\"${0%/*}/said\"\n" MAKE_ALL, why));
	OK(fd_read_file_in(t->sys.root_fd, "said", 4096, &text, NULL, why));
	snprintf(wanted, sizeof(wanted),
		 " -F %s/boot/System.map-" RELEASE " " RELEASE "\n", t->path);
	assert_non_null(strstr(text, wanted));
}

static void one_that_fails_is_refused(void **state)
{
	expect_refused(state, MAKE_ALL "echo 'it broke' >&2; exit 1\n",
		       "depmod failed (exit 1): it broke");
}

static void one_that_exits_0_and_wrote_nothing_is_refused(void **state)
{
	expect_refused(state, "#!/bin/sh\nexit 0\n", "made no modules.dep");
}

static void one_that_skipped_an_index_is_refused(void **state)
{
	expect_refused(state, MAKE_ALL "rm modules.symbols.bin\n",
		       "made no modules.symbols.bin");
}

static void one_that_wrote_half_an_index_is_refused(void **state)
{
	expect_refused(state,
		       MAKE_ALL
		       "printf '\\260\\007\\364\\127\\000\\002\\000\\001\\040\\000\\001"
		       "\\000' >modules.alias.bin\n",
		       "damaged modules.alias.bin");
}

static void one_that_wrote_half_a_line_is_refused(void **state)
{
	expect_refused(state, MAKE_ALL "printf 'alias pci:v0' >modules.alias\n",
		       "damaged modules.alias");
}

static void one_that_left_a_module_out_is_refused(void **state)
{
	expect_refused(state, MAKE_ALL "echo updates/dkms/one.ko: >modules.dep\n",
		       "did not list updates/dkms/two.ko");
}

static void one_that_is_not_installed_is_said(void **state)
{
	expect_refused(state, NULL, "depmod is not installed");
}

static void one_that_is_killed_is_refused(void **state)
{
	expect_refused(state, MAKE_ALL "kill -9 $$\n", "depmod failed");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, root_make, root_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(modules_and_indexes_switch_together),
		CASE(a_module_that_is_not_listed_undoes_the_whole_swap),
		CASE(a_second_module_of_that_name_that_comes_first_is_noticed),
		CASE(withdrawn_modules_leave_the_indexes),
		CASE(a_root_has_its_own_configuration),
		CASE(a_kernel_that_is_not_there_needs_no_indexes),
		CASE(one_that_makes_all_is_believed),
		CASE(the_kernels_system_map_is_handed_to_it),
		CASE(one_that_fails_is_refused),
		CASE(one_that_exits_0_and_wrote_nothing_is_refused),
		CASE(one_that_skipped_an_index_is_refused),
		CASE(one_that_wrote_half_an_index_is_refused),
		CASE(one_that_wrote_half_a_line_is_refused),
		CASE(one_that_left_a_module_out_is_refused),
		CASE(one_that_is_not_installed_is_said),
		CASE(one_that_is_killed_is_refused),
	};

	return cmocka_run_group_tests_name("commit/depmod", tests, NULL, NULL);
}
