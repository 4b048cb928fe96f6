// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After a transaction: what the package database says is compared with the plan. A kernel that is
 * there has its modules, one that is not has none of ours, a source that changed and failed has
 * its old state back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/log.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

#define LOCK_WAIT_MS (10 * 60 * 1000)
#define STATE_TIMEOUT_MS 60000
#define STATE_MAX_BYTES (8u << 20)

enum fate {
	FATE_KEEP,    /* as planned */
	FATE_UNDO,    /* never came, or came back as it was */
	FATE_PENDING, /* unpacked, not configured: its hooks are still to run */
};

/* ---- what the package database says ---- */

static int ask_state(const struct strv *args, struct kg_state *ret_state,
		     struct kg_err *err)
{
	_cleanup_str_ struct str out = { 0 };
	const struct kg_spawn how = {
		.argv = (const char *const *)args->v,
		.dir_fd = -1,
		.in_fd = -1,
		.out_fd = -1,
		.err_fd = 2,
	};
	int status = 0;
	int r = spawn_capture(&how, STATE_TIMEOUT_MS, STATE_MAX_BYTES, &out, &status,
			      err);

	if (r == 0 && status != 0)
		r = kg_fail(err, -EIO, "%s exited with %d", args->v[0], status);
	if (r == 0)
		r = state_read(str_get(&out), out.len, ret_state, err);
	return r;
}

/*
 * Whether a kernel came is said by its image, where one comes: what else is for it may have failed.
 * Never by its headers, nor by what leaves.
 */
static bool decides(const struct kg_plan_kernel *k, const struct kg_package *p)
{
	if (p->role == KG_ROLE_HEADERS || p->change == KG_CHANGE_LEAVES)
		return false;
	return p->role == KG_ROLE_IMAGE || !plan_brings_image(k);
}

static int read_state(const struct txn *txn, struct kg_state *ret_state,
		      struct kg_err *err)
{
	const struct kg_plan *plan = &txn->plan;
	_cleanup_strv_ struct strv args = { 0 };

	strv_addf(&args, "%s/%s-state", KG_LIBEXECDIR, plan->manager);
	for (size_t i = 0; i < plan->n_kernels; i++) {
		const struct kg_plan_kernel *k = &plan->kernels[i];

		for (size_t n = 0; n < k->n_packages; n++)
			if (decides(k, &k->packages[n]))
				strv_add(&args, k->packages[n].name);
	}
	for (size_t i = 0; i < plan->n_sources; i++)
		strv_add(&args, plan->sources[i].package);
	if (!strv_ok(&args))
		return kg_fail_errno(err, -ENOMEM, "cannot ask for the packages' state");
	return ask_state(&args, ret_state, err);
}

static enum fate package_fate(const struct kg_state *state, const char *name,
			      const char *version)
{
	const struct kg_state_package *p = state_find(state, name);

	if (p == NULL || p->state == KG_STATE_ABSENT || p->state == KG_STATE_BROKEN)
		return FATE_UNDO;
	if (version != NULL && (p->version == NULL || strcmp(p->version, version) != 0))
		return FATE_UNDO;
	return p->state == KG_STATE_PENDING ? FATE_PENDING : FATE_KEEP;
}

static enum fate worse(enum fate a, enum fate b)
{
	if (a == FATE_UNDO || b == FATE_UNDO)
		return FATE_UNDO;
	return a == FATE_PENDING || b == FATE_PENDING ? FATE_PENDING : FATE_KEEP;
}

static enum fate kernel_fate(const struct kg_plan_kernel *k, const struct kg_state *state)
{
	enum fate fate = FATE_KEEP;

	for (size_t i = 0; i < k->n_packages; i++) {
		const struct kg_package *p = &k->packages[i];

		if (decides(k, p))
			fate = worse(fate, package_fate(state, p->name, p->version));
	}
	return fate;
}

static bool source_is_at(const struct kg_plan_source *ps, const char *path)
{
	size_t n = strlen(path);

	return strncmp(ps->path, path, n) == 0 && strcmp(ps->path + n, "/dkms.conf") == 0;
}

static enum fate record_fate(const struct kg_plan *plan, const struct kg_state *state,
			     const struct run_record *rec)
{
	enum fate fate = FATE_KEEP;

	for (size_t i = 0; i < plan->n_kernels; i++)
		if (strcmp(plan->kernels[i].release, rec->release) == 0 &&
		    plan->kernels[i].change != KG_CHANGE_STAYS)
			fate = worse(fate, kernel_fate(&plan->kernels[i], state));
	for (size_t i = 0; i < plan->n_sources; i++)
		if (source_is_at(&plan->sources[i], rec->path))
			fate = worse(fate, package_fate(state, plan->sources[i].package,
							plan->sources[i].version));
	return fate;
}

/* ---- keep or roll back ---- */

