// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/seal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/seal/module.h"

static int read_field(const struct module *module, const char *field, struct arena *arena,
		      const char **ret_value)
{
	int r = module_info(module, field, arena, ret_value);

	if (r < 0 && r != -ENODATA && r != -ENOENT) /* no .modinfo at all */
		return r;
	if (r < 0 || *ret_value == NULL)
		*ret_value = "";
	return 0;
}

/*
 * Only the first word is the version. Modules of long ago had a checksum as the second, before
 * there was a srcversion.
 */
static void split_version(struct arena *arena, struct seal_version *v)
{
	const size_t n = strcspn(v->version, " \t");
	const char *rest = v->version + n;

	rest += strspn(rest, " \t");
	if (v->srcversion[0] == '\0')
		v->srcversion = arena_strndup(arena, rest, strcspn(rest, " \t"));
	v->version = arena_strndup(arena, v->version, n);
}

/* Files of /lib/modules, which depmod and modprobe read as root too: no sandbox here. */
int seal_read_version(int file_fd, struct arena *arena, struct seal_version *ret_version,
		      struct kg_err *err)
{
	_cleanup_module_ struct module module = MODULE_INIT;
	char path[32];
	int r;

	*ret_version = (struct seal_version){ .version = "", .srcversion = "" };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	r = module_open(&module, path);
	if (r == 0)
		r = read_field(&module, "version", arena, &ret_version->version);
	if (r == 0)
		r = read_field(&module, "srcversion", arena, &ret_version->srcversion);
	if (r == 0)
		split_version(arena, ret_version);
	if (r == 0 && arena->failed)
		r = -ENOMEM;
	return r < 0 ? kg_fail_errno(err, r, "cannot read a module's version") : 0;
}

/* As numbers of any length; "007" is "7". */
static int compare_numbers(const char **a, const char **b)
{
	size_t n;
	size_t m;
	int r;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	n = strspn(*a, "0123456789");
	m = strspn(*b, "0123456789");
	r = n != m ? (n < m ? -1 : 1) : memcmp(*a, *b, n);
	*a += n;
	*b += m;
	return r;
}

static int compare_text(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		int r;

		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			r = compare_numbers(&a, &b);
		} else {
			r = (unsigned char)*a - (unsigned char)*b;
			a += *a != '\0';
			b += *b != '\0';
		}
		if (r != 0)
			return r;
	}
	return 0;
}

enum seal_order seal_compare_versions(const struct seal_version *a,
				      const struct seal_version *b)
{
	int r = compare_text(a->version, b->version);

	if (r != 0)
		return r < 0 ? SEAL_OLDER : SEAL_NEWER;
	if (strcmp(a->version, b->version) != 0 ||
	    strcmp(a->srcversion, b->srcversion) != 0)
		return SEAL_OTHER;
	return a->version[0] == '\0' && a->srcversion[0] == '\0' ? SEAL_OTHER : SEAL_SAME;
}
