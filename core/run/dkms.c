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
#include "core/run/run.h"
#include "core/run/command.h"

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

/* The kernel that dkms.conf is first read for. */
static const char *release_of(const struct run *run)
{
	const struct kg_target *target = run->target;

	return target != NULL && target->release != NULL ? target->release
							 : run->sys->running;
}

/* Registered as its folder says, whatever the file thinks: as DKMS does it. */
static int compare_identity(struct run *run, const struct kg_source *source, int fd,
			    struct kg_err *err)
{
	struct kg_loaded found = { 0 };
	int r = run_read_identity(run, release_of(run), fd, &run->arena, &found, err);

	if (r == 0 && (strcmp(found.name, source->name) != 0 ||
		       strcmp(found.version, source->version) != 0))
		kg_warning("/%s/dkms.conf calls itself %s/%s, not %s/%s", source->path,
			   found.name, found.version, source->name, source->version);
	return r;
}

/* Valid for the kernel it is for, with its headers or without. */
static int read_new_source(struct run *run, const struct kg_source *source,
			   struct kg_recipe *ret_recipe, struct kg_err *err)
{
	const struct run_release release = { .release = release_of(run),
					     .result = -KGE_NO_HEADERS };
	_cleanup_close_ int fd =
		fd_try_open_in(run->sys->root_fd, source->path, O_RDONLY | O_DIRECTORY);
	int r;

	if (fd < 0)
		return kg_fail_errno(err, -ENOENT, "/%s", source->path);
	r = run->conf == NULL ? compare_identity(run, source, fd, err) : 0;
	return r < 0 ? r : run_read_recipe(run, source, fd, &release, ret_recipe, err);
}

static int add_source(struct run *run, const struct kg_source *source, struct kg_err *err)
{
	struct kg_recipe recipe = { 0 };
	int r = read_new_source(run, source, &recipe, err);

	if (r < 0)
		return r;
	r = reg_add(run->sys, source, err);
	if (r == 0) {
		run_show_warnings(run, source, &recipe);
		/* It is registered, whatever the script says: its code is the command's. */
		r = run_script(run, source, recipe.post_add, release_of(run), err);
	}
	recipe_fini(&recipe);
	return r;
}

int run_add_source(struct run *run, const struct kg_source *source, struct kg_err *err)
{
	return add_source(run, source, err);
}

