/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Strict YAML over libyaml's events: one document, no anchors or tags, no duplicate keys, at
 * most YAML_MAX_DEPTH deep. Errors say "line N: ...". Nodes live in the caller's arena.
 */
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define YAML_MAX_DEPTH 16
#define YAML_MAX_NODES 2000000

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	unsigned int line;	  /* from 1 */
	const char *text;	  /* scalar */
	size_t n;		  /* list or map: number of items */
	struct yaml_node **items; /* list items, or map values */
	const char **keys;	  /* map keys */
	unsigned int *key_lines;  /* and their lines */
};

int yaml_parse(const char *text, size_t len, struct arena *arena,
	       struct yaml_node **ret_root, struct kg_err *err) _must_check_;

/* Value of @key in a map, NULL if absent. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);
/* -KGE_FORMAT naming line and key unless @node is a map whose keys are all in @known. */
int yaml_expect_map(const struct yaml_node *node, const char *what,
		    const char *const known[], struct kg_err *err) _must_check_;
int yaml_expect_list(const struct yaml_node *node, const char *what,
		     struct kg_err *err) _must_check_;
/* The scalar under @key; -KGE_FORMAT when it is missing or not a scalar. */
int yaml_get_text(const struct yaml_node *map, const char *key, const char **ret_text,
		  struct kg_err *err) _must_check_;
/* As above; absent leaves *@ret_text alone. */
int yaml_get_optional(const struct yaml_node *map, const char *key, const char **ret_text,
		      struct kg_err *err) _must_check_;
int yaml_get_u64(const struct yaml_node *map, const char *key, uint64_t *ret_value,
		 struct kg_err *err) _must_check_;

/* Writer: block style, scalars quoted by libyaml where needed. Sticky, checked at the end. */
struct yaml_writer {
	void *emitter; /* yaml_emitter_t */
	struct str out;
	bool failed;
};

int yaml_write_begin(struct yaml_writer *w) _must_check_;
void yaml_write_fini(struct yaml_writer *w);
void yaml_write_map(struct yaml_writer *w);
void yaml_write_flow_map(struct yaml_writer *w);
void yaml_write_map_end(struct yaml_writer *w);
void yaml_write_list(struct yaml_writer *w);
void yaml_write_list_end(struct yaml_writer *w);
void yaml_write_text(struct yaml_writer *w, const char *text);
void yaml_write_key(struct yaml_writer *w, const char *key);
/* key: text; nothing when @text is NULL */
void yaml_write_pair(struct yaml_writer *w, const char *key, const char *text);
void yaml_write_pair_u64(struct yaml_writer *w, const char *key, uint64_t value);
/* Ends the document; the text stays in @w->out until yaml_write_fini(). */
int yaml_write_end(struct yaml_writer *w) _must_check_;
