// SPDX-License-Identifier: GPL-2.0-or-later
/* add, build, install, uninstall, remove, autoinstall: alone, or inside a live transaction. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run.h"

#define LOCK_WAIT_MS (30 * 60 * 1000)

/* ---- every command: lock, recover, join ---- */

struct command {
	struct run run;
	struct txn txn;
	int lock_fd;
};

static void command_end(struct command *c)
{
	run_fini(&c->run);
	txn_fini(&c->txn);
	closep(&c->lock_fd);
}
#define _cleanup_command_ __attribute__((cleanup(command_end)))
#define COMMAND_INIT \
	{ \
		.run = { .stage_fd = -1, .work_fd = -1, .log_dir_fd = -1 }, \
		.txn = TXN_INIT, .lock_fd = -1 \
	}

static int command_begin(struct command *c, const struct kg_system *sys,
			 const struct kg_target *target, struct kg_err *err)
{
	char id[64];
	int r;

	c->lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);
	if (c->lock_fd < 0)
		return c->lock_fd;
	r = commit_recover(sys, err);
	if (r == 0)
		r = reg_recover(sys, err);
	if (r == 0)
		r = run_init(&c->run, sys, err);
	if (r < 0)
		return r;
	c->run.kernel_source_dir = target->kernel_source_dir;
	c->run.directives = target->directives;
	snprintf(id, sizeof(id), "dkms-%d", getpid());
	r = run_open_folders(&c->run, id, "work", err);
	if (r == 0)
		r = run_join_live(sys, &c->txn, err);
	if (r == 1)
		c->run.txn = &c->txn;
	return r < 0 ? r : 0;
}

static void command_tidy(struct command *c)
{
	/* A log folder without a log is nobody's to read. */
	if (c->run.log_dir != NULL)
		(void)unlinkat(c->run.sys->root_fd, c->run.log_dir + 1, AT_REMOVEDIR);
}

/* ---- sources ---- */

static int source_path(struct run *run, const struct kg_target *t,
		       struct kg_source *ret_source, struct kg_err *err)
{
	const char *path;

	if (!name_is_word(t->name) || !name_is_word(t->version))
		return kg_fail(err, -EINVAL, "not a module's name and version: %s/%s",
			       t->name, t->version);
	path = arena_printf(&run->arena, "%s/%s-%s", run->sys->source_tree, t->name,
			    t->version);
	if (path == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s/%s", t->name, t->version);
	*ret_source = (struct kg_source){ .name = t->name,
					  .version = t->version,
					  .path = path };
	return 0;
}

static int verify_source(struct run *run, const struct kg_source *source,
			 struct kg_err *err)
{
	_cleanup_close_ int fd =
		fd_try_open_in(run->sys->root_fd, source->path, O_RDONLY | O_DIRECTORY);
	const char *name = NULL;
	const char *version = NULL;
	int r;

	if (fd < 0)
		return kg_fail_errno(err, -ENOENT, "/%s", source->path);
	r = recipe_read_identity(run->sys, fd, &run->view, &run->arena, &name, &version,
				 err);
	if (r < 0)
		return r;
	if (strcmp(name, source->name) != 0 || strcmp(version, source->version) != 0)
		return kg_fail(err, -KGE_RECIPE, "/%s/dkms.conf is of %s/%s, not %s/%s",
			       source->path, name, version, source->name,
			       source->version);
	return 0;
}

static int add_source(struct run *run, const struct kg_source *source, struct kg_err *err)
{
	int r = verify_source(run, source, err);

	return r < 0 ? r : reg_add(run->sys, source, err);
}

int kg_dkms_add(const struct kg_system *sys, const struct kg_target *target,
		struct kg_err *err)
{
	_cleanup_command_ struct command c = COMMAND_INIT;
	struct kg_source source;
	int r = command_begin(&c, sys, target, err);

	if (r == 0)
		r = source_path(&c.run, target, &source, err);
	if (r == 0)
		r = add_source(&c.run, &source, err);
	command_tidy(&c);
	return r;
}

/* What is not added is added. */
static int find_or_add(struct run *run, const struct kg_target *t,
		       struct kg_source *ret_source, struct kg_err *err)
{
	struct kg_err first = { 0 };
	int r = reg_find_source(run->sys, t->name, t->version, &run->arena, ret_source,
				&first);

