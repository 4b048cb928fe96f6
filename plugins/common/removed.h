/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/base/str.h"
#include "core/plan/plan.h"

/*
 * Writes @text, the paths that go away, a line each and relative to the root, to @run_dir/@prefixDIGEST
 * and names it in the plan. Named by its content, since equal plans have equal ids.
 */
int removed_write(struct kg_plan *plan, const char *run_dir, const char *prefix,
		  const struct str *text, struct kg_err *err) _must_check_;
/* Lists of @prefix that transactions before have left: only one runs at a time. */
void removed_drop_older(const char *run_dir, const char *prefix);
