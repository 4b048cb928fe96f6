// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Holds in dnf5's versionlock.toml. Of two entries for one package either will do for dnf5, so what we do not want
 * has to be in every entry that a package has, be it a person's. dnf5 writes the file anew without comments; so
 * the entry's own comment says what is ours in it:
 *   comment = "held by kmodgate: REASON RELEASE=EVR RELEASE=EVR"
 * dnf5 is ended by a file that is no TOML, whatever it is told to do: what is not understood is not changed.
 */
#include "plugins/rpm/hold_toml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/rpm/hold.h"
#include "plugins/rpm/toml.h"

#define TAG "held by kmodgate: "

/* ---- changes to a text ---- */

/* [from, to) of it becomes @text. */
struct edit {
	const char *from;
	const char *to;
	char *text;
};

struct edits {
	struct edit *v;
	size_t n;
	bool is_lost; /* no memory */
};

static bool edits_grow(struct edits *edits)
{
	struct edit *grown = reallocarray(edits->v, edits->n + 1, sizeof(*grown));

	if (grown != NULL)
		edits->v = grown;
	return grown != NULL;
}

/* Those at one place stay in the order in which they came. */
static void edits_add(struct edits *edits, const char *from, const char *to,
		      const char *text)
{
	char *copy = strdup(text);
	size_t i = edits->n;

	if (copy == NULL || !edits_grow(edits)) {
		edits->is_lost = true;
		free(copy);
		return;
	}
	for (; i > 0 && edits->v[i - 1].from > from; i--)
		edits->v[i] = edits->v[i - 1];
	edits->v[i] = (struct edit){ from, to, copy };
	edits->n++;
}

static void edits_apply(const char *text, const struct edits *edits, struct str *out)
{
	for (size_t i = 0; i < edits->n; i++) {
		str_addn(out, text, (size_t)(edits->v[i].from - text));
		str_add(out, edits->v[i].text);
		text = edits->v[i].to;
	}
	str_add(out, text);
}

static void edits_free(struct edits *edits)
{
	for (size_t i = 0; i < edits->n; i++)
		free(edits->v[i].text);
	free(edits->v);
}

/* What has a line to itself goes with its line. */
static void cut(struct edits *edits, const char *text, struct toml_span span)
{
	const char *from = span.p;
	const char *to = span.end + strspn(span.end, " \t\r");

	while (from > text && strchr(" \t", from[-1]) != NULL)
		from--;
	if (span.end[-1] != '\n' && *to == '\n' && from > text && from[-1] == '\n')
		span = (struct toml_span){ from, to + 1 };
	edits_add(edits, span.p, span.end, "");
}

/* ---- from the file to blocks ---- */

/* Words behind the tag: the reason, then RELEASE=EVR. */
static void read_tag(const char *tag, const char *end, struct strv *ret)
{
	const char *p = tag + strlen(TAG);

	while (p < end) {
		const char *space = memchr(p, ' ', (size_t)(end - p));
		const size_t n = (size_t)((space != NULL ? space : end) - p);

		strv_addn(ret, p, n);
		p += n + 1;
	}
}

static bool is_ours(const struct toml_condition *condition, const struct strv *words)
{
	if (!toml_is(&condition->comparator, "!=", 2))
		return false;
	for (size_t i = 1; i < words->n; i++) {
		const char *evr = strchr(words->v[i], '=');

		if (evr != NULL && toml_is(&condition->value, evr + 1, strlen(evr + 1)))
			return true;
	}
	return false;
}

/* The entry without what is ours in it, if that leaves anything. */
static void cut_ours(struct edits *edits, const char *text,
		     const struct toml_entry *entry, const char *tag,
		     const struct strv *words)
{
	const char *end = entry->comment.p + entry->comment.n;
	bool is_kept = tag > entry->comment.p;

	for (size_t i = 0; i < entry->n_conditions; i++)
		is_kept = is_kept || !is_ours(&entry->conditions[i], words);
	if (!is_kept) {
		cut(edits, text, entry->span);
		return;
	}
	for (size_t i = 0; i < entry->n_conditions; i++)
		if (is_ours(&entry->conditions[i], words))
			cut(edits, text, entry->conditions[i].span);
	if (tag == entry->comment.p)
		cut(edits, text, entry->comment_pair);
	else if (tag - entry->comment.p >= 2 && strncmp(tag - 2, "; ", 2) == 0)
		edits_add(edits, tag - 2, end, "");
	else
		edits_add(edits, tag, end, "");
}

