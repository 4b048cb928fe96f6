// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/commit_root.h"

/* ---- a kernel that enters ---- */

static void an_entering_kernel_gets_its_modules_at_their_final_path(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct stat st;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_expect(t, DKMS "/one.ko", "new one");
	root_expect(t, DKMS "/two.ko", "new two");
	assert_int_equal(fd_lstat_in(t->sys.root_fd, DKMS "/one.ko", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(txn.placed.n, 1);
	assert_string_equal(txn.placed.v[0], RELEASE "/mod/1.0");
}

static void take_back_removes_exactly_what_was_made(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(set_take_back(&txn, RELEASE, why));
	assert_false(root_has(t, "lib/modules"));
	assert_int_equal(txn.placed.n, 0);
	OK(txn_remove(&txn, why));
	assert_false(root_has(t, "var/lib/kmodgate/txn/apt-4194303-1"));
}

static void take_back_leaves_folders_and_files_of_others(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, "lib/modules/5.0/modules.dep", "");
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	/* the kernel's package came in between, and a person with a module */
	root_put(t, DKMS "/person.ko", "theirs");
	OK(set_take_back(&txn, RELEASE, why));
	root_expect(t, DKMS "/one.ko", NULL);
	root_expect(t, DKMS "/person.ko", "theirs");
	assert_true(root_has(t, "lib/modules/5.0/modules.dep"));
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

static void a_file_that_was_there_comes_back(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "left over");
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_expect(t, DKMS "/one.ko", "new one");
	OK(set_take_back(&txn, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "left over");
	root_expect(t, DKMS "/two.ko", NULL);
}

static void a_link_that_was_there_comes_back(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_free_ char *target = NULL;
	_cleanup_close_ int dir_fd = fd_make_dir_in(t->sys.root_fd, DKMS, 0755, NULL);

	assert_int_equal(symlinkat("../../weak/one.ko", dir_fd, "one.ko"), 0);
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_expect(t, DKMS "/one.ko", "new one");
	OK(set_take_back(&txn, RELEASE, why));
	assert_int_equal(fd_read_link_at(dir_fd, "one.ko", &target), 0);
	assert_string_equal(target, "../../weak/one.ko");
}

static void what_somebody_changed_since_is_left_alone(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_put(t, DKMS "/one.ko", "built by hand");
	OK(set_take_back(&txn, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "built by hand");
	root_expect(t, DKMS "/two.ko", NULL);
}

static void placing_again_replaces_and_is_taken_back_whole(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "left over");
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_put(t, "sealed/one.ko", "newer one");
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_expect(t, DKMS "/one.ko", "newer one");
	assert_int_equal(txn.placed.n, 1);
	OK(set_take_back(&txn, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "left over");
	root_expect(t, DKMS "/two.ko", NULL);
}

static void arrival_is_a_look_without_the_sealed_files(void **state)
{
	const struct commit_root *t = *state;
	struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	set.sealed_fd = -1;
	OK(set_publish(&t->sys, &txn, &set, why));
	root_put(t, DKMS "/one.ko", "something else");
	assert_int_equal(set_publish(&t->sys, &txn, &set, NULL), -ENOENT);
	set.sealed_fd = t->sealed_fd;
	OK(set_publish(&t->sys, &txn, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "new one");
}

/* ---- a release that changes in place ---- */

static void what_waits_is_found_by_no_glob_until_it_is_published(void **state)
{
	const struct commit_root *t = *state;
	struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "old one");
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_CHANGES, 0, why));
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", NULL);
	assert_int_equal(txn.placed.n, 1);
	set.sealed_fd = -1;
	OK(set_publish(&t->sys, &txn, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "new one");
	root_expect(t, DKMS "/two.ko", "new two");
}

static void what_was_built_again_since_wins_over_what_waits(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "old one");
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_CHANGES, 0, why));
	root_put(t, "sealed/one.ko", "newer one");
	OK(set_publish(&t->sys, &txn, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "newer one");
	root_expect(t, DKMS "/two.ko", "new two");
	OK(set_take_back(&txn, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", NULL);
}

static void what_waits_is_taken_back_without_a_trace(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "old one");
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_STAYS, 0, why));
	OK(set_take_back(&txn, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "old one");
	assert_false(root_has(t, "lib/modules/.kmodgate"));
	assert_int_equal(txn.placed.n, 0);
}

