// SPDX-License-Identifier: GPL-2.0-or-later
/* From a plan to jobs: which module source for which kernel, and which of them matter. */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/recipe/policy.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

/* "-1-zen" of "-zen1-1-zen", "-1" of "-arch1-1": Arch's patch level comes before its build number. */
static const char *skip_patch_level(const char *dash)
{
	const size_t n = strcspn(dash + 1, "-");

	if (!isdigit((unsigned char)dash[1]) && isdigit((unsigned char)dash[n]) &&
	    dash[1 + n] == '-' && isdigit((unsigned char)dash[2 + n]))
		return dash + 1 + n;
	return dash;
}

const char *run_flavour(const char *release)
{
	/* 6.1.0-56-cloud-amd64: behind the ABI number, which follows the first dash. */
	const char *p = strchr(release, '-');

	if (p == NULL)
		return "";
	p = skip_patch_level(p);
	if (isdigit((unsigned char)p[1])) {
		p += 1 + strspn(p + 1, "0123456789.");
		return p[0] == '-' ? p + 1 : "";
	}
	return p + 1;
}

static int compare_releases(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int run_list_releases(const struct kg_system *sys, struct strv *ret_releases,
		      struct kg_err *err)
{
	_cleanup_close_ int fd =
		fd_try_open_in(sys->root_fd, sys->install_tree, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;

	if (fd == -ENOENT)
		return 0;
	dir = fd < 0 ? NULL : fd_list(fd);
	if (dir == NULL)
		return kg_fail_errno(err, fd < 0 ? fd : -errno, "cannot list %s",
				     sys->install_tree);
	while ((entry = fd_list_next(dir)) != NULL)
		if (name_is_word(entry->d_name))
			strv_add(ret_releases, entry->d_name);
	if (!strv_ok(ret_releases))
		return kg_fail_errno(err, -ENOMEM, "cannot list %s", sys->install_tree);
	if (ret_releases->n > 1)
		qsort(ret_releases->v, ret_releases->n, sizeof(char *), compare_releases);
	return 0;
}

/* ---- what worked before ---- */

static const char *working_name(struct arena *arena, const char *name,
				const char *flavour)
{
	return arena_printf(arena, "%s@%s", name, flavour);
}

bool run_worked_before(const struct kg_system *sys, const char *name, const char *flavour)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const char *path = arena_printf(&arena, "%s/working/%s", sys->state_dir,
					working_name(&arena, name, flavour) ?: "");
	struct stat st;

	return path != NULL && fd_lstat_in(sys->root_fd, path, &st) == 0;
}

static int open_working(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const char *path = arena_printf(&arena, "%s/working", sys->state_dir);

	if (path == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot open the state folder");
	return fd_make_dir_in(sys->root_fd, path, 0755, err);
}

int run_remember_working(const struct kg_system *sys, const char *name,
			 const char *flavour, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_close_ int fd = open_working(sys, err);
	const char *file = working_name(&arena, name, flavour);

	if (fd < 0)
		return fd;
	if (file == NULL || !name_is_word(name))
		return kg_fail_errno(err, -EINVAL, "cannot remember %s", name);
	return fd_replace_at(fd, file, "", 0, 0644, err);
}

int run_forget_working(const struct kg_system *sys, const char *name, struct kg_err *err)
{
	_cleanup_close_ int fd = open_working(sys, err);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fd_list(fd);
	const size_t len = strlen(name);
	struct dirent *entry;

	if (dir == NULL)
		return fd < 0 ? fd
			      : kg_fail_errno(err, -errno,
					      "cannot list the state folder");
	while ((entry = fd_list_next(dir)) != NULL)
		if (strncmp(entry->d_name, name, len) == 0 && entry->d_name[len] == '@')
			(void)unlinkat(fd, entry->d_name, 0);
	return 0;
}

/* ---- the sources as they will be ---- */

struct sources {
	struct kg_source *v;
	size_t n;
};

static struct kg_source *find_source(struct sources *all, const char *name,
				     const char *version)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i].name, name) == 0 &&
		    strcmp(all->v[i].version, version) == 0)
			return &all->v[i];
	return NULL;
}

