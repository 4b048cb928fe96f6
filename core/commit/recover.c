// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/commit/commit.h"
#include "core/commit/record.h"
#include "core/commit/swap.h"
#include "core/commit/take_back.h"
#include "core/commit/modtree.h"
#include "core/commit/txn.h"

/* The gate died before its verdict, and the manager with it: nothing was changed yet. */
static int stop_open(struct txn *txn, struct kg_err *err)
{
	int r = take_back_all_releases(txn->sys, txn->plan.id, err);

	if (r == 0)
		r = txn_note(txn, "stopped", NULL, err);
	return r < 0 ? r : txn_drop_scratch(txn, err);
}

static int recover_txn(const struct kg_system *sys, const char *id, struct kg_err *err)
{
	_cleanup_txn_ struct txn txn = TXN_INIT;
	int r = txn_open(sys, id, &txn, err);

	if (r == -ENOENT) /* died before "begin" */
		return txn_drop(sys, id, err);
	if (r < 0 || txn_is_live(&txn))
		return r;
	switch (txn.state) {
	case TXN_OPEN:
		return stop_open(&txn, err);
	case TXN_STOPPED:
		return txn_drop_scratch(&txn, err);
	case TXN_PASSED: /* settle's: it asks the package database */
		return 0;
	case TXN_SETTLED:
		break; /* gone already: drop_settled() */
	}
	return 0;
}

/* What a newer kmodgate wrote, or a disk damaged, blocks nobody: it stays and is named. */
static int judge(int r, const struct kg_err *why, int result, struct kg_err *err)
{
	if (r < 0)
		kg_warning("%s", kg_err_text(why, r));
	if (r >= 0 || r == -KGE_FORMAT || result < 0)
		return result;
	return kg_fail(err, r, "%s", kg_err_text(why, r));
}

/*
 * Kept by a transaction that is no more. A kernel that is not there must have no modules; for
 * one that is, what is in place stays.
 */
static int recover_orphan(const struct kg_system *sys, int work_fd, const char *id,
			  struct kg_err *err)
{
	_cleanup_strv_ struct strv releases = { 0 };
	int r = record_releases(sys, id, &releases);

	for (size_t i = 0; r == 0 && i < releases.n; i++)
		if (!modtree_has_kernel(sys, releases.v[i]))
			r = take_back_release(sys, id, releases.v[i], err);
	return r < 0 ? r : fd_remove_tree_at(work_fd, id, err);
}

static int list_orphans(const struct kg_system *sys, int work_fd, struct strv *ret_ids)
{
	_cleanup_close_ int txns_fd = txn_try_folder(sys);
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;

	if (txns_fd < 0) /* /var may be another file system, and not be there yet */
		return 0;
	dir = fd_list(work_fd);
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (name_is_plain(entry->d_name) &&
		    strcmp(entry->d_name, MODTREE_SWITCH) != 0 &&
		    strcmp(entry->d_name, MODTREE_MADE) != 0 &&
		    fstatat(txns_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno == ENOENT)
			strv_add(ret_ids, entry->d_name);
	return strv_ok(ret_ids) ? 0 : -ENOMEM;
}

static int recover_orphans(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);
	_cleanup_strv_ struct strv ids = { 0 };
	int result = 0;

	if (work_fd < 0)
		return 0;
	result = list_orphans(sys, work_fd, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct kg_err why = { 0 };
		int r = recover_orphan(sys, work_fd, ids.v[i], &why);

		result = judge(r, &why, result, err);
	}
	return result;
}

static int drop_settled(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int r = txn_list_settled(sys, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++)
		r = txn_drop(sys, ids.v[i], err);
	return r;
}

int commit_recover(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int result = swap_resolve_all(sys, err);
	int r = drop_settled(sys, err);

	if (r == 0)
		r = txn_list(sys, &ids, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ids.n; i++) {
		struct kg_err why = { 0 };

		r = recover_txn(sys, ids.v[i], &why);
		result = judge(r, &why, result, err);
	}
	r = recover_orphans(sys, err);
	modtree_drop_work(sys);
	return result < 0 ? result : r;
}