static int unregister(struct run *run, const struct run_record *rec, struct kg_err *err)
{
	const char *active = NULL;
	int r = reg_active_version(run->sys, rec->name, rec->release, rec->arch,
				   &run->arena, &active, err);

	if (r == 0 && active != NULL && strcmp(active, rec->version) == 0)
		r = reg_clear_active(run->sys, rec->name, rec->release, rec->arch, err);
	if (r == 0)
		r = reg_remove_built(run->sys, rec->name, rec->version, rec->release,
				     rec->arch, err);
	return r;
}

/* The K/A folder that `dkms remove` saved in this transaction comes back. */
static int restore_saved(struct run *run, struct txn *txn, const struct run_record *rec,
			 struct kg_err *err)
{
	struct run_set rs;
	int r = run_open_saved(run, txn, rec->name, rec->release, &rs, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = run_register_set(run, &rs, err);
	run_set_fini(&rs);
	return r;
}

static bool is_coming(enum kg_change change)
{
	return change == KG_CHANGE_ENTERS || change == KG_CHANGE_CHANGES;
}

/* The gate that is to follow makes it again, or stops and says why. */
static bool is_coming_again(const struct run *run, const struct run_record *rec)
{
	const struct kg_plan *plan = run->coming;

	for (size_t i = 0; plan != NULL && i < plan->n_kernels; i++)
		if (is_coming(plan->kernels[i].change) &&
		    strcmp(plan->kernels[i].release, rec->release) == 0)
			return true;
	for (size_t i = 0; plan != NULL && i < plan->n_sources; i++)
		if (is_coming(plan->sources[i].change) &&
		    source_is_at(&plan->sources[i], rec->path))
			return true;
	return false;
}

/*
 * The transaction's scripts took the old version off, and what it had replaced came back; now that
 * goes again, and would be nowhere but for this.
 */
static int archive_for_saved(struct run *run, struct txn *txn,
			     const struct run_record *rec, struct kg_err *err)
{
	struct run_set rs;
	struct run_item item = { .rs = &rs, .is_forced = true };
	int r = run_open_saved(run, txn, rec->name, rec->release, &rs, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = run_choose_files(run, &item, err);
	if (r == 0)
		r = run_archive_elsewhere(run, &item, err);
	run_set_fini(&rs);
	return r;
}

static bool came_in_half(const struct kg_state *state, const char *name,
			 const char *version)
{
	const struct kg_state_package *p = state_find(state, name);

	return p != NULL && p->state == KG_STATE_BROKEN &&
	       (version == NULL || p->version == NULL ||
		strcmp(p->version, version) == 0);
}

/* The package of @rec's kernel, or of its source, that is only half there; NULL: none. */
static const char *broken_package(const struct kg_plan *plan,
				  const struct kg_state *state,
				  const struct run_record *rec)
{
	for (size_t i = 0; i < plan->n_kernels; i++) {
		const struct kg_plan_kernel *k = &plan->kernels[i];

		for (size_t n = 0; n < k->n_packages; n++) {
			const struct kg_package *p = &k->packages[n];

			if (strcmp(k->release, rec->release) == 0 && decides(k, p) &&
			    came_in_half(state, p->name, p->version))
				return p->name;
		}
	}
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct kg_plan_source *ps = &plan->sources[i];

		if (source_is_at(ps, rec->path) &&
		    came_in_half(state, ps->package, ps->version))
			return ps->package;
	}
	return NULL;
}

static void say_taken_back(const struct txn *txn, const struct kg_state *state,
			   const struct run_record *rec)
{
	const char *broken = broken_package(&txn->plan, state, rec);

	if (broken != NULL)
		kg_warning("%s: took %s/%s back: %s is only half there, install it again",
			   rec->release, rec->name, rec->version, broken);
	else
		kg_warning("%s: took %s/%s back: the transaction did not install it",
			   rec->release, rec->name, rec->version);
}

static int roll_back(struct run *run, struct txn *txn, const struct kg_state *state,
		     const struct run_record *rec, struct kg_err *err)
{
	int r = archive_for_saved(run, txn, rec, err);

	if (r == 0)
		r = txn_note(txn, "departed", rec->release, err);
	if (r == 0)
		r = set_take_back(txn, rec->release, err);
	if (r == 0)
		r = depmod_run(run->sys, rec->release, NULL, err);
	if (r == 0)
		r = restore_saved(run, txn, rec, err);
	if (r == 0 && !is_coming_again(run, rec))
		say_taken_back(txn, state, rec);
	return r;
}

static bool is_registered(struct run *run, const struct run_record *rec)
{
	const char *active = NULL;

	return reg_active_version(run->sys, rec->name, rec->release, rec->arch,
				  &run->arena, &active, NULL) == 0 &&
	       active != NULL && strcmp(active, rec->version) == 0;
}

/* A maintainer script may have removed and re-added it since it arrived: then it arrives again. */
static int keep(struct run *run, struct txn *txn, const struct run_record *rec,
		struct kg_err *err)
{
	const bool is_there = is_registered(run, rec);
	int r = 0;

