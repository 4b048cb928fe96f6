// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/planner.h"

#include <ctype.h>
#include <string.h>

/* "0.deb12.4", "56", "rc3": between the version and the flavour. */
static bool is_number_part(const char *part, size_t len)
{
	if (len > 2 && part[0] == 'r' && part[1] == 'c')
		part += 2;
	return isdigit((unsigned char)part[0]) != 0;
}

const char *planner_flavour(struct planner *p, const char *release)
{
	const char *part = release + strcspn(release, "-");

	while (*part == '-') {
		size_t len = strcspn(part + 1, "-");

		if (!is_number_part(part + 1, len))
			return arena_strdup(&p->plan->arena, part + 1);
		part += 1 + len;
	}
	return "";
}

static uint64_t growth(const struct planner *p)
{
	const struct txn *txn = p->txn;
	uint64_t more = 0;
	uint64_t less = 0;

	for (size_t i = 0; i < txn->n; i++) {
		const struct txn_package *pkg = &txn->packages[i];
		const struct db_package *old = NULL;

		if (pkg->is_fetched)
			continue;
		if (pkg->old_version != NULL)
			old = db_find(&txn->db, pkg->plain_name, pkg->old_arch);
		more += pkg->installed_kib;
		less += old != NULL ? old->installed_kib : 0;
	}
	return more > less ? (more - less) * 1024 : 0;
}

static int add_sources(struct planner *p, struct kg_err *err)
{
	int r = planner_add_sources(p, err);

	planner_drop_kept(p);
	return r;
}

int planner_make(struct planner *p, struct kg_err *err)
{
	static const struct planning_steps steps = {
		.add_kernels = planner_add_kernels,
		.add_sources = add_sources,
		.growth = growth,
		.add_headers = planner_add_headers,
		.add_archives = planner_add_archives,
		.add_removed = planner_add_removed,
	};
	int r = planning_make(&steps, p, p->plan, err);

	if (r == 0 && p->txn->arena.failed)
		r = kg_fail_errno(err, -ENOMEM, "making the plan");
	return r;
}
