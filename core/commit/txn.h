/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What recover needs beyond commit.h. */
#include "core/commit/commit.h"

/* state_dir/txn, -ENOENT silently. */
int txn_try_folder(const struct kg_system *sys);
/* Those that are settled and whose removal was cut short. */
int txn_list_settled(const struct kg_system *sys, struct strv *ret_ids, struct kg_err *err)
	_must_check_;
/* Everything of @id, settled or never begun. */
int txn_drop(const struct kg_system *sys, const char *id, struct kg_err *err) _must_check_;
