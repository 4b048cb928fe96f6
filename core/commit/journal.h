/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Append-only text: a header line with kind and version, then one line per step, each with a
 * checksum. A torn tail (the write a power cut interrupted) does not count; a damaged middle
 * and the version of a newer kmodgate are refused. The format is in docs/journal.md.
 */
#include "core/base/err.h"
#include "core/base/str.h"

#define JOURNAL_VERSION 1
#define JOURNAL_NAME "journal"

struct journal {
	int fd;		    /* owned; -1: not open */
	uint64_t end;	    /* size of the valid part */
	struct strv lines;  /* what was read and written, oldest first, no checksums */
	struct str pending; /* added, not synced */
	struct strv pending_lines;
	bool is_unsure; /* a failed sync could not be taken back: the lines may be on disk */
};
#define JOURNAL_INIT \
	{ \
		.fd = -1 \
	}
#define _cleanup_journal_ __attribute__((cleanup(journal_fini)))

/*
 * A new file JOURNAL_NAME in @dir_fd, empty until the first journal_sync(); the caller fsyncs @dir_fd
 * after that. @kind is one word.
 */
int journal_create(int dir_fd, const char *kind, struct journal *ret_journal,
		   struct kg_err *err) _must_check_;
/*
 * -ENOENT (silent): no journal, or not one whole line was ever written. -KGE_FORMAT: damaged, of
 * another kind or by a newer kmodgate. Writes nothing; a torn tail goes with the next sync.
 */
int journal_open(int dir_fd, const char *kind, struct journal *ret_journal,
		 struct kg_err *err) _must_check_;
void journal_fini(struct journal *journal);

/* "STEP SUBJECT", no newline in it. Sticky; written by journal_sync(). */
void journal_add(struct journal *journal, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Writes what was added and fsyncs it. On failure the file is cut back to what it was, or
 * @journal->is_unsure says that even this failed.
 */
int journal_sync(struct journal *journal, struct kg_err *err) _must_check_;

/* The rest of @line when it begins with the word @step, else NULL. "" when nothing follows. */
const char *journal_subject(const char *line, const char *step);
