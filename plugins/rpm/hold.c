// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/hold.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/rpm/hold_toml.h"

#define FILE_MAX (4u << 20)
#define RECORD_DIR "/var/lib/kmodgate/holds"

/* ---- the clients' formats ---- */

/* versionlock of dnf4: "!" excludes one version. */
static void print_dnf4(struct str *out, const char *name, const char *evr)
{
	str_addf(out, "!%s-%s%s.*\n", name, strchr(evr, ':') == NULL ? "0:" : "", evr);
}

/* As hold_toml.h has it. */
static void print_dnf5(struct str *out, const char *name, const char *evr)
{
	str_addf(out, "%s %s\n", name, evr);
}

static void print_zypp(struct str *out, const char *name, const char *evr)
{
	str_addf(out,
		 "\ntype: package\nmatch_type: exact\ncase_sensitive: on\n"
		 "solvable_name: %s\nversion: == %s\n\n",
		 name, evr);
}

static const struct hold_format formats[] = {
	{ .manager = "dnf",
	  .dir = "/etc/dnf/plugins",
	  .file = "versionlock.list",
	  .head = "",
	  .sign = "/etc/dnf/plugins/versionlock.conf",
	  .needs_file = true,
	  .record_dir = RECORD_DIR,
	  .unit = &hold_lines,
	  .print = print_dnf4 },
	{ .manager = "dnf",
	  .dir = "/etc/dnf",
	  .file = "versionlock.toml",
	  .head = "version = \"1.0\"\n",
	  .sign = "/usr/bin/dnf5",
	  .print = print_dnf5,
	  .split = hold_toml_split,
	  .join = hold_toml_join },
	{ .manager = "zypper",
	  .dir = "/etc/zypp",
	  .file = "locks",
	  .head = "",
	  .sign = "/etc/zypp",
	  .record_dir = RECORD_DIR,
	  .unit = &hold_paragraphs,
	  .print = print_zypp },
};

const struct hold_format *hold_format_next(const char *manager,
					   const struct hold_format *from)
{
	for (size_t i = from != NULL ? (size_t)(from - formats) + 1 : 0;
	     i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].manager, manager) == 0 &&
		    access(formats[i].sign, F_OK) == 0)
			return &formats[i];
	return NULL;
}

/* ---- our blocks ---- */

size_t hold_line_length(const char *line)
{
	size_t n = strcspn(line, "\n");

	return n + (line[n] == '\n');
}

bool hold_is_begin(const char *line, char release[256], char reason[256])
{
	return str_starts(line, HOLD_BEGIN_MARK) &&
	       sscanf(line + strlen(HOLD_BEGIN_MARK), "%255[^ \n] %255[^ \n]", release,
		      reason) == 2;
}

static bool is_begin_of(const char *line, const char *release)
{
	const size_t n = strlen(HOLD_BEGIN_MARK);

	if (!str_starts(line, HOLD_BEGIN_MARK))
		return false;
	if (release == NULL)
		return true;
	return strncmp(line + n, release, strlen(release)) == 0 &&
	       line[n + strlen(release)] == ' ';
}

void hold_strip(const char *text, const char *release, struct str *out)
{
	bool is_ours = false;

	for (const char *p = text; *p != '\0'; p += hold_line_length(p)) {
		is_ours = is_ours || is_begin_of(p, release);
		if (!is_ours)
			str_addn(out, p, hold_line_length(p));
		if (str_starts(p, HOLD_END_MARK))
			is_ours = false;
	}
}

static bool has_word(const struct strv *list, const char *word, size_t n)
{
	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->v[i], word, n) == 0 && list->v[i][n] == '\0')
			return true;
	return false;
}

void hold_list(const char *text, struct strv *list, struct str *reason)
{
	for (const char *p = text; *p != '\0'; p += hold_line_length(p)) {
		const char *word = p + strlen(HOLD_BEGIN_MARK);
		size_t n;

		if (!is_begin_of(p, NULL))
			continue;
		n = strcspn(word, " \n");
		if (!has_word(list, word, n))
			strv_addn(list, word, n);
		if (reason->len == 0 && word[n] == ' ')
			str_addn(reason, word + n + 1, strcspn(word + n + 1, "\n"));
	}
}

void hold_begin(struct str *out, const char *release, const char *reason)
{
	if (out->len > 0 && out->p[out->len - 1] != '\n')
		str_addc(out, '\n');
	str_addf(out, HOLD_BEGIN_MARK "%s %s\n", release, reason);
}

void hold_end(struct str *out)
{
	str_add(out, HOLD_END_MARK);
}

/* ---- the file ---- */

static int open_dir(const struct hold_format *f, struct kg_err *err)
{
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? kg_fail_errno(err, -errno, "cannot open %s", f->dir) : fd;
}

int hold_read(const struct hold_format *f, struct str *ret_text, struct kg_err *err)
{
	_cleanup_close_ int dir_fd = open_dir(f, err);
	_cleanup_free_ char *record = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	r = fd_read_file_in(dir_fd, f->file, FILE_MAX, &text, NULL, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read %s/%s", f->dir, f->file);
	if (f->record_dir != NULL)
		record = hold_read_record(f);
	if (record != NULL)
		hold_rejoin(f->unit, text, record, ret_text);
	else if (f->split != NULL)
		f->split(text, ret_text);
	else
		str_add(ret_text, text);
	return str_ok(ret_text) ? 0 : kg_fail_errno(err, -ENOMEM, "reading the holds");
}

static int write_text(const struct hold_format *f, const struct str *text,
		      struct kg_err *err)
{
	_cleanup_close_ int dir_fd = open_dir(f, err);

	if (dir_fd < 0)
		return dir_fd;
	if (!str_ok(text))
		return kg_fail_errno(err, -ENOMEM, "writing the holds");
	if (!f->needs_file && strcmp(str_get(text), f->head) == 0)
		return unlinkat(dir_fd, f->file, 0) < 0 && errno != ENOENT
			       ? kg_fail_errno(err, -errno, "cannot remove %s/%s", f->dir,
					       f->file)
			       : 0;
	return fd_replace_at(dir_fd, f->file, str_get(text), text->len, 0644, err);
}

static int write_file(const struct hold_format *f, const struct str *text,
		      struct kg_err *err)
{
	_cleanup_str_ struct str joined = { 0 };
	int r;

	if (f->join == NULL || !str_ok(text))
		return write_text(f, text, err);
	r = f->join(str_get(text), &joined);
	if (r < 0)
		return kg_fail(err, r, "%s/%s: not in a form that can be changed safely",
			       f->dir, f->file);
	return write_text(f, &joined, err);
}

int hold_write(const struct hold_format *f, const struct str *text, struct kg_err *err)
{
	int r = write_file(f, text, err);

	if (r == 0 && f->record_dir != NULL)
		hold_write_record(f, str_get(text));
	return r;
}