	if (r != -KGE_NOT_ADDED)
		return r < 0 ? kg_fail(err, r, "%s", first.text) : 0;
	r = source_path(run, t, ret_source, err);
	if (r == 0)
		r = add_source(run, ret_source, err);
	return r == -ENOENT ? -KGE_NOT_ADDED : r;
}

/* ---- build ---- */

/* A failed build leaves its log where DKMS leaves it. */
static void keep_failed_log(struct run *run, const struct kg_job *job)
{
	char path[1024];
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (job->log == NULL ||
	    snprintf(path, sizeof(path), "%s/%s/%s/build", run->sys->dkms_tree,
		     job->source->name, job->source->version) >= (int)sizeof(path))
		return;
	fd = fd_make_dir_in(run->sys->root_fd, path, 0755, NULL);
	if (fd < 0 || fd_read_file_in(run->sys->root_fd, job->log, 256u << 20, &text,
				      &len, NULL) < 0)
		return;
	if (fd_replace_at(fd, "make.log", text, len, 0644, NULL) < 0)
		kg_debug("%s was not copied", job->log);
}

static struct kg_job *one_job(struct run *run, const struct kg_source *source,
			      const char *release, const char *arch)
{
	struct kg_job *job = ARENA_ADD(&run->arena, run->jobs, run->n_jobs);

	if (job != NULL)
		*job = (struct kg_job){ .source = source,
					.release = release,
					.arch = arch };
	return job;
}

static int job_result(const struct kg_job *job, struct kg_err *err)
{
	if (job->outcome == KG_OUTCOME_BUILT || job->outcome == KG_OUTCOME_HIT)
		return 0;
	if (job->log != NULL)
		return kg_fail(err, job->err.code, "%s: %s/%s: %s failed: %s\nlog: %s",
			       job->release, job->source->name, job->source->version,
			       kg_phase_text(job->phase), job->err.text, job->log);
	return kg_fail(err, job->err.code, "%s: %s/%s: %s", job->release,
		       job->source->name, job->source->version, job->err.text);
}

/* Made, signed and compressed, as a K/A folder below the work folder. */
static int make_set(struct run *run, struct kg_job *job, struct run_set *ret_set,
		    struct kg_err *err)
{
	char name[64];
	int r;

	run_make_job(run, job);
	r = job_result(job, err);
	if (r < 0) {
		keep_failed_log(run, job);
		return r;
	}
	snprintf(name, sizeof(name), "sealed-%d", getpid());
	return run_seal_job(run, job, run->work_fd, name, ret_set, err);
}

static void drop_set(struct run *run, struct run_set *rs)
{
	char name[64];

	run_set_fini(rs);
	snprintf(name, sizeof(name), "sealed-%d", getpid());
	(void)fd_remove_tree_at(run->work_fd, name, NULL);
}

static int open_registered(struct run *run, const struct kg_source *source,
			   const char *release, const char *arch, struct run_set *ret_set)
{
	int fd = reg_open_built(run->sys, source->name, source->version, release, arch,
				NULL);

	return fd < 0 ? fd : run_open_set(run, source, release, arch, fd, ret_set, NULL);
}

static int build_and_register(struct run *run, const struct kg_source *source,
			      const struct kg_target *t, struct kg_err *err)
{
	struct kg_job *job = one_job(run, source, t->release, t->arch);
	struct run_set rs;
	int r = job == NULL ? -ENOMEM : make_set(run, job, &rs, err);

	if (r < 0)
		return r;
	r = reg_put_built(run->sys, source, t->release, t->arch, rs.built_fd, err);
	drop_set(run, &rs);
	return r;
}

int kg_dkms_build(const struct kg_system *sys, const struct kg_target *target,
		  struct kg_err *err)
{
	_cleanup_command_ struct command c = COMMAND_INIT;
	struct kg_source source;
	struct run_set there;
	int r = command_begin(&c, sys, target, err);

