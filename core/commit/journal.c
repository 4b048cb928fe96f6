// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/commit/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/fd.h"

#define JOURNAL_MAGIC "kmodgate-journal "
#define JOURNAL_MAX_BYTES (16u << 20)
#define SUM_LEN 8

static int line_sum(const char *body, size_t len, char ret_sum[SUM_LEN + 1])
{
	char hex[DIGEST_HEX_SIZE];
	int r = digest_hex(body, len, hex);

	if (r == 0)
		snprintf(ret_sum, SUM_LEN + 1, "%.*s", SUM_LEN, hex);
	return r;
}

/* "SUM BODY": the body's offset, 0 when the sum does not fit. */
static size_t line_check(const char *line, size_t len)
{
	char sum[SUM_LEN + 1];

	if (len < SUM_LEN + 2 || line[SUM_LEN] != ' ')
		return 0;
	if (line_sum(line + SUM_LEN + 1, len - SUM_LEN - 1, sum) < 0)
		return 0;
	return memcmp(line, sum, SUM_LEN) == 0 ? SUM_LEN + 1 : 0;
}

/* Length of the line at @p without its newline; -1 when it has none before @end. */
static ssize_t line_length(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline != NULL ? newline - p : -1;
}

/* A bad line is a torn tail only when nothing valid follows it. */
static bool has_valid_line(const char *p, const char *end)
{
	ssize_t len;

	for (; (len = line_length(p, end)) >= 0; p += len + 1)
		if (line_check(p, (size_t)len) != 0)
			return true;
	return false;
}

static int parse_lines(struct journal *j, const char *text, const char *p,
		       const char *end)
{
	ssize_t len;

	for (; (len = line_length(p, end)) >= 0; p += len + 1) {
		size_t at = line_check(p, (size_t)len);

		if (at == 0)
			break;
		strv_addn(&j->lines, p + at, (size_t)len - at);
	}
	if (!strv_ok(&j->lines))
		return -ENOMEM;
	j->end = (uint64_t)(p - text);
	return has_valid_line(p, end) ? -KGE_FORMAT : 0;
}

/* "kmodgate-journal VERSION KIND" */
static int parse_header(const char *line, size_t len, const char *kind,
			struct kg_err *err)
{
	const size_t magic = strlen(JOURNAL_MAGIC);
	uint64_t version;
	size_t digits;

	if (len <= magic || memcmp(line, JOURNAL_MAGIC, magic) != 0)
		return kg_fail(err, -KGE_FORMAT, "%s journal: not a journal", kind);
	line += magic;
	len -= magic;
	for (digits = 0; digits < len && line[digits] != ' '; digits++)
		;
	if (parse_u64n(line, digits, &version) < 0)
		return kg_fail(err, -KGE_FORMAT, "%s journal: damaged first line", kind);
	if (version != JOURNAL_VERSION)
		return kg_fail(
			err, -KGE_FORMAT,
			"%s journal: version %.*s, this kmodgate reads version %d; "
			"left alone",
			kind, (int)digits, line, JOURNAL_VERSION);
	if (len - digits != strlen(kind) + 1 ||
	    memcmp(line + digits + 1, kind, strlen(kind)) != 0)
		return kg_fail(err, -KGE_FORMAT, "%s journal: of another kind", kind);
	return 0;
}

static int journal_parse(struct journal *j, const char *text, size_t len,
			 const char *kind, struct kg_err *err)
{
	const char *end = text + len;
	ssize_t head = line_length(text, end);
	int r;

	if (head < 0)
		return -ENOENT;
	r = parse_header(text, (size_t)head, kind, err);
	if (r < 0)
		return r;
	r = parse_lines(j, text, text + head + 1, end);
	if (r == -KGE_FORMAT)
		return kg_fail(err, r, "%s journal: line %zu is damaged", kind,
			       j->lines.n + 2);
	if (r < 0)
		return kg_fail_errno(err, r, "%s journal", kind);
	return j->lines.n > 0 ? 0 : -ENOENT;
}

int journal_open(int dir_fd, const char *kind, struct journal *ret_journal,
		 struct kg_err *err)
{
	struct journal j = JOURNAL_INIT;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	j.fd = openat(dir_fd, JOURNAL_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (j.fd < 0 && (errno == EACCES || errno == EROFS)) /* status, by anybody */
		j.fd = openat(dir_fd, JOURNAL_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (j.fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (j.fd < 0)
		return kg_fail_errno(err, -errno, "cannot open the %s journal", kind);
	r = fd_read_all(j.fd, JOURNAL_MAX_BYTES, &text, &len);
	if (r < 0)
		r = kg_fail_errno(err, r, "cannot read the %s journal", kind);
	else
		r = journal_parse(&j, text, len, kind, err);
	if (r == 0)
		*ret_journal = j;
	else
		journal_fini(&j);
	return r;
}

int journal_create(int dir_fd, const char *kind, struct journal *ret_journal,
		   struct kg_err *err)
{
	struct journal j = JOURNAL_INIT;

	j.fd = openat(dir_fd, JOURNAL_NAME,
		      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (j.fd < 0)
		return kg_fail_errno(err, -errno, "cannot make the %s journal", kind);
	str_addf(&j.pending, JOURNAL_MAGIC "%d %s\n", JOURNAL_VERSION, kind);
	*ret_journal = j;
	return 0;
}

void journal_fini(struct journal *journal)
{
	closep(&journal->fd);
	journal->fd = -1;
	strv_fini(&journal->lines);
	strv_fini(&journal->pending_lines);
	str_fini(&journal->pending);
}

void journal_add(struct journal *journal, const char *fmt, ...)
{
	char *body = NULL;
	char sum[SUM_LEN + 1];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&body, fmt, ap);
	va_end(ap);
	if (len < 0 || line_sum(body, (size_t)len, sum) < 0) {
		journal->pending.failed = true;
	} else {
		str_addf(&journal->pending, "%s %s\n", sum, body);
		strv_add(&journal->pending_lines, body);
	}
	if (len >= 0)
		free(body);
}

/* Cut first: behind a torn tail the new lines could not be told from a damaged middle. */
static int write_pending(struct journal *j)
{
	int r;

	if (ftruncate(j->fd, (off_t)j->end) < 0 ||
	    lseek(j->fd, (off_t)j->end, SEEK_SET) < 0)
		return -errno;
	r = fd_write_all(j->fd, str_get(&j->pending), j->pending.len);
	if (r == 0 && fsync(j->fd) < 0)
		r = -errno;
	return r;
}

static void drop_pending(struct journal *j)
{
	str_fini(&j->pending);
	strv_fini(&j->pending_lines);
	j->pending = (struct str){ 0 };
	j->pending_lines = (struct strv){ 0 };
}

int journal_sync(struct journal *journal, struct kg_err *err)
{
	int r;

	if (!str_ok(&journal->pending) || !strv_ok(&journal->pending_lines))
		r = -ENOMEM;
	else
		r = write_pending(journal);
	for (size_t i = 0; r == 0 && i < journal->pending_lines.n; i++)
		strv_add(&journal->lines, journal->pending_lines.v[i]);
	if (r == 0)
		journal->end += journal->pending.len;
	else if (ftruncate(journal->fd, (off_t)journal->end) < 0 ||
		 fsync(journal->fd) < 0)
		journal->is_unsure = true;
	drop_pending(journal);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot write the journal");
}

const char *journal_subject(const char *line, const char *step)
{
	size_t len = strlen(step);

	if (strncmp(line, step, len) != 0 || (line[len] != ' ' && line[len] != '\0'))
		return NULL;
	return line[len] == ' ' ? line + len + 1 : line + len;
}
