// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Holds in dnf5's versionlock.toml. Of two entries for one package either will do for dnf5, so what we do not want
 * has to be in the one entry that a package has, be it a person's. dnf5 writes the file anew without comments; so
 * the entry's own comment says what is ours in it:
 *   comment = "held by kmodgate: REASON RELEASE=EVR RELEASE=EVR"
 */
#include "plugins/rpm/hold_toml.h"

#include <stdio.h>
#include <string.h>

#include "plugins/rpm/hold.h"

#define ENTRY_LINE "[[packages]]\n"
#define CONDITION_LINE "[[packages.conditions]]\n"
#define TAG "held by kmodgate: "

static size_t line_length(const char *line)
{
	size_t n = strcspn(line, "\n");

	return n + (line[n] == '\n');
}

/* From one line to the next that begins with @start, or to the end. */
static size_t length_to(const char *from, const char *start, const char *or_start)
{
	const char *p = from + line_length(from);

	while (*p != '\0' && !str_starts(p, start) && !str_starts(p, or_start))
		p += line_length(p);
	return (size_t)(p - from);
}

static size_t entry_length(const char *entry)
{
	return length_to(entry, ENTRY_LINE, ENTRY_LINE);
}

/* The value of `KEY = "VALUE"`, up to the last quote of the line; NULL: another line. */
static const char *value_of(const char *line, const char *key, size_t *ret_len)
{
	const size_t n = strcspn(line, "\n");
	const char *p = line + strlen(key);

	if (!str_starts(line, key))
		return NULL;
	p += strspn(p, " ");
	p += *p == '=';
	p += strspn(p, " ");
	if (*p != '"' || line[n - 1] != '"' || p == line + n - 1)
		return NULL;
	*ret_len = (size_t)(line + n - 1 - (p + 1));
	return p + 1;
}

static bool is_value(const char *line, const char *key, const char *wanted)
{
	size_t len = 0;
	const char *value = value_of(line, key, &len);

	return value != NULL && len == strlen(wanted) && strncmp(value, wanted, len) == 0;
}

/* ---- from the file to blocks ---- */

/* Words behind the tag: the reason, then RELEASE=EVR. */
static void read_tag(const char *tag, struct strv *ret)
{
	const char *p = tag + strlen(TAG);

	while (*p != '\0' && strchr("\"\n", *p) == NULL) {
		const size_t n = strcspn(p, " \"\n");

		strv_addn(ret, p, n);
		p += n + (p[n] == ' ');
	}
}

static bool is_ours(const char *condition, size_t len, const struct strv *words)
{
	bool is_excluded = false;
	bool is_named = false;

	for (const char *p = condition; p < condition + len; p += line_length(p)) {
		is_excluded = is_excluded || is_value(p, "comparator", "!=");
		for (size_t i = 1; i < words->n; i++) {
			const char *evr = strchr(words->v[i], '=');

			is_named = is_named ||
				   (evr != NULL && is_value(p, "value", evr + 1));
		}
	}
	return is_excluded && is_named;
}

/* What a person has said before the tag stays; true: something has. */
static bool copy_comment(const char *line, const char *tag, struct str *out)
{
	const char *end = tag;

	if (end - line > 2 && strncmp(end - 2, "; ", 2) == 0)
		end -= 2;
	if (end[-1] == '"')
		return false;
	str_addn(out, line, (size_t)(end - line));
	str_add(out, "\"\n");
	return true;
}

/* The entry without what is ours in it, if that leaves anything. */
static void copy_rest(const char *entry, size_t len, const char *tag,
		      const struct strv *words, struct str *out)
{
	_cleanup_str_ struct str rest = { 0 };
	bool is_kept = false;
	size_t n;

	for (const char *p = entry; p < entry + len; p += n) {
		n = line_length(p);
		if (str_starts(p, CONDITION_LINE)) {
			n = length_to(p, "[[", "#");
			if (is_ours(p, n, words))
				continue;
			is_kept = true;
		}
		if (p <= tag && tag < p + n)
			is_kept = copy_comment(p, tag, &rest) || is_kept;
		else
			str_addn(&rest, p, n);
	}
	if (is_kept)
		str_add(out, str_get(&rest));
}

static void add_blocks(const char *entry, size_t len, const struct strv *words,
		       struct str *blocks)
{
	const char *name = NULL;
	size_t n = 0;

	for (const char *p = entry; name == NULL && p < entry + len; p += line_length(p))
		name = value_of(p, "name", &n);
	for (size_t i = 1; name != NULL && i < words->n; i++) {
		const char *evr = strchr(words->v[i], '=');
		char release[256];

		if (evr == NULL)
			continue;
		snprintf(release, sizeof(release), "%.*s", (int)(evr - words->v[i]),
			 words->v[i]);
		hold_begin(blocks, release, words->v[0]);
		str_addf(blocks, "%.*s %s\n", (int)n, name, evr + 1);
		hold_end(blocks);
	}
}

