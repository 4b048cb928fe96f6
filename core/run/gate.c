// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gate, from plan to verdict: jobs -> stage -> make each -> seal -> place -> pass or stop.
 * Read this first: every stage is called from here or from the run_*.c beside it.
 */
#include "core/run/run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/log.h"
#include "core/recipe/policy.h"
#include "core/registry/registry.h"
#include "core/stage/stage.h"

#define LOCK_WAIT_MS (30 * 60 * 1000)

/* ---- what every command sets up ---- */

static const char *const view_masks[] = {
	"/var/lib/dkms",
	"/var/lib/kmodgate",
	"/var/cache/kmodgate",
	"/var/log/kmodgate",
	NULL,
};

int run_init(struct run *run, const struct kg_system *sys, struct kg_err *err)
{
	const struct kg_ids ids = kg_build_ids(sys);
	int r;

	*run = (struct run){
		.sys = sys, .stage_fd = -1, .work_fd = -1, .log_dir_fd = -1
	};
	run->view = (struct sandbox)SANDBOX_INIT;
	run->view.root_fd = sys->root_fd;
	run->view.uid = ids.uid;
	run->view.gid = ids.gid;
	run->view.masks = view_masks;
	r = policy_read(sys, &run->policy, err);
	if (r == 0)
		r = framework_read(sys->root_fd, &run->framework, err);
	if (r == 0 && run->policy.jobs == 0)
		run->policy.jobs = framework_jobs(&run->framework);
	return r;
}

void run_fini(struct run *run)
{
	run_drop_kept(run);
	closep(&run->stage_fd);
	closep(&run->work_fd);
	closep(&run->log_dir_fd);
	policy_fini(&run->policy);
	framework_fini(&run->framework);
	arena_fini(&run->arena);
}

int run_open_folders(struct run *run, const char *id, const char *work_path,
		     struct kg_err *err)
{
	const struct kg_system *sys = run->sys;
	const char *log = arena_printf(&run->arena, "%s/%s", sys->log_dir, id);

	run->work = arena_printf(&run->arena, "%s/%s", sys->state_dir, work_path);
	run->log_dir = arena_printf(&run->arena, "/%s", log ?: "");
	if (log == NULL || run->work == NULL || run->log_dir == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot open the work folders");
	run->log_dir_fd = fd_make_dir_in(sys->root_fd, log, 0755, err);
	if (run->log_dir_fd < 0)
		return run->log_dir_fd;
	run->work_fd = fd_make_dir_in(sys->root_fd, run->work, 0700, err);
	return run->work_fd < 0 ? run->work_fd : 0;
}

/* ---- staging ---- */

struct image_filter {
	const char *release;
	unsigned int n_found;
};

/* Below lib/modules/R of rpm packages: the link to the headers, and what others have in /boot. */
static bool is_in_modules(const char *path, const char *release)
{
	static const char *const names[] = { "build", "source", "config", "System.map" };
	const char *p = strstr(path, "lib/modules/");
	const size_t n = strlen(release);

	if (p == NULL || strncmp(p + 12, release, n) != 0 || p[12 + n] != '/')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(p + 12 + n + 1, names[i]) == 0)
			return true;
	return false;
}

/* Of a kernel's own package a build may read its config, its System.map and its links. */
static bool image_wants(const char *path, void *data)
{
	struct image_filter *f = data;
	const char *name = strrchr(path, '/');
	bool is_ours;

	if (is_in_modules(path, f->release))
		return true;
	name = name != NULL ? name + 1 : path;
	is_ours = (str_starts(name, "config-") || str_starts(name, "System.map-")) &&
		  str_ends(name, f->release);
	f->n_found += is_ours;
	return is_ours;
}

static bool image_is_done(const char *path, void *data)
{
	const struct image_filter *f = data;

	/* Packages are sorted: /boot comes first, then the kernel's folder down to "kernel/". */
	return f->n_found >= 2 || strstr(path, "/kernel/") != NULL;
}

static int add_stage_item(struct run *run, const struct kg_plan_archive *archive,
			  struct stage_item *item)
{
	struct image_filter *f;

	*item = (struct stage_item){ .path = archive->path };
	if (archive->role != KG_ROLE_IMAGE && archive->role != KG_ROLE_MODULES)
		return 0;
	f = arena_alloc(&run->arena, sizeof(*f));
	if (f == NULL || archive->release == NULL)
		return -ENOMEM;
	f->release = archive->release;
	item->filter = (struct stage_filter){ .want = image_wants,
					      .is_done = image_is_done,
					      .data = f };
	return 0;
}

