// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/commit/take_back.h"

#include <string.h>

#include "core/base/log.h"
#include "core/commit/record.h"
#include "core/commit/swap.h"
#include "core/commit/modtree.h"

enum now { NOW_OURS, NOW_GONE, NOW_FOREIGN };

/* Is @e's path still as we left it? */
static int look_now(const struct swap *s, const struct record_entry *e, enum now *ret_now)
{
	char hex[DIGEST_HEX_SIZE];
	int r = modtree_digest_in(s->sys, s->release, e->path, hex);

	if (r < 0 && r != -ENOENT && r != -KGE_EXISTS)
		return r;
	if (r == -ENOENT)
		*ret_now = NOW_GONE;
	else if (r == 0 && e->digest != NULL && strcmp(hex, e->digest) == 0)
		*ret_now = NOW_OURS;
	else
		*ret_now = NOW_FOREIGN;
	return 0;
}

static int take_back_file(struct swap *s, const struct record_entry *e,
			  struct kg_err *err)
{
	enum now now;
	int r = look_now(s, e, &now);

	if (r < 0)
		return kg_fail_errno(err, r, "%s: %s", s->release, e->path);
	if (now == NOW_FOREIGN) {
		kg_warning("%s: %s was changed by something else and stays as it is",
			   s->release, e->path);
		return 0;
	}
	if (e->before != NULL)
		return swap_add_put(s, e->before_fd, e->before, SWAP_LINK, e->path, err);
	return now == NOW_GONE ? 0 : swap_add_drop(s, e->path);
}

static int take_back_all(struct swap *s, const struct record *rec, struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rec->n_entries; i++)
		r = take_back_file(s, &rec->entries[i], err);
	for (size_t i = rec->folders.n; r == 0 && i-- > 0;)
		r = swap_add_prune(s, rec->folders.v[i]);
	return r < 0 ? r : swap_go(s, err);
}

int take_back_release(const struct kg_system *sys, const char *txn_id,
		      const char *release, struct kg_err *err)
{
	_cleanup_record_ struct record rec = { 0 };
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = record_read(sys, txn_id, release, &rec, err);

	if (r == 0)
		r = swap_open(sys, release, SWAP_BACK, txn_id, &s, err);
	if (r < 0)
		return r;
	r = take_back_all(&s, &rec, err);
	if (r < 0) {
		swap_abort(&s);
		return r;
	}
	if (modtree_has_kernel(sys, release) && rec.n_entries > 0)
		return 0; /* depmod_run() closes it */
	r = swap_finish(&s, err);
	if (r < 0 && s.phase == SWAP_OPEN)
		(void)!swap_undo(&s, NULL);
	return r;
}

int set_take_back(struct txn *txn, const char *release, struct kg_err *err)
{
	_cleanup_strv_ struct strv releases = { 0 };
	int r = set_undo(txn->sys, release, err);

	if (r == 0)
		r = record_releases(txn->sys, txn->plan.id, &releases);
	if (r < 0 || !strv_has(&releases, release))
		return r;
	r = txn_note(txn, "take-back", release, err);
	if (r == 0)
		r = take_back_release(txn->sys, txn->plan.id, release, err);
	if (r == 0)
		record_forget_release(&txn->placed, release);
	return r;
}

/* The swap is still open when there are indexes that may list what was taken back. */
static int close_indexed(const struct kg_system *sys, const char *release,
			 struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = swap_find(sys, release, &s, err);

	return r <= 0 ? r : depmod_run(sys, release, NULL, err);
}

int take_back_all_releases(const struct kg_system *sys, const char *txn_id,
			   struct kg_err *err)
{
	_cleanup_strv_ struct strv releases = { 0 };
	int r = record_releases(sys, txn_id, &releases);

	for (size_t i = 0; r == 0 && i < releases.n; i++) {
		r = set_undo(sys, releases.v[i], err);
		if (r == 0)
			r = take_back_release(sys, txn_id, releases.v[i], err);
		if (r == 0)
			r = close_indexed(sys, releases.v[i], err);
	}
	return r < 0 ? kg_fail_errno(err, r, "cannot take back what %s placed", txn_id)
		     : 0;
}
