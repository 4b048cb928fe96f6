// SPDX-License-Identifier: GPL-2.0-or-later
/* What the outcome of the jobs means for the transaction, said to the user; the hold. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/report/report.h"
#include "core/run.h"
#include "core/stage/stage.h"

/* ---- headers that are not in sight ---- */

static bool lacks_headers(const struct kg_job *job)
{
	return job->kernel != NULL && job->kernel->n_headers == 0;
}

static void fail_without_headers(struct kg_job *job)
{
	const struct kg_plan_kernel *k = job->kernel;

	job->outcome = KG_OUTCOME_FAILED;
	job->phase = KG_PHASE_HEADERS;
	(void)kg_fail(&job->err, -KGE_NO_HEADERS,
		      "its headers are neither installed nor in this transaction%s%s",
		      k->hint != NULL ? "; they are in the package " : "", k->hint ?: "");
}

/* ---- verdict ---- */

static bool path_is_module(const char *path, const char *name)
{
	const char *base = strrchr(path, '/');
	const size_t n = strlen(name);

	base = base != NULL ? base + 1 : path;
	return strncmp(base, name, n) == 0 && str_starts(base + n, ".ko");
}

static bool archive_ships(const char *archive, const char *const *names)
{
	_cleanup_strv_ struct strv paths = { 0 };
	size_t n_found = 0;
	size_t n_names = 0;

	if (stage_list(archive, NULL, &paths, NULL) < 0)
		return false;
	for (; names[n_names] != NULL; n_names++)
		for (size_t i = 0; i < paths.n; i++)
			if (path_is_module(paths.v[i], names[n_names])) {
				n_found++;
				break;
			}
	return n_names > 0 && n_found == n_names;
}

/* The coming kernel has all of the job's modules itself. Reads its packages: rarely asked. */
static bool kernel_ships(const struct run *run, const struct kg_job *job)
{
	const struct kg_plan *plan = &run->txn->plan;

	for (size_t i = 0; job->module_names != NULL && i < plan->n_archives; i++) {
		const struct kg_plan_archive *a = &plan->archives[i];

		if (a->release != NULL && strcmp(a->release, job->release) == 0 &&
		    a->role != KG_ROLE_HEADERS &&
		    archive_ships(a->path, job->module_names))
			return true;
	}
	return false;
}

/* Works here, excluded for the new kernel: it would be missing after the reboot. */
static void judge_excluded(const struct run *run, struct kg_job *job)
{
	char why[256];

	if (job->outcome != KG_OUTCOME_EXCLUDED || !job->works_here ||
	    job->kernel == NULL || kernel_ships(run, job))
		return;
	snprintf(why, sizeof(why), "%s", kg_err_text(&job->err, -KGE_EXCLUDED));
	job->outcome = KG_OUTCOME_FAILED;
	job->phase = KG_PHASE_RECIPE;
	job->err = (struct kg_err){ 0 };
	(void)kg_fail(&job->err, -KGE_EXCLUDED,
		      "it works here, but its dkms.conf excludes this kernel (%s)", why);
}

bool run_stops(const struct run *run, const struct kg_job *job)
{
	if (job->outcome != KG_OUTCOME_FAILED || !job->is_required)
		return false;
	if (job->err.code != -KGE_NO_HEADERS)
		return true;
	/* A kernel that is there without headers could not be built for before either. */
	if (job->kernel == NULL)
		return false;
	return run->policy.headers_missing != KG_MISSING_WARN;
}

void run_make_plan_job(struct run *run, struct kg_job *job)
{
	if (lacks_headers(job))
		fail_without_headers(job);
	else
		run_make_job(run, job);
	judge_excluded(run, job);
}

bool run_must_stop(const struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		if (run_stops(run, &run->jobs[i]))
			return true;
	return false;
}

/* ---- the hold: the manager's own, on exactly this kernel's packages ---- */

#define HOLD_TIMEOUT_MS 30000

static int feed_plan(const struct kg_plan *plan, int *ret_fd, struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	_cleanup_close_ int fd = memfd_create("plan", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : plan_write(plan, &text, err);

	if (r == 0)
		r = fd_write_all(fd, str_get(&text), text.len);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* LIBEXECDIR/MANAGER-hold set RELEASE...: plan on stdin, the hold's file on stdout. */
static const char *set_hold(struct run *run, struct kg_err *err)
{
	_cleanup_close_ int plan_fd = -1;
	_cleanup_str_ struct str out = { 0 };
	_cleanup_strv_ struct strv args = { 0 };
	struct kg_spawn how = { .dir_fd = -1, .out_fd = -1, .err_fd = 2 };
	int status = 0;

	strv_addf(&args, "%s/%s-hold", KG_LIBEXECDIR, run->txn->plan.manager);
	strv_add(&args, "set");
	for (size_t i = 0; i < run->n_jobs; i++)
		if (run->jobs[i].kernel != NULL && run_stops(run, &run->jobs[i]))
			strv_add(&args, run->jobs[i].release);
	if (!strv_ok(&args) || args.n <= 2 || access(args.v[0], X_OK) < 0)
		return NULL;
	if (feed_plan(&run->txn->plan, &plan_fd, err) < 0)
		return NULL;
	how.argv = (const char *const *)args.v;
	how.in_fd = plan_fd;
	if (spawn_capture(&how, HOLD_TIMEOUT_MS, 4096, &out, &status, err) < 0 ||
	    status != 0)
		return NULL;
	return arena_strndup(&run->arena, str_get(&out), strcspn(str_get(&out), "\n"));
}

/* ---- what the user reads ---- */

static struct report_context report_of(const struct run *run)
{
	return (struct report_context){
		.plan = &run->txn->plan,
		.jobs = run->jobs,
		.n_jobs = run->n_jobs,
	};
}

/* From here on a failed job is required when it is a reason to stop. */
static void mark_reasons(struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		run->jobs[i].is_required = run_stops(run, &run->jobs[i]);
}

void run_report_stop(struct run *run)
{
	struct report_context ctx = report_of(run);
	struct kg_err err = { 0 };

	mark_reasons(run);
	if (run->policy.on_failure == KG_ON_FAILURE_HOLD) {
		ctx.hold_path = set_hold(run, &err);
		ctx.is_hold_set = ctx.hold_path != NULL;
		if (err.code != 0)
			kg_warning("no hold was set: %s", err.text);
	}
	report_stop(stderr, &ctx);
}

void run_report_pass(struct run *run)
{
	struct report_context ctx = report_of(run);

	mark_reasons(run);
	report_warnings(stderr, &ctx);
	report_pass(stderr, &ctx);
}
