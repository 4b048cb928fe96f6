// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which line of a log says why a build failed: what the compiler found wrong first;
 * failing that, what the linker, modpost or a script said; failing that, make's own last
 * words.
 */
#include "core/build/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_MAX_BYTES 400

enum weight { WEIGHT_NONE, WEIGHT_MAKE, WEIGHT_TOOL, WEIGHT_COMPILER };

static bool has(const char *line, size_t len, const char *text)
{
	return memmem(line, len, text, strlen(text)) != NULL;
}

/*
 * "file.c:12:3: error: ..." and "file.c:12: fatal error: ...": the colon follows a
 * number.
 */
static bool is_compiler_error(const char *line, size_t len)
{
	static const char *const marks[] = { ": error: ", ": fatal error: ",
					     ": Error: " };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const char *p = memmem(line, len, marks[i], strlen(marks[i]));

		if (p != NULL && p > line && p[-1] >= '0' && p[-1] <= '9')
			return true;
	}
	return false;
}

static bool is_tool_error(const char *line, size_t len)
{
	static const char *const marks[] = {
		"error: ",
		"ERROR: ",
		"undefined reference",
		"No such file",
		"command not found",
		"No rule to make target",
		"Permission denied",
		"Read-only file",
		"not found in flex",
		"FAILED at",
		"malformed patch",
		"can't find file to patch",
		"Killed",
		"cannot find ",
		"No space left",
		"hunk FAILED",
		"hunks FAILED",
		"Operation not permitted",
	};

	/* a command that is echoed, and what configure tries, are no errors */
	if (has(line, len, " -Werror=") || has(line, len, "checking "))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (has(line, len, marks[i]))
			return true;
	return false;
}

static enum weight weigh(const char *line, size_t len)
{
	if (is_compiler_error(line, len))
		return WEIGHT_COMPILER;
	/* make's lines end with what another program said better above them */
	if (has(line, len, "*** "))
		return WEIGHT_MAKE;
	return is_tool_error(line, len) ? WEIGHT_TOOL : WEIGHT_NONE;
}

struct text {
	const char *p;
	size_t len;
	size_t size; /* of the map */
	char *map;
};

/* The log from @start on, mapped; empty when it is. */
static int map_log(int fd, off_t start, struct text *ret_text)
{
	struct stat st;

	*ret_text = (struct text){ 0 };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= start)
		return 0;
	ret_text->size = (size_t)st.st_size;
	ret_text->map = mmap(NULL, ret_text->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ret_text->map == MAP_FAILED) {
		ret_text->map = NULL;
		return -errno;
	}
	ret_text->p = ret_text->map + start;
	ret_text->len = ret_text->size - (size_t)start;
	return 0;
}

static void unmap_log(struct text *text)
{
	if (text->map != NULL)
		munmap(text->map, text->size);
}

/* Without what would move a terminal's cursor, and not endless. */
static void add_line(struct strv *out, const char *line, size_t len)
{
	_cleanup_str_ struct str clean = { 0 };

	for (size_t i = 0; i < len && clean.len < LINE_MAX_BYTES; i++)
		if ((unsigned char)line[i] >= ' ' && line[i] != 0x7f)
			str_addc(&clean, line[i]);
		else if (line[i] == '\t')
			str_addc(&clean, ' ');
	strv_add(out, str_get(&clean));
}

/* Lines of the greatest weight there is, in their order. */
static void pick(const struct text *text, size_t max, struct strv *out)
{
	enum weight best = WEIGHT_MAKE;
	const char *end = text->p + text->len;

	for (const char *p = text->p; p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p)) ?: end;
		enum weight weight = weigh(p, (size_t)(stop - p));

		if (weight > best) {
			strv_fini(out);
			*out = (struct strv){ 0 };
			best = weight;
		}
		if (weight == best && out->n < max)
			add_line(out, p, (size_t)(stop - p));
		p = stop + 1;
	}
}

int errors_find(int log_fd, off_t start, size_t max, struct strv *ret_lines)
{
	struct text text;
	int r = map_log(log_fd, start, &text);

	if (r == 0 && text.len > 0)
		pick(&text, max, ret_lines);
	unmap_log(&text);
	if (r == 0 && !strv_ok(ret_lines))
		r = -ENOMEM;
	return r;
}

bool errors_mention(int log_fd, off_t start, const char *what)
{
	struct text text;
	bool found = map_log(log_fd, start, &text) == 0 && text.len > 0 &&
		     has(text.p, text.len, what);

	unmap_log(&text);
	return found;
}

int build_first_errors(int log_fd, size_t max, struct strv *ret_lines)
{
	return errors_find(log_fd, 0, max, ret_lines);
}
