// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/version.h"

#include <stddef.h>
#include <string.h>

/* Without "+b1" (rebuilt), "+1" (signed): "+deb12u1" is another source version. */
static size_t source_len(const char *version)
{
	const char *plus = strrchr(version, '+');
	const char *p = plus;

	if (plus == NULL)
		return strlen(version);
	p += 1 + (plus[1] == 'b');
	if (*p == '\0' || p[strspn(p, "0123456789")] != '\0')
		return strlen(version);
	return (size_t)(plus - version);
}

bool version_same_source(const char *a, const char *b)
{
	size_t len = source_len(a);

	return len == source_len(b) && memcmp(a, b, len) == 0;
}
