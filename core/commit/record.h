/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a transaction did to one release so far: its kept swaps, .kmodgate/ID/RELEASE/1, 2, ...,
 * summed up. The first says how a path was before, the last how we left it.
 */
#include "core/commit/swap.h"

struct record_entry {
	const char *path;
	int before_fd;	    /* owned; folder that holds the old file as... */
	const char *before; /* ...this; NULL: there was none */
	const char *digest; /* of what we put last; NULL: we dropped it */
};

struct record {
	struct arena arena;
	struct record_entry *entries;
	size_t n_entries;
	struct strv folders; /* made by us, top down */
	struct strv sets;    /* "NAME/VERSION" */
};
#define _cleanup_record_ __attribute__((cleanup(record_fini)))

/* Nothing kept: an empty record. */
int record_read(const struct kg_system *sys, const char *txn_id, const char *release,
		struct record *ret_record, struct kg_err *err) _must_check_;
void record_fini(struct record *record);
const struct record_entry *record_find(const struct record *record, const char *path);

/* .kmodgate/ID, silent: -ENOENT when nothing is kept. */
int record_try_txn(const struct kg_system *sys, const char *txn_id);
/* Releases for which something is kept or waits. */
int record_releases(const struct kg_system *sys, const char *txn_id,
		    struct strv *ret_releases) _must_check_;
/* Sets of @release that wait in .kmodgate/ID/RELEASE/waiting/NAME/VERSION: "NAME/VERSION". */
#define RECORD_WAITING "waiting"
int record_waiting(const struct kg_system *sys, const char *txn_id, const char *release,
		   struct strv *ret_sets) _must_check_;
/* Takes "RELEASE/..." out of a list of sets. */
void record_forget_release(struct strv *sets, const char *release);
