// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel's files came or go: what the gate placed is looked at, indexed and registered. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/log.h"
#include "core/base/proc.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

#define LOCK_WAIT_MS (10 * 60 * 1000)
#define MODULES_DEP_MAX (64u << 20)

int run_open_sealed(struct run *run, const struct txn *txn, const struct run_record *rec,
		    struct run_set *ret_set, struct kg_err *err)
{
	const struct kg_source source = { .name = rec->name,
					  .version = rec->version,
					  .path = rec->path };
	char path[1024];
	int fd;

	if (snprintf(path, sizeof(path), "sealed/%s/%s-%s", rec->release, rec->name,
		     rec->version) >= (int)sizeof(path))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", rec->name);
	fd = fd_open_dir_in(txn->dir_fd, path, err);
	if (fd < 0)
		return fd;
	return run_open_set(run, &source, rec->release, rec->arch, fd, ret_set, err);
}

int run_join_live(const struct kg_system *sys, struct txn *ret_txn, struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int r = txn_list(sys, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		struct txn txn = TXN_INIT;

		if (txn_open(sys, ids.v[i], &txn, NULL) < 0)
			continue;
		if (txn.state == TXN_PASSED && txn_is_live(&txn) &&
		    proc_is_ancestor(txn.plan.owner_pid, txn.plan.owner_start)) {
			*ret_txn = txn;
			return 1;
		}
		txn_fini(&txn);
	}
	return r;
}

/* ---- arrival ---- */

bool run_has_arrived(const struct txn *txn, const struct run_record *rec)
{
	char subject[1024];

	snprintf(subject, sizeof(subject), "%s/%s/%s", rec->release, rec->name,
		 rec->version);
	return strv_has(&txn->arrived, subject);
}

/* The placed sets of one release that have not arrived yet. */
struct arrival {
	struct run *run;
	struct txn *txn;
	const char *release;
	const struct run_record **recs;
	struct run_set *sets;
	struct run_item *items;
	size_t n;
};

static int add_arrival(struct arrival *a, const struct run_record *rec,
		       struct kg_err *err)
{
	int r;

	if (!rec->is_placed || strcmp(rec->release, a->release) != 0 ||
	    run_has_arrived(a->txn, rec))
		return 0;
	r = run_open_sealed(a->run, a->txn, rec, &a->sets[a->n], err);
	if (r < 0)
		return r;
	a->items[a->n] = (struct run_item){ .rs = &a->sets[a->n] };
	a->recs[a->n++] = rec;
	return 0;
}

static int open_arrival(struct arrival *a, const struct run_record *v, size_t n,
			struct kg_err *err)
{
	struct arena *arena = &a->run->arena;
	int r = 0;

	a->recs = arena_array(arena, n + 1, sizeof(void *));
	a->sets = arena_array(arena, n + 1, sizeof(*a->sets));
	a->items = arena_array(arena, n + 1, sizeof(*a->items));
	if (a->recs == NULL || a->sets == NULL || a->items == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s", a->release);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_arrival(a, &v[i], err);
	return r;
}

/* What the kernel has itself has arrived too: nothing more is to be done for it. */
static int note_arrived(struct arrival *a, struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++) {
		const struct run_record *rec = a->recs[i];
		char subject[1024];

		if (a->items[i].result == -KGE_OLDER)
			kg_info("%s", a->items[i].err.text);
		else if (a->items[i].result < 0)
			continue;
		snprintf(subject, sizeof(subject), "%s/%s/%s", rec->release, rec->name,
			 rec->version);
		r = txn_note(a->txn, "arrived", subject, err);
	}
	return r;
}

static int first_failure(const struct arrival *a, struct kg_err *err)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].result < 0 && a->items[i].result != -KGE_OLDER)
			return kg_fail(err, a->items[i].result, "%s/%s: %s",
				       a->recs[i]->name, a->recs[i]->version,
				       kg_err_text(&a->items[i].err, a->items[i].result));
	return 0;
}

static int install_arrival(struct arrival *a, struct kg_err *err)
{
	struct txn *outer = a->run->txn;
	int r;

	if (a->n == 0)
		return 0;
	a->run->txn = a->txn;
	/* Each item has its own result. */
	(void)!run_install_items(a->run, a->release, a->items, a->n, NULL);
	a->run->txn = outer;
	r = note_arrived(a, err);
	return r < 0 ? r : first_failure(a, err);
}

