// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/regtree.h"

#define MODULES_DEP_MAX_BYTES (64u << 20)

static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };
/* Where DKMS installs, by distribution; other places are looked up in modules.dep. */
static const char *const usual_places[] = { "updates/dkms", "updates", "extra" };

static bool is_module_file(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (str_ends(name, suffixes[i]))
			return true;
	return false;
}

/* @built_fd is a file; of the other only what it gives counts: a FIFO or a folder gives nothing. */
static bool same_content(int built_fd, int fd)
{
	char built[65536];
	char other[sizeof(built)];
	off_t at = 0;
	ssize_t n;

	do {
		n = pread(built_fd, built, sizeof(built), at);
		if (n < 0 || pread(fd, other, sizeof(other), at) != n ||
		    memcmp(built, other, (size_t)n) != 0)
			return false;
		at += n;
	} while (n == sizeof(built));
	return true;
}

static bool same_file(int built_fd, int fd)
{
	struct stat st;

	return fstat(built_fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       same_content(built_fd, fd);
}

/* lib/modules/R, as far as it was needed. */
struct installed {
	const struct kg_system *sys;
	char *release;
	int usual_fds[ARRAY_SIZE(usual_places)]; /* negative: no such folder */
	char *modules_dep;			 /* read at the first need */
};

static void installed_open(struct installed *in, const struct kg_system *sys,
			   char *release /* moved */)
{
	*in = (struct installed){ .sys = sys, .release = release };
	for (size_t i = 0; i < ARRAY_SIZE(usual_places); i++) {
		_cleanup_free_ char *path = regtree_text("%s/%s/%s", sys->install_tree,
							 release, usual_places[i]);

		in->usual_fds[i] = path == NULL ? -ENOMEM
						: fd_try_open_in(sys->root_fd, path,
								 O_PATH | O_DIRECTORY);
	}
}

static void installed_close(struct installed *in)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual_places); i++)
		closep(&in->usual_fds[i]);
	free(in->modules_dep);
	free(in->release);
}

/* Kernels come in turn, source by source: a few kept open serve nearly all. */
#define COMPARER_RELEASES 16

struct comparer {
	const struct kg_system *sys;
	struct installed releases[COMPARER_RELEASES];
	size_t n;
	size_t next; /* to be closed for another */
};

struct comparer *comparer_new(const struct kg_system *sys)
{
	struct comparer *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->sys = sys;
	return c;
}

void comparer_free(struct comparer *c)
{
	for (size_t i = 0; c != NULL && i < c->n; i++)
		installed_close(&c->releases[i]);
	free(c);
}

static struct installed *comparer_find(struct comparer *c, const char *release)
{
	struct installed *in;
	char *copy;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->releases[i].release, release) == 0)
			return &c->releases[i];
	copy = strdup(release);
	if (copy == NULL)
		return NULL;
	if (c->n < COMPARER_RELEASES) {
		in = &c->releases[c->n++];
	} else {
		in = &c->releases[c->next++ % COMPARER_RELEASES];
		installed_close(in);
	}
	installed_open(in, c->sys, copy);
	return in;
}

static void installed_read_index(struct installed *in)
{
	_cleanup_free_ char *path =
		regtree_text("%s/%s/modules.dep", in->sys->install_tree, in->release);

	if (path == NULL || fd_read_file_in(in->sys->root_fd, path, MODULES_DEP_MAX_BYTES,
					    &in->modules_dep, NULL, NULL) < 0)
		in->modules_dep = NULL;
}

/* "kernel/drivers/x/NAME.ko" of modules.dep's line for a file of that name; NULL if none. */
static char *installed_find(struct installed *in, const char *file)
{
	_cleanup_free_ char *needle = regtree_text("/%s:", file);
	const char *hit;
	const char *start;

	if (in->modules_dep == NULL)
		installed_read_index(in);
	if (in->modules_dep == NULL || needle == NULL)
		return NULL;
	hit = strstr(in->modules_dep, needle);
	if (hit == NULL)
		return NULL;
	for (start = hit; start > in->modules_dep && start[-1] != '\n'; start--)
		;
	return strndup(start, (size_t)(hit - start) + strlen(file) + 1);
}

