/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * dnf5's versionlock.toml as a person or another program may have written it, and where in the text what is: as
 * tables below [[packages]] and [[packages.conditions]], or as arrays of {}, in any order and with any quotes.
 */
#include <stdbool.h>
#include <stddef.h>

/* What is between the quotes; p NULL: it is not there. */
struct toml_text {
	const char *p;
	size_t n;
	bool is_plain; /* nothing is escaped in it */
};

/* [p, end) of the file's text. */
struct toml_span {
	const char *p;
	const char *end;
};

struct toml_condition {
	struct toml_span span; /* with what would be too much without it */
	struct toml_text comparator;
	struct toml_text value;
};

struct toml_entry {
	struct toml_span span;
	struct toml_span comment_pair; /* as a condition's span */
	struct toml_text name;
	struct toml_text comment;
	struct toml_condition *conditions;
	size_t n_conditions;
	const char *pair_at;	   /* here another key may go */
	const char *conditions_at; /* the array's inside; NULL: there is no array */
	bool is_inline;
};

struct toml_locks {
	struct toml_entry *entries;
	size_t n_entries;
	const char *array_at; /* the inside of `packages = [`; NULL: there is no array */
	struct toml_text version;
};

/* False: it has something in it that is not understood. */
bool toml_read_locks(const char *text, struct toml_locks *ret);
void toml_free_locks(struct toml_locks *locks);
bool toml_is(const struct toml_text *text, const char *wanted, size_t n);