int kg_dkms_add(const struct kg_system *sys, const struct kg_target *target,
		struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	struct kg_source source;
	int r = run_command_begin_for(&c, sys, target, err);

	if (r == 0)
		r = source_path(&c.run, target, &source, err);
	if (r == 0)
		r = add_source(&c.run, &source, err);
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

struct kg_job *run_add_job(struct run *run, const struct kg_source *source,
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
	if (kg_job_is_made(job))
		return 0;
	if (err != NULL)
		err->status = job->err.status;
	if (job->log != NULL)
		return kg_fail(err, job->err.code, "%s: %s/%s: %s failed: %s\nlog: %s",
			       job->release, job->source->name, job->source->version,
			       kg_phase_text(job->phase), job->err.text, job->log);
	return kg_fail(err, job->err.code, "%s: %s/%s: %s", job->release,
		       job->source->name, job->source->version, job->err.text);
}

/* Of @job's K/A folder below the work folder. */
static void sealed_name(const struct run *run, const struct kg_job *job,
			char ret_name[64])
{
	snprintf(ret_name, 64, "sealed-%d-%zu", getpid(), (size_t)(job - run->jobs));
}

int run_make_set(struct run *run, struct kg_job *job, struct run_set *ret_set,
		 struct kg_err *err)
{
	char name[64];
	int r;

	run->keeps_failed = true;
	run_make_job(run, job);
	r = job_result(job, err);
	if (r < 0) {
		run_keep_failed_log(run, job);
		if (job->log != NULL && run->txn == NULL)
			run_report_to_apport(run, job);
		return r;
	}
	run_warn_lacking(job);
	sealed_name(run, job, name);
	return run_seal_job(run, job, run->work_fd, name, ret_set, err);
}

void run_drop_made(struct run *run, const struct kg_job *job, struct run_set *rs)
{
	char name[64];

	run_set_fini(rs);
	sealed_name(run, job, name);
	(void)fd_remove_tree_at(run->work_fd, name, NULL);
}

int run_open_registered(struct run *run, const struct kg_source *source,
			const char *release, const char *arch, struct run_set *ret_set)
{
	int fd = reg_open_built(run->sys, source->name, source->version, release, arch,
				NULL);

	return fd < 0 ? fd : run_open_set(run, source, release, arch, fd, ret_set, NULL);
}

/* What a tarball of built modules alone leaves: a dkms.conf, and nothing to build from. */
static int check_content(const struct run *run, const struct kg_source *source,
			 struct kg_err *err)
{
	_cleanup_close_ int fd =
		fd_try_open_in(run->sys->root_fd, source->path, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fd_list(fd);
	size_t n = 0;

	while (dir != NULL && n < 2 && fd_list_next(dir) != NULL)
		n++;
	if (dir == NULL || n >= 2)
		return 0; /* one that cannot be opened is the build's to complain of */
	return kg_fail(err, -KGE_RECIPE, "%s/%s: there is nothing but a dkms.conf in /%s",
		       source->name, source->version, source->path);
}

static int make_set(struct run *run, struct kg_job *job, struct run_set *ret_set,
		    struct kg_err *err)
{
	int r = job == NULL ? -ENOMEM : check_content(run, job->source, err);

	return r < 0 ? r : run_make_set(run, job, ret_set, err);
}

static int build_and_register(struct run *run, const struct kg_source *source,
			      const struct kg_target *t, struct kg_err *err)
{
	struct kg_job *job = run_add_job(run, source, t->release, t->arch);
	struct run_set rs;
	int r = make_set(run, job, &rs, err);

	if (r < 0)
		return r;
	r = reg_put_built(run->sys, source, t->release, t->arch, rs.built_fd, err);
	run_drop_made(run, job, &rs);
	return r;
}

int kg_dkms_build(const struct kg_system *sys, const struct kg_target *target,
		  struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	struct kg_source source;
	struct run_set there;
	int r = run_command_begin_for(&c, sys, target, err);

	if (r == 0)
		r = find_or_add(&c.run, target, &source, err);
	if (r < 0)
		return r;
	if (target->force == KG_NO_FORCE &&
	    run_open_registered(&c.run, &source, target->release, target->arch, &there) ==
		    0) {
		run_set_fini(&there);
		kg_info("%s: %s/%s is built already", target->release, source.name,
			source.version);
	} else {
		r = build_and_register(&c.run, &source, target, err);
	}
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

bool run_is_installed(struct run *run, const struct kg_source *source,
		      const char *release, const char *arch)
{
	const char *version = NULL;

	return reg_active_version(run->sys, source->name, release, arch, &run->arena,
				  &version, NULL) == 0 &&
	       version != NULL && strcmp(version, source->version) == 0;
}

/* In a transaction the kernel may still be on its way. */
static int check_kernel(const struct run *run, const char *release, struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };
	struct stat st;

	str_addf(&path, "%s/%s", run->sys->install_tree, release);
	if (run->txn != NULL || fd_lstat_in(run->sys->root_fd, str_get(&path), &st) == 0)
		return 0;
	return kg_fail(err, -ENOENT, "there is no kernel %s: /%s is not there", release,
		       str_get(&path));
}

static int build_and_install(struct run *run, const struct kg_source *source,
			     const char *release, const char *arch, struct kg_err *err)
{
	struct kg_job *job = run_add_job(run, source, release, arch);
	struct kg_err kept = { 0 };
	struct run_set rs;
	int r = make_set(run, job, &rs, err);

	if (r < 0)
		return r;
	r = check_kernel(run, release, err);
	if (r == 0)
		r = run_install_set(run, &rs, err);
	else if (run_register_built(run, &rs, &kept) < 0)
		kg_warning("%s/%s does not stay built: %s", source->name, source->version,
			   kept.text);
	run_drop_made(run, job, &rs);
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
	if (force == KG_NO_FORCE && run_is_installed(run, source, release, arch)) {
		kg_info("%s: %s/%s is installed already", release, source->name,
			source->version);
		return 0;
	}
	if (run_open_registered(run, source, release, arch, &rs) < 0)
		return build_and_install(run, source, release, arch, err);
	r = check_kernel(run, release, err);
	if (r == 0)
		r = run_install_set(run, &rs, err);
	run_set_fini(&rs);
	return r;
}

int kg_dkms_install(const struct kg_system *sys, const struct kg_target *target,
		    struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	struct kg_source source;
	int r = run_command_begin_for(&c, sys, target, err);

	if (r == 0)
		r = find_or_add(&c.run, target, &source, err);
	if (r == 0)
		r = run_install_source(&c.run, &source, target->release, target->arch,
				       target->force, err);
	if (r == 0)
		run_rebuild_dependents(&c.run, &source, target->release, target->arch);
	return r;
}

/* ---- uninstall, remove ---- */

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

int kg_dkms_uninstall(const struct kg_system *sys, const struct kg_target *target,
		      struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	const struct reg_entry entry = { .name = target->name,
					 .version = target->version,
					 .release = target->release,
					 .arch = target->arch };
	int r = run_command_begin_for(&c, sys, target, err);

	return r < 0 ? r : run_uninstall(&c.run, target->release, &entry, 1, err);
}

/* Those for the target's release, or all; how many others there are. */
static struct reg_entry *pick_entries(struct run *run, const struct reg_list *list,
				      const struct kg_target *t, size_t *ret_n,
				      size_t *ret_left)
{
	struct reg_entry *v = arena_array(&run->arena, list->n + 1, sizeof(*v));

	*ret_n = 0;
	*ret_left = 0;
	for (size_t i = 0; v != NULL && i < list->n; i++) {
		const struct reg_entry *e = &list->entries[i];

		if (e->release == NULL)
			continue;
		if (t->release == NULL || (strcmp(e->release, t->release) == 0 &&
					   strcmp(e->arch, t->arch) == 0))
			v[(*ret_n)++] = *e;
		else
			(*ret_left)++;
	}
	return v;
}

static int remove_entries(struct run *run, const struct kg_target *t, size_t *ret_left,
			  struct kg_err *err)
{
	const struct reg_filter all = { .name = t->name, .version = t->version };
	struct reg_list list = { 0 };
	struct reg_entry *v;
	size_t n = 0;
	int r = reg_list_read(run->sys, &all, REG_NO_COMPARE, &list, err);

	if (r < 0)
		return r;
	v = pick_entries(run, &list, t, &n, ret_left);
	r = v == NULL ? kg_fail_errno(err, -ENOMEM, "%s", t->name)
		      : run_remove_entries(run, v, n, err);
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
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	int r = run_command_begin_for(&c, sys, target, err);

	if (r == 0)
		r = remove_target(&c.run, target, err);
	return r;
}
