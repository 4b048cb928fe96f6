// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/registry/confline.h"

#include <ctype.h>
#include <string.h>

static bool needs_shell(const char *p, char quote)
{
	if (quote == '\0' && strchr("&|<>()", *p) != NULL)
		return true;
	return quote != '\'' && (*p == '`' || (*p == '$' && p[1] == '('));
}

int confline_read_word(const char **at, struct str *out)
{
	const char *p = *at;
	char quote = '\0';

	for (; *p != '\0'; p++) {
		if (quote == '\0' && (isspace((unsigned char)*p) || *p == ';'))
			break;
		if (*p == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else if (needs_shell(p, quote)) {
			return -EAGAIN;
		} else {
			if (quote != '\'' && *p == '\\' && p[1] != '\0' &&
			    (quote == '\0' || strchr("\"\\$`", p[1]) != NULL))
				p++;
			str_addc(out, *p);
		}
	}
	*at = p;
	return quote == '\0' ? 0 : -KGE_FORMAT;
}

bool confline_is_end(const char *p)
{
	p += strspn(p, " \t;\r");
	return *p == '\0' || *p == '#';
}
