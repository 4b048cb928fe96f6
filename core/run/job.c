// SPDX-License-Identifier: GPL-2.0-or-later
/* One job: recipe, headers, key, store hit or build and check. */
#include <fcntl.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/build/build.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/run.h"
#include "core/seal/seal.h"
#include "core/stage/headers.h"
#include "core/store/store.h"

/* What one job needs while it is made; everything is released at its end. */
struct making {
	struct run *run;
	struct kg_job *job;
	const struct run_release *release;
	int source_fd;
	int log_fd;
	int work_fd; /* -1 until a build is needed */
	const char *work_name;
	struct kg_recipe recipe;
	struct build_depend *depends;
	size_t n_depends;
	struct strv depend_keys;
};

static int find_headers(struct run *run, struct run_release *found)
{
	const char *toolchain = NULL;
	int r = headers_find(run->sys, &run->view, found->release, run->kernel_source_dir,
			     &run->arena, &found->headers, &found->err);

	if (r == 0 && run->kernel_config != NULL)
		r = run_take_config(run, found);
	if (r == 0)
		r = build_toolchain_identity(&run->view, &found->headers, &run->arena,
					     &toolchain, &found->err);
	found->toolchain = toolchain;
	return r;
}

struct run_release *run_find_release(struct run *run, const char *release)
{
	struct run_release *found;

	for (size_t i = 0; i < run->n_releases; i++)
		if (strcmp(run->releases[i].release, release) == 0)
			return &run->releases[i];
	found = ARENA_ADD(&run->arena, run->releases, run->n_releases);
	if (found == NULL)
		return NULL;
	found->release = arena_strdup(&run->arena, release);
	found->result = found->release == NULL ? -ENOMEM : find_headers(run, found);
	return found;
}

int run_open_source(const struct run *run, const struct kg_source *source,
		    struct kg_err *err)
{
	if (run->stage_fd >= 0 && plan_comes(source->change)) {
		int fd = fd_try_open_in(run->stage_fd, source->path,
					O_RDONLY | O_DIRECTORY);

		if (fd >= 0)
			return fd;
	}
	return fd_open_dir_in(run->sys->root_fd, source->path, err);
}

const char *run_arch(const struct run *run)
{
	const struct kg_target *target = run->target;

	return target != NULL && target->arch != NULL ? target->arch : run->sys->arch;
}

int run_read_recipe(struct run *run, const struct kg_source *source, int source_fd,
		    const struct run_release *release, struct kg_recipe *ret_recipe,
		    struct kg_err *err)
{
	struct sandbox view = run->view;
	const bool has_headers = release->result == 0;
	const char *build_dir =
		arena_printf(&run->arena, "/lib/modules/%s/build", release->release);
	const struct recipe_request req = {
		.sys = run->sys,
		.source = source,
		.source_fd = source_fd,
		.release = release->release,
		.arch = run_arch(run),
		.kernel_source_dir =
			has_headers ? release->headers.source_dir : build_dir,
		.config = has_headers ? release->headers.config : "",
		.directives = run->directives,
		.conf = run->conf,
		.view = &view,
		.way = RECIPE_ANY,
	};

	view.release = release->release;
	return recipe_read(&req, ret_recipe, err);
}

static int fail(struct making *m, enum kg_phase phase, int code)
{
	m->job->phase = phase;
	m->job->outcome = KG_OUTCOME_FAILED;
	return code;
}

static int skip(struct making *m, enum kg_outcome outcome, const char *why)
{
	m->job->outcome = outcome;
	return kg_fail(&m->job->err,
		       outcome == KG_OUTCOME_EXCLUDED ? -KGE_EXCLUDED : -ECANCELED, "%s",
		       why);
}

/* ---- BUILD_DEPENDS ---- */

static struct kg_job *find_job(struct run *run, const char *name, const char *release)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		if (strcmp(run->jobs[i].source->name, name) == 0 &&
		    strcmp(run->jobs[i].release, release) == 0)
			return &run->jobs[i];
	return NULL;
}

