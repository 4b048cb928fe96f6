// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/registry/confline.h"
#include "core/registry/registry.h"

#define CONF_MAX_BYTES (1u << 20)

/* Value of @key in "KEY=value" at @line; 1 when it is that line, 0 when not. */
static int read_key(const char *line, const char *key, struct str *value)
{
	const char *p = line + strspn(line, " \t");
	size_t len = strlen(key);
	int r;

	if (strncmp(p, key, len) != 0)
		return 0;
	p += len;
	if (str_starts(p, "[0]"))
		p += strlen("[0]");
	if (*p != '=')
		return 0;
	p++;
	str_clear(value);
	r = confline_read_word(&p, value);
	if (r < 0)
		return r;
	if (strchr(str_get(value), '$') != NULL || !confline_is_end(p))
		return -EAGAIN;
	return str_ok(value) ? 1 : -ENOMEM;
}

static int read_lines(char *text, struct str *name, struct str *version)
{
	for (char *line = text; line != NULL;) {
		char *end = strchr(line, '\n');
		int r;

		if (end != NULL)
			*end++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		r = read_key(line, "PACKAGE_NAME", name);
		if (r == 0)
			r = read_key(line, "PACKAGE_VERSION", version);
		if (r < 0)
			return r;
		line = end;
	}
	return 0;
}

int reg_read_identity(int source_fd, struct arena *arena, const char **ret_name,
		      const char **ret_version, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_str_ struct str name = { 0 };
	_cleanup_str_ struct str version = { 0 };
	int r = fd_read_file_in(source_fd, "dkms.conf", CONF_MAX_BYTES, &text, NULL, err);

	if (r == 0)
		r = read_lines(text, &name, &version);
	if (r == -EAGAIN || r == -KGE_FORMAT)
		return kg_fail(
			err, -KGE_RECIPE,
			"dkms.conf works out its PACKAGE_NAME or PACKAGE_VERSION: put the "
			"tree at /usr/src/NAME-VERSION and add NAME/VERSION");
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read dkms.conf");
	if (!name_is_word(str_get(&name)) || !name_is_word(str_get(&version)))
		return kg_fail(
			err, -KGE_RECIPE,
			"dkms.conf has no usable PACKAGE_NAME and PACKAGE_VERSION: "
			"'%s', '%s'",
			str_get(&name), str_get(&version));
	*ret_name = arena_strdup(arena, str_get(&name));
	*ret_version = arena_strdup(arena, str_get(&version));
	return arena->failed ? kg_fail_errno(err, -ENOMEM, "cannot read dkms.conf") : 0;
}
