// SPDX-License-Identifier: GPL-2.0-or-later
/* Transactions as folders: which there are, and how they go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/commit/modtree.h"
#include "core/commit/txn.h"

/* ---- the list ---- */

struct listed {
	uint64_t time;
	char id[256];
};

static int compare_listed(const void *a, const void *b)
{
	const struct listed *x = a;
	const struct listed *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* When it began, and whether it is settled. False: no folder. An unreadable one counts by its folder's time. */
static bool look_at(int txns_fd, struct listed *l, bool *ret_is_settled)
{
	_cleanup_close_ int fd =
		openat(txns_fd, l->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_journal_ struct journal j = JOURNAL_INIT;
	struct txn txn = TXN_INIT;
	const char *begin;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret_is_settled = false;
	l->time = (uint64_t)st.st_mtime;
	if (journal_open(fd, TXN_JOURNAL, &j, NULL) < 0)
		return true;
	begin = journal_subject(j.lines.v[0], "begin");
	if (begin != NULL)
		(void)!parse_u64n(begin, strcspn(begin, " "), &l->time);
	for (size_t i = 0; i < j.lines.n; i++)
		txn_apply_line(&txn, j.lines.v[i]);
	strv_fini(&txn.arrived);
	*ret_is_settled = txn.state == TXN_SETTLED;
	return true;
}

enum list_which { LIST_UNSETTLED, LIST_SETTLED };

static int list_dir(int txns_fd, enum list_which which, struct arena *arena,
		    struct listed **ret_list, size_t *ret_n)
{
	_cleanup_dir_ DIR *dir = fd_list(txns_fd);
	struct dirent *entry;
	struct listed *list = NULL;
	size_t n = 0;

	if (dir == NULL)
		return -errno;
	while ((entry = fd_list_next(dir)) != NULL) {
		struct listed l = { 0 };
		struct listed *new;
		bool is_settled;

		if (!name_is_plain(entry->d_name))
			continue;
		snprintf(l.id, sizeof(l.id), "%s", entry->d_name);
		if (!look_at(txns_fd, &l, &is_settled) ||
		    is_settled != (which == LIST_SETTLED))
			continue;
		new = ARENA_ADD(arena, list, n);
		if (new == NULL)
			return -ENOMEM;
		*new = l;
	}
	*ret_list = list;
	*ret_n = n;
	return 0;
}

static int list_txns(const struct kg_system *sys, enum list_which which,
		     struct strv *ret_ids, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_close_ int txns_fd = txn_try_folder(sys);
	struct listed *list = NULL;
	size_t n = 0;
	int r = txns_fd == -ENOENT ? 0 : txns_fd;

	if (txns_fd >= 0)
		r = list_dir(txns_fd, which, &arena, &list, &n);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot list %s/txn", sys->state_dir);
	if (n > 0)
		qsort(list, n, sizeof(*list), compare_listed);
	for (size_t i = 0; i < n; i++)
		strv_add(ret_ids, list[i].id);
	return strv_ok(ret_ids) ? 0
				: kg_fail_errno(err, -ENOMEM, "cannot list transactions");
}

int txn_list(const struct kg_system *sys, struct strv *ret_ids, struct kg_err *err)
{
	return list_txns(sys, LIST_UNSETTLED, ret_ids, err);
}

int txn_list_settled(const struct kg_system *sys, struct strv *ret_ids,
		     struct kg_err *err)
{
	return list_txns(sys, LIST_SETTLED, ret_ids, err);
}

/* ---- the end ---- */

int txn_drop_scratch(struct txn *txn, struct kg_err *err)
{
	static const char *const names[] = { "stage", "work", "sealed" };
	int result = 0;

	if (txn->state == TXN_SETTLED)
		return txn_remove(txn, err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = fd_remove_tree_at(txn->dir_fd, names[i], err);

		result = result < 0 ? result : r;
	}
	return result;
}

static int remove_kept(const struct kg_system *sys, const char *id, struct kg_err *err)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);
	int r = 0;

	if (work_fd >= 0)
		r = fd_remove_tree_at(work_fd, id, err);
	if (r == 0)
		modtree_drop_work(sys);
	return r;
}

/*
 * The journal last: until it goes, the rest of the folder is known as settled. (No rename to a
 * name of the dead: a folder from the lower layer of an overlay cannot be renamed.)
 */
static int remove_folder(int txns_fd, const char *id, struct kg_err *err)
{
	_cleanup_close_ int dir_fd =
		openat(txns_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = dir_fd >= 0 ? fd_list(dir_fd) : NULL;
	_cleanup_strv_ struct strv names = { 0 };
	struct dirent *entry;
	int r = 0;

	if (dir_fd < 0 && errno == ENOENT)
		return 0;
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (strcmp(entry->d_name, JOURNAL_NAME) != 0)
			strv_add(&names, entry->d_name);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = fd_remove_tree_at(dir_fd, names.v[i], err);
	if (r == 0 && (dir == NULL || !strv_ok(&names)))
		r = kg_fail_errno(err, -ENOMEM, "cannot list transaction %s", id);
	return r < 0 ? r : fd_remove_tree_at(txns_fd, id, err);
}

int txn_drop(const struct kg_system *sys, const char *id, struct kg_err *err)
{
	_cleanup_close_ int txns_fd = txn_try_folder(sys);
	int r = remove_kept(sys, id, err);

	if (r < 0 || txns_fd == -ENOENT)
		return r;
	if (txns_fd < 0)
		return kg_fail_errno(err, txns_fd, "cannot open %s/txn", sys->state_dir);
	return remove_folder(txns_fd, id, err);
}

int txn_remove(struct txn *txn, struct kg_err *err)
{
	int r = 0;

	if (txn->state != TXN_SETTLED)
		r = txn_note(txn, "settled", NULL, err);
	return r < 0 ? r : txn_drop(txn->sys, txn->plan.id, err);
}