static int add_depend(struct making *m, const char *name, const char *version, int dir_fd,
		      const char *key)
{
	struct build_depend *d = ARENA_ADD(&m->run->arena, m->depends, m->n_depends);

	if (d == NULL) {
		close(dir_fd);
		return -ENOMEM;
	}
	*d = (struct build_depend){ .name = name, .version = version, .dir_fd = dir_fd };
	strv_add(&m->depend_keys, key);
	return 0;
}

/* A job of this very run: made now if it was not, its artefact is what we build against. */
static int depend_on_job(struct making *m, struct kg_job *other)
{
	struct kg_err *err = &m->job->err;
	int fd;

	if (other->outcome == KG_OUTCOME_NONE && other->phase == KG_PHASE_DEPENDS)
		return kg_fail(err, -KGE_DEPENDS,
			       "BUILD_DEPENDS goes round in a circle at %s",
			       other->source->name);
	run_make_job(m->run, other);
	/* Not for this kernel, as DKMS has it: then it is not needed either. */
	if (other->outcome == KG_OUTCOME_EXCLUDED)
		return 0;
	if (!kg_job_is_made(other))
		return kg_fail(err, -KGE_DEPENDS, "it needs %s, which was not built",
			       other->source->name);
	fd = fd_open_dir_in(m->run->sys->root_fd, other->artefact.dir, err);
	if (fd < 0)
		return fd;
	return add_depend(m, other->source->name, other->source->version, fd,
			  other->artefact.key);
}

