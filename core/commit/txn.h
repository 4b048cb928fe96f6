/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What recover needs beyond commit.h. */
#include "core/commit/commit.h"

/* state_dir/txn, -ENOENT silently. */
int txn_try_folder(const struct kg_system *sys);
/* As txn_list(), settled ones too. */
int txn_list_all(const struct kg_system *sys, struct strv *ret_ids, struct kg_err *err)
	_must_check_;
/* A folder without a journal line: nothing was done in its name. */
int txn_drop_unbegun(const struct kg_system *sys, const char *id, struct kg_err *err)
	_must_check_;
/* The rest of folders whose removal was cut short. */
int txn_drop_gone(const struct kg_system *sys, struct kg_err *err) _must_check_;