	if (r == 0)
		r = find_or_add(&c.run, target, &source, err);
	if (r < 0)
		return r;
	if (target->force == KG_NO_FORCE &&
	    open_registered(&c.run, &source, target->release, target->arch, &there) ==
		    0) {
		run_set_fini(&there);
		kg_info("%s: %s/%s is built already", target->release, source.name,
			source.version);
	} else {
		r = build_and_register(&c.run, &source, target, err);
	}
	command_tidy(&c);
	return r;
}

/* ---- install ---- */

/* The gate of the live transaction made it already: 1 when this was the case. */
static int install_placed(struct run *run, const struct kg_source *source,
			  const char *release, struct kg_err *err)
{
	struct txn *txn = run->txn;
	struct run_records records;
	int r;

	if (txn == NULL)
		return 0;
	r = run_records_read(txn, &records, err);
	for (size_t i = 0; r == 0 && i < records.n; i++) {
		const struct run_record *rec = &records.v[i];

		if (!rec->is_placed || strcmp(rec->name, source->name) != 0 ||
		    strcmp(rec->version, source->version) != 0 ||
		    strcmp(rec->release, release) != 0)
			continue;
		r = run_arrive_record(run, txn, rec, err);
		run->txn = txn;
		r = r < 0 ? r : 1;
	}
	run_records_fini(&records);
	return r;
}

static bool is_installed(struct run *run, const struct kg_source *source,
			 const char *release, const char *arch)
{
	const char *version = NULL;

	return reg_active_version(run->sys, source->name, release, arch, &run->arena,
				  &version, NULL) == 0 &&
	       version != NULL && strcmp(version, source->version) == 0;
}

static int build_and_install(struct run *run, const struct kg_source *source,
			     const char *release, const char *arch, struct kg_err *err)
{
	struct kg_job *job = one_job(run, source, release, arch);
	struct run_set rs;
	int r = job == NULL ? -ENOMEM : make_set(run, job, &rs, err);

	if (r < 0)
		return r;
	r = run_install_set(run, &rs, err);
	drop_set(run, &rs);
	return r;
}

int run_install_source(struct run *run, const struct kg_source *source,
		       const char *release, const char *arch, enum kg_force force,
		       struct kg_err *err)
{
	struct run_set rs;
	int r = install_placed(run, source, release, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (force == KG_NO_FORCE && is_installed(run, source, release, arch)) {
		kg_info("%s: %s/%s is installed already", release, source->name,
			source->version);
		return 0;
	}
	if (open_registered(run, source, release, arch, &rs) < 0)
		return build_and_install(run, source, release, arch, err);
	r = run_install_set(run, &rs, err);
	run_set_fini(&rs);
	return r;
}

int kg_dkms_install(const struct kg_system *sys, const struct kg_target *target,
		    struct kg_err *err)
{
	_cleanup_command_ struct command c = COMMAND_INIT;
	struct kg_source source;
	int r = command_begin(&c, sys, target, err);

	if (r == 0)
		r = find_or_add(&c.run, target, &source, err);
	if (r == 0)
		r = run_install_source(&c.run, &source, target->release, target->arch,
				       target->force, err);
	command_tidy(&c);
	return r;
}

/* ---- uninstall, remove ---- */

static int withdraw(struct run *run, struct run_set *rs, struct kg_err *err)
{
	const struct set *set = &rs->set;
	int r = set_withdraw(run->sys, run->txn, set->release, set->files, err);

	if (r == 0)
		r = reg_clear_active(run->sys, set->name, set->release, rs->arch, err);
	if (r == 0)
		r = reg_restore_originals(run->sys, set->name, set->release, rs->arch,
					  err);
	if (r == 0)
		r = depmod_run(run->sys, set->release, NULL, err);
	return r;
}

/* A set of this very name, version and release that the live transaction placed stays. */
bool run_is_placed_by_txn(const struct run *run, const char *name, const char *version,
			  const char *release)
{
	char subject[1024];

	if (run->txn == NULL)
		return false;
	snprintf(subject, sizeof(subject), "%s/%s/%s", release, name, version);
	return strv_has(&run->txn->placed, subject) &&
	       strv_has(&run->txn->arrived, subject);
}

int run_uninstall(struct run *run, const char *name, const char *version,
		  const char *release, const char *arch, struct kg_err *err)
{
	const struct kg_source source = { .name = name, .version = version };
	struct run_set rs;
	int r;

	if (!is_installed(run, &source, release, arch))
		return 0;
	if (run_is_placed_by_txn(run, name, version, release))
		return reg_clear_active(run->sys, name, release, arch, err);
	if (open_registered(run, &source, release, arch, &rs) < 0)
		return reg_clear_active(run->sys, name, release, arch, err);
	r = withdraw(run, &rs, err);
	run_set_fini(&rs);
	return r;
}

int kg_dkms_uninstall(const struct kg_system *sys, const struct kg_target *target,
		      struct kg_err *err)
{
	_cleanup_command_ struct command c = COMMAND_INIT;
	int r = command_begin(&c, sys, target, err);

