// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/yaml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* One open list or map. */
struct yaml_frame {
	struct yaml_node *node;
	const char *key; /* of the value that comes next in a map */
	size_t n_keys;
};

struct yaml_reader {
	yaml_parser_t parser;
	struct arena *arena;
	struct kg_err *err;
	const char *text;
	size_t len;
	struct yaml_frame frames[YAML_MAX_DEPTH];
	size_t depth;
	size_t n_nodes;
	struct yaml_node *root;
	bool is_done; /* the document has ended */
};

/* The reader's own errors (bad UTF-8) have an offset and no mark. */
static unsigned int reader_line_at(const struct yaml_reader *r, size_t offset)
{
	unsigned int line = 1;

	for (size_t i = 0; i < offset && i < r->len; i++)
		line += r->text[i] == '\n';
	return line;
}

static int reader_fail_parse(struct yaml_reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "not YAML";

	if (p->error == YAML_MEMORY_ERROR)
		return kg_fail_errno(r->err, -ENOMEM, "reading YAML");
	if (p->error == YAML_READER_ERROR)
		return kg_fail(r->err, -KGE_FORMAT, "line %u: %s",
			       reader_line_at(r, p->problem_offset), problem);
	return kg_fail(r->err, -KGE_FORMAT, "line %zu: %s", p->problem_mark.line + 1,
		       problem);
}

static int reader_new_node(struct yaml_reader *r, const yaml_event_t *event,
			   enum yaml_kind kind, struct yaml_node **ret_node)
{
	struct yaml_node *node;

	if (++r->n_nodes > YAML_MAX_NODES)
		return kg_fail(r->err, -KGE_LIMIT, "line %zu: more than %d values",
			       event->start_mark.line + 1, YAML_MAX_NODES);
	node = arena_alloc(r->arena, sizeof(*node));
	if (node == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading YAML");
	node->kind = kind;
	node->line = (unsigned int)event->start_mark.line + 1;
	*ret_node = node;
	return 0;
}

static int reader_attach(struct yaml_reader *r, struct yaml_node *node)
{
	struct yaml_frame *top = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
	struct yaml_node **slot;

	if (top == NULL) {
		r->root = node;
		return 0;
	}
	if (top->node->kind == YAML_MAP && top->key == NULL)
		return kg_fail(r->err, -KGE_FORMAT, "line %u: a key must be plain text",
			       node->line);
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): a list of pointers */
	slot = ARENA_ADD(r->arena, top->node->items, top->node->n);
	if (slot == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading YAML");
	*slot = node;
	top->key = NULL;
	return 0;
}

static int reader_open(struct yaml_reader *r, const yaml_event_t *event,
		       enum yaml_kind kind)
{
	struct yaml_node *node = NULL;
	int rc;

