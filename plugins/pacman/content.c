// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/content.h"

#include <string.h>

#define MODULES "usr/lib/modules/"
#define SOURCES "usr/src/"

/* The part of @path behind @prefix, NULL when it does not begin with it. */
static const char *behind(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

/* Also what says which package a kernel is of, for those whose image lies in /boot. */
static bool is_image_name(const char *name)
{
	static const char *const names[] = { "vmlinuz", "vmlinux", "Image", "pkgbase" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static unsigned int below_modules(const char *rest,
				  char ret_release[CONTENT_RELEASE_SIZE])
{
	size_t n = strcspn(rest, "/");

	if (n == 0 || n >= CONTENT_RELEASE_SIZE || rest[0] == '.' || rest[n] == '\0')
		return 0;
	memcpy(ret_release, rest, n);
	ret_release[n] = '\0';
	rest += n + 1;
	if (is_image_name(rest))
		return CONTENT_IMAGE;
	if (behind(rest, "build/") != NULL || strcmp(rest, "build") == 0)
		return CONTENT_HEADERS;
	return *rest != '\0' ? CONTENT_MODULES : 0;
}

int content_source_length(const char *path)
{
	const char *end = strrchr(path, '/');

	return end != NULL ? (int)(end - path) : 0;
}

unsigned int content_of(const char *path, char ret_release[CONTENT_RELEASE_SIZE])
{
	const char *rest = behind(path, MODULES);
	size_t n;

	ret_release[0] = '\0';
	if (rest != NULL)
		return below_modules(rest, ret_release);
	rest = behind(path, SOURCES);
	if (rest == NULL || rest[0] == '.')
		return 0;
	n = strcspn(rest, "/");
	return n > 0 && strcmp(rest + n, "/dkms.conf") == 0 ? CONTENT_SOURCE : 0;
}