	if (r == 0)
		r = run_uninstall(&c.run, target->name, target->version, target->release,
				  target->arch, err);
	command_tidy(&c);
	return r;
}

static int remove_entry(struct run *run, const struct reg_entry *e, struct kg_err *err)
{
	int r = run->txn != NULL ? run_save_built(run, e, err) : 0;

	if (r == 0)
		r = run_uninstall(run, e->name, e->version, e->release, e->arch, err);
	if (r == 0)
		r = reg_remove_built(run->sys, e->name, e->version, e->release, e->arch,
				     err);
	return r;
}

static int remove_entries(struct run *run, const struct kg_target *t, size_t *ret_left,
			  struct kg_err *err)
{
	const struct reg_filter all = { .name = t->name, .version = t->version };
	struct reg_list list = { 0 };
	int r = reg_list_read(run->sys, &all, REG_NO_COMPARE, &list, err);

	*ret_left = 0;
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct reg_entry *e = &list.entries[i];

		if (e->release == NULL)
			continue;
		if (t->release != NULL && (strcmp(e->release, t->release) != 0 ||
					   strcmp(e->arch, t->arch) != 0)) {
			(*ret_left)++;
			continue;
		}
		r = remove_entry(run, e, err);
	}
	reg_list_fini(&list);
	return r;
}

static int remove_target(struct run *run, const struct kg_target *t, struct kg_err *err)
{
	struct kg_source source;
	struct kg_err find_err = { 0 };
	size_t left = 0;
	int r = reg_find_source(run->sys, t->name, t->version, &run->arena, &source,
				&find_err);

	if (r < 0 && r != -KGE_BROKEN)
		return kg_fail(err, r, "%s", find_err.text);
	r = remove_entries(run, t, &left, err);
	if (r == 0 && left == 0)
		r = reg_remove_source(run->sys, t->name, t->version, err);
	if (r == 0 && run->txn == NULL)
		r = run_forget_working(run->sys, t->name, err);
	return r;
}

int kg_dkms_remove(const struct kg_system *sys, const struct kg_target *target,
		   struct kg_err *err)
{
	_cleanup_command_ struct command c = COMMAND_INIT;
	int r = command_begin(&c, sys, target, err);

	if (r == 0)
		r = remove_target(&c.run, target, err);
	command_tidy(&c);
	return r;
}

/* ---- autoinstall ---- */

static bool is_newest(const struct kg_source *all, size_t n,
		      const struct kg_source *source)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].name, source->name) == 0 &&
		    strverscmp(all[i].version, source->version) > 0)
			return false;
	return true;
}

static int autoinstall_jobs(struct run *run, const char *release, const struct strv *skip,
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
		    is_installed(run, &sources[i], release, run->sys->arch))
			continue;
		job = one_job(run, &sources[i], release, run->sys->arch);
		if (job == NULL)
			return kg_fail_errno(err, -ENOMEM, "cannot list the jobs");
		job->wants_autoinstall = true;
	}
	return r;
}

static int autoinstall_job(struct run *run, struct kg_job *job, struct kg_err *err)
{
	struct run_set rs;
	int r = make_set(run, job, &rs, err);

	if (r < 0)
		return r;
	r = run_install_set(run, &rs, err);
	drop_set(run, &rs);
	return r;
}

int run_autoinstall(struct run *run, const char *release, const struct strv *skip,
		    struct kg_err *err)
{
	char id[64];
	int first = autoinstall_jobs(run, release, skip, err);

	snprintf(id, sizeof(id), "dkms-%d", getpid());
	if (first == 0 && run->n_jobs > 0 && run->work_fd < 0)
		first = run_open_folders(run, id, "work", err);
	if (first < 0)
		return first;
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct kg_job *job = &run->jobs[i];
		struct kg_err job_err = { 0 };
		int r = autoinstall_job(run, job, &job_err);

		if (r == 0)
			kg_info("%s: %s/%s is installed", release, job->source->name,
				job->source->version);
		else if (job->outcome == KG_OUTCOME_FAILED ||
			 job->outcome == KG_OUTCOME_BUILT ||
			 job->outcome == KG_OUTCOME_HIT)
			first = kg_fail(err, -KGE_BUILD, "%s", job_err.text);
		else
			kg_info("%s", job_err.text);
	}
	return first;
}

int kg_dkms_autoinstall(const struct kg_system *sys, const char *release,
			struct kg_err *err)
{
	_cleanup_command_ struct command c = COMMAND_INIT;
	const struct kg_target none = { 0 };
	int r = command_begin(&c, sys, &none, err);

	if (r == 0)
		r = run_autoinstall(&c.run, release, NULL, err);
	command_tidy(&c);
	return r;
}
