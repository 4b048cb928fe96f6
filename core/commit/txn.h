/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What txn*.c and recover share beyond commit.h. */
#include "core/commit/commit.h"

#define TXN_JOURNAL "transaction" /* its kind */

/* state_dir/txn, -ENOENT silently. */
int txn_try_folder(const struct kg_system *sys);
/* What one line of the journal says of @txn's state and arrived. */
void txn_apply_line(struct txn *txn, const char *line);
/* Those that are settled and whose removal was cut short. */
int txn_list_settled(const struct kg_system *sys, struct strv *ret_ids,
		     struct kg_err *err) _must_check_;
/* Everything of @id, settled or never begun. */
int txn_drop(const struct kg_system *sys, const char *id,
	     struct kg_err *err) _must_check_;
