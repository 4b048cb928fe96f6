// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/commit_root.h"

#define TXNS "var/lib/kmodgate/txn"

static void what_was_noted_is_read_back(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_txn_ struct txn again = TXN_INIT;

	root_begin(t, &txn);
	assert_int_equal(txn.state, TXN_OPEN);
	OK(txn_note(&txn, "hold", "linux-image-6.1", why));
	OK(txn_note(&txn, "passed", NULL, why));
	OK(txn_note(&txn, "arrived", RELEASE "/mod/1.0", why));
	OK(txn_note(&txn, "arrived", "7.0/mod/1.0", why));
	OK(txn_note(&txn, "departed", "7.0", why));
	OK(txn_open(&t->sys, txn.plan.id, &again, why));
	assert_int_equal(again.state, TXN_PASSED);
	assert_int_equal(again.arrived.n, 1);
	assert_string_equal(again.arrived.v[0], RELEASE "/mod/1.0");
	assert_true(strv_has(&again.journal.lines, "hold linux-image-6.1"));
	assert_string_equal(again.plan.manager, "apt");
	assert_string_equal(again.plan.id, txn.plan.id);
}

static void a_note_is_one_line(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;

	root_begin(t, &txn);
	assert_int_equal(txn_note(&txn, "passed now", NULL, NULL), -EINVAL);
	assert_int_equal(txn_note(&txn, "hold", "a\npassed", NULL), -EINVAL);
	assert_int_equal(txn.state, TXN_OPEN);
}

static void the_same_plan_again_is_the_same_transaction(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_txn_ struct txn again = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	OK(txn_note(&txn, "passed", NULL, why));
	root_begin(t, &again);
	assert_int_equal(again.state, TXN_PASSED);
	assert_int_equal(again.placed.n, 1);
	root_expect(t, DKMS "/one.ko", "new one");
}

static void a_gate_that_died_leaves_nothing_to_the_next(void **state)
{
	const struct commit_root *t = *state;
	const struct set set = root_set(t);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_txn_ struct txn again = TXN_INIT;

	root_begin(t, &txn);
	OK(set_place(&txn, &set, KG_CHANGE_ENTERS, 0, why));
	root_begin(t, &again);
	assert_int_equal(again.state, TXN_OPEN);
	assert_int_equal(again.placed.n, 0);
	root_expect(t, DKMS "/one.ko", NULL);
}

static void a_settled_one_begins_anew(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_txn_ struct txn again = TXN_INIT;

	root_begin(t, &txn);
	OK(txn_note(&txn, "settled", NULL, why));
	root_begin(t, &again);
	assert_int_equal(again.state, TXN_OPEN);
}

static void only_unsettled_ones_are_listed_oldest_first(void **state)
{
	static const char *const managers[] = { "zypper", "apt", "dnf" };
	const struct commit_root *t = *state;
	_cleanup_strv_ struct strv ids = { 0 };
	_cleanup_strv_ struct strv none = { 0 };

	OK(txn_list(&t->sys, &none, why));
	assert_int_equal(none.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(managers); i++) {
		_cleanup_txn_ struct txn txn = TXN_INIT;
		struct kg_plan plan = root_plan(managers[i]);

		OK(txn_begin(&t->sys, &plan, &txn, why));
		if (i == 1)
			OK(txn_note(&txn, "settled", NULL, why));
		if (i == 0)
			sleep(1);
	}
	root_put(t, TXNS "/odd/journal", "kmodgate-journal 9 transaction\n");
	OK(txn_list(&t->sys, &ids, why));
	assert_int_equal(ids.n, 3);
	assert_true(str_starts(ids.v[0], "zypper-"));
	assert_true(strv_has(&ids, "odd"));
}

