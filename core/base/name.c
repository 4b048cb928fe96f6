// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/name.h"

#include <limits.h>
#include <string.h>

#include "core/base/str.h"

static bool component_is_plain(const char *p, size_t len)
{
	if (len == 0 || len > NAME_MAX || p[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (p[i] == '/' || (unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

bool name_is_plain(const char *name)
{
	return component_is_plain(name, strlen(name));
}

#define WORD \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789._+~:-"

static bool is_made_of(const char *name, const char *allowed)
{
	return name_is_plain(name) && name[0] != '-' &&
	       name[strspn(name, allowed)] == '\0';
}

bool name_is_word(const char *name)
{
	return is_made_of(name, WORD);
}

bool name_is_package(const char *name)
{
	return is_made_of(name, WORD "^");
}

bool name_is_path(const char *path)
{
	if (strlen(path) >= PATH_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!component_is_plain(path, len))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

size_t name_module_length(const char *file)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (str_ends(file, suffixes[i]))
			return strlen(file) - strlen(suffixes[i]);
	return 0;
}

bool name_is_same_module(const char *file, const char *other)
{
	const size_t n = name_module_length(file);

	return n > 0 && n == name_module_length(other) && memcmp(file, other, n) == 0;
}
