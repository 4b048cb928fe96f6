// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/kconfig.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/str.h"

/* The value of CONFIG_@name as written, in @ret_value; NULL when it is not set. */
static const char *config_get(const char *config, const char *name, struct str *ret_value)
{
	size_t len = strlen(name);

	for (const char *p = config; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, "CONFIG_", 7) != 0 || strncmp(p + 7, name, len) != 0 ||
		    p[7 + len] != '=')
			continue;
		p += 7 + len + 1;
		str_clear(ret_value);
		str_addn(ret_value, p, strcspn(p, "\r\n"));
		return str_get(ret_value);
	}
	return NULL;
}

static bool config_is_set(const char *config, const char *name)
{
	_cleanup_str_ struct str value = { 0 };
	const char *text = config_get(config, name, &value);

	return text != NULL && strcmp(text, "y") == 0;
}

const char *kconfig_sig_hash(const char *config, struct arena *arena)
{
	_cleanup_str_ struct str value = { 0 };
	const char *text;
	size_t len;

	if (!config_is_set(config, "MODULE_SIG"))
		return NULL;
	text = config_get(config, "MODULE_SIG_HASH", &value);
	len = text != NULL ? strlen(text) : 0;
	if (len < 3 || text[0] != '"' || text[len - 1] != '"')
		return NULL;
	return arena_strndup(arena, text + 1, len - 2);
}

const char *kconfig_compression(const char *config)
{
	static const struct {
		const char *name;
		const char *suffix;
	} ways[] = { { "MODULE_COMPRESS_GZIP", ".gz" },
		     { "MODULE_COMPRESS_XZ", ".xz" },
		     { "MODULE_COMPRESS_ZSTD", ".zst" } };

	/* since Linux 6.12 a way can be chosen without modules_install using it */
	if (config_is_set(config, "MODULE_COMPRESS") &&
	    strstr(config, "# CONFIG_MODULE_COMPRESS_ALL is not set\n") != NULL)
		return "";
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (config_is_set(config, ways[i].name))
			return ways[i].suffix;
	return "";
}
