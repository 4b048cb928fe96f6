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
#include "core/base/name.h"
#include "core/run/run.h"
#include "core/stage/headers.h"

#define DEPMOD_TIMEOUT_MS (2 * 60 * 1000)
#define DEPMOD_SAYS_MAX_BYTES (4U << 20)

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

struct installed {
	const char *version; /* NULL: none is, for the release the job's works on */
	int built_fd;	     /* its K/A folder, -1 */
	bool is_asked;
	struct str says; /* depmod, of all that is installed for that release */
};

static void installed_fini(struct installed *in)
{
	closep(&in->built_fd);
	str_fini(&in->says);
}

static void find_installed(struct run *run, const struct kg_job *job,
			   struct installed *in)
{
	const char *name = job->source->name;

	if (job->works_on == NULL ||
	    reg_active_version(run->sys, name, job->works_on, job->arch, &run->arena,
			       &in->version, NULL) < 0 ||
	    in->version == NULL)
		return;
	in->built_fd = reg_open_built(run->sys, name, in->version, job->works_on,
				      job->arch, NULL);
}

static bool has_module(const struct installed *in, const char *module)
{
	_cleanup_close_ int fd =
		in->built_fd < 0 ? -1 : fd_open_dir_at(in->built_fd, "module", NULL);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fd_list(fd);
	const size_t n = strlen(module);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (name_module_length(entry->d_name) == n &&
		    memcmp(entry->d_name, module, n) == 0)
			return true;
	return false;
}

/* The machine as it is, not as it will be: a kernel may change in place, or leave. */
static struct sandbox view_of_today(const struct run *run, const char *release)
{
	struct sandbox view = run->view;

	view.stage_fd = -1;
	view.removed = NULL;
	view.release = release;
	view.cwd = "/";
	return view;
}

/* depmod -e looks at all that is installed for a release, and says what misses symbols. */
static int ask_depmod(struct run *run, const struct kg_job *job, struct installed *in,
		      struct kg_err *err)
{
	const struct sandbox_bind built = {
		/* where symlink_modules leads to */
		.at = arena_printf(&run->arena, "/%s/%s/%s/%s/%s", run->sys->dkms_tree,
				   job->source->name, in->version, job->works_on,
				   job->arch),
		.fd = in->built_fd,
	};
	struct sandbox view = view_of_today(run, job->works_on);
	struct kg_headers headers;
	int status = 0;
	int r = headers_find(run->sys, &view, job->works_on, NULL, &run->arena, &headers,
			     err);
	const char *const argv[] = {
		"/sbin/depmod", "-n", "-e", "-E", r == 0 ? headers.symvers : NULL,
		job->works_on,	NULL
	};

	if (r < 0)
		return r;
	if (headers.symvers == NULL || built.at == NULL)
		return kg_fail(err, -KGE_NO_HEADERS,
			       "its headers have no Module.symvers");
	view.argv = argv;
	view.binds = &built;
	view.n_binds = 1;
	r = sandbox_capture_errors(&view, DEPMOD_TIMEOUT_MS, DEPMOD_SAYS_MAX_BYTES,
				   &in->says, &status, err);
	if (r == 0 && status != 0)
		r = kg_fail(err, -KGE_DEPMOD, "depmod ended with %d", status);
	return r;
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

/* What cannot be told counts as working. */
static bool lacks_today(struct run *run, const struct kg_job *job, struct installed *in,
			const char *module)
{
	struct kg_err err = { 0 };

	if (!in->is_asked && ask_depmod(run, job, in, &err) < 0)
		kg_warning("%s: whether the modules of %s can be loaded today cannot be "
			   "told: %s",
			   job->works_on, job->source->name, kg_err_text(&err, err.code));
	in->is_asked = true;
	return says_lacking(str_get(&in->says), module);
}

/* ---- the verdict ---- */

static bool matters(struct run *run, const struct kg_job *job, struct installed *in,
		    const char *module)
{
	const bool is_always = kg_policy_require(&run->policy, job->source->name,
						 job->release) == KG_REQUIRE_ALWAYS;

	if (!job->is_required)
		return false;
	if (job->works_on == NULL)
		return is_always || job->works_here;
	if (!has_module(in, module))
		return is_always;
	return !lacks_today(run, job, in, module);
}

/* @reasons: why the modules that matter will not load. */
static void refuse(struct run *run, struct kg_job *job, const struct str *reasons)
{
	/* one of the store has its log there */
	if (job->log == NULL)
		job->log = arena_printf(&run->arena, "/%s/make.log", job->artefact.dir);
	job->outcome = KG_OUTCOME_FAILED;
	job->phase = KG_PHASE_CHECK;
	(void)kg_fail(&job->err, -KGE_CHECK, "%s", str_get(reasons));
}

void run_judge_lacking(struct run *run, struct kg_job *job)
{
	_cleanup_str_ struct str reasons = { 0 };
	struct installed in = { .built_fd = -1 };

	for (size_t i = 0; kg_job_is_made(job) && i < job->artefact.n_modules; i++) {
		const struct kg_recipe_module *m = &job->artefact.modules[i];

		if (m->lacks == NULL)
			continue;
		if (in.version == NULL)
			find_installed(run, job, &in);
		if (matters(run, job, &in, m->dest_name))
			str_addf(&reasons, "%s%s", reasons.len > 0 ? "; " : "", m->lacks);
		else
			warn(job, m);
	}
	if (reasons.len > 0 || !str_ok(&reasons))
		refuse(run, job, &reasons);
	installed_fini(&in);
}
