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

static int open_module(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool same_content(int a_fd, int b_fd, off_t size)
{
	char a[65536];
	char b[65536];

	for (off_t at = 0; at < size;) {
		ssize_t n = pread(a_fd, a, sizeof(a), at);
		ssize_t m = pread(b_fd, b, sizeof(b), at);

		if (n <= 0 || n != m || memcmp(a, b, (size_t)n) != 0)
			return false;
		at += n;
	}
	return true;
}

static bool same_file(int a_fd, int b_fd)
{
	struct stat a;
	struct stat b;

	if (fstat(a_fd, &a) < 0 || fstat(b_fd, &b) < 0 || !S_ISREG(a.st_mode) ||
	    !S_ISREG(b.st_mode))
		return false;
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return true;
	return a.st_size == b.st_size && same_content(a_fd, b_fd, a.st_size);
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

/* The file of the module @name, compressed or not; its name in @ret_file. */
static int open_built(int module_fd, const char *name, char ret_file[NAME_MAX + 1])
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		int fd;

		if (snprintf(ret_file, NAME_MAX + 1, "%s%s", name, suffixes[i]) >
		    NAME_MAX)
			return -ENAMETOOLONG;
		fd = open_module(module_fd, ret_file);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

/* DKMS stops at the first module of which there is something to say; so do we. */
static void compare_named(struct reg_entry *e, int module_fd, struct installed *in,
			  const char *const *names)
{
	char file[NAME_MAX + 1];

	for (size_t i = 0; names[i] != NULL; i++) {
		_cleanup_close_ int fd = open_built(module_fd, names[i], file);

		if (fd < 0) {
			e->misses_installed = true;
			return;
		}
		if (in != NULL && !is_installed_same(in, fd, file)) {
			e->differs_installed = true;
			return;
		}
	}
}

static void compare_present(struct reg_entry *e, int module_fd, struct installed *in)
{
	_cleanup_dir_ DIR *dir = fd_list(module_fd);
	struct dirent *entry;
	size_t n = 0;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		_cleanup_close_ int fd = -1;

		if (!is_module_file(entry->d_name))
			continue;
		n++;
		if (in == NULL)
			return;
		fd = open_module(module_fd, entry->d_name);
		if (fd < 0 || !is_installed_same(in, fd, entry->d_name)) {
			e->differs_installed = true;
			return;
		}
	}
	e->misses_installed = n == 0;
}

int comparer_compare(struct comparer *c, struct reg_entry *entry,
		     const char *const *names)
{
	_cleanup_close_ int module_fd = -1;
	struct installed *in = NULL;

	entry->misses_installed = false;
	entry->differs_installed = false;
	if (entry->state != REG_BUILT && entry->state != REG_INSTALLED)
		return 0;
	module_fd = regtree_open_dir(c->sys, "%s/%s/%s/%s/module", entry->name,
				     entry->version, entry->release, entry->arch);
	if (module_fd < 0) {
		entry->misses_installed = true;
		return module_fd == -ENOMEM ? module_fd : 0;
	}
	if (entry->state == REG_INSTALLED) {
		in = comparer_find(c, entry->release);
		if (in == NULL)
			return -ENOMEM;
	}
	if (names != NULL)
		compare_named(entry, module_fd, in, names);
	else
		compare_present(entry, module_fd, in);
	return 0;
}
