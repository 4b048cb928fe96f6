/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What every plugin's plan is made with, whatever its packages look like. */
#include "core/plan/plan.h"
#include "plugins/common/content.h"

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