/* A plan's source by its dkms.conf: in the stage when it comes, on disk when it goes. */
static int identify_source(struct run *run, const struct kg_plan_source *ps,
			   struct kg_source *ret_source, struct kg_err *err)
{
	char *path = arena_strdup(&run->arena, ps->path);
	struct kg_source source = { .change = ps->change };
	_cleanup_close_ int fd = -1;
	char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash == NULL)
		return kg_fail(err, -KGE_FORMAT, "not the path of a dkms.conf: %s",
			       ps->path);
	*slash = '\0';
	source.path = path;
	fd = run_open_source(run, &source, err);
	if (fd < 0)
		return fd;
	if (recipe_read_identity(run->sys, fd, &run->view, &run->arena, &source.name,
				 &source.version, err) < 0)
		return err->code;
	*ret_source = source;
	return 0;
}

/* By path, not by reading it: in the view of what will be it is gone already. */
static void drop_source(struct sources *all, const char *conf_path)
{
	for (size_t i = 0; i < all->n; i++) {
		const size_t n = strlen(all->v[i].path);

		if (strncmp(all->v[i].path, conf_path, n) == 0 &&
		    strcmp(conf_path + n, "/dkms.conf") == 0)
			all->v[i].change = KG_CHANGE_LEAVES;
	}
}

static int apply_plan_source(struct run *run, struct sources *all,
			     const struct kg_plan_source *ps, struct kg_err *err)
{
	struct kg_source source;
	struct kg_source *known;
	int r;

	if (ps->change == KG_CHANGE_LEAVES) {
		drop_source(all, ps->path);
		return 0;
	}
	r = identify_source(run, ps, &source, err);
	if (r < 0)
		return r;
	known = find_source(all, source.name, source.version);
	if (known == NULL)
		known = ARENA_ADD(&run->arena, all->v, all->n);
	if (known == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot list the sources");
	*known = source;
	return 0;
}

/* Of several versions of one module the newest counts, as in autoinstall. */
static bool is_newest(const struct sources *all, const struct kg_source *source)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].change != KG_CHANGE_LEAVES &&
		    strcmp(all->v[i].name, source->name) == 0 &&
		    strverscmp(all->v[i].version, source->version) > 0)
			return false;
	return true;
}

/* Registered, but its folder is gone: its job fails, and says so where it matters. */
static int add_broken(struct run *run, struct sources *all, struct kg_err *err)
{
	const struct reg_filter everything = { 0 };
	struct reg_list list = { 0 };
	int r = reg_list_read(run->sys, &everything, REG_NO_COMPARE, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct reg_entry *e = &list.entries[i];
		struct kg_source *slot;

		if (e->state != REG_BROKEN ||
		    find_source(all, e->name, e->version) != NULL)
			continue;
		slot = ARENA_ADD(&run->arena, all->v, all->n);
		if (slot == NULL)
			break;
		slot->name = arena_strdup(&run->arena, e->name);
		slot->version = arena_strdup(&run->arena, e->version);
		slot->path = arena_printf(&run->arena, "%s/%s-%s", run->sys->source_tree,
					  e->name, e->version);
	}
	reg_list_fini(&list);
	if (r == 0 && run->arena.failed)
		r = kg_fail_errno(err, -ENOMEM, "cannot list the sources");
	return r;
}