	/* The transaction is long over: since then somebody took it off. */
	if (!is_there && run_has_arrived(txn, rec) && !txn_is_live(txn))
		return 0;
	if (!is_there)
		r = txn_note(txn, "departed", rec->release, err);
	if (r == 0)
		r = run_arrive_record(run, txn, rec, err);
	/* Not what the kernel has itself and was left out. */
	if (r == 0 && is_registered(run, rec))
		r = run_remember_working(run->sys, rec->name, run_flavour(rec->release),
					 err);
	return r;
}

/*
 * All of them before the first is rolled back, which makes its whole release depart. What has not
 * arrived is registered from before: a source that came anew has the same version.
 */
static int unregister_undone(struct run *run, const struct txn *txn,
			     const struct kg_state *state,
			     const struct run_records *records, struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < records->n; i++) {
		const struct run_record *rec = &records->v[i];

		if (rec->is_placed && run_has_arrived(txn, rec) &&
		    record_fate(&txn->plan, state, rec) == FATE_UNDO)
			r = unregister(run, rec, err);
	}
	return r;
}

/*
 * First what is undone, release by release, then what is kept: taking a release back takes all of
 * its sets, and those that stay are installed anew.
 */
static int settle_records(struct run *run, struct txn *txn, const struct kg_state *state,
			  bool *is_pending, struct kg_err *err)
{
	struct run_records records;
	int first = run_records_read(txn, &records, err);
	size_t n;

	if (first == 0)
		first = unregister_undone(run, txn, state, &records, err);
	n = first == 0 ? records.n : 0;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			const struct run_record *rec = &records.v[i];
			enum fate fate = record_fate(&txn->plan, state, rec);
			int r = 0;

			if (!rec->is_placed)
				continue;
			if (pass == 0 && fate == FATE_UNDO)
				r = roll_back(run, txn, state, rec, err);
			else if (pass == 1 && fate == FATE_KEEP)
				r = keep(run, txn, rec, err);
			*is_pending = *is_pending || fate == FATE_PENDING;
			first = first < 0 ? first : r;
		}
	run_records_fini(&records);
	return first;
}

static int settle_txn(struct run *run, struct txn *txn, struct kg_err *err)
{
	struct kg_state state = { 0 };
	bool is_pending = false;
	int r = read_state(txn, &state, err);

	if (r == 0)
		r = settle_records(run, txn, &state, &is_pending, err);
	state_fini(&state);
	if (r < 0 || is_pending)
		return r;
	r = txn_note(txn, "settled", NULL, err);
	return r < 0 ? r : txn_remove(txn, err);
}

/* ---- all of them ---- */

static void settle_one(struct run *run, const char *id, pid_t owner_pid)
{
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_err err = { 0 };
	int r = txn_open(run->sys, id, &txn, &err);

	kg_debug("settle %s for owner %d", id, owner_pid);
	if (r == 0 && txn_is_live(&txn) && txn.plan.owner_pid != owner_pid)
		return;
	if (r == 0 && txn.state == TXN_PASSED)
		r = settle_txn(run, &txn, &err);
	else if (r == 0 && txn.state != TXN_OPEN)
		r = txn_remove(&txn, &err);
	if (r < 0)
		kg_warning(
			"transaction %s is not settled: %s. The next boot tries again, "
			"or 'kmodgate recover'",
			id, kg_err_text(&err, r));
}

static void clean_up(const struct kg_system *sys, pid_t owner_pid,
		     const struct kg_plan *coming)
{
	_cleanup_strv_ struct strv ids = { 0 };
	struct kg_err err = { 0 };
	struct run run;

	if (run_recover(sys, &err) < 0 || txn_list(sys, &ids, &err) < 0) {
		kg_warning("recovery: %s", err.text);
		return;
	}
	if (ids.n == 0)
		return;
	if (run_init(&run, sys, &err) < 0) {
		kg_warning("recovery: %s", err.text);
	} else {
		run.coming = coming;
		for (size_t i = 0; i < ids.n; i++)
			settle_one(&run, ids.v[i], owner_pid);
	}
	run_fini(&run);
}

void run_clean_up(const struct kg_system *sys, pid_t owner_pid)
{
	clean_up(sys, owner_pid, NULL);
}

void run_clean_up_for(const struct kg_system *sys, const struct kg_plan *plan)
{
	clean_up(sys, 0, plan);
}

int kg_settle(const struct kg_system *sys, pid_t owner_pid, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);

	if (lock_fd < 0)
		return lock_fd;
	run_clean_up(sys, owner_pid);
	return 0;
}

int kg_recover(const struct kg_system *sys, struct kg_err *err)
{
	return kg_settle(sys, 0, err);
}
