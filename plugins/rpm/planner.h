/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From the packages of a transaction to the plan. */
#include "core/plan/plan.h"
#include "plugins/rpm/package.h"

struct planner {
	struct txn *txn;
	struct kg_plan *plan; /* its arena owns what is made here */
};

/* The steps, in this order; the plan is complete but for owner and id. */
int planner_add_kernels(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_sources(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_headers(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_archives(struct planner *p, struct kg_err *err) _must_check_;
/* Writes RUN_DIR/removed-rpm-DIGEST when there is something to say. */
int planner_add_removed(struct planner *p, const char *run_dir,
			struct kg_err *err) _must_check_;

static inline bool kernel_comes(const struct kg_plan_kernel *k)
{
	return k->change == KG_CHANGE_ENTERS || k->change == KG_CHANGE_CHANGES;
}
/* A kernel or a source enters or changes: something may be built. */
bool planner_builds(const struct planner *p);

/* Below @dir, at most @depth folders down: calls @take for every *.rpm. */
void archives_find(const char *dir, unsigned int depth,
		   void (*take)(const char *path, const char *name, void *data),
		   void *data);