	if (r->depth == YAML_MAX_DEPTH)
		return kg_fail(r->err, -KGE_FORMAT, "line %zu: nested too deep",
			       event->start_mark.line + 1);
	rc = reader_new_node(r, event, kind, &node);
	if (rc < 0 || node == NULL)
		return rc;
	rc = reader_attach(r, node);
	if (rc < 0)
		return rc;
	r->frames[r->depth++] = (struct yaml_frame){ .node = node };
	return 0;
}

struct key_at {
	const char *key;
	unsigned int line;
};

static int key_at_compare(const void *a, const void *b)
{
	const struct key_at *x = a;
	const struct key_at *y = b;
	int order = strcmp(x->key, y->key);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* Sorted, not pairwise: a map may have as many keys as its writer likes. */
static int map_check_unique(const struct yaml_node *map, struct kg_err *err)
{
	_cleanup_free_ struct key_at *sorted = NULL;

	if (map->n < 2)
		return 0;
	sorted = calloc(map->n, sizeof(*sorted));
	if (sorted == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading YAML");
	for (size_t i = 0; i < map->n; i++)
		sorted[i] = (struct key_at){ map->keys[i], map->items[i]->line };
	qsort(sorted, map->n, sizeof(*sorted), key_at_compare);
	for (size_t i = 1; i < map->n; i++)
		if (strcmp(sorted[i - 1].key, sorted[i].key) == 0)
			return kg_fail(err, -KGE_FORMAT,
				       "line %u: key '%s' is there twice", sorted[i].line,
				       sorted[i].key);
	return 0;
}

static int reader_close(struct yaml_reader *r)
{
	const struct yaml_node *node = r->frames[--r->depth].node;

	return node->kind == YAML_MAP ? map_check_unique(node, r->err) : 0;
}

static int reader_add_key(struct yaml_reader *r, const char *text, unsigned int line)
{
	struct yaml_frame *top = &r->frames[r->depth - 1];
	size_t n_lines = top->n_keys;
	unsigned int *line_slot = ARENA_ADD(r->arena, top->node->key_lines, n_lines);
	const char **slot = ARENA_ADD(r->arena, top->node->keys, top->n_keys);

	if (slot == NULL || line_slot == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading YAML");
	*slot = text;
	*line_slot = line;
	top->key = text;
	return 0;
}

static int reader_add_scalar(struct yaml_reader *r, const yaml_event_t *event)
{
	const struct yaml_frame *top = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct yaml_node *node = NULL;
	char *text;
	int rc;

	if (memchr(value, '\0', len) != NULL)
		return kg_fail(r->err, -KGE_FORMAT, "line %zu: a NUL in the text",
			       event->start_mark.line + 1);
	text = arena_strndup(r->arena, value, len);
	if (text == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading YAML");
	if (top != NULL && top->node->kind == YAML_MAP && top->key == NULL)
		return reader_add_key(r, text, (unsigned int)event->start_mark.line + 1);
	rc = reader_new_node(r, event, YAML_SCALAR, &node);
	if (rc < 0 || node == NULL)
		return rc;
	node->text = text;
	return reader_attach(r, node);
}

/* Anchors would make small texts large trees, tags have no meaning here. */
static bool event_is_decorated(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL ||
		       event->data.scalar.tag != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL ||
		       event->data.sequence_start.tag != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL ||
		       event->data.mapping_start.tag != NULL;
	case YAML_ALIAS_EVENT:
		return true;
	default:
		return false;
	}
}

static int reader_take_event(struct yaml_reader *r, const yaml_event_t *event)
{
	if (event_is_decorated(event))
		return kg_fail(r->err, -KGE_FORMAT,
			       "line %zu: anchors and tags are not allowed",
			       event->start_mark.line + 1);
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->is_done)
			return kg_fail(r->err, -KGE_FORMAT, "line %zu: a second document",
				       event->start_mark.line + 1);
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		r->is_done = true;
		return 0;
	case YAML_SCALAR_EVENT:
		return reader_add_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return reader_open(r, event, YAML_LIST);
	case YAML_MAPPING_START_EVENT:
		return reader_open(r, event, YAML_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return reader_close(r);
	default:
		return 0;
	}
}

static int reader_run(struct yaml_reader *r)
{
	bool at_end = false;

	while (!at_end) {
		yaml_event_t event;
		int rc;

		if (!yaml_parser_parse(&r->parser, &event))
			return reader_fail_parse(r);
		at_end = event.type == YAML_STREAM_END_EVENT;
		rc = reader_take_event(r, &event);
		yaml_event_delete(&event);
		if (rc < 0)
			return rc;
	}
	if (r->root == NULL)
		return kg_fail(r->err, -KGE_FORMAT, "line 1: the document is empty");
	return 0;
}

int yaml_parse(const char *text, size_t len, struct arena *arena,
	       struct yaml_node **ret_root, struct kg_err *err)
{
	struct yaml_reader r = { .arena = arena, .err = err, .text = text, .len = len };
	int rc;

	if (!yaml_parser_initialize(&r.parser))
		return kg_fail_errno(err, -ENOMEM, "reading YAML");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	rc = reader_run(&r);
	yaml_parser_delete(&r.parser);
	if (rc == 0)
		*ret_root = r.root;
	return rc;
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i], key) == 0)
			return map->items[i];
	return NULL;
}

static bool is_among(const char *key, const char *const known[])
{
	for (; *known != NULL; known++)
		if (strcmp(*known, key) == 0)
			return true;
	return false;
}

int yaml_expect_map(const struct yaml_node *node, const char *what,
		    const char *const known[], struct kg_err *err)
{
	if (node->kind != YAML_MAP)
		return kg_fail(err, -KGE_FORMAT, "line %u: %s must be a map", node->line,
			       what);
	for (size_t i = 0; i < node->n; i++)
		if (!is_among(node->keys[i], known))
			return kg_fail(err, -KGE_FORMAT,
				       "line %u: unknown key '%s' in %s",
				       node->key_lines[i], node->keys[i], what);
	return 0;
}

int yaml_expect_list(const struct yaml_node *node, const char *what, struct kg_err *err)
{
	if (node->kind != YAML_LIST)
		return kg_fail(err, -KGE_FORMAT, "line %u: %s must be a list", node->line,
			       what);
	return 0;
}

int yaml_get_text(const struct yaml_node *map, const char *key, const char **ret_text,
		  struct kg_err *err)
{
	if (yaml_find(map, key) == NULL)
		return kg_fail(err, -KGE_FORMAT, "line %u: '%s' is missing", map->line,
			       key);
	return yaml_get_optional(map, key, ret_text, err);
}

