/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to core/plan. */
#include "core/plan/plan.h"

enum plan_part { PLAN_WHOLE, PLAN_BODY_ONLY }; /* the body has neither id nor owner */

int plan_write_body(const struct kg_plan *plan, enum plan_part part, struct str *out,
		    struct kg_err *err) _must_check_;