static int collect_sources(struct run *run, const struct kg_plan *plan,
			   struct sources *all, struct kg_err *err)
{
	struct kg_source *known = NULL;
	size_t n_known = 0;
	int r = reg_sources(run->sys, &run->arena, &known, &n_known, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_known; i++) {
		struct kg_source *slot = ARENA_ADD(&run->arena, all->v, all->n);

		if (slot == NULL)
			return kg_fail_errno(err, -ENOMEM, "cannot list the sources");
		*slot = known[i];
	}
	r = add_broken(run, all, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->n_sources; i++) {
		r = apply_plan_source(run, all, &plan->sources[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

bool run_has_sources(struct run *run)
{
	const struct reg_filter everything = { 0 };
	struct reg_list list = { 0 };
	bool any =
		reg_list_read(run->sys, &everything, REG_NO_COMPARE, &list, NULL) < 0 ||
		list.n > 0;

	reg_list_fini(&list);
	return any;
}

/* ---- jobs ---- */

static bool is_active(struct run *run, const char *name, const char *release)
{
	const char *version = NULL;

	return reg_active_version(run->sys, name, release, run->sys->arch, &run->arena,
				  &version, NULL) == 0 &&
	       version != NULL;
}

static bool works_in(struct run *run, const char *name, const char *release)
{
	const struct reg_filter filter = { .name = name, .release = release };
	struct reg_list weak = { 0 };
	bool is_linked;

	if (is_active(run, name, release))
		return true;
	is_linked = reg_list_weak(run->sys, &filter, &weak, NULL) == 0 && weak.n > 0;
	reg_list_fini(&weak);
	return is_linked;
}

/*
 * It is installed for the newest other kernel of that flavour, the running one, or this; when nothing
 * that boots comes, only this counts: it may never have been here.
 */
static const char *find_working(struct run *run, const char *name, const char *release,
				const struct kg_plan_kernel *kernel,
				const struct strv *releases)
{
	const char *candidates[] = { NULL, run->sys->running, release };
	const bool is_only_this = kernel != NULL && kernel->change == KG_CHANGE_CHANGES &&
				  !plan_brings_image(kernel);

	if (is_only_this)
		candidates[1] = NULL;
	for (size_t i = 0; !is_only_this && i < releases->n; i++)
		if (strcmp(run_flavour(releases->v[i]), run_flavour(release)) == 0 &&
		    strcmp(releases->v[i], release) != 0)
			candidates[0] = releases->v[i];
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (candidates[i] != NULL && works_in(run, name, candidates[i]))
			return arena_strdup(&run->arena, candidates[i]);
	return NULL;
}

static int add_job(struct run *run, const struct kg_source *source, const char *release,
		   const char *arch, const struct kg_plan_kernel *kernel,
		   const struct strv *releases)
{
	struct kg_job *job = ARENA_ADD(&run->arena, run->jobs, run->n_jobs);
	enum kg_require require = kg_policy_require(&run->policy, source->name, release);

	if (job == NULL)
		return -ENOMEM;
	*job = (struct kg_job){
		.source = source,
		.release = arena_strdup(&run->arena, release),
		.arch = arena_strdup(&run->arena, arch),
		.kernel = kernel,
		.wants_autoinstall = true,
		.works_on = find_working(run, source->name, release, kernel, releases),
	};
	job->works_here = job->works_on != NULL ||
			  run_worked_before(run->sys, source->name, run_flavour(release));
	job->is_required = require == KG_REQUIRE_ALWAYS ||
			   (require == KG_REQUIRE_WHEN_WORKING &&
			    (job->works_here || source->change == KG_CHANGE_ENTERS));
	return job->release != NULL && job->arch != NULL ? 0 : -ENOMEM;
}

static const struct kg_plan_kernel *plan_kernel(const struct kg_plan *plan,
						const char *release)
{
	for (size_t i = 0; i < plan->n_kernels; i++)
		if (strcmp(plan->kernels[i].release, release) == 0)
			return &plan->kernels[i];
	return NULL;
}

static bool is_coming(const struct kg_plan_kernel *kernel)
{
	return kernel->change == KG_CHANGE_ENTERS || kernel->change == KG_CHANGE_CHANGES;
}

static bool is_running_or_newest(const struct run *run, const char *release,
				 const struct strv *releases)
{
	return strcmp(release, run->sys->running) == 0 ||
	       strcmp(release, releases->v[releases->n - 1]) == 0;
}

/* A newer kernel of the flavour of @release comes, and boots next. */
static bool is_succeeded(const struct kg_plan *plan, const char *release)
{
	for (size_t i = 0; i < plan->n_kernels; i++) {
		const struct kg_plan_kernel *k = &plan->kernels[i];

		if (is_coming(k) && plan_brings_image(k) &&
		    strcmp(run_flavour(k->release), run_flavour(release)) == 0 &&
		    strverscmp(k->release, release) > 0)
			return true;
	}
	return false;
}

/* What is installed there goes with what @source replaces. */
static bool loses_active(struct run *run, struct sources *all,
			 const struct kg_source *source, const char *release)
{
	const struct kg_source *active;
	const char *version = NULL;

	if (reg_active_version(run->sys, source->name, release, run->sys->arch,
			       &run->arena, &version, NULL) < 0 ||
	    version == NULL)
		return false;
	active = find_source(all, source->name, version);
	return strcmp(version, source->version) == 0 ||
	       (active != NULL && active->change == KG_CHANGE_LEAVES);
}

/* A source that comes: the kernels that are there and have it, the running and the newest. */
static int add_source_jobs(struct run *run, const struct kg_plan *plan,
			   struct sources *all, const struct kg_source *source,
			   const struct strv *releases)
{
	for (size_t i = 0; i < releases->n; i++) {
		const char *release = releases->v[i];
		const struct kg_plan_kernel *kernel = plan_kernel(plan, release);
		bool boots;
		int r;

		if (kernel != NULL && kernel->change != KG_CHANGE_STAYS)
			continue;
		boots = is_running_or_newest(run, release, releases);
		if (!boots && !is_active(run, source->name, release))
			continue;
		r = add_job(run, source, release, run->sys->arch, NULL, releases);
		if (r < 0)
			return r;
		run->jobs[run->n_jobs - 1].is_at_stake =
			boots && !is_succeeded(plan, release) &&
			loses_active(run, all, source, release);
	}
	return 0;
}

static int add_source(struct run *run, const struct kg_plan *plan, struct sources *all,
		      const struct kg_source *source, const struct strv *releases)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_kernels; i++)
		if (is_coming(&plan->kernels[i]))
			r = add_job(run, source, plan->kernels[i].release,
				    plan->kernels[i].arch, &plan->kernels[i], releases);
	if (r == 0 && source->change != KG_CHANGE_STAYS)
		r = add_source_jobs(run, plan, all, source, releases);
	return r;
}

/* ---- kernels without headers ---- */

/*
 * Headers of the same release and another version would do for the compiler, not for the kernel.
 * So those that the plan does not name are not there, whatever is found on disk.
 */
static bool lacks_headers(const struct kg_plan_kernel *k)
{
	/* One that stays and is of no package was made by hand, its headers too. */
	return k->n_headers == 0 &&
	       (is_coming(k) || (k->change == KG_CHANGE_STAYS && k->n_packages > 0));
}

static int deny_headers(struct run *run, const struct kg_plan *plan)
{
	for (size_t i = 0; i < plan->n_kernels; i++) {
		const struct kg_plan_kernel *k = &plan->kernels[i];
		struct run_release *slot;

		if (!lacks_headers(k))
			continue;
		slot = ARENA_ADD(&run->arena, run->releases, run->n_releases);
		if (slot == NULL)
			return -ENOMEM;
		slot->release = k->release;
		slot->result = kg_fail(
			&slot->err, -KGE_NO_HEADERS,
			"headers of its version are neither installed nor in this transaction%s%s",
			k->hint != NULL ? "; they are in the package " : "",
			k->hint ?: "");
	}
	return 0;
}

int run_jobs_from_plan(struct run *run, const struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_strv_ struct strv releases = { 0 };
	struct sources all = { 0 };
	int r = run_list_releases(run->sys, &releases, err);

	if (r == 0)
		r = collect_sources(run, plan, &all, err);
	if (r == 0 && deny_headers(run, plan) < 0)
		r = kg_fail_errno(err, -ENOMEM, "cannot list the jobs");
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		const struct kg_source *source = &all.v[i];

		if (source->change == KG_CHANGE_LEAVES || !is_newest(&all, source))
			continue;
		r = add_source(run, plan, &all, source, &releases);
		if (r < 0)
			return kg_fail_errno(err, r, "cannot list the jobs");
	}
	return 0;
}
