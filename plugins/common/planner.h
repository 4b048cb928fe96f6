/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From the packages of a transaction to the plan, where a plugin needs nothing else for it. */
#include "plugins/common/planning.h"

struct planner {
	struct txn *txn;      /* the plugin's own */
	struct kg_plan *plan; /* its arena owns what is made here */
};

/* planning_steps, by every such plugin's own code. */
int planner_add_kernels(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_sources(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_headers(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_archives(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_removed(struct planner *p, struct kg_err *err) _must_check_;
uint64_t planner_growth(const struct planner *p);

_must_check_ static inline int planner_make(struct planner *p, struct kg_err *err)
{
	static const struct planning_steps steps = {
		.add_kernels = planner_add_kernels,
		.add_sources = planner_add_sources,
		.growth = planner_growth,
		.add_headers = planner_add_headers,
		.add_archives = planner_add_archives,
		.add_removed = planner_add_removed,
	};

	return planning_make(&steps, p, p->plan, err);
}
