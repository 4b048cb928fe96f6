// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/str.h"

#define V3_FIELDS 9

void stream_fini(struct stream *s)
{
	free(s->text);
	free(s->config);
	free(s->ops);
	*s = (struct stream){ 0 };
}

/* The line at *@at, cut off; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at;
	char *end;

	if (line == NULL || *line == '\0')
		return NULL;
	end = strchr(line, '\n');
	if (end != NULL)
		*end++ = '\0';
	*at = end;
	return line;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* An archive's path may hold spaces: the last field is the rest of the line. */
static size_t split_fields(char *line, char *fields[V3_FIELDS])
{
	size_t n = 0;

	while (n < V3_FIELDS - 1) {
		char *space = strchr(line, ' ');

		if (space == NULL)
			break;
		*space = '\0';
		fields[n++] = line;
		line = space + 1;
	}
	fields[n++] = line;
	return n;
}

static const char *version_or_null(const char *word)
{
	return strcmp(word, "-") == 0 ? NULL : word;
}

/* false: not a line of protocol 3. Lines that change no file are left out. */
static bool add_op(struct stream *s, char *line)
{
	char *f[V3_FIELDS];
	struct stream_op op;

	if (split_fields(line, f) != V3_FIELDS)
		return false;
	op = (struct stream_op){
		.name = f[0],
		.old_version = version_or_null(f[1]),
		.old_arch = f[2],
		.old_multi_arch = f[3],
		.new_version = version_or_null(f[5]),
		.new_arch = f[6],
	};
	if (!str_starts(f[8], "**"))
		op.path = f[8];
	else if (strcmp(f[8], "**REMOVE**") != 0)
		return true;
	s->ops[s->n_ops++] = op;
	return true;
}

static int parse_v3(struct stream *s, char *at, struct kg_err *err)
{
	char *line;

	while ((line = next_line(&at)) != NULL && line[0] != '\0')
		s->config[s->n_config++] = line;
	while ((line = next_line(&at)) != NULL)
		if (line[0] != '\0' && !add_op(s, line))
			return kg_fail(err, -KGE_FORMAT,
				       "apt sent a line we cannot read: %.80s", line);
	return 0;
}

static int parse_v1(struct stream *s, char *at, struct kg_err *err)
{
	char *line;

	while ((line = next_line(&at)) != NULL) {
		if (line[0] == '\0')
			continue;
		if (line[0] != '/')
			return kg_fail(err, -KGE_FORMAT,
				       "apt sent a line we cannot read: %.80s", line);
		s->ops[s->n_ops++] = (struct stream_op){ .path = line };
	}
	return 0;
}

static int parse(struct stream *s, struct kg_err *err)
{
	char *at = s->text;
	size_t n_lines = count_lines(s->text);

	s->config = calloc(n_lines, sizeof(*s->config));
	s->ops = calloc(n_lines, sizeof(*s->ops));
	if (s->config == NULL || s->ops == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading what apt sent");
	if (!str_starts(at, "VERSION "))
		return parse_v1(s, at, err);
	if (!str_starts(at, "VERSION 3\n"))
		return kg_fail(err, -KGE_FORMAT,
			       "apt speaks hook protocol '%.20s', not 3",
			       at + strlen("VERSION "));
	return parse_v3(s, at + strlen("VERSION 3\n"), err);
}

int stream_parse(char *text, size_t len, struct stream *ret, struct kg_err *err)
{
	struct stream s = { .text = text };
	int r;

	if (strlen(text) != len)
		r = kg_fail(err, -KGE_FORMAT, "apt sent a NUL");
	else
		r = parse(&s, err);
	if (r < 0) {
		stream_fini(&s);
		return r;
	}
	*ret = s;
	return 0;
}

const char *stream_config(const struct stream *s, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < s->n_config; i++)
		if (strncmp(s->config[i], key, len) == 0 && s->config[i][len] == '=')
			return s->config[i] + len + 1;
	return "";
}

static bool is_yes(const char *value)
{
	static const char *const no[] = { "",	     "0",   "no",     "false",
					  "without", "off", "disable" };

	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (strcmp(value, no[i]) == 0)
			return false;
	return true;
}

/* dpkg itself is told to work elsewhere. */
static bool dpkg_goes_elsewhere(const struct stream *s)
{
	static const char *const options[] = { "DPkg::Options::=--root",
					       "DPkg::Options::=--instdir",
					       "DPkg::Options::=--admindir" };

	for (size_t i = 0; i < s->n_config; i++)
		for (size_t k = 0; k < ARRAY_SIZE(options); k++)
			if (str_starts(s->config[i], options[k]))
				return true;
	return false;
}

/* python-apt writes "//var/lib/dpkg/status". */
static bool is_same_path(const char *value, const char *path)
{
	while (*value != '\0' && *value == *path) {
		value++;
		path++;
		while (value[-1] == '/' && *value == '/')
			value++;
	}
	return *value == '\0' && *path == '\0';
}

static bool is_root(const char *value)
{
	return value[strspn(value, "/")] == '\0';
}

const char *stream_foreign_root(const struct stream *s)
{
	const char *dpkg_root = getenv("DPKG_ROOT");
	const char *status = stream_config(s, "Dir::State::status");

	if (dpkg_root != NULL && !is_root(dpkg_root))
		return "DPKG_ROOT";
	if (!is_root(stream_config(s, "Dir")))
		return "Dir";
	if (!is_root(stream_config(s, "RootDir")))
		return "RootDir";
	if (!is_root(stream_config(s, "DPkg::Chroot-Directory")))
		return "DPkg::Chroot-Directory";
	if (status[0] != '\0' && !is_same_path(status, "/var/lib/dpkg/status"))
		return "Dir::State::status";
	if (dpkg_goes_elsewhere(s))
		return "DPkg::Options";
	if (is_yes(stream_config(s, "Debug::pkgDPkgPM")))
		return "Debug::pkgDPkgPM";
	return NULL;
}
