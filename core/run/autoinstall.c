// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything that asks for it, for one kernel: built first, then installed with one depmod. */
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/run/run.h"
#include "core/run/command.h"

/* Two file descriptors each. */
#define SETS_AT_ONCE 128

static bool is_newest(const struct kg_source *all, size_t n,
		      const struct kg_source *source)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].name, source->name) == 0 &&
		    strverscmp(all[i].version, source->version) > 0)
			return false;
	return true;
}

static int list_jobs(struct run *run, const char *release, const struct strv *skip,
		     struct kg_err *err)
{
	struct kg_source *sources = NULL;
	size_t n = 0;
	int r = reg_sources(run->sys, &run->arena, &sources, &n, err);

	run->jobs = NULL;
	run->n_jobs = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct kg_job *job;

		if ((skip != NULL && strv_has(skip, sources[i].name)) ||
		    !is_newest(sources, n, &sources[i]) ||
		    run_is_installed(run, &sources[i], release, run_arch(run)) ||
		    run_is_weak_installed(run, &sources[i], release))
			continue;
		job = run_add_job(run, &sources[i], release, run_arch(run));
		if (job == NULL)
			return kg_fail_errno(err, -ENOMEM, "cannot list the jobs");
		job->wants_autoinstall = true;
	}
	return r;
}

/* ---- one after the other, what others need before them ---- */

struct batch {
	struct run *run;
	const char *release;
	struct kg_job *made[SETS_AT_ONCE];
	struct run_set sets[SETS_AT_ONCE];
	struct run_item items[SETS_AT_ONCE];
	size_t n;
	const struct kg_source **installed;
	size_t n_installed;
	int first; /* failure, in @err */
	struct kg_err *err;
};

/* The first is what the command ends with; the others are said at once. */
static void fail(struct batch *b, const struct kg_err *why)
{
	if (b->first < 0)
		kg_error("%s", why->text);
	else if (why->code == -KGE_CANCELLED)
		b->first = kg_fail(b->err, why->code, "%s", why->text);
	else
		b->first = kg_fail(b->err, -KGE_BUILD, "%s", why->text);
}

static void judge(struct batch *b, const struct kg_job *job, const struct run_item *item)
{
	const char *name = job->source->name;
	const char *version = job->source->version;

	if (item->result == 0)
		kg_info("%s: %s/%s is installed", b->release, name, version);
	else if (item->result == -KGE_OLDER)
		kg_info("%s", item->err.text);
	else
		fail(b, &item->err);
}

static void install_batch(struct batch *b)
{
	/* The failures are the items'. */
	if (b->n > 0)
		(void)!run_install_items(b->run, b->release, b->items, b->n, NULL);
	for (size_t i = 0; i < b->n; i++) {
		judge(b, b->made[i], &b->items[i]);
		run_drop_made(b->run, b->made[i], &b->sets[i]);
		if (b->items[i].result == 0)
			b->installed[b->n_installed++] = b->made[i]->source;
	}
	b->n = 0;
}

static bool is_forced(const struct batch *b)
{
	const struct kg_target *target = b->run->target;

	return target != NULL && target->force == KG_FORCE;
}

/* The set that was just put into b->sets[b->n]. */
static void add_item(struct batch *b, struct kg_job *job)
{
	b->made[b->n] = job;
	b->items[b->n] =
		(struct run_item){ .rs = &b->sets[b->n], .is_forced = is_forced(b) };
	b->n++;
}

/* Built by an earlier command; in a transaction the kernel's content may be another one since. */
static bool add_built(struct batch *b, struct kg_job *job)
{
	const struct reg_entry e = { .name = job->source->name,
				     .version = job->source->version,
				     .release = b->release,
				     .arch = job->arch };

	if (b->n == SETS_AT_ONCE)
		install_batch(b);
	if (b->run->txn != NULL || is_forced(b) ||
	    run_open_registered(b->run, job->source, b->release, job->arch,
				&b->sets[b->n]) < 0)
		return false;
	if (run_wants_autoinstall(b->run, &e, NULL) <= 0) {
		run_set_fini(&b->sets[b->n]);
		return false;
	}
	add_item(b, job);
	return true;
}

/* Deferred, excluded or not asking for it is said; anything else is a failure. */
static void add_made(struct batch *b, struct kg_job *job)
{
	struct kg_err err = { 0 };
	int r;

	if (b->n == SETS_AT_ONCE)
		install_batch(b);
	r = run_make_set(b->run, job, &b->sets[b->n], &err);
	if (r == 0) {
		add_item(b, job);
	} else if (job->outcome == KG_OUTCOME_SKIPPED ||
		   job->outcome == KG_OUTCOME_EXCLUDED) {
		kg_info("%s", err.text);
	} else {
		fail(b, &err);
	}
}

/* Making a job makes those it depends on: these go in before it. */
static int make_in_order(struct batch *b)
{
	struct run *run = b->run;
	bool *added = arena_array(&run->arena, run->n_jobs + 1, sizeof(*added));

	if (added == NULL)
		return kg_fail_errno(b->err, -ENOMEM, "cannot order the jobs");
	for (size_t i = 0; i < run->n_jobs; i++) {
		if (added[i])
			continue;
		added[i] = run->jobs[i].outcome == KG_OUTCOME_NONE &&
			   add_built(b, &run->jobs[i]);
		if (added[i])
			continue;
		run_make_job(run, &run->jobs[i]);
		for (size_t k = 0; k < run->n_jobs; k++) {
			if (k == i || added[k] || run->jobs[k].outcome == KG_OUTCOME_NONE)
				continue;
			added[k] = true;
			add_made(b, &run->jobs[k]);
		}
		added[i] = true;
		add_made(b, &run->jobs[i]);
	}
	return 0;
}

int run_autoinstall(struct run *run, const char *release, const struct strv *skip,
		    struct kg_err *err)
{
	struct batch *b;
	char id[64];
	int r = list_jobs(run, release, skip, err);

	snprintf(id, sizeof(id), "dkms-%d", getpid());
	if (r == 0 && run->n_jobs > 0 && run->work_fd < 0)
		r = run_open_folders(run, id, "work", err);
	if (r < 0 || run->n_jobs == 0)
		return r;
	b = arena_alloc(&run->arena, sizeof(*b));
	if (b == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot autoinstall");
	*b = (struct batch){ .run = run, .release = release, .err = err };
	b->installed = arena_array(&run->arena, run->n_jobs + 1, sizeof(void *));
	if (b->installed == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot autoinstall");
	run->keeps_failed = true;
	r = make_in_order(b);
	install_batch(b);
	/* This makes jobs of its own: those above are done with. */
	for (size_t i = 0; i < b->n_installed; i++)
		run_rebuild_dependents(run, b->installed[i], release, run_arch(run));
	return r < 0 ? r : b->first;
}

int kg_dkms_autoinstall(const struct kg_system *sys, const struct kg_target *target,
			struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	int r = run_command_begin_for(&c, sys, target, err);

	return r < 0 ? r : run_autoinstall(&c.run, target->release, NULL, err);
}
