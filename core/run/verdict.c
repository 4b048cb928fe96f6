// SPDX-License-Identifier: GPL-2.0-or-later
/* What the outcome of the jobs means for the transaction, said to the user; the hold. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/report/report.h"
#include "core/run/run.h"
#include "core/stage/stage.h"

/* ---- verdict ---- */

/* "name" of ".../name.ko.xz"; NULL: no module. */
static const char *module_of_path(struct arena *arena, const char *path)
{
	const char *base = strrchr(path, '/');
	const char *end;

	base = base != NULL ? base + 1 : path;
	end = strstr(base, ".ko");
	if (end == NULL || (end[3] != '\0' && end[3] != '.'))
		return NULL;
	return arena_strndup(arena, base, (size_t)(end - base));
}

/* Takes seconds for a kernel's image: done once. What cannot be read brings nothing. */
static struct run_shipped *read_shipped(struct run *run, const char *archive)
{
	_cleanup_strv_ struct strv paths = { 0 };
	struct run_shipped *s = ARENA_ADD(&run->arena, run->shipped, run->n_shipped);

	if (s == NULL)
		return NULL;
	s->archive = archive;
	if (stage_list(archive, NULL, &paths, NULL) < 0)
		return s;
	for (size_t i = 0; i < paths.n; i++) {
		const char *name = module_of_path(&run->arena, paths.v[i]);
		const char **slot =
			name != NULL ? ARENA_ADD(&run->arena, s->names, s->n) : NULL;

		if (slot != NULL)
			*slot = name;
	}
	return s;
}

static const struct run_shipped *find_shipped(struct run *run, const char *archive)
{
	for (size_t i = 0; i < run->n_shipped; i++)
		if (strcmp(run->shipped[i].archive, archive) == 0)
			return &run->shipped[i];
	return read_shipped(run, archive);
}

static bool ships(const struct run_shipped *s, const char *name)
{
	for (size_t i = 0; s != NULL && i < s->n; i++)
		if (strcmp(s->names[i], name) == 0)
			return true;
	return false;
}

static bool release_ships(struct run *run, const char *release, const char *name)
{
	const struct kg_plan *plan = &run->txn->plan;

	for (size_t i = 0; i < plan->n_archives; i++) {
		const struct kg_plan_archive *a = &plan->archives[i];

		if (a->release != NULL && strcmp(a->release, release) == 0 &&
		    a->role != KG_ROLE_HEADERS && ships(find_shipped(run, a->path), name))
			return true;
	}
	return false;
}

/* The coming kernel has all of the job's modules itself. */
static bool kernel_ships(struct run *run, const struct kg_job *job)
{
	const char *const *name = job->module_names;

	if (name == NULL || *name == NULL)
		return false;
	while (*name != NULL && release_ships(run, job->release, *name))
		name++;
	return *name == NULL;
}

#define MODULES_ORDER_MAX (16u << 20)

/* The same of a kernel that is there: its modules.order names what it was built with. */
static bool disk_ships(struct run *run, const struct kg_job *job)
{
	_cleanup_free_ char *text = NULL;
	const char *path = arena_printf(&run->arena, "%s/%s/modules.order",
					run->sys->install_tree, job->release);
	struct run_shipped own = { 0 };
	const char *const *name = job->module_names;
	char *rest = NULL;

	if (path == NULL || name == NULL || *name == NULL ||
	    fd_read_file_in(run->sys->root_fd, path, MODULES_ORDER_MAX, &text, NULL,
			    NULL) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		const char *found = module_of_path(&run->arena, line);
		const char **slot =
			found != NULL ? ARENA_ADD(&run->arena, own.names, own.n) : NULL;

		if (slot != NULL)
			*slot = found;
	}
	while (*name != NULL && ships(&own, *name))
		name++;
	return *name == NULL;
}

/* Works here, excluded for the kernel that boots next: it would be missing after the reboot. */
static void judge_excluded(struct run *run, struct kg_job *job)
{
	char why[256];

	if (job->outcome != KG_OUTCOME_EXCLUDED || !job->works_here)
		return;
	if (job->kernel != NULL ? kernel_ships(run, job)
				: !job->is_at_stake || disk_ships(run, job))
		return;
	snprintf(why, sizeof(why), "%s", kg_err_text(&job->err, -KGE_EXCLUDED));
	job->outcome = KG_OUTCOME_FAILED;
	job->phase = KG_PHASE_RECIPE;
	job->err = (struct kg_err){ 0 };
	(void)kg_fail(&job->err, -KGE_EXCLUDED,
		      "it works here, but its dkms.conf excludes this kernel (%s)", why);
}

/* Of another version, or made by hand: not the plan's, and yet what `dkms` will build with. */
static bool has_build_tree(const struct run *run, const struct kg_job *job)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int fd = -1;

	str_addf(&path, "%s/%s/build", run->sys->install_tree, job->release);
	if (!str_ok(&path))
		return false;
	fd = openat(run->sys->root_fd, str_get(&path),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && faccessat(fd, "Makefile", F_OK, 0) == 0;
}

bool run_stops(const struct run *run, const struct kg_job *job)
{
	if (job->outcome != KG_OUTCOME_FAILED || !job->is_required)
		return false;
	if (job->err.code != -KGE_NO_HEADERS)
		return true;
	/* What is there without headers could not be built for before either; else it is at stake. */
	if (job->kernel == NULL && (!job->is_at_stake || has_build_tree(run, job)))
		return false;
	/* Its source stays, and what is installed there as good as it was. */
	if (job->kernel != NULL && job->kernel->change == KG_CHANGE_CHANGES &&
	    !plan_brings_image(job->kernel) && !plan_comes(job->source->change))
		return false;
	return run->policy.headers_missing != KG_MISSING_WARN;
}

void run_make_plan_job(struct run *run, struct kg_job *job)
{
	run_make_job(run, job);
	judge_excluded(run, job);
	run_judge_lacking(run, job);
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
