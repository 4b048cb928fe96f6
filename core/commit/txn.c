// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/proc.h"
#include "core/commit/record.h"
#include "core/commit/take_back.h"
#include "core/commit/txn.h"

#define TXN_PLAN "plan"

void txn_fini(struct txn *txn)
{
	closep(&txn->dir_fd);
	txn->dir_fd = -1;
	journal_fini(&txn->journal);
	plan_fini(&txn->plan);
	txn->plan = (struct kg_plan){ 0 };
	strv_fini(&txn->placed);
	strv_fini(&txn->arrived);
}

static int open_txns(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };

	str_addf(&path, "%s/txn", sys->state_dir);
	if (!str_ok(&path))
		return kg_fail_errno(err, -ENOMEM, "%s", sys->state_dir);
	return fd_make_dir_in(sys->root_fd, str_get(&path), 0755, err);
}

/* As above for those who only look: nothing is made, -ENOENT silently. */
int txn_try_folder(const struct kg_system *sys)
{
	_cleanup_str_ struct str path = { 0 };

	str_addf(&path, "%s/txn", sys->state_dir);
	if (!str_ok(&path))
		return -ENOMEM;
	return fd_try_open_in(sys->root_fd, str_get(&path), O_RDONLY | O_DIRECTORY);
}

/* ---- what the journal says ---- */

void txn_apply_line(struct txn *txn, const char *line)
{
	const char *subject;

	if (journal_subject(line, "passed") != NULL)
		txn->state = TXN_PASSED;
	else if (journal_subject(line, "stopped") != NULL)
		txn->state = TXN_STOPPED;
	else if (journal_subject(line, "settled") != NULL)
		txn->state = TXN_SETTLED;
	else if ((subject = journal_subject(line, "departed")) != NULL)
		record_forget_release(&txn->arrived, subject);
	else if ((subject = journal_subject(line, "arrived")) != NULL &&
		 !strv_has(&txn->arrived, subject))
		strv_add(&txn->arrived, subject);
}

/* "begin TIME BOOT" */
static int apply_begin(struct txn *txn, struct kg_err *err)
{
	const char *subject = journal_subject(txn->journal.lines.v[0], "begin");
	const char *boot = subject != NULL ? strchr(subject, ' ') : NULL;

	if (boot == NULL)
		return kg_fail(err, -KGE_FORMAT,
			       "transaction journal: does not say when it began");
	snprintf(txn->boot_id, sizeof(txn->boot_id), "%s", boot + 1);
	txn->state = TXN_OPEN;
	for (size_t i = 0; i < txn->journal.lines.n; i++)
		txn_apply_line(txn, txn->journal.lines.v[i]);
	return strv_ok(&txn->arrived) ? 0 : -ENOMEM;
}

static void add_placed(struct txn *txn, const char *release, const struct strv *sets)
{
	for (size_t i = 0; i < sets->n; i++) {
		_cleanup_str_ struct str s = { 0 };

		str_addf(&s, "%s/%s", release, sets->v[i]);
		if (!strv_has(&txn->placed, str_get(&s)))
			strv_add(&txn->placed, str_get(&s));
	}
}

/* From what is on disk below lib/modules, not from notes: a take-back may have been cut short. */
static int find_placed(struct txn *txn, struct kg_err *err)
{
	_cleanup_strv_ struct strv releases = { 0 };
	int r = record_releases(txn->sys, txn->plan.id, &releases);

	for (size_t i = 0; r == 0 && i < releases.n; i++) {
		_cleanup_record_ struct record rec = { 0 };
		_cleanup_strv_ struct strv waiting = { 0 };

		r = record_read(txn->sys, txn->plan.id, releases.v[i], &rec, err);
		if (r == 0)
			r = record_waiting(txn->sys, txn->plan.id, releases.v[i],
					   &waiting);
		add_placed(txn, releases.v[i], &rec.sets);
		add_placed(txn, releases.v[i], &waiting);
	}
	if (r == 0 && !strv_ok(&txn->placed))
		r = -ENOMEM;
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "%s: cannot tell what was placed",
				      txn->plan.id);
}

/* ---- begin and open ---- */

