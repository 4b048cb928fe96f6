// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which archives the gate needs: kernels, headers and sources, and of everything a build with
 * them depends on what is new in this transaction (a compiler, pahole, the C library).
 */
#include <string.h>

#include "plugins/common/planner.h"
#include "plugins/pacman/package.h"

/* What any module is built with, whoever depends on it. */
static const char *const tools[] = { "make", "gcc", "binutils", "glibc" };

/* Names of packages, or of what they provide, still to be followed. */
struct walk {
	struct planner *p;
	struct strv queue;
};

static bool is_kernel(const struct package *pkg)
{
	for (size_t i = 0; i < pkg->hits.n; i++)
		if (pkg->hits.v[i].bit == CONTENT_IMAGE)
			return true;
	return false;
}

static void follow(struct walk *w, alpm_pkg_t *pkg)
{
	for (alpm_list_t *i = alpm_pkg_get_depends(pkg); i != NULL; i = i->next) {
		const alpm_depend_t *dep = i->data;

		if (!strv_has(&w->queue, dep->name))
			strv_add(&w->queue, dep->name);
	}
}

static bool provides(alpm_pkg_t *pkg, const char *name)
{
	if (strcmp(alpm_pkg_get_name(pkg), name) == 0)
		return true;
	for (alpm_list_t *i = alpm_pkg_get_provides(pkg); i != NULL; i = i->next) {
		const alpm_depend_t *given = i->data;

		if (strcmp(given->name, name) == 0)
			return true;
	}
	return false;
}

static bool visit_new(struct walk *w, const char *name)
{
	struct txn *txn = w->p->txn;
	bool is_new = false;

	for (size_t i = 0; i < txn->n; i++) {
		struct package *pkg = &txn->packages[i];

		if (!package_comes(pkg) || !provides(pkg->pkg, name))
			continue;
		is_new = true;
		/* Headers may depend on their kernel: nothing is built with what that needs. */
		if (pkg->is_wanted || is_kernel(pkg))
			continue;
		pkg->is_wanted = true;
		follow(w, pkg->pkg);
	}
	return is_new;
}

/* What is installed and stays may depend on something that is new. */
static void visit_installed(struct walk *w, const char *name)
{
	alpm_db_t *local = alpm_get_localdb(w->p->txn->alpm);
	alpm_pkg_t *found = alpm_db_get_pkg(local, name);

	for (alpm_list_t *i = alpm_db_get_pkgcache(local); found == NULL && i != NULL;
	     i = i->next)
		if (provides(i->data, name))
			found = i->data;
	if (found != NULL)
		follow(w, found);
}

/* Anything that comes and is neither a kernel's nor wanted already. */
static bool has_candidates(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		if (package_comes(&txn->packages[i]) && !txn->packages[i].is_wanted &&
		    !is_kernel(&txn->packages[i]))
			return true;
	return false;
}

static int walk_dependencies(struct planner *p, struct kg_err *err)
{
	struct walk w = { .p = p };
	bool is_ok;

	if (!has_candidates(p->txn))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		strv_add(&w.queue, tools[i]);
	for (size_t i = 0; i < p->txn->n; i++)
		if (p->txn->packages[i].is_wanted)
			follow(&w, p->txn->packages[i].pkg);
	for (size_t i = 0; i < w.queue.n && strv_ok(&w.queue); i++)
		if (!visit_new(&w, w.queue.v[i]))
			visit_installed(&w, w.queue.v[i]);
	is_ok = strv_ok(&w.queue);
	strv_fini(&w.queue);
	return is_ok ? 0 : kg_fail_errno(err, -ENOMEM, "making the plan");
}

static unsigned int bits_of(const void *package, const char *release)
{
	const struct package *pkg = package;

	return package_bits(&pkg->hits, release);
}

static void list_archive(struct planner *p, const struct package *pkg)
{
	const struct kg_plan_archive archive = {
		.package = pkg->name,
		.version = pkg->version,
		.path = pkg->path,
		.change = package_change(pkg),
	};

	planning_add_archive(p->plan, archive, pkg->is_wanted, bits_of, pkg);
}

static void want_sources(struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		for (size_t k = 0; k < txn->packages[i].hits.n; k++)
			if (txn->packages[i].is_listed &&
			    txn->packages[i].hits.v[k].bit == CONTENT_SOURCE)
				txn->packages[i].is_wanted = true;
}

int planner_add_archives(struct planner *p, struct kg_err *err)
{
	int r;

	want_sources(p->txn);
	r = walk_dependencies(p, err);
	for (size_t i = 0; r == 0 && i < p->txn->n; i++)
		if (p->txn->packages[i].is_listed || p->txn->packages[i].is_wanted)
			list_archive(p, &p->txn->packages[i]);
	if (r == 0 && p->plan->arena.failed)
		r = kg_fail_errno(err, -ENOMEM, "making the plan");
	return r;
}
