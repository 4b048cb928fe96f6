/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/plan/plan.h"

/*
 * What a MANAGER-state program ends with: prints @state unless @r, or writing it, is an error,
 * which is then said on stderr. Frees @state. Returns the exit code: any failure is 1, as "not
 * known" must not be taken for "not installed".
 */
int state_answer(struct kg_state *state, int r, struct kg_err *err) _must_check_;