static int read_removed(struct run *run, const struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	const char **paths = NULL;
	size_t n = 0;
	int r;

	if (plan->removed == NULL)
		return 0;
	fd = open(plan->removed, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : fd_read_all(fd, 64u << 20, &text, NULL);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read the list of removed files %s",
				     plan->removed);
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		const char **slot = len > 0 ? ARENA_ADD(&run->arena, paths, n) : NULL;

		if (slot != NULL)
			*slot = arena_strndup(&run->arena, p, len);
		p += len + (p[len] == '\n');
	}
	(void)ARENA_ADD(&run->arena, paths, n);
	run->view.removed = paths;
	return run->arena.failed
		       ? kg_fail_errno(err, -ENOMEM, "cannot read %s", plan->removed)
		       : 0;
}

static int stage_plan(struct run *run, const struct kg_plan *plan, struct kg_err *err)
{
	const struct stage_limits limits = { .reserve_bytes = plan->growth_bytes };
	struct stage_item *items =
		arena_array(&run->arena, plan->n_archives + 1, sizeof(*items));
	int r;

	run->stage_fd = fd_make_dir_in(run->txn->dir_fd, "stage", 0755, err);
	if (run->stage_fd < 0)
		return run->stage_fd;
	r = items == NULL ? -ENOMEM : fd_empty_dir(run->stage_fd, err);
	if (r == 0)
		r = stage_prepare(run->stage_fd, err);
	for (size_t i = 0; r == 0 && i < plan->n_archives; i++)
		r = add_stage_item(run, &plan->archives[i], &items[i]);
	if (r == 0)
		r = stage_unpack_all(items, plan->n_archives, run->stage_fd, &limits,
				     err);
	if (r == 0)
		r = read_removed(run, plan, err);
	run->view.stage_fd = run->stage_fd;
	return r;
}

/* ---- placing ---- */

static int open_sealed_parent(struct run *run, const char *release, struct kg_err *err)
{
	char path[512];

	if (snprintf(path, sizeof(path), "sealed/%s", release) >= (int)sizeof(path))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", release);
	return fd_make_dir_in(run->txn->dir_fd, path, 0755, err);
}

static int place_job(struct run *run, struct kg_job *job, struct kg_err *err)
{
	_cleanup_close_ int parent_fd = open_sealed_parent(run, job->release, err);
	char name[512];
	struct run_set rs;
	int r;

	if (parent_fd < 0)
		return parent_fd;
	if (snprintf(name, sizeof(name), "%s-%s", job->source->name,
		     job->source->version) >= (int)sizeof(name))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", job->source->name);
	r = run_seal_job(run, job, parent_fd, name, &rs, err);
	if (r < 0)
		return r;
	r = fd_sync_tree(parent_fd, err);
	if (r == 0)
		r = set_place(run->txn, &rs.set,
			      job->kernel != NULL ? job->kernel->change : KG_CHANGE_STAYS,
			      run->txn->plan.growth_bytes, err);
	job->is_placed = r == 0;
	run_set_fini(&rs);
	return r;
}

/* A set that cannot be signed or placed is a failed job like any other. */
static void place_jobs(struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct kg_job *job = &run->jobs[i];

		if (!kg_job_is_made(job) || place_job(run, job, &job->err) == 0)
			continue;
		job->outcome = KG_OUTCOME_FAILED;
		job->phase = job->err.code == -KGE_SIGN ? KG_PHASE_SIGN : KG_PHASE_PLACE;
	}
}

static void take_back_all(struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct kg_err err = { 0 };

		if (!run->jobs[i].is_placed)
			continue;
		if (set_take_back(run->txn, run->jobs[i].release, &err) < 0)
			kg_warning("%s: %s", run->jobs[i].release, err.text);
		if (depmod_skip(run->sys, run->jobs[i].release, &err) < 0)
			kg_warning("%s: %s", run->jobs[i].release, err.text);
		run->jobs[i].is_placed = false;
	}
}

/* ---- the pipeline ---- */

static int stop(struct run *run, struct kg_err *err)
{
	int r;

	take_back_all(run);
	r = run_records_write(run, err);
	if (r == 0)
		r = txn_note(run->txn, "stopped", NULL, err);
	run_report_stop(run);
	return r < 0 ? r : kg_fail(err, -KGE_STOPPED, "the transaction was stopped");
}

