// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which kernels and module sources a transaction brings, changes or takes. On Arch a kernel's new
 * version is another release, and takes the place of the old one in the same upgrade.
 */
#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/base/name.h"
#include "plugins/common/planner.h"
#include "plugins/pacman/leaving.h"
#include "plugins/pacman/package.h"

static bool is_there(const struct txn *txn, const char *release, bool is_after)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct package *pkg = &txn->packages[i];
		const struct package_hits *hits = is_after ? &pkg->hits : &pkg->old_hits;

		if (pkg->is_listed && (package_bits(hits, release) & CONTENT_IMAGE) != 0)
			return true;
	}
	return false;
}

/* "lts" of 6.6.1-1-lts, "zen" of 6.6.1-zen1-1-zen, "" of 6.6.1-arch1-1: as core/run/plan.c. */
static const char *find_flavour(const char *release)
{
	const char *part = release + strcspn(release, "-");
	const size_t n = *part == '-' ? strcspn(part + 1, "-") : 0;

	if (n > 0 && isdigit((unsigned char)part[n]) && part[1 + n] == '-' &&
	    isdigit((unsigned char)part[2 + n]))
		part += 1 + n;
	if (*part == '-' && isdigit((unsigned char)part[1]))
		part += 1 + strspn(part + 1, "0123456789.");
	return *part == '-' ? part + 1 : "";
}

static const char *find_arch(struct planner *p, alpm_pkg_t *pkg)
{
	const char *arch = alpm_pkg_get_arch(pkg);
	struct utsname u;

	if (arch != NULL && strcmp(arch, "any") != 0)
		return arena_strdup(&p->plan->arena, arch);
	return uname(&u) == 0 ? arena_strdup(&p->plan->arena, u.machine) : NULL;
}

static void add_package(struct planner *p, struct kg_plan_kernel *k,
			const struct package *pkg)
{
	const bool leaves = k->change == KG_CHANGE_LEAVES;
	struct kg_package *slot = ARENA_ADD(&p->plan->arena, k->packages, k->n_packages);

	if (slot == NULL)
		return;
	*slot = (struct kg_package){
		.name = pkg->name,
		.version = leaves ? alpm_pkg_get_version(pkg->old) : pkg->version,
		.role = KG_ROLE_IMAGE,
		.change = leaves ? KG_CHANGE_LEAVES : package_change(pkg),
	};
	k->arch = find_arch(p, leaves ? pkg->old : pkg->pkg);
	k->hint = arena_printf(&p->plan->arena, "%s-headers", pkg->name);
}

static bool is_known(const struct kg_plan *plan, const char *release)
{
	for (size_t i = 0; i < plan->n_kernels; i++)
		if (strcmp(plan->kernels[i].release, release) == 0)
			return true;
	return false;
}

static void add_kernel(struct planner *p, const char *release)
{
	struct kg_plan_kernel *k;

	if (!name_is_word(release) || is_known(p->plan, release))
		return;
	k = ARENA_ADD(&p->plan->arena, p->plan->kernels, p->plan->n_kernels);
	if (k == NULL)
		return;
	k->release = release;
	k->flavour = find_flavour(release);
	k->change = planning_change(is_there(p->txn, release, false),
				    is_there(p->txn, release, true));
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];
		const struct package_hits *hits =
			k->change == KG_CHANGE_LEAVES ? &pkg->old_hits : &pkg->hits;

		if (pkg->is_listed && (package_bits(hits, release) & CONTENT_IMAGE) != 0)
			add_package(p, k, pkg);
	}
}

static void add_kernels_of(struct planner *p, const struct package_hits *hits)
{
	for (size_t i = 0; i < hits->n; i++)
		if (hits->v[i].bit == CONTENT_IMAGE)
			add_kernel(p, hits->v[i].release);
}

int planner_add_kernels(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];

		if (!pkg->is_listed)
			continue;
		add_kernels_of(p, &pkg->hits);
		add_kernels_of(p, &pkg->old_hits);
	}
	return p->plan->arena.failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}

/* ---- module sources ---- */

static bool has_source(const struct txn *txn, const char *path, bool is_after)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct package *pkg = &txn->packages[i];
		const struct package_hits *hits = is_after ? &pkg->hits : &pkg->old_hits;

		for (size_t k = 0; pkg->is_listed && k < hits->n; k++)
			if (hits->v[k].bit == CONTENT_SOURCE &&
			    strcmp(hits->v[k].path, path) == 0)
				return true;
	}
	return false;
}

static void add_source(struct planner *p, const struct package *pkg, const char *path,
		       bool is_after)
{
	struct kg_plan_source *s;

	if (!is_after && has_source(p->txn, path, true))
		return; /* listed as what it becomes */
	s = ARENA_ADD(&p->plan->arena, p->plan->sources, p->plan->n_sources);
	if (s != NULL)
		*s = (struct kg_plan_source){
			.path = path,
			.package = pkg->name,
			.version =
				is_after ? pkg->version : alpm_pkg_get_version(pkg->old),
			.change = planning_change(has_source(p->txn, path, false),
						  is_after),
		};
}

static bool has_planned(const struct kg_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (strcmp(plan->sources[i].path, path) == 0)
			return true;
	return false;
}

static alpm_pkg_t *find_installed(const struct txn *txn, const char *path)
{
	alpm_db_t *local = alpm_get_localdb(txn->alpm);

	for (alpm_list_t *i = alpm_db_get_pkgcache(local); i != NULL; i = i->next)
		if (alpm_filelist_contains(alpm_pkg_get_files(i->data), path) != NULL)
			return i->data;
	return NULL;
}

/* Of a package that goes: no package of its name comes, so only the hook of what goes has told. */
static void add_leaving(struct planner *p, const char *folder)
{
	const char *path = arena_printf(&p->plan->arena, "usr/src/%s/dkms.conf", folder);
	alpm_pkg_t *pkg = path != NULL && !has_planned(p->plan, path)
				  ? find_installed(p->txn, path)
				  : NULL;
	struct kg_plan_source *s;

	if (pkg == NULL)
		return;
	s = ARENA_ADD(&p->plan->arena, p->plan->sources, p->plan->n_sources);
	if (s != NULL)
		*s = (struct kg_plan_source){
			.path = path,
			.package = alpm_pkg_get_name(pkg),
			.version = alpm_pkg_get_version(pkg),
			.change = KG_CHANGE_LEAVES,
		};
}

static int add_all_leaving(struct planner *p, struct kg_err *err)
{
	_cleanup_strv_ struct strv folders = { 0 };
	const char *lock =
		arena_printf(&p->plan->arena, "%sdb.lck", p->txn->config.dbpath);

	if (lock != NULL)
		leaving_list(&p->txn->owner, lock, &folders);
	for (size_t i = 0; i < folders.n; i++)
		add_leaving(p, folders.v[i]);
	return p->plan->arena.failed || !strv_ok(&folders)
		       ? kg_fail_errno(err, -ENOMEM, "making the plan")
		       : 0;
}

int planner_add_sources(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];

		for (size_t k = 0; pkg->is_listed && k < pkg->hits.n; k++)
			if (pkg->hits.v[k].bit == CONTENT_SOURCE)
				add_source(p, pkg, pkg->hits.v[k].path, true);
		for (size_t k = 0; pkg->is_listed && k < pkg->old_hits.n; k++)
			if (pkg->old_hits.v[k].bit == CONTENT_SOURCE)
				add_source(p, pkg, pkg->old_hits.v[k].path, false);
	}
	return add_all_leaving(p, err);
}