static void add_blocks(const struct toml_text *name, const struct strv *words,
		       struct str *blocks)
{
	for (size_t i = 1; i < words->n; i++) {
		const char *evr = strchr(words->v[i], '=');
		_cleanup_str_ struct str block = { 0 };
		char release[256];

		if (evr == NULL)
			continue;
		snprintf(release, sizeof(release), "%.*s", (int)(evr - words->v[i]),
			 words->v[i]);
		hold_begin(&block, release, words->v[0]);
		str_addf(&block, "%.*s %s\n", (int)name->n, name->p, evr + 1);
		hold_end(&block);
		/* (once, of a package with several entries) */
		if (strstr(str_get(blocks), str_get(&block)) == NULL)
			str_add(blocks, str_get(&block));
	}
}

void hold_toml_split(const char *text, struct str *out)
{
	_cleanup_str_ struct str blocks = { 0 };
	struct edits edits = { 0 };
	struct toml_locks locks;
	const bool is_understood = toml_read_locks(text, &locks);

	for (size_t i = 0; is_understood && i < locks.n_entries; i++) {
		const struct toml_entry *entry = &locks.entries[i];
		_cleanup_strv_ struct strv words = { 0 };
		const char *tag = entry->comment.p != NULL
					  ? memmem(entry->comment.p, entry->comment.n,
						   TAG, strlen(TAG))
					  : NULL;

		if (tag == NULL)
			continue;
		read_tag(tag, entry->comment.p + entry->comment.n, &words);
		cut_ours(&edits, text, entry, tag, &words);
		add_blocks(&entry->name, &words, &blocks);
	}
	edits_apply(text, &edits, out);
	if (blocks.len > 0 && out->len > 0 && out->p[out->len - 1] != '\n')
		str_addc(out, '\n');
	str_add(out, str_get(&blocks));
	edits_free(&edits);
	toml_free_locks(&locks);
}

/* ---- and back ---- */

/* A line "NAME EVR" of a block, and the "RELEASE REASON" that it is in. */
struct line {
	char name[256];
	char evr[256];
	char release[256];
	char reason[256];
};

/* The next one at or behind @p, which moves on; the end of the text: false. */
static bool next_line(const char **p, struct line *line)
{
	while (**p != '\0') {
		const char *at = *p;

		*p += hold_line_length(at);
		if (hold_is_begin(at, line->release, line->reason))
			continue;
		if (*at == '#')
			line->release[0] = '\0';
		else if (line->release[0] != '\0' &&
			 sscanf(at, "%255[^ \n] %255[^ \n]", line->name, line->evr) == 2)
			return true;
	}
	return false;
}

/* All that is to be said of one package. */
struct hold {
	const char *name;
	struct str tag;
	struct str tables;   /* the conditions as tables */
	struct strv members; /* and as members of an array */
	struct str array;    /* all of them */
};

#define CONDITION_TABLE \
	"[[packages.conditions]]\nkey = \"evr\"\ncomparator = \"!=\"\nvalue = \"%s\"\n\n"
#define CONDITION_BRACES "{ key = \"evr\", comparator = \"!=\", value = \"%s\" }"

static void collect(const char *blocks, struct hold *hold)
{
	struct line line = { 0 };

	for (const char *p = blocks; next_line(&p, &line);) {
		if (strcmp(line.name, hold->name) != 0)
			continue;
		str_addf(&hold->tag, "%s%s %s=%s", hold->tag.len == 0 ? TAG : "",
			 hold->tag.len == 0 ? line.reason : "", line.release, line.evr);
		str_addf(&hold->tables, CONDITION_TABLE, line.evr);
		strv_addf(&hold->members, CONDITION_BRACES, line.evr);
		str_addf(&hold->array, "%s" CONDITION_BRACES,
			 hold->array.len == 0 ? "[ " : ", ", line.evr);
	}
	str_add(&hold->array, " ]");
}

static void hold_fini(struct hold *hold)
{
	str_fini(&hold->tag);
	str_fini(&hold->tables);
	strv_fini(&hold->members);
	str_fini(&hold->array);
}

/* The first of an array: in lines of their own where the others have one. */
static void insert_first(struct edits *edits, const char *at, const struct strv *members)
{
	_cleanup_str_ struct str text = { 0 };

	at += strspn(at, " \t\r");
	for (size_t i = 0; i < members->n; i++)
		str_addf(&text, *at == '\n' ? "\n  %s," : "%s, ", members->v[i]);
	edits_add(edits, at, at, str_get(&text));
}

