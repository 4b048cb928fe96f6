// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/toml.h"

#include <stdlib.h>
#include <string.h>

/* Where the lines that are read belong to. */
enum table { TABLE_TOP, TABLE_ENTRY, TABLE_CONDITION, TABLE_OTHER };

struct reader {
	struct toml_locks *locks;
	enum table table;
	bool is_open; /* the last line was the table's own: blank lines behind it are, too */
};

/* KEY = VALUE, and from where to where. */
struct pair {
	struct toml_span span;
	struct toml_text key;
	struct toml_text text; /* the value, when it is a string */
	const char *value;
};

/* ---- pieces of a line: each gives what is behind it, NULL: not what was expected ---- */

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r");
}

/* Inside of arrays lines end where they like. */
static const char *skip_gap(const char *p)
{
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (*p != '#')
			return p;
		p += strcspn(p, "\n");
	}
}

static const char *scan_end_of_line(const char *p)
{
	p = skip_blanks(p);
	if (*p == '#')
		p += strcspn(p, "\n");
	if (*p == '\0')
		return p;
	return *p == '\n' ? p + 1 : NULL;
}

/* """ and ''' end at the last three of several quotes. */
static bool is_last_quote(const char *p, char quote, bool is_long)
{
	return *p == quote &&
	       (!is_long || (p[1] == quote && p[2] == quote && p[3] != quote));
}

static const char *scan_string(const char *p, struct toml_text *ret)
{
	const char quote = *p;
	const bool is_long = p[1] == quote && p[2] == quote;
	const char *from = p + (is_long ? 3 : 1);
	bool is_escaped = false;

	for (p = from; !is_last_quote(p, quote, is_long); p++) {
		if (*p == '\0' || (*p == '\n' && !is_long))
			return NULL;
		if (quote == '"' && *p == '\\' && p[1] != '\0') {
			is_escaped = true;
			p++;
		}
	}
	*ret = (struct toml_text){ .p = from,
				   .n = (size_t)(p - from),
				   .is_plain = !is_escaped && !is_long };
	return p + (is_long ? 3 : 1);
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

static const char *scan_nested(const char *p)
{
	struct toml_text ignored;
	int depth = 0;

	do {
		if (p == NULL || *p == '\0')
			return NULL;
		if (is_quote(*p)) {
			p = scan_string(p, &ignored);
		} else if (*p == '#') {
			p += strcspn(p, "\n");
		} else {
			depth += *p == '[' || *p == '{';
			depth -= *p == ']' || *p == '}';
			p++;
		}
	} while (depth > 0);
	return p;
}

static const char *scan_value(const char *p, struct toml_text *ret)
{
	size_t n;

	*ret = (struct toml_text){ 0 };
	if (is_quote(*p))
		return scan_string(p, ret);
	if (*p == '[' || *p == '{')
		return scan_nested(p);
	n = strcspn(p, ",]}# \t\r\n");
	return n > 0 ? p + n : NULL;
}

static const char *scan_key(const char *p, struct toml_text *ret)
{
	if (is_quote(*p)) {
		p = scan_string(p, ret);
		return p != NULL && ret->is_plain ? p : NULL;
	}
	ret->p = p;
	ret->n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			   "0123456789_-");
	ret->is_plain = true;
	return ret->n > 0 ? p + ret->n : NULL;
}

/* A key with dots is none that we know. */
static const char *scan_pair(const char *p, struct pair *ret)
{
	*ret = (struct pair){ .span.p = p };
	p = scan_key(p, &ret->key);
	if (p == NULL)
		return NULL;
	p = skip_blanks(p);
	if (*p != '=')
		return NULL;
	ret->value = skip_blanks(p + 1);
	ret->span.end = scan_value(ret->value, &ret->text);
	return ret->span.end;
}

bool toml_is(const struct toml_text *text, const char *wanted, size_t n)
{
	return text->p != NULL && text->is_plain && text->n == n &&
	       strncmp(text->p, wanted, n) == 0;
}

static bool key_is(const struct pair *pair, const char *wanted)
{
	return toml_is(&pair->key, wanted, strlen(wanted));
}

/* ---- what the keys mean ---- */

static struct toml_entry *new_entry(struct toml_locks *locks, const char *at)
{
	struct toml_entry *grown =
		reallocarray(locks->entries, locks->n_entries + 1, sizeof(*grown));

