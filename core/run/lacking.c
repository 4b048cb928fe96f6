// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Modules that were built, but need symbols that neither the kernel nor a sibling has. A makefile
 * has to ask for such a module (KBUILD_MODPOST_WARN): some packages ship one among others that
 * nobody misses. It stops a transaction only where it works today.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/run/run.h"

#define DEPMOD_TIMEOUT_MS (2 * 60 * 1000)
#define DEPMOD_SAYS_MAX_BYTES (4U << 20)

static bool is_made(const struct kg_job *job)
{
	return job->outcome == KG_OUTCOME_BUILT || job->outcome == KG_OUTCOME_HIT;
}

static void warn(const struct kg_job *job, const struct kg_recipe_module *m)
{
	kg_warning("%s: %s/%s: one of its modules will not load: %s", job->release,
		   job->source->name, job->source->version, m->lacks);
}

void run_warn_lacking(const struct kg_job *job)
{
	for (size_t i = 0; i < job->artefact.n_modules; i++)
		if (job->artefact.modules[i].lacks != NULL)
			warn(job, &job->artefact.modules[i]);
}

/* ---- what is installed ---- */

/* The module is among those that were built for the release it works on. */
static bool is_there(struct run *run, const struct kg_job *job, const char *module)
{
	static const char *const suffixes[] = { "", ".gz", ".xz", ".zst" };
	const char *version = NULL;
	_cleanup_close_ int fd = -1;

	if (reg_active_version(run->sys, job->source->name, job->works_on, job->arch,
			       &run->arena, &version, NULL) < 0 ||
	    version == NULL)
		return false;
	fd = reg_open_built(run->sys, job->source->name, version, job->works_on,
			    job->arch, NULL);
	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(suffixes); i++) {
		const char *path =
			arena_printf(&run->arena, "module/%s.ko%s", module, suffixes[i]);
		struct stat st;

		if (path != NULL && fd_lstat_in(fd, path, &st) == 0)
			return true;
	}
	return false;
}

/* depmod -e looks at all that is installed for @release, and says what misses symbols. */
static int ask_depmod(struct run *run, const char *release, const char *symvers,
		      struct str *ret_says)
{
	const char *const argv[] = { "/sbin/depmod", "-n",    "-e", "-E",
				     symvers,	     release, NULL };
	struct sandbox how = run->view;
	int status = -1;
	int r;

	how.release = release;
	how.cwd = "/";
	how.argv = argv;
	r = sandbox_capture_errors(&how, DEPMOD_TIMEOUT_MS, DEPMOD_SAYS_MAX_BYTES,
				   ret_says, &status, NULL);
	return r < 0 ? r : status == 0 ? 0 : -EIO;
}

/* depmod: WARNING: /lib/modules/R/updates/dkms/NAME.ko.xz needs unknown symbol x */
static bool says_lacking(const char *says, const char *module)
{
	const size_t n = strlen(module);

	for (const char *p = says; (p = strstr(p, " needs unknown symbol ")) != NULL;
	     p++) {
		const char *slash = memrchr(says, '/', (size_t)(p - says));

		if (slash != NULL && strncmp(slash + 1, module, n) == 0 &&
		    strncmp(slash + 1 + n, ".ko", 3) == 0)
			return true;
	}
	return false;
}

/* Of a release that changes itself nobody can tell any more what its modules lacked. */
static bool stays(const struct run *run, const char *release)
{
	const struct kg_plan *plan = &run->txn->plan;

	for (size_t i = 0; i < plan->n_kernels; i++)
		if (strcmp(plan->kernels[i].release, release) == 0)
			return plan->kernels[i].change == KG_CHANGE_STAYS;
	return true;
}

/* What cannot be told counts as having worked. */
static bool lacked_before(struct run *run, const struct kg_job *job, const char *module)
{
	_cleanup_str_ struct str says = { 0 };
	const struct run_release *on;

	if (!stays(run, job->works_on))
		return false;
	on = run_find_release(run, job->works_on);
	return on != NULL && on->result == 0 && on->headers.symvers != NULL &&
	       ask_depmod(run, on->release, on->headers.symvers, &says) == 0 &&
	       says_lacking(str_get(&says), module);
}

/* ---- the verdict ---- */

static bool matters(struct run *run, const struct kg_job *job, const char *module)
{
	const bool is_always = kg_policy_require(&run->policy, job->source->name,
						 job->release) == KG_REQUIRE_ALWAYS;

	if (!job->is_required)
		return false;
	if (job->works_on == NULL)
		return is_always || job->works_here;
	if (!is_there(run, job, module))
		return is_always;
	return !lacked_before(run, job, module);
}

void run_judge_lacking(struct run *run, struct kg_job *job)
{
	for (size_t i = 0; is_made(job) && i < job->artefact.n_modules; i++) {
		const struct kg_recipe_module *m = &job->artefact.modules[i];

		if (m->lacks == NULL)
			continue;
		if (!matters(run, job, m->dest_name)) {
			warn(job, m);
			continue;
		}
		job->outcome = KG_OUTCOME_FAILED;
		job->phase = KG_PHASE_CHECK;
		(void)kg_fail(&job->err, -KGE_CHECK, "%s", m->lacks);
	}
}
