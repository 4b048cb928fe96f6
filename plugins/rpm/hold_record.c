// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients that write their file of locks anew drop our marks. A copy of our blocks says which of its locks
 * are ours: those that are in it, as far as a person has left them in the file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/rpm/hold.h"

#define RECORD_MAX (4u << 20)

/* ---- one lock ---- */

static bool is_same_line(const char *a, size_t n_a, const char *b, size_t n_b)
{
	const size_t n = strcspn(a, "\n");

	(void)n_a;
	(void)n_b;
	return n > 0 && strcspn(b, "\n") == n && strncmp(a, b, n) == 0;
}

const struct hold_unit hold_lines = { .length = hold_line_length,
				      .is_same = is_same_line };

/* Blank lines, the lock's own, and the blank line behind them. A comment is none of it. */
static size_t paragraph_length(const char *at)
{
	const char *p = at + strspn(at, "\n");

	if (*p == '#')
		return p > at ? (size_t)(p - at) : hold_line_length(p);
	while (*p != '\0' && *p != '\n' && *p != '#')
		p += hold_line_length(p);
	return (size_t)(p - at) + (*p == '\n');
}

/* zypper has written "version: == V" and writes "version: = V". */
static const char *behind_equals(const char *line, size_t *ret_len)
{
	static const char key[] = "version: =";
	const size_t n = strcspn(line, "\n");
	const char *p = line;

	if (str_starts(line, key)) {
		p += strlen(key);
		p += *p == '=';
	}
	*ret_len = n - (size_t)(p - line);
	return p;
}

static bool has_line(const char *text, size_t len, const char *line)
{
	size_t n = 0;
	size_t n_other = 0;
	const char *wanted = behind_equals(line, &n);

	for (const char *p = text; p < text + len; p += hold_line_length(p)) {
		const char *other = behind_equals(p, &n_other);

		if (n == n_other && strncmp(wanted, other, n) == 0)
			return true;
	}
	return false;
}

/* In whatever order. */
static size_t count_lines(const char *text, size_t len, const char *in, size_t in_len)
{
	size_t count = 0;

	for (const char *p = text; p < text + len; p += hold_line_length(p))
		if (*p != '\n' && (in == NULL || has_line(in, in_len, p)))
			count++;
	return count;
}

static bool is_same_paragraph(const char *a, size_t n_a, const char *b, size_t n_b)
{
	const size_t lines = count_lines(a, n_a, NULL, 0);

	return lines > 0 && count_lines(b, n_b, NULL, 0) == lines &&
	       count_lines(a, n_a, b, n_b) == lines;
}

const struct hold_unit hold_paragraphs = { .length = paragraph_length,
					   .is_same = is_same_paragraph };

static bool is_mark(const char *line)
{
	return str_starts(line, HOLD_BEGIN_MARK) || str_starts(line, HOLD_END_MARK);
}

static size_t length_at(const struct hold_unit *unit, const char *p)
{
	return is_mark(p) ? hold_line_length(p) : unit->length(p);
}

static bool has_lock(const struct hold_unit *unit, const char *text, const char *lock)
{
	const size_t n = length_at(unit, lock);
	size_t n_other;

	for (const char *p = text; *p != '\0'; p += n_other) {
		n_other = length_at(unit, p);
		if (unit->is_same(lock, n, p, n_other))
			return true;
	}
	return false;
}

/* ---- marks that are lost ---- */

static void copy_blocks(const char *text, struct str *out)
{
	bool is_ours = false;

	for (const char *p = text; *p != '\0'; p += hold_line_length(p)) {
		is_ours = is_ours || str_starts(p, HOLD_BEGIN_MARK);
		if (is_ours)
			str_addn(out, p, hold_line_length(p));
		if (str_starts(p, HOLD_END_MARK))
			is_ours = false;
	}
}

/* The blocks of @record without marks in @text, as far as their locks are in @outside. */
static void find_lost(const struct hold_unit *unit, const char *text, const char *outside,
		      const char *record, struct str *lost)
{
	const char *begin = NULL; /* of a block that is not yet copied */
	bool is_lost = false;

	for (const char *p = record; *p != '\0'; p += length_at(unit, p)) {
		if (str_starts(p, HOLD_BEGIN_MARK)) {
			begin = p;
			is_lost = !has_lock(&hold_lines, text, p);
		} else if (str_starts(p, HOLD_END_MARK)) {
			if (is_lost && begin == NULL)
				str_add(lost, HOLD_END_MARK);
			is_lost = false;
		} else if (is_lost && has_lock(unit, outside, p)) {
			if (begin != NULL)
				str_addn(lost, begin, hold_line_length(begin));
			begin = NULL;
			str_addn(lost, p, length_at(unit, p));
		}
	}
}

void hold_rejoin(const struct hold_unit *unit, const char *text, const char *record,
		 struct str *out)
{
	_cleanup_str_ struct str outside = { 0 };
	_cleanup_str_ struct str lost = { 0 };

	hold_strip(text, NULL, &outside);
	find_lost(unit, text, str_get(&outside), record, &lost);
	if (lost.len == 0) {
		str_add(out, text);
		return;
	}
	for (const char *p = str_get(&outside); *p != '\0'; p += length_at(unit, p))
		if (!has_lock(unit, str_get(&lost), p))
			str_addn(out, p, length_at(unit, p));
	if (out->len > 0 && out->p[out->len - 1] != '\n')
		str_addc(out, '\n');
	copy_blocks(text, out);
	str_add(out, str_get(&lost));
}

/* ---- the copy ---- */

char *hold_read_record(const struct hold_format *f)
{
	_cleanup_close_ int dir_fd =
		open(f->record_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;

	if (dir_fd < 0 ||
	    fd_read_file_in(dir_fd, f->file, RECORD_MAX, &text, NULL, NULL) < 0)
		return NULL;
	return text;
}

/* The first hold may come before kmodgate's own folder is there. */
static void make_record_dir(const char *path)
{
	char parent[64];

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	(void)mkdir(parent, 0755);
	(void)mkdir(path, 0755);
}

/* The hold stands without it: as long as nobody else writes the file its marks are there. */
void hold_write_record(const struct hold_format *f, const char *text)
{
	_cleanup_str_ struct str blocks = { 0 };
	_cleanup_close_ int dir_fd = -1;
	struct kg_err ignored = { 0 };

	copy_blocks(text, &blocks);
	if (blocks.len > 0)
		make_record_dir(f->record_dir);
	dir_fd = open(f->record_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || !str_ok(&blocks))
		return;
	if (blocks.len == 0)
		(void)unlinkat(dir_fd, f->file, 0);
	else if (fd_replace_at(dir_fd, f->file, blocks.p, blocks.len, 0644, &ignored) < 0)
		unlinkat(dir_fd, f->file, 0); /* none is better than an old one */
}