static void a_newer_journal_is_refused_by_name_and_kept(void **state)
{
	const struct commit_root *t = *state;
	struct txn txn = TXN_INIT;
	struct kg_err err = { 0 };
	struct kg_plan plan = root_plan("apt");
	_cleanup_str_ struct str path = { 0 };

	str_addf(&path, TXNS "/%s/journal", plan.id);
	root_put(t, str_get(&path), "kmodgate-journal 2 transaction\nx\n");
	assert_int_equal(txn_open(&t->sys, plan.id, &txn, &err), -KGE_FORMAT);
	assert_non_null(strstr(err.text, plan.id));
	assert_int_equal(txn_begin(&t->sys, &plan, &txn, NULL), -KGE_FORMAT);
	OK(commit_recover(&t->sys, why));
	root_expect(t, str_get(&path), "kmodgate-journal 2 transaction\nx\n");
}

static void a_half_begun_folder_is_begun_again_or_dropped(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_plan plan = root_plan("apt");
	_cleanup_str_ struct str path = { 0 };
	struct txn none = TXN_INIT;

	str_addf(&path, TXNS "/%s/journal", plan.id);
	root_put(t, str_get(&path), "kmodgate-journal 1 transa");
	root_put(t, TXNS "/other/plan", "kmodgate-plan: 1\n");
	assert_int_equal(txn_open(&t->sys, plan.id, &none, NULL), -ENOENT);
	OK(txn_begin(&t->sys, &plan, &txn, why));
	assert_int_equal(txn.state, TXN_OPEN);
	OK(commit_recover(&t->sys, why));
	assert_false(root_has(t, TXNS "/other"));
}

static void live_means_this_process_in_this_boot(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_plan plan = { 0 };

	plan.manager = "apt";
	plan.root = "/";
	plan.owner_pid = getpid();
	assert_int_equal(proc_start_time(getpid(), &plan.owner_start), 0);
	OK(plan_seal(&plan, why));
	OK(txn_begin(&t->sys, &plan, &txn, why));
	assert_true(txn_is_live(&txn));
	txn.plan.owner_start++;
	assert_false(txn_is_live(&txn));
	txn.plan.owner_start--;
	snprintf(txn.boot_id, sizeof(txn.boot_id), "another");
	assert_false(txn_is_live(&txn));
}

static void drop_scratch_keeps_the_journal(void **state)
{
	const struct commit_root *t = *state;
	_cleanup_txn_ struct txn txn = TXN_INIT;
	_cleanup_txn_ struct txn again = TXN_INIT;
	_cleanup_close_ int fd = -1;

	root_begin(t, &txn);
	fd = fd_make_dir_in(txn.dir_fd, "stage/usr", 0755, NULL);
	assert_true(fd >= 0);
	OK(txn_drop_scratch(&txn, why));
	assert_int_equal(faccessat(txn.dir_fd, "stage", F_OK, 0), -1);
	OK(txn_open(&t->sys, txn.plan.id, &again, why));
}

static void an_id_is_a_plain_name(void **state)
{
	const struct commit_root *t = *state;
	struct txn txn = TXN_INIT;
	struct kg_plan plan = { 0 };

	assert_int_equal(txn_open(&t->sys, "../../etc", &txn, NULL), -KGE_HOSTILE);
	assert_int_equal(txn_open(&t->sys, "", &txn, NULL), -KGE_HOSTILE);
	assert_int_equal(txn_begin(&t->sys, &plan, &txn, NULL), -KGE_HOSTILE);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, root_make, root_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_was_noted_is_read_back),
		CASE(a_note_is_one_line),
		CASE(the_same_plan_again_is_the_same_transaction),
		CASE(a_gate_that_died_leaves_nothing_to_the_next),
		CASE(a_settled_one_begins_anew),
		CASE(only_unsettled_ones_are_listed_oldest_first),
		CASE(a_newer_journal_is_refused_by_name_and_kept),
		CASE(a_half_begun_folder_is_begun_again_or_dropped),
		CASE(live_means_this_process_in_this_boot),
		CASE(drop_scratch_keeps_the_journal),
		CASE(an_id_is_a_plain_name),
	};

	return cmocka_run_group_tests_name("commit/txn", tests, NULL, NULL);
}
