// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sandbox/internal.h"

#include <string.h>

static int rank(char c)
{
	return c == '/' ? 1 : (unsigned char)c;
}

int paths_compare(const void *a, const void *b)
{
	const char *p = *(const char *const *)a;
	const char *q = *(const char *const *)b;

	while (*p != '\0' && *p == *q) {
		p++;
		q++;
	}
	return rank(*p) - rank(*q);
}

size_t paths_component(const struct paths *range, size_t i, size_t *ret_same)
{
	const char *name = range->v[i] + range->skip;
	size_t len = strcspn(name, "/");
	size_t same = 1;

	while (i + same < range->n) {
		const char *other = range->v[i + same] + range->skip;

		if (strncmp(name, other, len) != 0 ||
		    (other[len] != '/' && other[len] != '\0'))
			break;
		same++;
	}
	*ret_same = same;
	return len;
}

/* Is @path's component, @len bytes of @name being asked for, before, at or after it? */
static int compare_component(const char *path, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (path[i] != name[i])
			return rank(path[i]) - rank(name[i]);
	return path[len] == '\0' || path[len] == '/' ? 0 : 1;
}

/* First path of the range that is not before (@past 0) or is after (@past 1) @name. */
static size_t find_bound(const struct paths *range, const char *name, int past)
{
	size_t len = strlen(name);
	size_t low = 0;
	size_t high = range->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_component(range->v[mid] + range->skip, name, len) < past)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool paths_below(const struct paths *range, const char *name, struct paths *ret_below)
{
	size_t len = strlen(name);
	size_t first = find_bound(range, name, 0);
	size_t end = find_bound(range, name, 1);
	bool is_listed = false;

	while (first < end && range->v[first][range->skip + len] == '\0') {
		is_listed = true;
		first++;
	}
	*ret_below = (struct paths){ .v = range->v + first,
				     .n = end - first,
				     .skip = range->skip + len + 1 };
	return is_listed;
}
