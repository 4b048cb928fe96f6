// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which archives the gate needs: kernels, headers and sources, and of everything a build with
 * them depends on what is new in this transaction (a compiler, pahole, the C library).
 */
#include <stdlib.h>
#include <string.h>

#include <rpm/rpmdb.h>
#include <rpm/rpmfiles.h>
#include <rpm/rpmtd.h>

#include "plugins/common/planner.h"
#include "plugins/rpm/package.h"

/* What any module is built with, whoever depends on it. */
static const char *const tools[] = { "make", "gcc", "binutils", "glibc-devel" };

/* Names of packages, of what they provide, or files, still to be followed. */
struct walk {
	struct planner *p;
	struct strv queue;
	struct strv seen; /* installed packages */
};

static unsigned int all_bits(const struct package *pkg)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < pkg->n_hits; i++)
		bits |= pkg->hits[i].bit;
	return bits;
}

static void follow(struct walk *w, Header h)
{
	struct rpmtd_s names;
	const char *name;

	if (!headerGet(h, RPMTAG_REQUIRENAME, &names, HEADERGET_MINMEM))
		return;
	while ((name = rpmtdNextString(&names)) != NULL)
		if (!str_starts(name, "rpmlib(") && !str_starts(name, "config(") &&
		    !strv_has(&w->queue, name))
			strv_add(&w->queue, name);
	rpmtdFreeData(&names);
}

static bool has_string(Header h, rpmTagVal tag, const char *wanted)
{
	struct rpmtd_s names;
	const char *name;
	bool has = false;

	if (!headerGet(h, tag, &names, HEADERGET_EXT))
		return false;
	while (!has && (name = rpmtdNextString(&names)) != NULL)
		has = strcmp(name, wanted) == 0;
	rpmtdFreeData(&names);
	return has;
}

static bool provides(const struct package *pkg, const char *name)
{
	return has_string(pkg->header,
			  name[0] == '/' ? RPMTAG_FILENAMES : RPMTAG_PROVIDENAME, name);
}

static bool visit_new(struct walk *w, const char *name)
{
	struct txn *txn = w->p->txn;
	bool is_new = false;

	for (size_t i = 0; i < txn->n; i++) {
		struct package *pkg = &txn->packages[i];

		if (pkg->path == NULL || !provides(pkg, name))
			continue;
		is_new = true;
		/* Headers may depend on their kernel: nothing is built with what that needs. */
		if (pkg->is_wanted || (all_bits(pkg) & CONTENT_KERNEL) != 0)
			continue;
		pkg->is_wanted = true;
		follow(w, pkg->header);
	}
	return is_new;
}

/* What is installed and stays may depend on something that is new. */
static void visit_installed(struct walk *w, const char *name)
{
	rpmdbMatchIterator it = rpmtsInitIterator(
		w->p->txn->ts, name[0] == '/' ? RPMDBI_INSTFILENAMES : RPMDBI_PROVIDENAME,
		name, 0);
	Header h;

	while ((h = rpmdbNextIterator(it)) != NULL) {
		char *nvra = headerGetAsString(h, RPMTAG_NVRA);

		if (nvra != NULL && !strv_has(&w->seen, nvra)) {
			strv_add(&w->seen, nvra);
			follow(w, h);
		}
		free(nvra);
	}
	rpmdbFreeIterator(it);
}

/* Anything that comes and is neither a kernel's nor wanted already. */
static bool has_candidates(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].path != NULL && !txn->packages[i].is_wanted &&
		    (all_bits(&txn->packages[i]) & CONTENT_KERNEL) == 0)
			return true;
	return false;
}

static void start_walk(struct walk *w)
{
	const struct kg_plan *plan = w->p->plan;
	struct txn *txn = w->p->txn;

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		strv_add(&w->queue, tools[i]);
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].is_wanted)
			follow(w, txn->packages[i].header);
	for (size_t i = 0; i < plan->n_kernels; i++)
		for (size_t k = 0; k < plan->kernels[i].n_headers; k++)
			if (plan->kernels[i].headers[k].change == KG_CHANGE_STAYS)
				strv_add(&w->queue, plan->kernels[i].headers[k].name);
}

static int walk_dependencies(struct planner *p, struct kg_err *err)
{
	struct walk w = { .p = p };
	bool is_ok;

	if (!has_candidates(p->txn))
		return 0;
	start_walk(&w);
	for (size_t i = 0; i < w.queue.n && strv_ok(&w.queue); i++)
		if (!visit_new(&w, w.queue.v[i]))
			visit_installed(&w, w.queue.v[i]);
	is_ok = strv_ok(&w.queue) && strv_ok(&w.seen);
	strv_fini(&w.queue);
	strv_fini(&w.seen);
	return is_ok ? 0 : kg_fail_errno(err, -ENOMEM, "making the plan");
}

/* ---- the list ---- */

static unsigned int bits_of(const void *package, const char *release)
{
	return package_bits(package, release);
}

static void list_archive(struct planner *p, const struct package *pkg)
{
	const struct kg_plan_archive archive = {
		.package = pkg->name,
		.version = pkg->evr,
		.path = pkg->path,
		.change = package_change(p->txn, pkg),
	};

	planning_add_archive(p->plan, archive, pkg->is_wanted, bits_of, pkg);
}

int planner_add_archives(struct planner *p, struct kg_err *err)
{
	int r;

	for (size_t i = 0; i < p->txn->n; i++)
		if (package_comes(&p->txn->packages[i]) &&
		    (all_bits(&p->txn->packages[i]) & CONTENT_SOURCE) != 0)
			p->txn->packages[i].is_wanted = true;
	r = walk_dependencies(p, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->txn->n; i++)
		if (p->txn->packages[i].path != NULL)
			list_archive(p, &p->txn->packages[i]);
	return p->plan->arena.failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}
