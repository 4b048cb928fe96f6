// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/content.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/name.h"

/* What is left to read of a path. */
struct cursor {
	const char *p;
	size_t len;
};

static bool cursor_skip(struct cursor *c, const char *prefix)
{
	size_t n = strlen(prefix);

	if (c->len < n || memcmp(c->p, prefix, n) != 0)
		return false;
	c->p += n;
	c->len -= n;
	return true;
}

/* Up to the next '/', which is skipped; the rest when there is none. */
static struct cursor cursor_component(struct cursor *c)
{
	const char *slash = memchr(c->p, '/', c->len);
	struct cursor part = { c->p, slash != NULL ? (size_t)(slash - c->p) : c->len };
	size_t used = part.len + (slash != NULL);

	c->p += used;
	c->len -= used;
	return part;
}

static bool cursor_is(const struct cursor *c, const char *word)
{
	return c->len == strlen(word) && memcmp(c->p, word, c->len) == 0;
}

static struct content content_make(unsigned int bit, struct cursor release)
{
	char name[NAME_MAX + 1];

	if (release.len == 0 || release.len > NAME_MAX)
		return (struct content){ 0 };
	memcpy(name, release.p, release.len);
	name[release.len] = '\0';
	if (!name_is_word(name))
		return (struct content){ 0 };
	return (struct content){ bit, release.p, release.len };
}

static struct content content_below_modules(struct cursor c)
{
	struct cursor release = cursor_component(&c);
	struct cursor what = cursor_component(&c);

	if (what.len == 0)
		return (struct content){ 0 };
	if (c.len == 0 && (cursor_is(&what, "vmlinuz") || cursor_is(&what, "vmlinux")))
		return content_make(CONTENT_IMAGE, release);
	if (cursor_is(&what, "build") || cursor_is(&what, "source"))
		return content_make(CONTENT_HEADERS, release);
	return content_make(CONTENT_MODULES, release);
}

static struct content content_below_src(struct cursor c)
{
	struct cursor tree = cursor_component(&c);

	if (tree.len > 0 && cursor_is(&c, "dkms.conf"))
		return (struct content){ .bit = CONTENT_SOURCE };
	if (cursor_skip(&tree, "linux-headers-") && c.len > 0)
		return content_make(CONTENT_HEADERS, tree);
	return (struct content){ 0 };
}

const char *content_strip(const char *path, size_t *len)
{
	struct cursor c = { path, *len };

	cursor_skip(&c, ".");
	while (cursor_skip(&c, "/"))
		;
	if (c.len + 1 == *len && path[0] == '.') /* ".name", not "./name" */
		return path;
	*len = c.len;
	return c.p;
}

struct content content_of(const char *path, size_t len)
{
	struct cursor c;

	path = content_strip(path, &len);
	c = (struct cursor){ path, len };
	if (cursor_skip(&c, "boot/vmlinuz-") || cursor_skip(&c, "boot/vmlinux-"))
		return content_make(CONTENT_IMAGE, c);
	if (cursor_skip(&c, "usr/src/"))
		return content_below_src(c);
	if (cursor_skip(&c, "lib/modules/") || cursor_skip(&c, "usr/lib/modules/"))
		return content_below_modules(c);
	return (struct content){ 0 };
}