static int read_plan(struct txn *txn, struct kg_err *err)
{
	_cleanup_close_ int fd =
		openat(txn->dir_fd, TXN_PLAN, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return kg_fail_errno(err, -errno, "cannot open its plan");
	return plan_read_fd(fd, &txn->plan, err);
}

static int open_at(const struct kg_system *sys, int txns_fd, const char *id,
		   struct txn *ret_txn, struct kg_err *err)
{
	struct txn txn = TXN_INIT;
	int r = 0;

	txn.sys = sys;
	txn.dir_fd = openat(txns_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (txn.dir_fd < 0)
		r = -errno;
	if (r == 0)
		r = journal_open(txn.dir_fd, TXN_JOURNAL, &txn.journal, err);
	if (r == 0)
		r = apply_begin(&txn, err);
	if (r == 0)
		r = read_plan(&txn, err);
	if (r == 0 && (txn.plan.id == NULL || strcmp(txn.plan.id, id) != 0))
		r = kg_fail(err, -KGE_FORMAT, "its plan is of another transaction");
	if (r == 0)
		r = find_placed(&txn, err);
	if (r == 0)
		*ret_txn = txn;
	else
		txn_fini(&txn);
	return r;
}

/* Says which transaction it was; -ENOENT stays silent. */
static int name_it(int r, const char *id, const struct kg_err *why, struct kg_err *err)
{
	return r == 0 ? 0
		      : kg_fail(err, r, "transaction %s: %s", id, kg_err_text(why, r));
}

int txn_open(const struct kg_system *sys, const char *id, struct txn *ret_txn,
	     struct kg_err *err)
{
	_cleanup_close_ int txns_fd = txn_try_folder(sys);
	struct kg_err why = { 0 };
	int r = txns_fd;

	if (!name_is_plain(id))
		return kg_fail(err, -KGE_HOSTILE, "not a transaction: '%s'", id);
	if (txns_fd >= 0)
		r = open_at(sys, txns_fd, id, ret_txn, &why);
	return name_it(r, id, &why, err);
}

static int write_plan(const struct txn *txn, struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	int r = plan_write(&txn->plan, &text, err);

	if (r < 0)
		return r;
	return fd_replace_at(txn->dir_fd, TXN_PLAN, str_get(&text), text.len, 0644, err);
}

static int write_begin(struct txn *txn, struct kg_err *err)
{
	_cleanup_str_ struct str boot = { 0 };
	int r = journal_create(txn->dir_fd, TXN_JOURNAL, &txn->journal, err);

	if (r < 0)
		return r;
	if (proc_boot_id(&boot) < 0)
		str_add(&boot, "unknown");
	snprintf(txn->boot_id, sizeof(txn->boot_id), "%s", str_get(&boot));
	journal_add(&txn->journal, "begin %" PRIu64 " %s", (uint64_t)time(NULL),
		    txn->boot_id);
	r = journal_sync(&txn->journal, err);
	if (r == 0 && fsync(txn->dir_fd) < 0)
		r = kg_fail_errno(err, -errno, "cannot sync it");
	return r;
}

/* The folder is nobody's yet: no journal line, or only what a settled one left. */
static int make_at(struct txn *txn, int txns_fd, struct kg_err *err)
{
	int r = fd_remove_tree_at(txns_fd, txn->plan.id, err);

	if (r < 0)
		return r;
	if (mkdirat(txns_fd, txn->plan.id, 0711) < 0)
		return kg_fail_errno(err, -errno, "cannot make its folder");
	txn->dir_fd = fd_open_dir_at(txns_fd, txn->plan.id, err);
	if (txn->dir_fd < 0)
		return txn->dir_fd;
	r = write_plan(txn, err);
	if (r == 0)
		r = write_begin(txn, err);
	if (r == 0 && fsync(txns_fd) < 0)
		r = kg_fail_errno(err, -errno, "cannot sync its folder");
	if (r < 0)
		(void)!fd_remove_tree_at(txns_fd, txn->plan.id, NULL);
	return r;
}

static int begin_at(const struct kg_system *sys, int txns_fd, struct txn *txn,
		    struct kg_err *err)
{
	struct txn old = TXN_INIT;
	int r = open_at(sys, txns_fd, txn->plan.id, &old, err);

	/* A gate that died before its verdict left this: begin from nothing. */
	if (r == 0 && old.state == TXN_OPEN)
		r = take_back_all_releases(sys, old.plan.id, err);
	if (r == 0 && old.state != TXN_SETTLED) {
		if (old.state == TXN_OPEN) {
			strv_fini(&old.placed);
			old.placed = (struct strv){ 0 };
		}
		txn_fini(txn);
		*txn = old;
		return 0;
	}
	if (r == 0)
		r = txn_remove(&old, err);
	txn_fini(&old);
	return r < 0 && r != -ENOENT ? r : make_at(txn, txns_fd, err);
}

int txn_begin(const struct kg_system *sys, struct kg_plan *plan, struct txn *ret_txn,
	      struct kg_err *err)
{
	_cleanup_close_ int txns_fd = open_txns(sys, err);
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_err why = { 0 };
	int r;

	txn.sys = sys;
	txn.plan = *plan;
	*plan = (struct kg_plan){ 0 };
	if (txns_fd < 0)
		return txns_fd;
	if (txn.plan.id == NULL || !name_is_plain(txn.plan.id))
		return kg_fail(err, -KGE_HOSTILE, "a plan without a usable id");
	r = begin_at(sys, txns_fd, &txn, &why);
	if (r < 0)
		return name_it(r, txn.plan.id != NULL ? txn.plan.id : "?", &why, err);
	*ret_txn = txn;
	txn = (struct txn)TXN_INIT;
	return 0;
}

bool txn_is_live(const struct txn *txn)
{
	_cleanup_str_ struct str boot = { 0 };

	if (txn->plan.owner_pid <= 0 || proc_boot_id(&boot) < 0 ||
	    strcmp(str_get(&boot), txn->boot_id) != 0)
		return false;
	return proc_is_running(txn->plan.owner_pid, txn->plan.owner_start);
}

int txn_note(struct txn *txn, const char *step, const char *subject, struct kg_err *err)
{
	struct kg_err why = { 0 };
	int r;

	if (strpbrk(step, " \n") != NULL ||
	    (subject != NULL && strchr(subject, '\n') != NULL))
		return kg_fail(err, -EINVAL, "not a note: '%s'", step);
	if (subject != NULL)
		journal_add(&txn->journal, "%s %s", step, subject);
	else
		journal_add(&txn->journal, "%s", step);
	r = journal_sync(&txn->journal, &why);
	if (r < 0)
		return name_it(r, txn->plan.id, &why, err);
	txn_apply_line(txn, txn->journal.lines.v[txn->journal.lines.n - 1]);
	return 0;
}