int yaml_get_optional(const struct yaml_node *map, const char *key, const char **ret_text,
		      struct kg_err *err)
{
	const struct yaml_node *node = yaml_find(map, key);

	if (node == NULL)
		return 0;
	if (node->kind != YAML_SCALAR)
		return kg_fail(err, -KGE_FORMAT, "line %u: '%s' must be a single value",
			       node->line, key);
	*ret_text = node->text;
	return 0;
}

int yaml_get_u64(const struct yaml_node *map, const char *key, uint64_t *ret_value,
		 struct kg_err *err)
{
	const char *text = NULL;
	int rc = yaml_get_text(map, key, &text, err);

	if (rc < 0)
		return rc;
	if (parse_u64(text, ret_value) < 0)
		return kg_fail(err, -KGE_FORMAT, "line %u: '%s' is not a number: '%.40s'",
			       yaml_find(map, key)->line, key, text);
	return 0;
}

/* ---- writer ---- */

static int writer_collect(void *data, unsigned char *buffer, size_t size)
{
	struct yaml_writer *w = data;

	str_addn(&w->out, (const char *)buffer, size);
	return str_ok(&w->out);
}

/* @ok: the event was made. The emitter owns it from here, also when emitting fails. */
static void writer_emit(struct yaml_writer *w, int ok, yaml_event_t *event)
{
	if (!ok || w->failed) {
		if (ok)
			yaml_event_delete(event);
		w->failed = true;
		return;
	}
	if (!yaml_emitter_emit(w->emitter, event))
		w->failed = true;
}

int yaml_write_begin(struct yaml_writer *w)
{
	yaml_emitter_t *emitter = calloc(1, sizeof(*emitter));
	yaml_event_t event;
	int ok;

	*w = (struct yaml_writer){ 0 };
	if (emitter == NULL || !yaml_emitter_initialize(emitter)) {
		free(emitter);
		w->failed = true;
		return -ENOMEM;
	}
	w->emitter = emitter;
	yaml_emitter_set_output(emitter, writer_collect, w);
	yaml_emitter_set_unicode(emitter, 1);
	yaml_emitter_set_width(emitter, -1);
	ok = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	writer_emit(w, ok, &event);
	ok = yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	writer_emit(w, ok, &event);
	return w->failed ? -ENOMEM : 0;
}

void yaml_write_fini(struct yaml_writer *w)
{
	if (w->emitter != NULL) {
		yaml_emitter_delete(w->emitter);
		free(w->emitter);
	}
	str_fini(&w->out);
	*w = (struct yaml_writer){ 0 };
}

static void writer_open_map(struct yaml_writer *w, yaml_mapping_style_t style)
{
	yaml_event_t event;
	int ok = yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style);

	writer_emit(w, ok, &event);
}

void yaml_write_map(struct yaml_writer *w)
{
	writer_open_map(w, YAML_BLOCK_MAPPING_STYLE);
}

void yaml_write_flow_map(struct yaml_writer *w)
{
	writer_open_map(w, YAML_FLOW_MAPPING_STYLE);
}

void yaml_write_map_end(struct yaml_writer *w)
{
	yaml_event_t event;
	int ok = yaml_mapping_end_event_initialize(&event);

	writer_emit(w, ok, &event);
}

void yaml_write_list(struct yaml_writer *w)
{
	yaml_event_t event;
	int ok = yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						      YAML_BLOCK_SEQUENCE_STYLE);

	writer_emit(w, ok, &event);
}

void yaml_write_list_end(struct yaml_writer *w)
{
	yaml_event_t event;
	int ok = yaml_sequence_end_event_initialize(&event);

	writer_emit(w, ok, &event);
}

/* Fails on text that is not UTF-8: such a name has no YAML form. */
void yaml_write_text(struct yaml_writer *w, const char *text)
{
	yaml_event_t event;
	int ok;

	ok = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
					  (int)strlen(text), 1, 1, YAML_ANY_SCALAR_STYLE);
	writer_emit(w, ok, &event);
}

void yaml_write_key(struct yaml_writer *w, const char *key)
{
	yaml_write_text(w, key);
}

void yaml_write_pair(struct yaml_writer *w, const char *key, const char *text)
{
	if (text == NULL)
		return;
	yaml_write_key(w, key);
	yaml_write_text(w, text);
}

void yaml_write_pair_u64(struct yaml_writer *w, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	yaml_write_pair(w, key, text);
}

int yaml_write_end(struct yaml_writer *w)
{
	yaml_event_t event;
	int ok = yaml_document_end_event_initialize(&event, 1);

	writer_emit(w, ok, &event);
	ok = yaml_stream_end_event_initialize(&event);
	writer_emit(w, ok, &event);
	if (!str_ok(&w->out))
		return -ENOMEM;
	return w->failed ? -KGE_FORMAT : 0;
}