/* One that is installed already: its registered K/A folder, identified by its content. */
static int depend_on_registered(struct making *m, const char *name)
{
	const struct kg_system *sys = m->run->sys;
	const char *version = NULL;
	char key[DIGEST_HEX_SIZE];
	struct digest d;
	int fd;
	int r = reg_active_version(sys, name, m->job->release, m->job->arch,
				   &m->run->arena, &version, &m->job->err);

	if (r < 0)
		return r;
	if (version == NULL)
		return -ENOENT;
	fd = reg_open_built(sys, name, version, m->job->release, m->job->arch,
			    &m->job->err);
	if (fd < 0)
		return fd;
	r = digest_init(&d);
	if (r == 0) {
		r = digest_add_tree(&d, fd, &m->job->err);
		if (r == 0)
			r = digest_final(&d, key);
		digest_fini(&d);
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return add_depend(m, name, version, fd, key);
}

static int resolve_depend(struct making *m, const char *name)
{
	struct kg_job *other = find_job(m->run, name, m->job->release);
	int r = other != NULL ? depend_on_job(m, other) : depend_on_registered(m, name);

	if (r == -ENOENT && m->run->target != NULL && m->run->target->force == KG_FORCE) {
		kg_warning("%s/%s: %s (BUILD_DEPENDS) is not installed",
			   m->job->source->name, m->job->source->version, name);
		return 0;
	}
	if (r == -ENOENT && !m->job->wants_autoinstall)
		return fail(m, KG_PHASE_DEPENDS,
			    kg_fail(&m->job->err, -KGE_DEPENDS,
				    "it needs %s (BUILD_DEPENDS), which is not installed",
				    name));
	if (r == -ENOENT)
		return skip(
			m, KG_OUTCOME_SKIPPED,
			arena_printf(
				&m->run->arena,
				"it needs %s (BUILD_DEPENDS), which is not registered",
				name)
				?: "BUILD_DEPENDS");
	return r < 0 ? fail(m, KG_PHASE_DEPENDS, r) : 0;
}

static int resolve_depends(struct making *m)
{
	m->job->phase = KG_PHASE_DEPENDS;
	for (size_t i = 0;
	     m->recipe.build_depends != NULL && m->recipe.build_depends[i] != NULL; i++) {
		int r = resolve_depend(m, m->recipe.build_depends[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- build ---- */

static int open_log(struct making *m)
{
	struct run *run = m->run;
	const struct kg_job *job = m->job;
	const char *name = arena_printf(&run->arena, "%s-%s-%s.log", job->source->name,
					job->source->version, job->release);

	if (name == NULL)
		return -ENOMEM;
	m->log_fd = openat(run->log_dir_fd, name,
			   O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
			   0644);
	if (m->log_fd < 0)
		return kg_fail_errno(&m->job->err, -errno, "cannot open the log %s/%s",
				     run->log_dir, name);
	m->job->log = arena_printf(&run->arena, "%s/%s", run->log_dir, name);
	return m->job->log != NULL ? 0 : -ENOMEM;
}

static int open_work(struct making *m)
{
	struct run *run = m->run;
	const struct kg_job *job = m->job;

	m->work_name = arena_printf(&run->arena, "%s-%s-%s", job->source->name,
				    job->source->version, job->release);
	if (m->work_name == NULL)
		return -ENOMEM;
	if (fd_remove_tree_at(run->work_fd, m->work_name, &m->job->err) < 0)
		return m->job->err.code;
	if (mkdirat(run->work_fd, m->work_name, 0700) < 0)
		return kg_fail_errno(&m->job->err, -errno, "cannot make the work folder");
	m->work_fd = fd_open_dir_at(run->work_fd, m->work_name, &m->job->err);
	return m->work_fd < 0 ? m->work_fd : 0;
}

static int build_sources(struct making *m, const struct sandbox *view)
{
	struct kg_job *job = m->job;
	struct build_result result = { 0 };
	const struct build_request req = {
		.sys = m->run->sys,
		.source = job->source,
		.recipe = &m->recipe,
		.headers = &m->release->headers,
		.release = job->release,
		.arch = job->arch,
		.source_fd = m->source_fd,
		.work_fd = m->work_fd,
		.log_fd = m->log_fd,
		.depends = m->depends,
		.n_depends = m->n_depends,
		.jobs = m->run->policy.jobs > 0 ? m->run->policy.jobs : build_cpu_count(),
		.timeout_ms = (int)m->run->policy.build_timeout_s * 1000,
		.environment = m->run->framework.build_environment,
		.view = view,
	};
	int r = build_run(&req, &result, &job->err);

	job->build_ms = result.command_ms;
	job->err.status = result.status;
	/* Every command succeeded, and still a declared module is not there. */
	if (r == -KGE_BUILD && result.status == 0)
		job->err.code = r = -KGE_CHECK;
	if (r == -KGE_EXCLUDED) {
		job->outcome = KG_OUTCOME_EXCLUDED;
		return r;
	}
	return r < 0 ? fail(m, result.phase, r) : 0;
}

static void keep_lacks(struct making *m, const struct seal_findings *found)
{
	for (size_t i = 0; i < m->recipe.n_modules; i++)
		if (found->lacks[i] != NULL)
			m->recipe.modules[i].lacks =
				arena_strdup(&m->run->arena, found->lacks[i]);
}

static int check_product(struct making *m, const struct sandbox *view)
{
	_cleanup_close_ int out_fd = fd_open_dir_at(m->work_fd, "out", &m->job->err);
	int *depend_fds = arena_array(&m->run->arena, m->n_depends + 1, sizeof(int));
	struct seal_check_request req = {
		.sys = m->run->sys,
		.recipe = &m->recipe,
		.headers = &m->release->headers,
		.release = m->job->release,
		.out_fd = out_fd,
		.depend_fds = depend_fds,
		.n_depend_fds = m->n_depends,
		.view = view,
	};
	struct seal_findings found = { 0 };
	int r;

	if (out_fd < 0 || depend_fds == NULL)
		return fail(m, KG_PHASE_CHECK, out_fd < 0 ? out_fd : -ENOMEM);
	for (size_t i = 0; i < m->n_depends; i++)
		depend_fds[i] = m->depends[i].dir_fd;
	r = seal_check(&req, &found, &m->job->err);
	if (r == 0)
		keep_lacks(m, &found);
	seal_findings_fini(&found);
	return r < 0 ? fail(m, KG_PHASE_CHECK, m->job->err.code) : 0;
}

/*
 * The store is but a cache: where it cannot be written, this run has one of its own, in a
 * folder of the work folder that no work tree can have the name of.
 */
static int keep_here(struct making *m, const char *key, int out_fd, const char *why)
{
	struct run *run = m->run;
	struct kg_system own = *run->sys;

	own.cache_dir = run->work;
	if (!run->is_uncached)
		kg_warning("modules are built, but not kept for later: %s", why);
	run->is_uncached = true;
	return store_put(&own, key, &m->recipe, out_fd, m->log_fd, &run->arena,
			 &m->job->artefact, &m->job->err);
}

void run_drop_kept(const struct run *run)
{
	struct kg_err err = { 0 };

	if (run->is_uncached)
		(void)fd_remove_tree_at(run->work_fd, "store", NULL);
	if (run->has_stored &&
	    store_evict(run->sys, (uint64_t)run->policy.store_mb << 20, &err) < 0)
		kg_warning("the store is not kept small: %s", err.text);
}

static int keep(struct making *m, const char *key)
{
	_cleanup_close_ int out_fd = fd_open_dir_at(m->work_fd, "out", &m->job->err);
	struct kg_err why = { 0 };
	int r;

	if (out_fd < 0)
		return out_fd;
	r = store_put(m->run->sys, key, &m->recipe, out_fd, m->log_fd, &m->run->arena,
		      &m->job->artefact, &why);
	if (r < 0)
		return keep_here(m, key, out_fd, kg_err_text(&why, r));
	m->run->has_stored = true;
	return 0;
}

static int build_and_keep(struct making *m, const char *key)
{
	struct sandbox view = m->run->view;
	int r = open_log(m);

	view.release = m->job->release;
	if (r == 0)
		r = open_work(m);
	if (r < 0)
		return fail(m, KG_PHASE_COPY, r);
	kg_info("%s: building %s/%s", m->job->release, m->job->source->name,
		m->job->source->version);
	r = build_sources(m, &view);
	if (r == 0)
		r = check_product(m, &view);
	if (r < 0)
		return r;
	r = keep(m, key);
	if (r < 0)
		return fail(m, KG_PHASE_PLACE, r);
	m->job->outcome = KG_OUTCOME_BUILT;
	return 0;
}

/* What build_environment adds can change the result as another compiler can. */
static const char *toolchain_of(struct making *m)
{
	const char *environment = m->run->framework.build_environment;

	return environment == NULL ? m->release->toolchain
				   : arena_printf(&m->run->arena, "%s\nenvironment %s",
						  m->release->toolchain, environment);
}

static int find_key(struct making *m, char ret_key[DIGEST_HEX_SIZE])
{
	const struct store_inputs in = {
		.source = m->job->source,
		.source_fd = m->source_fd,
		.recipe = &m->recipe,
		.headers = &m->release->headers,
		.release = m->job->release,
		.arch = m->job->arch,
		.toolchain = toolchain_of(m),
		.depend_keys = (const char *const *)m->depend_keys.v,
	};

	return store_key(m->run->sys, &in, ret_key, &m->job->err);
}

static int make_artefact(struct making *m)
{
	char key[DIGEST_HEX_SIZE];
	int r = find_key(m, key);

	if (r < 0)
		return fail(m, KG_PHASE_COPY, r);
	r = store_get(m->run->sys, key, &m->run->arena, &m->job->artefact, NULL);
	if (r == 0) {
		m->job->outcome = KG_OUTCOME_HIT;
		return 0;
	}
	return build_and_keep(m, key);
}

/* Reasons to leave the job alone, in the order DKMS looks at them. */
static int consider(struct making *m, bool wants_autoinstall)
{
	if (m->recipe.is_excluded)
		return skip(m, KG_OUTCOME_EXCLUDED,
			    m->recipe.excluded_why ?: "BUILD_EXCLUSIVE");
	if (wants_autoinstall && !m->recipe.autoinstall)
		return skip(m, KG_OUTCOME_SKIPPED, "AUTOINSTALL is not set");
	return 0;
}

/* The names outlive the recipe: the verdict asks whether a kernel ships them itself. */
static int keep_names(struct making *m)
{
	const char **names =
		arena_array(&m->run->arena, m->recipe.n_modules + 1, sizeof(*names));

	if (names == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < m->recipe.n_modules; i++)
		names[i] = arena_strdup(&m->run->arena, m->recipe.modules[i].dest_name);
	m->job->module_names = names;
	return m->run->arena.failed ? -ENOMEM : 0;
}

/* BUILD_DEPENDS_REBUILD: what it was built against is kept beside it. */
static int keep_depends(struct making *m)
{
	const char *const *wanted = m->recipe.build_depends_rebuild;
	struct kg_depend *v;

	if (wanted == NULL || wanted[0] == NULL)
		return 0;
	v = arena_array(&m->run->arena, m->n_depends + 1, sizeof(*v));
	for (size_t i = 0; v != NULL && i < m->n_depends; i++)
		v[i] = (struct kg_depend){
			.name = arena_strdup(&m->run->arena, m->depends[i].name),
			.version = arena_strdup(&m->run->arena, m->depends[i].version),
		};
	m->job->rebuild_after = v;
	return m->run->arena.failed ? -ENOMEM : 0;
}

static int make_job(struct making *m)
{
	struct kg_job *job = m->job;
	int r;

	m->release = run_find_release(m->run, job->release);
	if (m->release == NULL)
		return fail(m, KG_PHASE_HEADERS, -ENOMEM);
	m->source_fd = run_open_source(m->run, job->source, NULL);
	if (m->source_fd < 0)
		return fail(m, KG_PHASE_RECIPE,
			    kg_fail_errno(&job->err, m->source_fd,
					  "its source /%s cannot be opened",
					  job->source->path));
	r = run_read_recipe(m->run, job->source, m->source_fd, m->release, &m->recipe,
			    &job->err);
	if (r == 0)
		r = keep_names(m);
	if (r < 0)
		return fail(m, KG_PHASE_RECIPE, r);
	run_show_warnings(m->run, job->source, &m->recipe);
	r = consider(m, job->wants_autoinstall);
	if (r < 0)
		return r;
	if (m->release->result < 0) {
		job->err = m->release->err;
		return fail(m, KG_PHASE_HEADERS, m->release->result);
	}
	r = resolve_depends(m);
	if (r == 0 && keep_depends(m) < 0)
		r = fail(m, KG_PHASE_DEPENDS, -ENOMEM);
	return r < 0 ? r : make_artefact(m);
}

static void making_fini(struct making *m)
{
	for (size_t i = 0; i < m->n_depends; i++)
		close(m->depends[i].dir_fd);
	if (m->source_fd >= 0)
		close(m->source_fd);
	if (m->log_fd >= 0)
		close(m->log_fd);
	if (m->work_fd >= 0) {
		if (m->run->keeps_failed)
			run_keep_failed_tree(m->run, m->job, m->work_fd);
		close(m->work_fd);
		(void)fd_remove_tree_at(m->run->work_fd, m->work_name, NULL);
	}
	strv_fini(&m->depend_keys);
	recipe_fini(&m->recipe);
}

void run_make_job(struct run *run, struct kg_job *job)
{
	struct making m = {
		.run = run, .job = job, .source_fd = -1, .log_fd = -1, .work_fd = -1
	};
	int r;

	if (job->outcome != KG_OUTCOME_NONE)
		return;
	r = cancel_check(&job->err);
	if (r < 0)
		r = fail(&m, KG_PHASE_COPY, r);
	else
		r = make_job(&m);
	if (r < 0)
		(void)kg_fail(&job->err, r, "%s", kg_strerror(r));
	making_fini(&m);
}
