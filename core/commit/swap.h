/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A swap: what one command changes in lib/modules/RELEASE. Its folder, .kmodgate/switch/RELEASE,
 * holds the journal, new/ (files to come, under numbers), old/ (what they replaced) and index/
 * (depmod's stage). Until the line "index" or "done" is in the journal everything can be put
 * back by renames alone; after "index" it is only ever finished. docs/journal.md has the order.
 */
#include "core/base/digest.h"
#include "core/commit/journal.h"
#include "core/job.h"

enum swap_kind {
	SWAP_PUT,    /* new/SLOT becomes PATH; what was there, if anything, is old/SLOT */
	SWAP_DROP,   /* PATH becomes old/SLOT */
	SWAP_FOLDER, /* PATH was made */
	SWAP_PRUNE,  /* PATH goes at the end, if it is empty */
};

#define SWAP_NO_DIGEST "-" /* of a symlink */

struct swap_step {
	enum swap_kind kind;
	unsigned int slot;
	bool had;	    /* SWAP_PUT: there was a file before */
	const char *digest; /* SWAP_PUT: of our file */
	const char *path;   /* below lib/modules/RELEASE; "." is that folder itself */
};

/* What happens to old/ when it is done. */
enum swap_end {
	SWAP_FORGET, /* gone */
	SWAP_KEEP,   /* the swap's folder becomes .kmodgate/ID/RELEASE/NUMBER */
	SWAP_BACK,   /* gone, and .kmodgate/ID/RELEASE with it */
};

enum swap_phase { SWAP_EMPTY, SWAP_OPEN, SWAP_INDEXED, SWAP_DONE };

struct swap {
	const struct kg_system *sys;
	struct arena arena; /* owns every string here */
	const char *release;
	const char *txn_id; /* NULL: FORGET */
	enum swap_end end;
	enum swap_phase phase;
	bool is_new;  /* made by this call, not joined */
	size_t first; /* of the steps that are this call's */
	int dir_fd;
	struct journal journal;
	pid_t owner_pid;
	uint64_t owner_start;
	const char *owner_boot;
	struct swap_step *steps;
	size_t n_steps;
	size_t n_noted;	  /* steps that are in the journal */
	struct strv sets; /* "NAME/VERSION" */
};
#define SWAP_INIT \
	{ \
		.dir_fd = -1, .journal = JOURNAL_INIT \
	}
#define _cleanup_swap_ __attribute__((cleanup(swap_fini)))

void swap_fini(struct swap *swap);

/*
 * Joins the swap of @release that this process or a kmodgate above it has open, or makes a new
 * one; what a dead process left is put right first. @txn_id with SWAP_KEEP or SWAP_BACK.
 */
int swap_open(const struct kg_system *sys, const char *release, enum swap_end end,
	      const char *txn_id, struct swap *ret_swap, struct kg_err *err) _must_check_;
/* 1: the open swap of @release, 0: there is none; leftovers are put right. */
int swap_find(const struct kg_system *sys, const char *release, struct swap *ret_swap,
	      struct kg_err *err) _must_check_;
/* Reads a swap's folder; @dir_fd moves in, also on failure. An empty journal: SWAP_EMPTY. */
int swap_load(const struct kg_system *sys, const char *release, int dir_fd,
	      struct swap *ret_swap, struct kg_err *err) _must_check_;
/* The process that has @swap open still runs, and we are it or were started by it. */
bool swap_is_ours(const struct swap *swap);

/* ---- steps (swap_go.c) ---- */
enum swap_source { SWAP_COPY, SWAP_LINK };
/* Says that a set's files are among what follows. */
int swap_add_set(struct swap *swap, const char *name, const char *version) _must_check_;
/* @from_name, copied and fsynced into new/, shall become @path. */
int swap_add_put(struct swap *swap, int from_fd, const char *from_name,
		 enum swap_source source, const char *path,
		 struct kg_err *err) _must_check_;
int swap_add_drop(struct swap *swap, const char *path) _must_check_;
int swap_add_prune(struct swap *swap, const char *path) _must_check_;
/*
 * Notes what was added, then does it, everything on disk before the next thing. When this or an
 * add failed: swap_abort().
 */
int swap_go(struct swap *swap, struct kg_err *err) _must_check_;

/* ---- the end (swap_end.c) ---- */
/* Puts back what steps from @first on did. Idempotent; renames only. */
int swap_undo_steps(struct swap *swap, size_t first, struct kg_err *err) _must_check_;
/* Undo of what this call did; a swap that was new is removed. */
void swap_abort(struct swap *swap);
/* Undo of all of it, and the folder goes. */
int swap_undo(struct swap *swap, struct kg_err *err) _must_check_;
/* Notes "done" and ends it; from then on it is final. Without indexes: those are as they were. */
int swap_finish(struct swap *swap, struct kg_err *err) _must_check_;
/* Notes "index" (on failure nothing is final), switches the verified indexes, ends it. */
int swap_finish_indexed(struct swap *swap, struct kg_err *err) _must_check_;
/* What a dead process left: finished when it was final, else undone. */
int swap_resolve(struct swap *swap, struct kg_err *err) _must_check_;
/* Every swap in .kmodgate/switch that is not of a running kmodgate above us. */
int swap_resolve_all(const struct kg_system *sys, struct kg_err *err);
