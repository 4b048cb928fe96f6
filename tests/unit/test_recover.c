// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/commit_root.h"

/* Runs @act in a process that ends without closing anything. */
static void in_dying_process(const struct commit_root *t,
			     int (*act)(const struct commit_root *t))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(act(t) < 0 ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int publish_and_die(const struct commit_root *t)
{
	static const char *const gone[] = { "extra/gone.ko", NULL };
	const struct set set = root_set(t);
	int r = set_withdraw(&t->sys, NULL, RELEASE, gone, NULL);

	return r < 0 ? r : set_publish(&t->sys, NULL, &set, NULL);
}

static void expect_old(const struct commit_root *t)
{
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", NULL);
	root_expect(t, MODULES "/extra/gone.ko", "old gone");
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

static void put_old(const struct commit_root *t)
{
	root_put(t, DKMS "/one.ko", "old one");
	root_put(t, MODULES "/extra/gone.ko", "old gone");
}

static void a_swap_of_a_dead_process_is_undone(void **state)
{
	const struct commit_root *t = *state;

	put_old(t);
	in_dying_process(t, publish_and_die);
	root_expect(t, DKMS "/one.ko", "new one");
	OK(commit_recover(&t->sys, why));
	expect_old(t);
	OK(commit_recover(&t->sys, why));
	expect_old(t);
}

static void the_next_change_of_the_release_does_it_too(void **state)
{
	static const char *const two[] = { "updates/dkms/two.ko", NULL };
	const struct commit_root *t = *state;
	struct set set = root_set(t);

	put_old(t);
	in_dying_process(t, publish_and_die);
	set.files = two;
	OK(set_publish(&t->sys, NULL, &set, why));
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "old one");
	root_expect(t, DKMS "/two.ko", "new two");
}

static int recover_as_a_child(const struct commit_root *t)
{
	return commit_recover(&t->sys, NULL);
}

static void a_swap_of_a_running_kmodgate_above_us_is_left_alone(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);

	put_old(t);
	OK(set_publish(&t->sys, NULL, &set, why));
	in_dying_process(t, recover_as_a_child);
	OK(depmod_skip(&t->sys, RELEASE, why));
	root_expect(t, DKMS "/one.ko", "new one");
}

static void a_gate_that_died_is_taken_back(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_txn_ struct txn after = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(commit_recover(&t->sys, why));
	assert_false(root_has(t, "lib/modules"));
	OK(txn_open(&t->sys, txn.plan.id, &after, why));
	assert_int_equal(after.state, TXN_STOPPED);
	assert_int_equal(after.placed.n, 0);
}

static void one_that_passed_waits_for_settle(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(txn_note(&txn, "passed", NULL, why));
	OK(commit_recover(&t->sys, why));
	root_expect(t, DKMS "/one.ko", "new one");
}

static void a_live_one_is_left_alone(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_plan plan = { 0 };

	plan.manager = "apt";
	plan.root = "/";
	plan.owner_pid = getpid();
	assert_int_equal(proc_start_time(getpid(), &plan.owner_start), 0);
	OK(plan_seal(&plan, why));
	OK(txn_begin(&t->sys, &plan, &txn, why));
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(commit_recover(&t->sys, why));
	root_expect(t, DKMS "/one.ko", "new one");
}

static void a_settled_one_is_removed_even_when_half_of_it_is_gone(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_strv_ struct strv ids = { 0 };

	root_begin(t, &txn);
	OK(txn_note(&txn, "settled", NULL, why));
	assert_int_equal(unlinkat(txn.dir_fd, "plan", 0), 0);
	OK(commit_recover(&t->sys, why));
	OK(txn_list(&t->sys, &ids, why));
	assert_int_equal(ids.n, 0);
	assert_int_equal(faccessat(txn.dir_fd, "journal", F_OK, 0), -1);
}

/* /var/lib/kmodgate was removed by hand, or with the package. */
static void what_a_vanished_transaction_placed_for_no_kernel_goes(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	struct set other = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;

	other.release = "5.0-there";
	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(set_place(&txn, &other, KG_CHANGE_ENTERS, 0, why));
	OK(txn_note(&txn, "passed", NULL, why));
	root_put(t, "lib/modules/5.0-there/modules.order", "");
	assert_int_equal(fd_remove_tree_at(t->sys.root_fd, "var", NULL), 0);
	OK(commit_recover(&t->sys,
			  why)); /* no state folder at all: /var may not be mounted */
	root_expect(t, DKMS "/one.ko", "new one");
	root_put(t, "var/lib/kmodgate/txn/x/y", "");
	OK(commit_recover(&t->sys, why));
	assert_false(root_has(t, MODULES));
	root_expect(t, "lib/modules/5.0-there/updates/dkms/one.ko", "new one");
	assert_false(root_has(t, "lib/modules/.kmodgate"));
}

static void a_swap_of_a_newer_kmodgate_is_left_alone_and_blocks_that_release_only(
	void **state)
{
	static const char journal[] = "lib/modules/.kmodgate/switch/" RELEASE "/journal";
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	struct set other = root_set(t);
	struct kg_err err = { 0 };

	other.release = "5.0";
	root_put(t, journal, "kmodgate-journal 2 switch\n");
	OK(commit_recover(&t->sys, why));
	assert_int_equal(set_publish(&t->sys, NULL, &set, &err), -KGE_FORMAT);
	assert_non_null(strstr(err.text, "version 2"));
	root_expect(t, journal, "kmodgate-journal 2 switch\n");
	OK(set_publish(&t->sys, NULL, &other, why));
	OK(depmod_skip(&t->sys, "5.0", why));
	root_expect(t, "lib/modules/5.0/updates/dkms/one.ko", "new one");
}

static void nothing_to_recover_is_nothing_done(void **state)
{
	const struct commit_root *t = *state;

	OK(commit_recover(&t->sys, why));
	assert_false(root_has(t, "lib"));
	assert_false(root_has(t, "var"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, root_make, root_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_swap_of_a_dead_process_is_undone),
		CASE(the_next_change_of_the_release_does_it_too),
		CASE(a_swap_of_a_running_kmodgate_above_us_is_left_alone),
		CASE(a_gate_that_died_is_taken_back),
		CASE(one_that_passed_waits_for_settle),
		CASE(a_live_one_is_left_alone),
		CASE(a_settled_one_is_removed_even_when_half_of_it_is_gone),
		CASE(what_a_vanished_transaction_placed_for_no_kernel_goes),
		CASE(a_swap_of_a_newer_kmodgate_is_left_alone_and_blocks_that_release_only),
		CASE(nothing_to_recover_is_nothing_done),
	};

	return cmocka_run_group_tests_name("commit/recover", tests, NULL, NULL);
}
