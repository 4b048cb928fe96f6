// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/member.h"

#include <stdio.h>
#include <string.h>

static bool is_dots(const char *name, size_t len, size_t n_dots)
{
	return len == n_dots && memcmp(name, "..", n_dots) == 0;
}

int member_clean_path(const char *raw, char ret_path[PATH_MAX])
{
	size_t used = 0;
	unsigned int depth = 0;

	if (raw[0] == '/')
		return -KGE_HOSTILE;
	while (*raw != '\0') {
		size_t len = strcspn(raw, "/");

		if (is_dots(raw, len, 2))
			return -KGE_HOSTILE;
		if (len > NAME_MAX || used + len + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		if (len > 0 && !is_dots(raw, len, 1)) {
			if (++depth > MEMBER_MAX_DEPTH)
				return -KGE_LIMIT;
			if (used > 0)
				ret_path[used++] = '/';
			memcpy(ret_path + used, raw, len);
			used += len;
		}
		raw += len;
		raw += *raw == '/';
	}
	ret_path[used] = '\0';
	return 0;
}

const char *member_show(const char *raw, char buffer[MEMBER_SHOW_SIZE])
{
	size_t i;

	for (i = 0; raw[i] != '\0' && i + 4 < MEMBER_SHOW_SIZE; i++) {
		unsigned char c = (unsigned char)raw[i];

		/* no escape sequence of an archive reaches the terminal */
		buffer[i] = c < 0x20 || c == 0x7f ? '?' : raw[i];
	}
	snprintf(buffer + i, MEMBER_SHOW_SIZE - i, "%s", raw[i] != '\0' ? "..." : "");
	return buffer;
}