static int pass(struct run *run, struct kg_err *err)
{
	int r;

	if (run->is_test)
		return 0; /* the transaction itself asks again, and finds the artefacts */
	r = run_records_write(run, err);
	if (r == 0)
		r = txn_note(run->txn, "passed", NULL, err);
	if (r == 0)
		run_report_pass(run);
	return r;
}

static int make_jobs(struct run *run, struct kg_err *err)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		run_make_plan_job(run, &run->jobs[i]);
		kg_debug("%s: %s/%s: %" PRIu64 " ms in its own commands",
			 run->jobs[i].release, run->jobs[i].source->name,
			 run->jobs[i].source->version, run->jobs[i].build_ms);
		if (cancel_signal() != 0)
			return cancel_check(err);
	}
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int decide(struct run *run, struct kg_err *err)
{
	const uint64_t start_ms = now_ms();
	int r = stage_plan(run, &run->txn->plan, err);

	kg_debug("staged %zu archives in %" PRIu64 " ms", run->txn->plan.n_archives,
		 now_ms() - start_ms);
	if (r == 0)
		r = run_jobs_from_plan(run, &run->txn->plan, err);
	if (r == 0)
		r = make_jobs(run, err);
	if (r < 0)
		return r;
	if (!run_must_stop(run) && !run->is_test)
		place_jobs(run);
	if (cancel_signal() != 0)
		return cancel_check(err);
	return run_must_stop(run) ? stop(run, err) : pass(run, err);
}

static void drop_scratch(const struct txn *txn)
{
	struct kg_err err = { 0 };

	if (fd_remove_tree_at(txn->dir_fd, "stage", &err) < 0 ||
	    fd_remove_tree_at(txn->dir_fd, "work", &err) < 0)
		kg_warning("%s: %s", txn->plan.id, err.text);
}

static int gate_in_txn(struct run *run, struct kg_err *err)
{
	const char *id = run->txn->plan.id;
	char work[512];
	int r;

	snprintf(work, sizeof(work), "txn/%s/work", id);
	r = run_open_folders(run, id, work, err);
	if (r == 0)
		r = decide(run, err);
	if (r < 0 && r != -KGE_STOPPED)
		take_back_all(run);
	drop_scratch(run->txn);
	if ((r < 0 || run->is_test) && txn_remove(run->txn, NULL) < 0)
		kg_warning("cannot remove the folder of transaction %s", id);
	return r;
}

static int gate_plan(struct run *run, struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = txn_begin(run->sys, plan, &txn, err);

	if (r < 0)
		return r;
	if (txn.state == TXN_PASSED)
		return 0; /* the same transaction asks again: unattended-upgrades runs hooks twice */
	run->txn = &txn;
	r = gate_in_txn(run, err);
	run->txn = NULL;
	return r;
}

/* Kernels come and there are sources, or sources come; what only leaves needs no verdict. */
static bool has_work(struct run *run, const struct kg_plan *plan)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan_comes(plan->sources[i].change))
			return true;
	for (size_t i = 0; i < plan->n_kernels; i++)
		if (plan_comes(plan->kernels[i].change))
			return run_has_sources(run);
	return false;
}

/* A policy with a mistake in it may have said "always": nobody guesses what it meant. */
static int stop_on_policy(struct run *run, const struct kg_plan *plan,
			  const struct kg_err *err)
{
	int r = 0;

	if (has_work(run, plan) && !run_is_skipped(run, plan)) {
		kg_error(
			"stopped: the policy cannot be read: %s\n"
			"Nothing was changed. Mend the file, or set KMODGATE=off for this once.",
			err->text);
		r = -KGE_STOPPED;
	}
	run_fini(run);
	return r;
}

static int gate_locked(const struct kg_system *sys, struct kg_plan *plan, bool is_test,
		       struct kg_err *err)
{
	struct run run;
	int r;

	run_clean_up_for(sys, plan);
	r = run_init(&run, sys, err);
	run.is_test = is_test;
	if (r == -KGE_FORMAT)
		return stop_on_policy(&run, plan, err);
	if (r == 0 && has_work(&run, plan) && !run_is_skipped(&run, plan))
		r = gate_plan(&run, plan, err);
	run_fini(&run);
	return r;
}

int kg_gate(const struct kg_system *sys, struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);

	return lock_fd < 0 ? lock_fd : gate_locked(sys, plan, false, err);
}

int kg_gate_test(const struct kg_system *sys, struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);

	return lock_fd < 0 ? lock_fd : gate_locked(sys, plan, true, err);
}