static int arrive(struct arrival *a, const struct run_record *v, size_t n,
		  struct kg_err *err)
{
	int r = run_take_key(a->run, a->txn, err);

	if (r == 0)
		r = open_arrival(a, v, n, err);
	if (r == 0)
		r = install_arrival(a, err);
	for (size_t i = 0; i < a->n; i++)
		run_set_fini(&a->sets[i]);
	return r;
}

int run_arrive_record(struct run *run, struct txn *txn, const struct run_record *rec,
		      struct kg_err *err)
{
	struct arrival a = { .run = run, .txn = txn, .release = rec->release };

	return arrive(&a, rec, 1, err);
}

int run_arrive_records(struct run *run, struct txn *txn, const char *release,
		       const struct run_records *recs, struct strv *ret_known,
		       struct kg_err *err)
{
	struct arrival a = { .run = run, .txn = txn, .release = release };
	int r = arrive(&a, recs->v, recs->n, err);

	for (size_t i = 0; ret_known != NULL && i < recs->n; i++) {
		const struct run_record *rec = &recs->v[i];

		/* A placed set that did not arrive is left to autoinstall. */
		if (strcmp(rec->release, release) == 0 &&
		    (!rec->is_placed || run_has_arrived(txn, rec)))
			strv_add(ret_known, rec->name);
	}
	return r;
}

static void arrive_txn(struct run *run, struct txn *txn, const char *release,
		       struct strv *known)
{
	struct run_records records;
	struct kg_err err = { 0 };

	if (run_records_read(txn, &records, &err) < 0) {
		kg_warning("%s", err.text);
		return;
	}
	if (run_arrive_records(run, txn, release, &records, known, &err) < 0)
		kg_error("%s: not everything is installed: %s", release,
			 kg_err_text(&err, err.code));
	run_records_fini(&records);
}

/* Every transaction that passed and placed something for this release, dead ones too. */
static int arrive_all(struct run *run, const char *release, struct strv *known,
		      struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int r = txn_list(run->sys, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		_cleanup_txn_ struct txn txn = TXN_INIT;

		if (txn_open(run->sys, ids.v[i], &txn, NULL) == 0 &&
		    txn.state == TXN_PASSED)
			arrive_txn(run, &txn, release, known);
	}
	return r;
}

int kg_arrive(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);
	_cleanup_strv_ struct strv known = { 0 };
	struct run run;
	int r;

	if (lock_fd < 0)
		return lock_fd;
	r = run_recover(sys, err);
	if (r == 0)
		r = run_init(&run, sys, err);
	if (r < 0)
		return r;
	r = arrive_all(&run, release, &known, err);
	if (r == 0)
		r = run_autoinstall(&run, release, &known, err);
	run_fini(&run);
	return r;
}

/* ---- departure ---- */

bool run_is_coming_back(const struct kg_system *sys, const char *release)
{
	_cleanup_txn_ struct txn txn = TXN_INIT;

	if (run_join_live(sys, &txn, NULL) <= 0)
		return false;
	for (size_t i = 0; i < txn.plan.n_kernels; i++)
		if (strcmp(txn.plan.kernels[i].release, release) == 0)
			return plan_comes(txn.plan.kernels[i].change);
	return false;
}

/* The folders of modules that are ours, and the kernel's own when nothing is left in it. */
void run_prune_release(const struct run *run, const char *release)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/%s", run->sys->install_tree, release,
		 run_module_location(run));
	fd_prune_empty_in(run->sys->root_fd, path, run->sys->install_tree);
}

static int depart_locked(struct run *run, const char *release, struct kg_err *err)
{
	const struct reg_filter filter = { .release = release };
	struct reg_list list = { 0 };
	int r = reg_list_read(run->sys, &filter, REG_NO_COMPARE, &list, err);

	if (r == 0)
		r = run_uninstall(run, release, list.entries, list.n, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct reg_entry *e = &list.entries[i];

		if (e->release != NULL)
			r = reg_remove_built(run->sys, e->name, e->version, e->release,
					     e->arch, err);
	}
	reg_list_fini(&list);
	if (r == 0)
		run_prune_release(run, release);
	return r;
}

int kg_depart(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);
	struct run run;
	int r;

	if (lock_fd < 0)
		return lock_fd;
	if (run_is_coming_back(sys, release))
		return 0;
	r = run_recover(sys, err);
	if (r == 0)
		r = run_init(&run, sys, err);
	if (r < 0)
		return r;
	r = depart_locked(&run, release, err);
	run_fini(&run);
	return r;
}
