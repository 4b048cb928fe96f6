// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/store/listing.h"

#include <limits.h>
#include <string.h>

#include "core/base/fd.h"

#define MAX_DEPTH 32

struct scan {
	struct arena *arena;
	struct listing *listing;
	struct kg_err *err;
	unsigned int depth;
};

bool listing_is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() &&
	       (S_ISLNK(st->st_mode) || (st->st_mode & 022) == 0);
}

static bool component_is_fine(const char *p, size_t len)
{
	if (len == 0 || len > NAME_MAX ||
	    (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.'))))
		return false;
	for (size_t i = 0; i < len; i++)
		if (p[i] == '/' || (unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

bool listing_is_path(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!component_is_fine(path, len))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

static int digest_file(int fd, char ret_hex[DIGEST_HEX_SIZE])
{
	struct digest d;
	int r = digest_init(&d);

	if (r < 0)
		return r;
	r = digest_add_fd(&d, fd);
	if (r == 0)
		r = digest_final(&d, ret_hex);
	digest_fini(&d);
	return r;
}

static int scan_dir(const struct scan *s, int dir_fd, const char *path);

static int scan_subdir(const struct scan *s, int dir_fd, const char *name,
		       const char *path)
{
	const struct scan below = { s->arena, s->listing, s->err, s->depth + 1 };
	_cleanup_close_ int fd = fd_open_dir_at(dir_fd, name, s->err);

	if (fd < 0)
		return fd;
	if (below.depth > MAX_DEPTH)
		return kg_fail(s->err, -KGE_LIMIT, "%s: nested too deep", path);
	return scan_dir(&below, fd, path);
}

/* Looks at the opened file once more: @st was of a name. */
static int scan_file(const struct scan *s, int dir_fd, const char *name,
		     struct listing_entry *entry)
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kg_fail_errno(s->err, -errno, "cannot open %s", entry->path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return kg_fail(s->err, -KGE_HOSTILE, "%s: has another name", entry->path);
	entry->size = (uint64_t)st.st_size;
	r = digest_file(fd, entry->digest);
	return r == 0 ? 0 : kg_fail_errno(s->err, r, "cannot read %s", entry->path);
}

static int scan_link(const struct scan *s, int dir_fd, const char *name,
		     struct listing_entry *entry)
{
	_cleanup_free_ char *target = NULL;
	int r = fd_read_link_at(dir_fd, name, &target);

	if (r < 0)
		return kg_fail_errno(s->err, r, "cannot read %s", entry->path);
	entry->mode = 0;
	entry->target = arena_strdup(s->arena, target);
	return entry->target != NULL ? 0 : -ENOMEM;
}

static int scan_kind(const struct scan *s, int dir_fd, const char *name,
		     struct listing_entry *entry, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		entry->kind = LISTING_FILE;
		return scan_file(s, dir_fd, name, entry);
	case S_IFLNK:
		entry->kind = LISTING_LINK;
		return scan_link(s, dir_fd, name, entry);
	case S_IFDIR:
		entry->kind = LISTING_DIR;
		return scan_subdir(s, dir_fd, name, entry->path); /* may move the array */
	default:
		return kg_fail(s->err, -KGE_HOSTILE, "%s: neither file, link nor folder",
			       entry->path);
	}
}

static int scan_entry(const struct scan *s, int dir_fd, const char *name,
		      const char *parent)
{
	struct listing_entry *entry;
	struct stat st;

	if (!component_is_fine(name, strlen(name)))
		return kg_fail(s->err, -KGE_HOSTILE, "not a plain name: '%s'", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return kg_fail_errno(s->err, -errno, "cannot look at %s", name);
	if (!listing_is_ours(&st))
		return kg_fail(s->err, -KGE_HOSTILE, "%s%s: others could have changed it",
			       parent, name);
	if (s->listing->n >= LISTING_MAX_ENTRIES)
		return kg_fail(s->err, -KGE_LIMIT, "more than %d files",
			       LISTING_MAX_ENTRIES);
	entry = ARENA_ADD(s->arena, s->listing->entries, s->listing->n);
	if (entry == NULL)
		return -ENOMEM;
	entry->path = arena_printf(s->arena, "%s%s", parent, name);
	entry->mode = st.st_mode & 07777;
	return entry->path != NULL ? scan_kind(s, dir_fd, name, entry, &st) : -ENOMEM;
}

static int list_sorted(int dir_fd, struct strv *ret_names)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	const struct dirent *entry;

	if (dir == NULL)
		return -errno;
	while ((entry = fd_list_next(dir)) != NULL) {
		strv_add(ret_names, entry->d_name);
		if (ret_names->n > LISTING_MAX_ENTRIES)
			return -KGE_LIMIT;
	}
	if (!strv_ok(ret_names))
		return -ENOMEM;
	strv_sort(ret_names);
	return 0;
}

/* @path: of this folder; "" for the entry itself, whose manifest is left out. */
static int scan_dir(const struct scan *s, int dir_fd, const char *path)
{
	_cleanup_strv_ struct strv names = { 0 };
	_cleanup_str_ struct str parent = { 0 };
	int r = list_sorted(dir_fd, &names);

	if (path[0] != '\0')
		str_addf(&parent, "%s/", path);
	if (!str_ok(&parent))
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (path[0] != '\0' || strcmp(names.v[i], LISTING_MANIFEST) != 0)
			r = scan_entry(s, dir_fd, names.v[i], str_get(&parent));
	return r == 0 ? 0 : kg_fail_errno(s->err, r, "cannot list '%s'", path);
}

int listing_scan(int dir_fd, struct arena *arena, struct listing *ret_listing,
		 struct kg_err *err)
{
	struct listing listing = { 0 };
	const struct scan s = { .arena = arena, .listing = &listing, .err = err };
	int r = scan_dir(&s, dir_fd, "");

	if (r == 0)
		*ret_listing = listing;
	return r;
}

static bool entry_equals(const struct listing_entry *a, const struct listing_entry *b)
{
	if (a->kind != b->kind || strcmp(a->path, b->path) != 0 || a->mode != b->mode)
		return false;
	switch (a->kind) {
	case LISTING_FILE:
		return a->size == b->size && strcmp(a->digest, b->digest) == 0;
	case LISTING_LINK:
		return strcmp(a->target, b->target) == 0;
	case LISTING_DIR:
		return true;
	}
	return false;
}

int listing_compare(const struct listing *expected, const struct listing *found,
		    struct kg_err *err)
{
	for (size_t i = 0; i < expected->n && i < found->n; i++)
		if (!entry_equals(&expected->entries[i], &found->entries[i]))
			return kg_fail(err, -KGE_BROKEN, "%s differs from the manifest",
				       found->entries[i].path);
	if (expected->n < found->n)
		return kg_fail(err, -KGE_BROKEN, "%s is not in the manifest",
			       found->entries[expected->n].path);
	if (expected->n > found->n)
		return kg_fail(err, -KGE_BROKEN, "%s is missing",
			       expected->entries[found->n].path);
	return 0;
}

bool listing_has_file(const struct listing *listing, const char *path)
{
	for (size_t i = 0; i < listing->n; i++)
		if (listing->entries[i].kind == LISTING_FILE &&
		    strcmp(listing->entries[i].path, path) == 0)
			return true;
	return false;
}
