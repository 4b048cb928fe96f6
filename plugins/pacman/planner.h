/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From the packages of a transaction to the plan. */
#include "plugins/common/planning.h"
#include "plugins/pacman/package.h"

struct planner {
	struct txn *txn;
	struct kg_plan *plan; /* its arena owns what is made here */
};

/* The steps, in this order; the plan is complete but for owner and id. */
int planner_add_kernels(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_sources(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_headers(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_archives(struct planner *p, struct kg_err *err) _must_check_;
/* Writes RUN_DIR/removed-pacman-DIGEST when there is something to say. */
int planner_add_removed(struct planner *p, const char *run_dir,
			struct kg_err *err) _must_check_;
