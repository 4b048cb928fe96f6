/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A plan on its way to the gate. */
#include "core/plan/plan.h"

#define GATE_PROGRAM KG_SBINDIR "/kmodgate"

/* The plan's text on stdout, for --print. */
int handover_print(const struct kg_plan *plan, struct kg_err *err) _must_check_;
/* A descriptor to read it from; no file. */
int handover_open(const struct kg_plan *plan, struct kg_err *err) _must_check_;
/* `kmodgate gate @option` (NULL: none) takes this process's place. Returns only an error. */
int handover_exec(const struct kg_plan *plan, const char *option,
		  struct kg_err *err) _must_check_;
