// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which archives the gate needs: kernels, headers and sources, and of everything a build with
 * them depends on what is new in this transaction (a compiler, pahole, the C library).
 */
#include <string.h>

#include "plugins/apt/deb.h"
#include "plugins/apt/planner.h"

/* What any module is built with, whoever depends on it. */
static const char *const tools[] = { "make", "gcc", "binutils", "libc6-dev" };

/* Names still to be followed. */
struct walk {
	struct planner *p;
	struct strv queue;
	bool *is_seen; /* of the installed packages */
};

static void follow(struct walk *w, const char *field)
{
	const char *name;
	size_t len;

	while ((field = deb_next_name(field, &name, &len)) != NULL)
		strv_addn(&w->queue, name, len);
}

static bool visit_new(struct walk *w, const char *name, size_t len)
{
	struct txn *txn = w->p->txn;
	bool is_new = false;

	for (struct txn_package *pkg = txn_find_new(txn, name, len, 0); pkg != NULL;
	     pkg = txn_find_new(txn, name, len, (size_t)(pkg - txn->packages) + 1)) {
		/* a build uses the one that is installed, and what that depends on */
		if (pkg->is_passed_over)
			continue;
		is_new = is_new || strlen(pkg->plain_name) == len;
		/* Headers may depend on their kernel: nothing is built with what that needs. */
		if (pkg->is_wanted || (pkg->new_bits & CONTENT_KERNEL) != 0)
			continue;
		pkg->is_wanted = true;
		follow(w, pkg->depends);
	}
	return is_new;
}

static bool provides(const struct db_package *pkg, const char *name, size_t len)
{
	const char *field = pkg->provides;
	const char *word;
	size_t n;

	if (strlen(pkg->name) == len && memcmp(pkg->name, name, len) == 0)
		return true;
	while ((field = deb_next_name(field, &word, &n)) != NULL)
		if (n == len && memcmp(word, name, len) == 0)
			return true;
	return false;
}

/* What is installed and stays may depend on something that is new. */
static void visit_installed(struct walk *w, const char *name, size_t len)
{
	const struct db *db = &w->p->txn->db;

	for (size_t i = 0; i < db->n; i++) {
		if (w->is_seen[i] || !provides(&db->packages[i], name, len))
			continue;
		w->is_seen[i] = true;
		follow(w, db->packages[i].pre_depends);
		follow(w, db->packages[i].depends);
	}
}

static void visit_name(struct walk *w, const char *name, size_t len)
{
	if (!visit_new(w, name, len))
		visit_installed(w, name, len);
}

/* Already wanted: headers and sources, whose dependencies nobody has followed yet. */
static void start_walk(struct walk *w)
{
	const struct txn *txn = w->p->txn;
	const struct kg_plan *plan = w->p->plan;

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		strv_add(&w->queue, tools[i]);
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].is_wanted)
			follow(w, txn->packages[i].depends);
	for (size_t i = 0; i < plan->n_kernels; i++)
		for (size_t j = 0; j < plan->kernels[i].n_headers; j++)
			strv_add(&w->queue, plan->kernels[i].headers[j].name);
}

static int walk_dependencies(struct planner *p, struct kg_err *err)
{
	struct walk w = { .p = p };
	bool failed;

	w.is_seen = arena_array(&p->txn->arena, p->txn->db.n, sizeof(*w.is_seen));
	if (w.is_seen == NULL)
		return kg_fail_errno(err, -ENOMEM, "making the plan");
	start_walk(&w);
	for (size_t i = 0; i < w.queue.n; i++)
		visit_name(&w, w.queue.v[i], strlen(w.queue.v[i]));
	failed = !strv_ok(&w.queue);
	strv_fini(&w.queue);
	return failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}

/* ---- the list ---- */

static bool is_of_coming_source(const struct txn_package *pkg)
{
	return pkg->path != NULL && (pkg->new_bits & CONTENT_SOURCE) != 0;
}

static void want_sources(struct planner *p)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		struct txn_package *pkg = &p->txn->packages[i];

		if (is_of_coming_source(pkg))
			pkg->is_wanted = true;
	}
}

static unsigned int bits_of(const void *package, const char *release)
{
	const struct txn_package *pkg = package;

	return txn_bits_of(&pkg->after, release);
}

static void list_archive(struct planner *p, const struct txn_package *pkg)
{
	const struct kg_plan_archive archive = {
		.package = pkg->name,
		.version = pkg->new_version,
		.path = pkg->path,
		.change = pkg->is_fetched
				  ? KG_CHANGE_STAYS
				  : planning_change(pkg->old_version != NULL, true),
	};

	planning_add_archive(p->plan, archive, pkg->is_wanted, bits_of, pkg);
}

int planner_add_archives(struct planner *p, struct kg_err *err)
{
	int r;

	want_sources(p);
	r = walk_dependencies(p, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->txn->n; i++)
		if (p->txn->packages[i].path != NULL)
			list_archive(p, &p->txn->packages[i]);
	return p->plan->arena.failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}
