/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Holds as blocks of lines in the client's own file of locks. What is outside of our blocks was
 * set by a person, and is copied as it is.
 */
#include "core/base/err.h"
#include "core/base/str.h"

#define HOLD_BEGIN_MARK "# kmodgate hold "
#define HOLD_END_MARK "# kmodgate end\n"

/* One lock in a file whose client writes it anew without comments, in a form of its own. */
struct hold_unit {
	size_t (*length)(const char *at);
	bool (*is_same)(const char *a, size_t n_a, const char *b, size_t n_b);
};
extern const struct hold_unit hold_lines; /* dnf4: one a line */
extern const struct hold_unit
	hold_paragraphs; /* zypper: lines of keys between blank lines */

/* Where a client keeps its locks, and how it writes one. */
struct hold_format {
	const char *manager;
	const char *dir;
	const char *file;
	const char *head; /* what a file of its own begins with */
	const char *sign; /* the client, or its plugin, is there when this file is */
	bool needs_file;  /* the client fails when the file is not there */
	/* Where a copy of our blocks is kept, for a client that drops their marks, and by what
	 * they are found again; NULL: it keeps them. */
	const char *record_dir;
	const struct hold_unit *unit;
	void (*print)(struct str *out, const char *name, const char *evr);
	/* For a file that cannot have our blocks: from what it has to a text with them, and back. */
	void (*split)(const char *text, struct str *out);
	int (*join)(const char *text, struct str *out);
};

/* The first of @manager whose sign is there; NULL: it has none. @from: the one before, or NULL. */
const struct hold_format *hold_format_next(const char *manager,
					   const struct hold_format *from);

/* The whole file, its blocks with their marks; no file is an empty text. */
int hold_read(const struct hold_format *f, struct str *ret_text,
	      struct kg_err *err) _must_check_;
int hold_write(const struct hold_format *f, const struct str *text,
	       struct kg_err *err) _must_check_;
/* Copies @text without our blocks of @release (NULL: of all). */
void hold_strip(const char *text, const char *release, struct str *out);
/* Adds one release a block to @list, and the reason of the first to @reason. */
void hold_list(const char *text, struct strv *list, struct str *reason);
size_t hold_line_length(const char *line);

/* ---- hold_record.c ---- */

/* Copies @text; locks of it that were in a block of @record which has lost its marks get them back. */
void hold_rejoin(const struct hold_unit *unit, const char *text, const char *record,
		 struct str *out);
/* The copy of our blocks; NULL: there is none. */
char *hold_read_record(const struct hold_format *f);
void hold_write_record(const struct hold_format *f, const char *text);

/* ---- marks ---- */

/* A block's first line: what hold_begin was told. */
bool hold_is_begin(const char *line, char release[256], char reason[256]);
void hold_begin(struct str *out, const char *release, const char *reason);
void hold_end(struct str *out);