	if (grown == NULL)
		return NULL;
	locks->entries = grown;
	grown += locks->n_entries++;
	*grown = (struct toml_entry){ .span.p = at };
	return grown;
}

static struct toml_condition *new_condition(struct toml_entry *entry, const char *at)
{
	struct toml_condition *grown =
		reallocarray(entry->conditions, entry->n_conditions + 1, sizeof(*grown));

	if (grown == NULL)
		return NULL;
	entry->conditions = grown;
	grown += entry->n_conditions++;
	*grown = (struct toml_condition){ .span.p = at };
	return grown;
}

static struct toml_entry *last_entry(const struct reader *r)
{
	return &r->locks->entries[r->locks->n_entries - 1];
}

static bool take_condition_pair(struct toml_entry *entry, const struct pair *pair)
{
	struct toml_condition *condition = &entry->conditions[entry->n_conditions - 1];

	if (key_is(pair, "comparator"))
		condition->comparator = pair->text;
	if (key_is(pair, "value"))
		condition->value = pair->text;
	return true;
}

static const char *read_conditions(const char *p, struct toml_entry *entry);

static bool take_entry_pair(struct toml_entry *entry, const struct pair *pair)
{
	if (key_is(pair, "name"))
		entry->name = pair->text;
	if (key_is(pair, "comment")) {
		entry->comment = pair->text;
		entry->comment_pair = pair->span;
	}
	if (key_is(pair, "conditions"))
		return read_conditions(pair->value, entry) != NULL;
	return !key_is(pair, "name") || entry->name.is_plain;
}

/* ---- in arrays ---- */

/* { KEY = VALUE, ... }: a pair's span has the comma that must go with it. */
static const char *read_braces(const char *p, struct toml_entry *entry,
			       bool (*take)(struct toml_entry *, const struct pair *))
{
	const char *before = NULL; /* the comma before it */
	struct pair pair;

	for (p = skip_blanks(p + 1); *p != '}'; p = skip_blanks(p)) {
		p = scan_pair(p, &pair);
		if (p == NULL)
			return NULL;
		p = skip_blanks(p);
		if (*p == ',')
			pair.span.end = skip_blanks(p + 1);
		else if (before != NULL)
			pair.span.p = before;
		if (!take(entry, &pair) || (*p != ',' && *p != '}'))
			return NULL;
		before = p;
		p += *p == ',';
	}
	return p + 1;
}

static const char *behind_comma(const char *p)
{
	const char *comma = skip_blanks(p);

	return *comma == ',' ? skip_blanks(comma + 1) : p;
}

/* At "{", one more of an array that is read up to @p; NULL behind the last one. */
static const char *next_braces(const char *p, bool is_first, const char **ret_end)
{
	bool has_comma = is_first;

	p = skip_gap(p);
	if (!is_first && *p == ',') {
		has_comma = true;
		p = skip_gap(p + 1);
	}
	*ret_end = *p == ']' ? p + 1 : NULL;
	return *p == '{' && has_comma ? p : NULL;
}

static const char *read_conditions(const char *p, struct toml_entry *entry)
{
	const char *end = NULL;

	if (*p != '[')
		return NULL;
	entry->conditions_at = p + 1;
	for (p = next_braces(p + 1, true, &end); p != NULL;
	     p = next_braces(p, false, &end)) {
		if (new_condition(entry, p) == NULL)
			return NULL;
		p = read_braces(p, entry, take_condition_pair);
		if (p == NULL)
			return NULL;
		entry->conditions[entry->n_conditions - 1].span.end = behind_comma(p);
	}
	return end;
}

static const char *read_entries(const char *p, struct toml_locks *locks)
{
	const char *end = NULL;

	if (*p != '[')
		return NULL;
	locks->array_at = p + 1;
	for (p = next_braces(p + 1, true, &end); p != NULL;
	     p = next_braces(p, false, &end)) {
		struct toml_entry *entry = new_entry(locks, p);

		if (entry == NULL)
			return NULL;
		entry->is_inline = true;
		entry->pair_at = skip_blanks(p + 1);
		p = read_braces(p, entry, take_entry_pair);
		if (p == NULL)
			return NULL;
		entry->span.end = behind_comma(p);
	}
	return end;
}

