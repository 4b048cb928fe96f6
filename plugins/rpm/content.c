// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/content.h"

#include <stdio.h>
#include <string.h>

/* The part of @path behind @prefix, NULL when it does not begin with it. */
static const char *behind(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static const char *behind_modules(const char *dir)
{
	const char *rest = behind(dir, "/lib/modules/");

	return rest != NULL ? rest : behind(dir, "/usr/lib/modules/");
}

bool content_is_elsewhere(const char *dir)
{
	return behind_modules(dir) == NULL && behind(dir, "/usr/src/") == NULL &&
	       strcmp(dir, "/boot/") != 0;
}

/* The first component of @rest; a pointer behind its "/". */
static const char *take_component(const char *rest, char ret[CONTENT_RELEASE_SIZE])
{
	size_t n = strcspn(rest, "/");

	if (n == 0 || n >= CONTENT_RELEASE_SIZE || rest[0] == '.')
		return NULL;
	memcpy(ret, rest, n);
	ret[n] = '\0';
	return rest[n] == '/' ? rest + n + 1 : rest + n;
}

static bool is_image_name(const char *base)
{
	return strcmp(base, "vmlinuz") == 0 || strcmp(base, "vmlinux") == 0 ||
	       strcmp(base, "Image") == 0 || strcmp(base, "image") == 0;
}

static unsigned int below_modules(const char *rest, const char *base,
				  char ret_release[CONTENT_RELEASE_SIZE])
{
	rest = take_component(rest, ret_release);
	if (rest == NULL)
		return 0;
	if (*rest == '\0' && is_image_name(base))
		return CONTENT_IMAGE;
	if (behind(rest, "build/") != NULL || behind(rest, "source/") != NULL)
		return CONTENT_HEADERS;
	if (*rest == '\0' && (strcmp(base, "build") == 0 || strcmp(base, "source") == 0))
		return CONTENT_HEADERS;
	return CONTENT_MODULES;
}

static unsigned int in_boot(const char *base, char ret_release[CONTENT_RELEASE_SIZE])
{
	static const char *const images[] = { "vmlinuz-", "vmlinux-", "Image-",
					      "image-" };

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		const char *release = behind(base, images[i]);

		if (release != NULL && take_component(release, ret_release) != NULL)
			return CONTENT_IMAGE;
	}
	return 0;
}

/* /usr/src/linux-VERSION-obj/ARCH/FLAVOUR/: the release is VERSION-FLAVOUR. */
static unsigned int below_suse_obj(const char *rest,
				   char ret_release[CONTENT_RELEASE_SIZE])
{
	char tree[CONTENT_RELEASE_SIZE];
	char arch[CONTENT_RELEASE_SIZE];
	char flavour[CONTENT_RELEASE_SIZE];
	size_t n;

	rest = take_component(rest, tree);
	if (rest == NULL)
		return 0;
	n = strlen(tree);
	if (n <= 4 || strcmp(tree + n - 4, "-obj") != 0)
		return 0;
	rest = take_component(rest, arch);
	if (rest == NULL || take_component(rest, flavour) == NULL)
		return 0;
	tree[n - 4] = '\0';
	if (snprintf(ret_release, CONTENT_RELEASE_SIZE, "%s-%s", tree, flavour) >=
	    CONTENT_RELEASE_SIZE)
		return 0;
	return CONTENT_HEADERS;
}

static unsigned int below_src(const char *rest, const char *base,
			      char ret_release[CONTENT_RELEASE_SIZE])
{
	const char *tree = behind(rest, "kernels/");
	char name[CONTENT_RELEASE_SIZE];

	if (tree != NULL)
		return take_component(tree, ret_release) != NULL ? CONTENT_HEADERS : 0;
	tree = behind(rest, "linux-");
	if (tree != NULL)
		return below_suse_obj(tree, ret_release);
	rest = take_component(rest, name);
	if (rest != NULL && *rest == '\0' && strcmp(base, "dkms.conf") == 0)
		return CONTENT_SOURCE;
	return 0;
}

unsigned int content_of(const char *dir, const char *base,
			char ret_release[CONTENT_RELEASE_SIZE])
{
	const char *rest = behind_modules(dir);

	ret_release[0] = '\0';
	if (rest != NULL)
		return below_modules(rest, base, ret_release);
	rest = behind(dir, "/usr/src/");
	if (rest != NULL)
		return below_src(rest, base, ret_release);
	return strcmp(dir, "/boot/") == 0 ? in_boot(base, ret_release) : 0;
}