static bool is_same_elsewhere(struct installed *in, int built_fd, const char *file)
{
	_cleanup_free_ char *found = installed_find(in, file);
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (found != NULL)
		path = regtree_text("%s/%s/%s", in->sys->install_tree, in->release,
				    found);
	if (path == NULL)
		return false;
	fd = fd_try_open_in(in->sys->root_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	return fd >= 0 && same_file(built_fd, fd);
}

/* --symlink-modules links from lib/modules into the tree: such a link is resolved in the root. */
static int open_installed(struct installed *in, size_t place, const char *file)
{
	_cleanup_free_ char *path = NULL;
	int fd = in->usual_fds[place] < 0 ? -ENOENT
					  : openat(in->usual_fds[place], file,
						   O_RDONLY | O_NOCTTY | O_NONBLOCK |
							   O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || in->usual_fds[place] < 0 || errno != ELOOP)
		return fd;
	path = regtree_text("%s/%s/%s/%s", in->sys->install_tree, in->release,
			    usual_places[place], file);
	if (path == NULL)
		return -ENOMEM;
	return fd_try_open_in(in->sys->root_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

static bool is_installed_same(struct installed *in, int built_fd, const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual_places); i++) {
		_cleanup_close_ int fd = open_installed(in, i, file);

		if (fd >= 0 && same_file(built_fd, fd))
			return true;
	}
	return is_same_elsewhere(in, built_fd, file);
}

/* One entry and the folder of its modules. */
struct built {
	const struct kg_system *sys;
	struct reg_entry *entry;
	int version_fd;
};

/* R/A/module/@file, or the folder itself. */
static int open_built(const struct built *b, const char *file, int flags)
{
	const struct reg_entry *e = b->entry;
	_cleanup_free_ char *dir = regtree_text("%s/%s", e->name, e->version);
	_cleanup_free_ char *path =
		regtree_text("%s/%s/module/%s", e->release, e->arch, file);

	if (dir == NULL || path == NULL)
		return -ENOMEM;
	return regtree_open_sub(b->sys, b->version_fd, dir, path, flags);
}

static int open_file(const struct built *b, const char *file)
{
	return open_built(b, file, O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

/* The file of the module @name, compressed or not; its name in @ret_file. */
static int find_built(const struct built *b, const char *name,
		      char ret_file[NAME_MAX + 1])
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		int fd;

		if (snprintf(ret_file, NAME_MAX + 1, "%s%s", name, suffixes[i]) >
		    NAME_MAX)
			return -ENAMETOOLONG;
		fd = open_file(b, ret_file);
		if (fd >= 0 || fd == -ENOMEM)
			return fd;
	}
	return -ENOENT;
}

/* DKMS stops at the first module of which there is something to say; so do we. */
static int compare_named(const struct built *b, struct installed *in,
			 const char *const *names)
{
	char file[NAME_MAX + 1];

	for (size_t i = 0; names[i] != NULL; i++) {
		_cleanup_close_ int fd = find_built(b, names[i], file);

		if (fd == -ENOMEM)
			return fd;
		b->entry->misses_installed = fd < 0;
		b->entry->differs_installed =
			fd >= 0 && in != NULL && !is_installed_same(in, fd, file);
		if (b->entry->misses_installed || b->entry->differs_installed)
			return 0;
	}
	return 0;
}

static int compare_present(const struct built *b, struct installed *in)
{
	_cleanup_close_ int module_fd = open_built(b, "", O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = module_fd < 0 ? NULL : fd_list(module_fd);
	struct dirent *d;
	size_t n = 0;

	if (module_fd == -ENOMEM)
		return module_fd;
	while (dir != NULL && (d = fd_list_next(dir)) != NULL) {
		_cleanup_close_ int fd = -1;

		if (!is_module_file(d->d_name))
			continue;
		n++;
		if (in == NULL)
			return 0;
		fd = open_file(b, d->d_name);
		if (fd < 0 || !is_installed_same(in, fd, d->d_name)) {
			b->entry->differs_installed = true;
			return 0;
		}
	}
	b->entry->misses_installed = n == 0;
	return 0;
}

int comparer_compare(struct comparer *c, struct reg_entry *entry, int version_fd,
		     const char *const *names)
{
	const struct built b = { c->sys, entry, version_fd };
	struct installed *in = NULL;

	entry->misses_installed = false;
	entry->differs_installed = false;
	if (entry->state != REG_BUILT && entry->state != REG_INSTALLED)
		return 0;
	if (entry->state == REG_INSTALLED) {
		in = comparer_find(c, entry->release);
		if (in == NULL)
			return -ENOMEM;
	}
	return names != NULL ? compare_named(&b, in, names) : compare_present(&b, in);
}