/* ---- line by line ---- */

static void own_until(struct reader *r, const char *end)
{
	struct toml_entry *entry;

	r->is_open = true;
	if (r->table != TABLE_ENTRY && r->table != TABLE_CONDITION)
		return;
	entry = last_entry(r);
	entry->span.end = end;
	if (r->table == TABLE_CONDITION)
		entry->conditions[entry->n_conditions - 1].span.end = end;
}

static bool open_table(struct reader *r, const char *line, const char *path)
{
	if (strcmp(path, "[packages") == 0) {
		r->table = TABLE_ENTRY;
		return r->locks->array_at == NULL && new_entry(r->locks, line) != NULL;
	}
	if (strcmp(path, "[packages.conditions") == 0) {
		if (r->table != TABLE_ENTRY && r->table != TABLE_CONDITION)
			return false;
		r->table = TABLE_CONDITION;
		return last_entry(r)->conditions_at == NULL &&
		       new_condition(last_entry(r), line) != NULL;
	}
	r->table = TABLE_OTHER;
	return strncmp(path + (path[0] == '['), "packages", 8) != 0;
}

/* [KEY.KEY] or [[KEY.KEY]]. */
static const char *read_header(struct reader *r, const char *line)
{
	const char *p = skip_blanks(line) + 1;
	const bool is_array = *p == '[';
	struct toml_text key;
	char path[64] = "";
	size_t n = 0;

	p += is_array;
	if (is_array)
		path[n++] = '[';
	do {
		p = scan_key(skip_blanks(p), &key);
		if (p == NULL || n + key.n + 2 > sizeof(path))
			return NULL;
		memcpy(path + n, key.p, key.n);
		n += key.n;
		p = skip_blanks(p);
		path[n++] = *p == '.' ? '.' : '\0';
	} while (*p++ == '.');
	if (p[-1] != ']' || (is_array && *p++ != ']'))
		return NULL;
	p = scan_end_of_line(p);
	if (p == NULL || !open_table(r, line, path))
		return NULL;
	own_until(r, p);
	return p;
}

static bool take_top_pair(struct toml_locks *locks, const struct pair *pair)
{
	if (key_is(pair, "version"))
		locks->version = pair->text;
	return !key_is(pair, "packages") || read_entries(pair->value, locks) != NULL;
}

static bool take_line(struct reader *r, const struct pair *pair)
{
	struct toml_entry *entry;

	if (r->table == TABLE_TOP)
		return take_top_pair(r->locks, pair);
	if (r->table == TABLE_OTHER)
		return true;
	entry = last_entry(r);
	if (r->table == TABLE_CONDITION)
		return take_condition_pair(entry, pair);
	if (key_is(pair, "name"))
		entry->pair_at = pair->span.end;
	return take_entry_pair(entry, pair);
}

static const char *read_line(struct reader *r, const char *line)
{
	const char *p = skip_blanks(line);
	struct pair pair;

	if (*p == '[')
		return read_header(r, line);
	if (*p == '#') {
		r->is_open = false;
		return scan_end_of_line(p);
	}
	if (*p == '\n' || *p == '\0') {
		p += *p == '\n';
		if (r->is_open)
			own_until(r, p);
		return p;
	}
	p = scan_pair(p, &pair);
	p = p != NULL ? scan_end_of_line(p) : NULL;
	pair.span = (struct toml_span){ line, p };
	if (p == NULL || !take_line(r, &pair))
		return NULL;
	own_until(r, p);
	return p;
}

bool toml_read_locks(const char *text, struct toml_locks *ret)
{
	struct reader r = { .locks = ret };
	const char *p = text;

	*ret = (struct toml_locks){ 0 };
	while (p != NULL && *p != '\0')
		p = read_line(&r, p);
	for (size_t i = 0; p != NULL && i < ret->n_entries; i++)
		if (ret->entries[i].name.p == NULL)
			p = NULL; /* one that cannot be told from others */
	return p != NULL;
}

void toml_free_locks(struct toml_locks *locks)
{
	for (size_t i = 0; i < locks->n_entries; i++)
		free(locks->entries[i].conditions);
	free(locks->entries);
	*locks = (struct toml_locks){ 0 };
}
