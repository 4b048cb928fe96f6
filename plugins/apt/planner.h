/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From the packages of a transaction to the plan. */
#include "core/plan/plan.h"
#include "plugins/apt/txn.h"
#include "plugins/common/planning.h"

struct planner {
	struct txn *txn;
	struct kg_plan *plan; /* its arena owns what is made here */
	const char **
		image_versions; /* of plan->kernels, same order; NULL: no package has it */
	size_t n_image_versions;
	enum {
		PLANNER_FETCH,
		PLANNER_NO_FETCH
	} fetch; /* headers that are not in sight */
};

/* The steps, in this order; the plan is complete but for owner and id. */
int planner_add_kernels(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_sources(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_headers(struct planner *p, struct kg_err *err) _must_check_;
int planner_add_archives(struct planner *p, struct kg_err *err) _must_check_;
/* Writes PLANNING_RUN_DIR/removed-DIGEST when there is something to say. */
int planner_add_removed(struct planner *p, struct kg_err *err) _must_check_;
/* Drops what was kept for headers that are installed by now, or whose kernel is gone. */
void planner_drop_kept(struct planner *p);
/* All of them. */
int planner_make(struct planner *p, struct kg_err *err) _must_check_;

/* "amd64" of 6.1.0-56-amd64; "" when there is none. In the plan's arena. */
const char *planner_flavour(struct planner *p, const char *release);

/* A kernel image of @release is on disk; the installed package it is of, NULL none. */
bool planner_is_image_there(struct planner *p, const char *release);
const struct db_package *planner_image_package(struct planner *p, const char *release);
/* The installed package of its headers, in whatever version; NULL none. */
const struct db_package *planner_headers_package(struct planner *p, const char *release);