void hold_toml_split(const char *text, struct str *out)
{
	_cleanup_str_ struct str blocks = { 0 };
	size_t n;

	for (const char *p = text; *p != '\0'; p += n) {
		_cleanup_strv_ struct strv words = { 0 };
		const bool is_entry = str_starts(p, ENTRY_LINE);
		const char *tag;

		n = is_entry ? entry_length(p) : line_length(p);
		tag = is_entry ? memmem(p, n, TAG, strlen(TAG)) : NULL;
		if (tag == NULL) {
			str_addn(out, p, n);
			continue;
		}
		read_tag(tag, &words);
		copy_rest(p, n, tag, &words, out);
		add_blocks(p, n, &words, &blocks);
	}
	if (blocks.len > 0 && out->len > 0 && out->p[out->len - 1] != '\n')
		str_addc(out, '\n');
	str_add(out, str_get(&blocks));
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

		*p += line_length(at);
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
static void collect(const char *text, const char *name, struct str *tag,
		    struct str *conditions)
{
	struct line line = { 0 };

	for (const char *p = text; next_line(&p, &line);) {
		if (strcmp(line.name, name) != 0)
			continue;
		str_addf(tag, "%s%s %s=%s", tag->len == 0 ? TAG : "",
			 tag->len == 0 ? line.reason : "", line.release, line.evr);
		str_addf(conditions,
			 CONDITION_LINE "key = \"evr\"\ncomparator = \"!=\"\n"
					"value = \"%s\"\n\n",
			 line.evr);
	}
}

/* A person's own entry with ours in it: the tag in its comment, or as one behind its name. */
static void extend_entry(const char *entry, size_t len, const struct str *tag,
			 const struct str *conditions, struct str *out)
{
	bool has_comment = false;
	size_t n;

	for (const char *p = entry; p < entry + len; p += line_length(p))
		has_comment = has_comment || value_of(p, "comment", &n) != NULL;
	for (const char *p = entry; p < entry + len; p += line_length(p)) {
		if (value_of(p, "comment", &n) != NULL) {
			str_addn(out, p, strcspn(p, "\n") - 1);
			str_addf(out, "%s%s\"\n", n > 0 ? "; " : "", tag->p);
			continue;
		}
		str_addn(out, p, line_length(p));
		if (!has_comment && value_of(p, "name", &n) != NULL)
			str_addf(out, "comment = \"%s\"\n", tag->p);
	}
	if (out->p != NULL && out->p[out->len - 1] != '\n')
		str_addc(out, '\n');
	str_add(out, str_get(conditions));
}

static bool is_entry_of(const char *entry, size_t len, const char *name)
{
	for (const char *p = entry; p < entry + len; p += line_length(p))
		if (is_value(p, "name", name))
			return true;
	return false;
}

/* @text with the conditions for one package in it. */
static void add_package(const char *text, const char *name, const char *blocks,
			struct str *out)
{
	_cleanup_str_ struct str conditions = { 0 };
	_cleanup_str_ struct str tag = { 0 };
	bool is_done = false;
	size_t n;

	collect(blocks, name, &tag, &conditions);
	for (const char *p = text; *p != '\0' && str_ok(&tag); p += n) {
		const bool is_entry = str_starts(p, ENTRY_LINE);

		n = is_entry ? entry_length(p) : line_length(p);
		if (is_done || !is_entry || !is_entry_of(p, n, name)) {
			str_addn(out, p, n);
			continue;
		}
		extend_entry(p, n, &tag, &conditions, out);
		is_done = true;
	}
	if (!is_done)
		str_addf(out, ENTRY_LINE "name = \"%s\"\ncomment = \"%s\"\n%s", name,
			 str_get(&tag), str_get(&conditions));
}

void hold_toml_join(const char *text, struct str *out)
{
	_cleanup_strv_ struct strv names = { 0 };
	struct line line = { 0 };

	for (const char *p = text; next_line(&p, &line);)
		if (!strv_has(&names, line.name))
			strv_add(&names, line.name);
	hold_strip(text, NULL, out);
	if (names.n > 0 && out->len > 0 && str_ok(out) && out->p[out->len - 1] != '\n')
		str_addc(out, '\n');
	for (size_t i = 0; i < names.n && str_ok(out); i++) {
		struct str next = { 0 };

		add_package(str_get(out), names.v[i], text, &next);
		str_fini(out);
		*out = next;
	}
}