/* An entry that is there: the tag in its comment, or in one of its own; our conditions beside its own. */
static void extend_entry(struct edits *edits, const struct toml_entry *entry,
			 const struct hold *hold)
{
	_cleanup_str_ struct str text = { 0 };
	const char *end = entry->comment.p + entry->comment.n;

	if (entry->comment.p != NULL) {
		str_addf(&text, "%s%s", entry->comment.n > 0 ? "; " : "", hold->tag.p);
		edits_add(edits, end, end, str_get(&text));
	} else {
		str_addf(&text,
			 entry->is_inline ? "comment = \"%s\", " : "comment = \"%s\"\n",
			 hold->tag.p);
		edits_add(edits, entry->pair_at, entry->pair_at, str_get(&text));
	}
	if (entry->conditions_at != NULL)
		insert_first(edits, entry->conditions_at, &hold->members);
	else
		edits_add(edits, entry->span.end, entry->span.end, hold->tables.p);
}

static void add_entry(struct edits *edits, const struct toml_locks *locks,
		      const struct hold *hold, struct str *tail)
{
	_cleanup_strv_ struct strv entry = { 0 };

	if (locks->array_at == NULL) {
		str_addf(tail, "[[packages]]\nname = \"%s\"\ncomment = \"%s\"\n%s",
			 hold->name, hold->tag.p, hold->tables.p);
		return;
	}
	strv_addf(&entry, "{ name = \"%s\", comment = \"%s\", conditions = %s }",
		  hold->name, hold->tag.p, hold->array.p);
	insert_first(edits, locks->array_at, &entry);
	edits->is_lost = edits->is_lost || !strv_ok(&entry);
}

static bool is_safe(const struct hold *hold)
{
	return str_ok(&hold->tag) && str_ok(&hold->tables) && str_ok(&hold->array) &&
	       strv_ok(&hold->members) && hold->tag.len > 0 &&
	       strpbrk(hold->tag.p, "\"'\\") == NULL &&
	       strpbrk(hold->name, "\"'\\") == NULL;
}

static int add_package(struct edits *edits, const struct toml_locks *locks,
		       const struct hold *hold, struct str *tail)
{
	bool is_there = false;

	if (!is_safe(hold))
		return -EOPNOTSUPP;
	for (size_t i = 0; i < locks->n_entries; i++) {
		const struct toml_entry *entry = &locks->entries[i];

		if (!toml_is(&entry->name, hold->name, strlen(hold->name)))
			continue;
		/* One that says nothing could not be told from one of ours later. */
		if (entry->n_conditions == 0)
			return -EOPNOTSUPP;
		extend_entry(edits, entry, hold);
		is_there = true;
	}
	if (!is_there)
		add_entry(edits, locks, hold, tail);
	return 0;
}

static int join_to(const char *rest, const char *blocks, const struct strv *names,
		   struct str *out)
{
	_cleanup_str_ struct str tail = { 0 };
	struct edits edits = { 0 };
	struct toml_locks locks;
	int r = toml_read_locks(rest, &locks) && toml_is(&locks.version, "1.0", 3)
			? 0
			: -EOPNOTSUPP;

	for (size_t i = 0; r == 0 && i < names->n; i++) {
		struct hold hold = { .name = names->v[i] };

		collect(blocks, &hold);
		r = add_package(&edits, &locks, &hold, &tail);
		hold_fini(&hold);
	}
	if (r == 0)
		edits_apply(rest, &edits, out);
	str_add(out, str_get(&tail));
	if (edits.is_lost || !str_ok(&tail))
		r = -ENOMEM;
	edits_free(&edits);
	toml_free_locks(&locks);
	return r;
}

int hold_toml_join(const char *text, struct str *out)
{
	_cleanup_strv_ struct strv names = { 0 };
	_cleanup_str_ struct str rest = { 0 };
	struct line line = { 0 };

	for (const char *p = text; next_line(&p, &line);)
		if (!strv_has(&names, line.name))
			strv_add(&names, line.name);
	hold_strip(text, NULL, names.n > 0 ? &rest : out);
	if (names.n == 0)
		return 0;
	if (rest.len > 0 && str_ok(&rest) && rest.p[rest.len - 1] != '\n')
		str_addc(&rest, '\n');
	if (!str_ok(&rest))
		return -ENOMEM;
	return join_to(str_get(&rest), text, &names, out);
}
