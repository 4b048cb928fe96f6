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
