/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What every plugin's plan is made with, whatever its packages look like. */
#include "core/plan/plan.h"
#include "plugins/common/content.h"
#include "plugins/common/owner.h"

/* Where lists of removed files lie. */
#define PLANNING_RUN_DIR "/run/kmodgate"

/* A plugin's own: the packages of a transaction, and the plan that is made of them. */
struct planner;
typedef int planning_step_fn(struct planner *p, struct kg_err *err);

struct planning_steps {
	planning_step_fn *add_kernels;
	planning_step_fn *add_sources;
	uint64_t (*growth)(
		const struct planner *p); /* bytes; 0: none, or less than none */
	/* Only when something may be built. */
	planning_step_fn *add_headers;
	planning_step_fn *add_archives;
	planning_step_fn *add_removed; /* the list, in PLANNING_RUN_DIR */
};

/* All of them: @plan, which is @p's, is complete but for its id. */
int planning_make(const struct planning_steps *steps, struct planner *p,
		  struct kg_plan *plan, struct kg_err *err) _must_check_;
/* By whom and for whom, and the id: nothing may be changed afterwards. */
int planning_seal(struct kg_plan *plan, const char *manager, const struct owner *owner,
		  struct kg_err *err) _must_check_;

/* What a transaction does to something that is there before it, after it, or both. */
enum kg_change planning_change(bool before, bool after);
/* A kernel or a source enters or changes: something may be built. */
bool planning_builds(const struct kg_plan *plan);

/* The bits of what @package holds of @release. */
typedef unsigned int planning_bits_fn(const void *package, const char *release);
/*
 * Adds @archive to the plan, role and release filled in by what @bits_of says of @package. An
 * archive that is no kernel's own is left out unless it @is_wanted for a build. Memory that fails
 * is the plan's arena's to tell.
 */
void planning_add_archive(struct kg_plan *plan, struct kg_plan_archive archive,
			  bool is_wanted, planning_bits_fn *bits_of, const void *package);
