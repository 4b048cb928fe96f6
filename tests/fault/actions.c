// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fault/actions.h"

#include "core/commit/commit.h"
#include "core/run/run.h"

int action_sets_fd = -1;

static const char *const files_old[] = { "updates/dkms/alpha.ko", "updates/dkms/beta.ko",
					 NULL };
static const char *const files_gone[] = { "updates/dkms/beta.ko", NULL };
static const char *const files_original[] = { "kernel/net/gamma.ko", NULL };
static const char *const files_new[] = { "updates/dkms/alpha.ko", "updates/dkms/gamma.ko",
					 NULL };

static struct set new_set(const char *release)
{
	return (struct set){ .release = release,
			     .name = "mod",
			     .version = "2.0",
			     .files = files_new,
			     .sealed_fd = action_sets_fd };
}

static int begin(const struct kg_system *sys, struct txn *txn, struct kg_err *err)
{
	struct kg_plan plan = { 0 };
	int r;

	plan.manager = "apt";
	plan.owner_pid = 4194303; /* the last pid there can be: not running */
	plan.owner_start = 1;
	plan.root = "/";
	r = plan_seal(&plan, err);
	return r < 0 ? r : txn_begin(sys, &plan, txn, err);
}

static int open_only(const struct kg_system *sys, struct txn *txn, struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int r = txn_list(sys, &ids, err);

	if (r == 0 && ids.n == 0)
		return -ENOENT;
	return r < 0 ? r : txn_open(sys, ids.v[0], txn, err);
}

static int switch_here(const struct kg_system *sys, struct txn *txn, struct kg_err *err)
{
	const struct set set = new_set(HERE);
	int r = set_withdraw(sys, txn, HERE, files_gone, err);

	if (r == 0)
		r = set_publish(sys, txn, &set, err);
	if (r < 0) {
		(void)!set_undo(sys, HERE, NULL);
		return r;
	}
	return depmod_run(sys, HERE, files_new, err);
}

static int act_publish(const struct kg_system *sys, struct kg_err *err)
{
	return switch_here(sys, NULL, err);
}

int act_change(const struct kg_system *sys, struct kg_err *err)
{
	const struct set set = new_set(HERE);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = begin(sys, &txn, err);

	if (r == 0)
		r = set_place(&txn, &set, KG_CHANGE_CHANGES, 0, err);
	if (r == 0)
		r = txn_note(&txn, "passed", NULL, err);
	return r < 0 ? r : switch_here(sys, &txn, err);
}

int act_place(const struct kg_system *sys, struct kg_err *err)
{
	const struct set set = new_set(ENTERING);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = begin(sys, &txn, err);

	if (r == 0)
		r = set_place(&txn, &set, KG_CHANGE_ENTERS, 0, err);
	return r < 0 ? r : txn_note(&txn, "passed", NULL, err);
}

static int act_stop(const struct kg_system *sys, struct kg_err *err)
{
	const struct set entering = new_set(ENTERING);
	const struct set here = new_set(HERE);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = begin(sys, &txn, err);

	if (r == 0)
		r = set_place(&txn, &entering, KG_CHANGE_ENTERS, 0, err);
	if (r == 0)
		r = set_place(&txn, &here, KG_CHANGE_CHANGES, 0, err);
	if (r == 0)
		r = set_take_back(&txn, ENTERING, err);
	if (r == 0)
		r = set_take_back(&txn, HERE, err);
	if (r == 0)
		r = txn_note(&txn, "stopped", NULL, err);
	return r < 0 ? r : txn_remove(&txn, err);
}

static int act_arrive(const struct kg_system *sys, struct kg_err *err)
{
	struct set set = new_set(ENTERING);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = open_only(sys, &txn, err);

	set.sealed_fd = -1;
	if (r == 0)
		r = set_publish(sys, &txn, &set, err);
	return r < 0 ? r : depmod_run(sys, ENTERING, files_new, err);
}

static int act_withdraw(const struct kg_system *sys, struct kg_err *err)
{
	int r = set_withdraw(sys, NULL, HERE, files_old, err);

	return r < 0 ? r : depmod_run(sys, HERE, NULL, err);
}

static const struct reg_archive originals = { .name = "mod",
					      .release = HERE,
					      .arch = "x86_64" };

/* A module of the kernel makes place for one of ours. */
int act_replace(const struct kg_system *sys, struct kg_err *err)
{
	const struct kg_source source = { .name = "mod", .version = "2.0" };
	const struct set set = new_set(HERE);
	int r = reg_archive_original(sys, "mod", HERE, "x86_64", files_original[0], err);

	if (r == 0)
		r = set_withdraw(sys, NULL, HERE, files_original, err);
	if (r == 0)
		r = set_publish(sys, NULL, &set, err);
	if (r < 0) {
		(void)!set_undo(sys, HERE, NULL);
		return r;
	}
	r = depmod_run(sys, HERE, files_new, err);
	return r < 0 ? r : reg_set_active(sys, &source, HERE, "x86_64", err);
}

static int act_return(const struct kg_system *sys, struct kg_err *err)
{
	int r = set_withdraw(sys, NULL, HERE, files_new, err);

	if (r == 0)
		r = run_return_originals(sys, NULL, &originals, err);
	if (r < 0) {
		(void)!set_undo(sys, HERE, NULL);
		return r;
	}
	r = depmod_run(sys, HERE, NULL, err);
	if (r == 0)
		r = reg_clear_active(sys, "mod", HERE, "x86_64", err);
	return r < 0 ? r : reg_drop_originals(sys, &originals, err);
}

/* Takes back every transaction there is and forgets it: what settle does on failure. */
int act_back(const struct kg_system *sys, struct kg_err *err)
{
	static const char *const releases[] = { HERE, ENTERING };
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = open_only(sys, &txn, err);

	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(releases); i++) {
		r = set_take_back(&txn, releases[i], err);
		if (r == 0)
			r = depmod_run(sys, releases[i], NULL, err);
	}
	return r < 0 ? r : txn_remove(&txn, err);
}

int act_recover(const struct kg_system *sys, struct kg_err *err)
{
	return run_recover(sys, err);
}

const struct action actions[] = {
	{ "publish", act_publish, "pristine", NULL },
	{ "withdraw", act_withdraw, "pristine", NULL },
	{ "change", act_change, "pristine", "pristine" },
	{ "place", act_place, "pristine", "pristine" },
	{ "stop", act_stop, "pristine", "pristine" },
	{ "back", act_back, "changed", "pristine" },
	{ "arrive", act_arrive, "unpacked", "kernel-only" },
	{ "replace", act_replace, "original", NULL },
	{ "return", act_return, "replaced", NULL },
	{ 0 },
};
