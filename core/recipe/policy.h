/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/job.h"

/*
 * /etc/kmodgate/kmodgate.yaml, then /etc/kmodgate/kmodgate.d/ *.yaml in name order; format in
 * kmodgate.yaml(5). Absent files are the defaults; a malformed one is -KGE_FORMAT with its name
 * and line.
 */
int policy_read(const struct kg_system *sys, struct kg_policy *ret_policy,
		struct kg_err *err) _must_check_;
void policy_fini(struct kg_policy *policy);
