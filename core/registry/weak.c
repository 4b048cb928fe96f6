// SPDX-License-Identifier: GPL-2.0-or-later
/* Modules that weak-modules has linked from the kernel they were built for into another one. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/registry/regtree.h"

struct weak {
	const struct kg_system *sys;
	const struct reg_filter *filter;
	struct reg_list *list; /* what is installed, of all kernels */
	struct reg_list *out;
};

/* /lib/modules/RELEASE/weak-updates/@name leads to a module of @from. */
static bool is_linked(const struct weak *w, const char *release, const char *name,
		      const char *from)
{
	char path[PATH_MAX];
	char start[PATH_MAX];
	_cleanup_close_ int dir_fd = -1;
	_cleanup_free_ char *target = NULL;

	if (snprintf(path, sizeof(path), "%s/%s/weak-updates", w->sys->install_tree,
		     release) >= (int)sizeof(path) ||
	    snprintf(start, sizeof(start), "/%s/%s/", w->sys->install_tree, from) >=
		    (int)sizeof(start))
		return false;
	dir_fd = fd_try_open_in(w->sys->root_fd, path, O_PATH | O_DIRECTORY);
	return dir_fd >= 0 && fd_read_link_at(dir_fd, name, &target) == 0 &&
	       str_starts(target, start);
}

/* All modules of the entry have their link, as DKMS asks. */
static bool all_linked(const struct weak *w, const struct reg_entry *e,
		       const char *release)
{
	_cleanup_close_ int fd =
		regtree_open(w->sys, O_RDONLY | O_DIRECTORY, "%s/%s/%s/%s/module",
			     e->name, e->version, e->release, e->arch);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fd_list(fd);
	struct dirent *d;
	size_t n = 0;

	while (dir != NULL && (d = fd_list_next(dir)) != NULL) {
		if (strstr(d->d_name, ".ko") == NULL)
			continue;
		if (!is_linked(w, release, d->d_name, e->release))
			return false;
		n++;
	}
	return n > 0;
}

static bool fits(const char *pattern, const char *text)
{
	return pattern == NULL || fnmatch(pattern, text, FNM_EXTMATCH) == 0;
}

static int add_weak(struct weak *w, const char *release)
{
	for (size_t i = 0; i < w->list->n; i++) {
		const struct reg_entry *e = &w->list->entries[i];
		struct reg_entry *out;

		if (e->state != REG_INSTALLED || strcmp(e->release, release) == 0 ||
		    !all_linked(w, e, release))
			continue;
		out = ARENA_ADD(&w->out->arena, w->out->entries, w->out->n);
		if (out == NULL)
			return -ENOMEM;
		*out = (struct reg_entry){
			.name = arena_strdup(&w->out->arena, e->name),
			.version = arena_strdup(&w->out->arena, e->version),
			.release = arena_strdup(&w->out->arena, release),
			.arch = arena_strdup(&w->out->arena, e->arch),
			.weak_from = arena_strdup(&w->out->arena, e->release),
			.state = REG_INSTALLED_WEAK,
		};
	}
	return w->out->arena.failed ? -ENOMEM : 0;
}

/* Kernels that have such links at all: none on most machines. */
static int list_releases(const struct weak *w, struct strv *ret_releases)
{
	_cleanup_close_ int fd = fd_try_open_in(w->sys->root_fd, w->sys->install_tree,
						O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fd_list(fd);
	struct dirent *d;

	while (dir != NULL && (d = fd_list_next(dir)) != NULL) {
		char path[NAME_MAX + 32];
		struct stat st;

		snprintf(path, sizeof(path), "%s/weak-updates", d->d_name);
		if (name_is_plain(d->d_name) && fits(w->filter->release, d->d_name) &&
		    fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			strv_add(ret_releases, d->d_name);
	}
	strv_sort(ret_releases);
	return strv_ok(ret_releases) ? 0 : -ENOMEM;
}

int reg_list_weak(const struct kg_system *sys, const struct reg_filter *filter,
		  struct reg_list *ret_list, struct kg_err *err)
{
	const struct reg_filter any_kernel = { .name = filter->name,
					       .version = filter->version,
					       .arch = filter->arch };
	_cleanup_strv_ struct strv releases = { 0 };
	struct reg_list list = { 0 };
	struct reg_list out = { 0 };
	struct weak w = { .sys = sys, .filter = filter, .list = &list, .out = &out };
	int r = list_releases(&w, &releases);

	if (r == 0 && releases.n > 0)
		r = reg_list_read(sys, &any_kernel, REG_NO_COMPARE, &list, err);
	for (size_t i = 0; r == 0 && i < releases.n; i++)
		r = add_weak(&w, releases.v[i]);
	reg_list_fini(&list);
	if (r < 0) {
		reg_list_fini(&out);
		return kg_fail_errno(err, r, "cannot list what weak-modules has linked");
	}
	*ret_list = out;
	return 0;
}
