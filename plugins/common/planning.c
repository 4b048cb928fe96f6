// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/planning.h"

int planning_make(const struct planning_steps *steps, struct planner *p,
		  struct kg_plan *plan, struct kg_err *err)
{
	int r = steps->add_kernels(p, err);

	plan->growth_bytes = steps->growth(p);
	if (r == 0)
		r = steps->add_sources(p, err);
	if (r == 0 && planning_builds(plan)) {
		r = steps->add_headers(p, err);
		if (r == 0)
			r = steps->add_archives(p, err);
		if (r == 0)
			r = steps->add_removed(p, err);
	}
	if (r == 0 && plan->arena.failed)
		r = kg_fail_errno(err, -ENOMEM, "making the plan");
	return r;
}

int planning_seal(struct kg_plan *plan, const char *manager, const struct owner *owner,
		  struct kg_err *err)
{
	plan->manager = manager;
	plan->owner_pid = owner->pid;
	plan->owner_start = owner->start;
	plan->root = "/";
	return plan_seal(plan, err);
}

enum kg_change planning_change(bool before, bool after)
{
	if (before && after)
		return KG_CHANGE_CHANGES;
	return after ? KG_CHANGE_ENTERS : KG_CHANGE_LEAVES;
}

bool planning_builds(const struct kg_plan *plan)
{
	for (size_t i = 0; i < plan->n_kernels; i++)
		if (plan_comes(plan->kernels[i].change))
			return true;
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan_comes(plan->sources[i].change))
			return true;
	return false;
}

/* The first release of which @package holds any of @bits. */
static const char *release_with(const struct kg_plan *plan, unsigned int bits,
				planning_bits_fn *bits_of, const void *package)
{
	for (size_t i = 0; i < plan->n_kernels; i++)
		if ((bits_of(package, plan->kernels[i].release) & bits) != 0)
			return plan->kernels[i].release;
	return NULL;
}

void planning_add_archive(struct kg_plan *plan, struct kg_plan_archive archive,
			  bool is_wanted, planning_bits_fn *bits_of, const void *package)
{
	/* An image package may hold modules too: what says most comes first. */
	static const struct {
		unsigned int bit;
		enum kg_role role;
		bool is_always;
	} roles[] = {
		{ CONTENT_IMAGE, KG_ROLE_IMAGE, true },
		{ CONTENT_MODULES, KG_ROLE_MODULES, true },
		{ CONTENT_HEADERS, KG_ROLE_HEADERS, false },
	};
	struct kg_plan_archive *added;

	archive.role = KG_ROLE_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(roles) && archive.release == NULL; i++) {
		if (!roles[i].is_always && !is_wanted)
			return;
		archive.release = release_with(plan, roles[i].bit, bits_of, package);
		if (archive.release != NULL)
			archive.role = roles[i].role;
	}
	added = ARENA_ADD(&plan->arena, plan->archives, plan->n_archives);
	if (added != NULL)
		*added = archive;
}
