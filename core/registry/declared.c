// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which modules a dkms.conf declares, for `status`: only files of plain assignments, since
 * status never forks. Not the recipe: nothing is built from this.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/confline.h"
#include "core/registry/regtree.h"

#define CONF_MAX_BYTES (256u << 10)
#define MAX_MODULES 512

struct declared {
	char *built[MAX_MODULES];
	char *dest[MAX_MODULES];
	bool is_record[MAX_MODULES];
	size_t n; /* one more than the highest index */
	char *package;
};

static void declared_fini(struct declared *d)
{
	for (size_t i = 0; i < MAX_MODULES; i++) {
		free(d->built[i]);
		free(d->dest[i]);
	}
	free(d->package);
	free(d);
}

/* "KEY=" or "KEY[3]=": its length, 0 for anything else. */
static size_t parse_key(const char *line, size_t *ret_key_len, uint64_t *ret_index)
{
	size_t len = strspn(
		line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz0123456789");
	size_t digits;

	*ret_key_len = len;
	*ret_index = 0;
	if (len == 0 || isdigit((unsigned char)line[0]))
		return 0;
	if (line[len] == '=')
		return len + 1;
	if (line[len] != '[')
		return 0;
	digits = strspn(line + len + 1, "0123456789");
	if (parse_u64n(line + len + 1, digits, ret_index) < 0 ||
	    *ret_index >= MAX_MODULES || line[len + 1 + digits] != ']' ||
	    line[len + 2 + digits] != '=')
		return 0;
	return len + digits + 3;
}

static int take_word(const char *p, char **slot)
{
	_cleanup_str_ struct str value = { 0 };
	int r = confline_read_word(&p, &value);

	if (r < 0 || !confline_is_end(p) || strchr(str_get(&value), '$') != NULL)
		return -EAGAIN;
	free(*slot);
	*slot = str_take(&value);
	return *slot != NULL ? 0 : -ENOMEM;
}

/* A value that is of no interest, unless it goes on in the next line or ends in a command. */
static int pass_value(const char *p)
{
	char quote = '\0';

	for (; *p != '\0'; p++) {
		if (*p == '\\' && quote != '\'') {
			if (*++p == '\0')
				return -EAGAIN;
		} else if (*p == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else if (quote == '\0' && strchr("&|<>();`", *p) != NULL) {
			return -EAGAIN;
		}
	}
	return quote == '\0' ? 0 : -EAGAIN;
}

static bool is_key(const char *line, size_t len, const char *key)
{
	return strlen(key) == len && memcmp(line, key, len) == 0;
}

static int read_line(struct declared *d, const char *line)
{
	const char *p = line + strspn(line, " \t");
	size_t key_len;
	uint64_t i;
	size_t skip;

	if (confline_is_end(p))
		return 0;
	skip = parse_key(p, &key_len, &i);
	if (skip == 0 || (str_starts(p, "BUILD_EXCLUSIVE") && p[key_len] == '['))
		return -EAGAIN;
	if (is_key(p, key_len, "PACKAGE_NAME"))
		return take_word(p + skip, &d->package);
	if (is_key(p, key_len, "DEST_MODULE_LOCATION") ||
	    is_key(p, key_len, "BUILT_MODULE_NAME") ||
	    is_key(p, key_len, "DEST_MODULE_NAME")) {
		d->is_record[i] = true;
		d->n = i >= d->n ? i + 1 : d->n;
	}
	if (is_key(p, key_len, "BUILT_MODULE_NAME"))
		return take_word(p + skip, &d->built[i]);
	if (is_key(p, key_len, "DEST_MODULE_NAME"))
		return take_word(p + skip, &d->dest[i]);
	return pass_value(p + skip);
}

static int read_lines(struct declared *d, char *text)
{
	int r = 0;

	for (char *line = text; r == 0 && line != NULL;) {
		char *end = strchr(line, '\n');

		if (end != NULL)
			*end++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		r = read_line(d, line);
		line = end;
	}
	return r;
}

static int collect_names(const struct declared *d, struct strv *ret_names)
{
	size_t n_records = 0;

	for (size_t i = 0; i < d->n; i++)
		n_records += d->is_record[i];
	for (size_t i = 0; i < d->n; i++) {
		const char *name = d->dest[i] != NULL ? d->dest[i] : d->built[i];

		if (!d->is_record[i])
			continue;
		if (name == NULL && n_records == 1)
			name = d->package;
		if (name == NULL)
			return -EAGAIN;
		strv_add(ret_names, name);
	}
	return strv_ok(ret_names) ? 0 : -ENOMEM;
}

int regtree_list_overrides(const struct kg_system *sys, struct strv *ret_names)
{
	_cleanup_close_ int dir_fd =
		fd_try_open_in(sys->root_fd, "etc/dkms", O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = dir_fd < 0 ? NULL : fd_list(dir_fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (str_ends(entry->d_name, ".conf"))
			strv_add(ret_names, entry->d_name);
	return strv_ok(ret_names) ? 0 : -ENOMEM;
}

static bool is_overridden(const struct strv *overrides, const char *name)
{
	for (size_t i = 0; i < overrides->n; i++)
		if (str_starts(overrides->v[i], name))
			return true;
	return false;
}

int regtree_declared(int conf_fd, const char *name, const struct strv *overrides,
		     struct strv *ret_names)
{
	_cleanup_free_ char *text = NULL;
	struct declared *d;
	int r;

	if (conf_fd < 0 || is_overridden(overrides, name) ||
	    fd_read_all(conf_fd, CONF_MAX_BYTES, &text, NULL) < 0)
		return -EAGAIN;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	r = read_lines(d, text);
	if (r == 0)
		r = collect_names(d, ret_names);
	declared_fini(d);
	return r;
}