static void withdrawn_and_published_in_one_transaction_comes_back_whole(void **state)
{
	static const char *const old_files[] = { "updates/dkms/one.ko", "extra/gone.ko",
						 NULL };
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "old one");
	root_put(t, MODULES "/extra/gone.ko", "old gone");
	root_begin(t, &txn);
	OK(set_withdraw(&t->sys, &txn, RELEASE, old_files, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	assert_false(root_has(t, MODULES "/extra"));
	OK(set_publish(&t->sys, &txn, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "new one");
	OK(set_take_back(&txn, RELEASE, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", NULL);
	root_expect(t, MODULES "/extra/gone.ko", "old gone");
}

static void removing_the_transaction_keeps_what_is_published(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, DKMS "/one.ko", "old one");
	root_begin(t, &txn);
	OK(set_publish(&t->sys, &txn, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	OK(txn_remove(&txn, why));
	root_expect(t, DKMS "/one.ko", "new one");
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

/* ---- without a transaction ---- */

static void publish_without_a_transaction_leaves_no_trace(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);

	root_put(t, DKMS "/one.ko", "old one");
	OK(set_publish(&t->sys, NULL, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "new one");
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

static void an_open_swap_can_be_undone(void **state)
{
	static const char *const gone[] = { "extra/gone.ko", NULL };
	const struct commit_root *t = *state;
	const struct set set = root_set(t);

	root_put(t, DKMS "/one.ko", "old one");
	root_put(t, MODULES "/extra/gone.ko", "old gone");
	OK(set_withdraw(&t->sys, NULL, RELEASE, gone, why));
	OK(set_publish(&t->sys, NULL, &set, why));
	root_expect(t, MODULES "/extra/gone.ko", NULL);
	OK(set_undo(&t->sys, RELEASE, why));
	root_expect(t, MODULES "/extra/gone.ko", "old gone");
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", NULL);
	assert_false(root_has(t, "lib/modules/.kmodgate"));
	OK(set_undo(&t->sys, RELEASE, why));
}

static void one_set_that_fails_undoes_only_itself(void **state)
{
	static const char *const bad_files[] = { "updates/dkms/one.ko",
						 "updates/dkms/none.ko", NULL };
	const struct commit_root *t = *state;
	const struct set good = root_set(t);
	struct set bad = root_set(t);

	bad.name = "bad";
	bad.files = bad_files;
	OK(set_publish(&t->sys, NULL, &good, why));
	assert_int_equal(set_publish(&t->sys, NULL, &bad, NULL), -ENOENT);
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "new one");
	root_expect(t, DKMS "/two.ko", "new two");
}

static void withdraw_takes_empty_folders_up_to_the_release(void **state)
{
	static const char *const files[] = { "updates/dkms/one.ko",
					     "updates/dkms/absent.ko", "extra/two.ko",
					     NULL };
	const struct commit_root *t = *state;

	root_put(t, "lib/modules/5.0/modules.dep", "");
	root_put(t, DKMS "/one.ko", "one");
	root_put(t, MODULES "/extra/two.ko", "two");
	OK(set_withdraw(&t->sys, NULL, RELEASE, files, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	assert_false(root_has(t, MODULES));
	assert_true(root_has(t, "lib/modules/5.0"));
	OK(set_withdraw(&t->sys, NULL, RELEASE, files, why));
}

static void withdraw_keeps_folders_that_hold_something(void **state)
{
	static const char *const files[] = { "updates/dkms/one.ko", NULL };
	const struct commit_root *t = *state;

	root_put(t, DKMS "/one.ko", "one");
	root_put(t, DKMS "/other.ko", "other");
	OK(set_withdraw(&t->sys, NULL, RELEASE, files, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", NULL);
	root_expect(t, DKMS "/other.ko", "other");
}

/* ---- the tree ---- */

static void a_merged_usr_is_followed_inside_the_root_only(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_put(t, "usr/lib/os-release", "");
	assert_int_equal(symlinkat("/usr/lib", t->sys.root_fd, "lib"), 0);
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_expect(t, "usr/lib/modules/" RELEASE "/updates/dkms/one.ko", "new one");
	OK(set_take_back(&txn, RELEASE, why));
	assert_false(root_has(t, "usr/lib/modules"));
}

static void a_linked_updates_folder_is_followed_inside_the_root(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_close_ int fd = fd_make_dir_in(t->sys.root_fd, MODULES, 0755, NULL);
	_cleanup_close_ int opt_fd =
		fd_make_dir_in(t->sys.root_fd, "opt/mods", 0755, NULL);

	assert_int_equal(symlinkat("/opt/mods", fd, "updates"), 0);
	OK(set_publish(&t->sys, NULL, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, "opt/mods/dkms/one.ko", "new one");
}

static void a_linked_release_is_refused(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_close_ int fd =
		fd_make_dir_in(t->sys.root_fd, "lib/modules", 0755, NULL);
	struct kg_err err = { 0 };

	root_put(t, "elsewhere/file", "");
	assert_int_equal(symlinkat("/elsewhere", fd, RELEASE), 0);
	assert_true(set_publish(&t->sys, NULL, &set, &err) < 0);
	assert_false(root_has(t, "elsewhere/updates"));
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

static void names_that_lead_out_are_refused(void **state)
{
	static const char *const bad_files[][2] = { { "../../etc/passwd", NULL },
						    { "/etc/passwd", NULL },
						    { "updates//one.ko", NULL },
						    { "updates/./one.ko", NULL },
						    { "", NULL } };
	static const char *const bad_releases[] = { "..", "a/b", "", ".hidden", "a b" };
	const struct commit_root *t = *state;
	struct set set = root_set(t);

	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		set.files = bad_files[i];
		assert_int_equal(set_publish(&t->sys, NULL, &set, NULL), -KGE_HOSTILE);
		assert_int_equal(set_withdraw(&t->sys, NULL, RELEASE, bad_files[i], NULL),
				 -KGE_HOSTILE);
	}
	set = root_set(t);
	for (size_t i = 0; i < ARRAY_SIZE(bad_releases); i++) {
		set.release = bad_releases[i];
		assert_int_equal(set_publish(&t->sys, NULL, &set, NULL), -KGE_HOSTILE);
		assert_int_equal(depmod_run(&t->sys, bad_releases[i], NULL, NULL),
				 -KGE_HOSTILE);
	}
	set = root_set(t);
	set.version = "../1";
	assert_int_equal(set_publish(&t->sys, NULL, &set, NULL), -KGE_HOSTILE);
	assert_false(root_has(t, "lib"));
}

static void a_folder_in_the_way_is_an_error_and_nothing_changes(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	struct kg_err err = { 0 };

	root_put(t, DKMS "/one.ko", "old one");
	root_put(t, DKMS "/two.ko/file", "");
	assert_int_equal(set_publish(&t->sys, NULL, &set, &err), -EISDIR);
	assert_non_null(strstr(err.text, "two.ko"));
	root_expect(t, DKMS "/one.ko", "old one");
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

static void no_room_is_said_before_anything_is_written(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_err err = { 0 };

	root_begin(t, &txn);
	assert_int_equal(set_place(&txn, &set, KG_CHANGE_ENTERS, (uint64_t)1 << 60, &err),
			 -ENOSPC);
	assert_non_null(strstr(err.text, "no room in lib/modules"));
	assert_false(root_has(t, "lib"));
	assert_int_equal(txn.placed.n, 0);
}

static void an_umask_changes_nothing(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	mode_t old = umask(077);
	struct stat st;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	umask(old);
	assert_int_equal(fd_lstat_in(t->sys.root_fd, DKMS "/one.ko", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(fd_lstat_in(t->sys.root_fd, DKMS, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fd_lstat_in(t->sys.root_fd, MODULES, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, root_make, root_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_entering_kernel_gets_its_modules_at_their_final_path),
		CASE(take_back_removes_exactly_what_was_made),
		CASE(take_back_leaves_folders_and_files_of_others),
		CASE(a_file_that_was_there_comes_back),
		CASE(a_link_that_was_there_comes_back),
		CASE(what_somebody_changed_since_is_left_alone),
		CASE(placing_again_replaces_and_is_taken_back_whole),
		CASE(arrival_is_a_look_without_the_sealed_files),
		CASE(what_waits_is_found_by_no_glob_until_it_is_published),
		CASE(what_was_built_again_since_wins_over_what_waits),
		CASE(what_waits_is_taken_back_without_a_trace),
		CASE(withdrawn_and_published_in_one_transaction_comes_back_whole),
		CASE(removing_the_transaction_keeps_what_is_published),
		CASE(publish_without_a_transaction_leaves_no_trace),
		CASE(an_open_swap_can_be_undone),
		CASE(one_set_that_fails_undoes_only_itself),
		CASE(withdraw_takes_empty_folders_up_to_the_release),
		CASE(withdraw_keeps_folders_that_hold_something),
		CASE(a_merged_usr_is_followed_inside_the_root_only),
		CASE(a_linked_updates_folder_is_followed_inside_the_root),
		CASE(a_linked_release_is_refused),
		CASE(names_that_lead_out_are_refused),
		CASE(a_folder_in_the_way_is_an_error_and_nothing_changes),
		CASE(no_room_is_said_before_anything_is_written),
		CASE(an_umask_changes_nothing),
	};

	return cmocka_run_group_tests_name("commit/set", tests, NULL, NULL);
}
