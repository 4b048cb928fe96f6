/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Journal, placing, publishing, depmod and their undo. Journal first, fsync in order, and
 * commit_recover() idempotent: after a kill at any instruction a kernel has its old set of
 * modules or its new one, whole, and indexes that match. Files and formats: docs/journal.md.
 *
 * All of it is called with the lock held (lock_take()).
 */
#include "core/commit/journal.h"
#include "core/job.h"

/* ---- transactions: state_dir/txn/ID/{plan,journal,stage/,work/,sealed/} ---- */

enum txn_state { TXN_OPEN, TXN_PASSED, TXN_STOPPED, TXN_SETTLED };

struct txn {
	int dir_fd; /* state_dir/txn/ID */
	const struct kg_system *sys;
	struct kg_plan plan;
	enum txn_state state;
	char boot_id[64]; /* of the boot it began in */
	struct journal
		journal; /* journal.lines: "STEP SUBJECT" of every note, oldest first */
	struct strv
		placed; /* "RELEASE/NAME/VERSION" of sets that were placed and not taken back */
	struct strv arrived; /* the same, for those noted as "arrived" */
};
#define TXN_INIT \
	{ \
		.dir_fd = -1, .journal = JOURNAL_INIT \
	}
#define _cleanup_txn_ __attribute__((cleanup(txn_fini)))

/*
 * Writes plan and "begin"; an existing folder of that id is read instead (ret->state says, a
 * settled one begins anew). One that is still open was left by a gate that died: what it placed
 * is taken back first. @plan is moved in either way, also on failure.
 */
int txn_begin(const struct kg_system *sys, struct kg_plan *plan, struct txn *ret_txn,
	      struct kg_err *err) _must_check_;
/* -ENOENT: no such transaction; -KGE_FORMAT: damaged, or written by a newer kmodgate. */
int txn_open(const struct kg_system *sys, const char *id, struct txn *ret_txn,
	     struct kg_err *err) _must_check_;
void txn_fini(struct txn *txn);
/* Owner process still runs (same pid, start time and boot). */
bool txn_is_live(const struct txn *txn);
/*
 * One line, fsynced, before the step it announces. The steps "passed", "stopped" and "settled"
 * set @txn->state, "arrived RELEASE/NAME/VERSION" adds to @txn->arrived and "departed RELEASE"
 * takes away from it; any other word stays in the journal's lines for whoever wrote it. @subject may
 * be NULL.
 */
int txn_note(struct txn *txn, const char *step, const char *subject,
	     struct kg_err *err) _must_check_;
/* Ids of transactions on disk that are not settled, oldest first. An unreadable one is listed too. */
int txn_list(const struct kg_system *sys, struct strv *ret_ids,
	     struct kg_err *err) _must_check_;
/* Drops stage/, work/ and sealed/; with TXN_SETTLED the whole folder. */
int txn_drop_scratch(struct txn *txn, struct kg_err *err);
/* The folder, and what lib/modules/.kmodgate keeps for an undo: what is published stays. */
int txn_remove(struct txn *txn, struct kg_err *err) _must_check_;

/* ---- sets of modules ---- */

/*
 * The files of one module source for one release: sealed_fd holds them, flat, under the last
 * components of @files, which say where they go below lib/modules/R.
 */
struct set {
	const char *release;
	const char *name;
	const char *version;
	const char *const *files; /* "updates/dkms/NAME.ko.xz", NULL-terminated */
	int sealed_fd;		  /* -1 in set_publish(): only what was placed */
	bool are_links; /* sealed_fd holds links, to be published as they are; never placed */
};

/*
 * Copies and fsyncs @set below lib/modules (made when missing), journal first. For a release
 * that ENTERS the files go to their final path, a file that is there already is kept for the
 * undo; for any other they wait in lib/modules/.kmodgate/ID/R until set_publish().
 * Before anything is written: -ENOSPC when there is no room for it, its indexes and
 * @reserve_bytes, -EROFS, -EACCES or -EPERM when its final folder cannot be written.
 * Placing the same set again replaces it.
 */
int set_place(struct txn *txn, const struct set *set, enum kg_change change,
	      uint64_t reserve_bytes, struct kg_err *err) _must_check_;

/*
 * The next four open a swap of the release, which depmod_run() closes; set_undo(), a failing
 * depmod_run(), and commit_recover() after a kill put all files of an open swap back as they
 * were. So publish, withdraw and take back what belongs together, then run depmod once.
 * With a @txn (not NULL) what was there before is kept until txn_remove(), for set_take_back().
 */

/*
 * Switches @set's files into place: those that set_place() left waiting, or from sealed_fd when
 * there are none or they differ (built again since, from other inputs). Files that are there
 * already, byte for byte, are left alone. -ENOENT: gone, and sealed_fd is -1.
 */
int set_publish(const struct kg_system *sys, struct txn *txn, const struct set *set,
		struct kg_err *err) _must_check_;
/* Removes these files of lib/modules/R and empty folders. Absent is fine. */
int set_withdraw(const struct kg_system *sys, struct txn *txn, const char *release,
		 const char *const *files, struct kg_err *err) _must_check_;
/* @file below lib/modules/R becomes the file of that name in @from_fd, unless one is there. */
int set_put_back(const struct kg_system *sys, struct txn *txn, const char *release,
		 int from_fd, const char *file, struct kg_err *err) _must_check_;
/*
 * Undo of everything @txn placed, published and withdrew for @release: what was there before is
 * back, folders we made are gone when empty. A file that someone else changed since is left alone.
 */
int set_take_back(struct txn *txn, const char *release, struct kg_err *err) _must_check_;
/* Undo of what was done for @release since the last depmod_run(). Nothing open: 0. */
int set_undo(const struct kg_system *sys, const char *release,
	     struct kg_err *err) _must_check_;

/* The open swap of @release changes files: indexes of before are not right, however new they are. */
bool set_has_changes(const struct kg_system *sys, const char *release);

/* ---- indexes ---- */

/*
 * depmod into a staging folder, exit 0 and every index there and whole and each of @files (may
 * be NULL) listed in modules.dep; then fsync and rename over the live indexes. -KGE_DEPMOD leaves
 * the live ones alone and undoes the open swap. Closes it without depmod when lib/modules/R has
 * no modules.dep, modules.order or kernel/ (not unpacked yet, or gone).
 */
int depmod_run(const struct kg_system *sys, const char *release, const char *const *files,
	       struct kg_err *err) _must_check_;
/* Closes the open swap without depmod: for --no-depmod, whoever asked for that runs it later. */
int depmod_skip(const struct kg_system *sys, const char *release,
		struct kg_err *err) _must_check_;

/*
 * Finishes or undoes whatever a killed process left half-way in lib/modules and state_dir (the
 * dkms tree's temporary names are reg_recover()'s). A transaction that is not live and whose gate
 * never came to a verdict is taken back and noted as stopped; live ones are left alone, but for
 * a swap whose process died: it is made whole. What a newer kmodgate wrote is left alone with a
 * warning. Idempotent.
 */
int commit_recover(const struct kg_system *sys, struct kg_err *err) _must_check_;
