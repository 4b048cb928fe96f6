// SPDX-License-Identifier: GPL-2.0-or-later
/* For which kernels a module is meant at all. */
#include <string.h>

#include "core/recipe/interpret.h"

static size_t count_digits(const char *s)
{
	return strspn(s, "0123456789");
}

int release_compare(const char *a, const char *b)
{
	for (;;) {
		size_t n = count_digits(a);
		size_t m = count_digits(b);

		if (n > 0 && m > 0) {
			size_t zeros = strspn(a, "0");
			size_t other = strspn(b, "0");
			size_t len = n > zeros ? n - zeros : 0;
			size_t more = m > other ? m - other : 0;
			int d = len != more ? (len > more ? 1 : -1)
					    : strncmp(a + zeros, b + other, len);

			if (d != 0)
				return d;
			a += n;
			b += m;
		} else if (*a == '\0' || *a != *b) {
			return (unsigned char)*a - (unsigned char)*b;
		} else {
			a++;
			b++;
		}
	}
}

/* Which index says it for module @index. */
static unsigned int effective_index(const struct interpret *in,
				    enum recipe_directive directive, unsigned int index)
{
	return interpret_get(in, directive, index) != NULL ? index : 0;
}

static int note(struct interpret *in, const char **ret_why, const char *directive,
		const char *value, const char *is)
{
	*ret_why = arena_printf(&in->recipe->arena, "%s=%s does not fit %s", directive,
				value, is);
	return *ret_why != NULL ? 0 : interpret_no_memory(in);
}

static int check_pattern(struct interpret *in, enum recipe_directive directive,
			 unsigned int index, const char *is, const char **ret_why)
{
	unsigned int at = effective_index(in, directive, index);
	const char *pattern = interpret_get(in, directive, at);
	bool fits;
	int r;

	if (pattern == NULL)
		return 0;
	r = interpret_match(in, directive, at, is, &fits);
	if (r < 0 || fits)
		return r;
	return note(in, ret_why, directive_name(directive), pattern, is);
}

static int check_min(struct interpret *in, unsigned int index, const char **ret_why)
{
	unsigned int at = effective_index(in, D_BUILD_EXCLUSIVE_KERNEL_MIN, index);
	const char *min = interpret_get(in, D_BUILD_EXCLUSIVE_KERNEL_MIN, at);

	if (min == NULL || release_compare(in->release, min) >= 0)
		return 0;
	return note(in, ret_why, "BUILD_EXCLUSIVE_KERNEL_MIN", min, in->release);
}

static int check_max(struct interpret *in, unsigned int index, const char **ret_why)
{
	unsigned int at = effective_index(in, D_BUILD_EXCLUSIVE_KERNEL_MAX, index);
	const char *max = interpret_get(in, D_BUILD_EXCLUSIVE_KERNEL_MAX, at);
	const char *name = "BUILD_EXCLUSIVE_KERNEL_MAX";

	if (max == NULL) {
		max = interpret_get(in, D_OBSOLETE_BY, 0);
		name = "OBSOLETE_BY";
	}
	if (max == NULL || release_compare(in->release, max) <= 0)
		return 0;
	return note(in, ret_why, name, max, in->release);
}

/* Is @option=y or =m a line of the config? */
static bool config_has(const char *config, const char *option, size_t len)
{
	const char *line = config;

	while (line != NULL && *line != '\0') {
		if (strncmp(line, option, len) == 0 && line[len] == '=' &&
		    (line[len + 1] == 'y' || line[len + 1] == 'm'))
			return true;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return false;
}

/* Without a config nothing is known, and nothing is excluded for it. */
static int check_config(struct interpret *in, unsigned int index, const char **ret_why)
{
	unsigned int at = effective_index(in, D_BUILD_EXCLUSIVE_CONFIG, index);
	const char *p = interpret_get(in, D_BUILD_EXCLUSIVE_CONFIG, at);

	if (p == NULL || *in->config == '\0')
		return 0;
	for (p += strspn(p, " \t\n"); *p != '\0'; p += strspn(p, " \t\n")) {
		size_t len = strcspn(p, " \t\n");
		bool is_unwanted = *p == '!';

		if (config_has(in->config, p + is_unwanted, len - is_unwanted) ==
		    is_unwanted) {
			*ret_why = arena_printf(
				&in->recipe->arena,
				"BUILD_EXCLUSIVE_CONFIG=%.*s does not fit the configuration of %s",
				(int)len, p, in->release);
			return *ret_why != NULL ? 0 : interpret_no_memory(in);
		}
		p += len;
	}
	return 0;
}

int exclusive_check(struct interpret *in, unsigned int index, const char **ret_why)
{
	const char *why = NULL;
	int r = check_pattern(in, D_BUILD_EXCLUSIVE_KERNEL, index, in->release, &why);

	if (r == 0 && why == NULL)
		r = check_min(in, index, &why);
	if (r == 0 && why == NULL)
		r = check_max(in, index, &why);
	if (r == 0 && why == NULL)
		r = check_pattern(in, D_BUILD_EXCLUSIVE_ARCH, index, in->arch, &why);
	if (r == 0 && why == NULL)
		r = check_config(in, index, &why);
	if (r == 0)
		*ret_why = why;
	return r;
}
