// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/regtree.h"

const char *reg_state_text(enum reg_state state)
{
	switch (state) {
	case REG_ADDED:
		return "added";
	case REG_BROKEN:
		return "broken";
	case REG_BUILT:
		return "built";
	case REG_INSTALLED:
		return "installed";
	case REG_INSTALLED_WEAK:
		return "installed-weak";
	}
	return "unknown";
}

void reg_list_fini(struct reg_list *list)
{
	arena_fini(&list->arena);
	*list = (struct reg_list){ 0 };
}

/* "M/V" or "R/A" as two strings in the arena. */
static void split_path(struct arena *arena, const char *path, const char **ret_head,
		       const char **ret_tail)
{
	const char *slash = strchr(path, '/');

	*ret_head = arena_strndup(arena, path, (size_t)(slash - path));
	*ret_tail = arena_strdup(arena, slash + 1);
}

/* The link of an older tool may be absolute: then only where it leads counts. */
static bool leads_to(const struct kg_system *sys, const char *link, const char *path)
{
	_cleanup_close_ int link_fd = regtree_open(sys, O_PATH | O_DIRECTORY, "%s", link);
	_cleanup_close_ int path_fd = regtree_open(sys, O_PATH | O_DIRECTORY, "%s", path);
	struct stat link_st;
	struct stat path_st;

	return link_fd >= 0 && path_fd >= 0 && fstat(link_fd, &link_st) == 0 &&
	       fstat(path_fd, &path_st) == 0 && link_st.st_dev == path_st.st_dev &&
	       link_st.st_ino == path_st.st_ino;
}

static bool is_active(const struct kg_system *sys, const struct reg_entry *e, int name_fd,
		      struct arena *arena)
{
	const char *link = arena_printf(arena, "kernel-%s-%s", e->release, e->arch);
	const char *usual =
		arena_printf(arena, "%s/%s/%s", e->version, e->release, e->arch);
	_cleanup_free_ char *target = NULL;

	if (link == NULL || usual == NULL || fd_read_link_at(name_fd, link, &target) < 0)
		return false;
	if (strcmp(target, usual) == 0)
		return true;
	link = arena_printf(arena, "%s/%s", e->name, link);
	usual = arena_printf(arena, "%s/%s", e->name, usual);
	return link != NULL && usual != NULL && leads_to(sys, link, usual);
}

static struct reg_entry *add_entry(struct reg_list *list, enum reg_state state,
				   const char *name, const char *version)
{
	struct reg_entry *e = ARENA_ADD(&list->arena, list->entries, list->n);

	if (e != NULL)
		*e = (struct reg_entry){ .name = name,
					 .version = version,
					 .state = state };
	return e;
}

/* Most modules replace nothing: one look says so for all kernels. */
static bool has_originals(int name_fd)
{
	struct stat st;

	return fstatat(name_fd, "original_module", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int add_built(const struct kg_system *sys, struct reg_list *list, const char *name,
		     const char *version, const struct strv *paths)
{
	_cleanup_close_ int name_fd = regtree_open_dir(sys, "%s", name);
	_cleanup_arena_ struct arena scratch = { 0 };
	bool may_have_original = has_originals(name_fd);

	for (size_t i = 0; i < paths->n; i++) {
		struct reg_entry *e = add_entry(list, REG_BUILT, name, version);

		if (e == NULL)
			break;
		split_path(&list->arena, paths->v[i], &e->release, &e->arch);
		if (list->arena.failed)
			break;
		if (is_active(sys, e, name_fd, &scratch))
			e->state = REG_INSTALLED;
		e->has_original =
			may_have_original &&
			regtree_has_dir(sys, "%s/original_module/%s", name, paths->v[i]);
	}
	return list->arena.failed || scratch.failed ? -ENOMEM : 0;
}

static int add_added(const struct kg_system *sys, const struct reg_filter *filter,
		     int version_fd, struct reg_list *list, const char *name,
		     const char *version)
{
	_cleanup_strv_ struct strv built = { 0 };
	int r = regtree_list_built(version_fd, filter, &built);

	if (r < 0)
		return r;
	if (built.n > 0)
		return add_built(sys, list, name, version, &built);
	return add_entry(list, REG_ADDED, name, version) != NULL ? 0 : -ENOMEM;
}

static int add_version(const struct kg_system *sys, const struct reg_filter *filter,
		       const char *path, struct reg_list *list)
{
	_cleanup_close_ int version_fd = regtree_open_dir(sys, "%s", path);
	const char *name;
	const char *version;

	if (version_fd < 0)
		return version_fd == -ENOMEM ? version_fd : 0;
	split_path(&list->arena, path, &name, &version);
	if (list->arena.failed)
		return -ENOMEM;
	switch (regtree_source_state(sys, version_fd, name, version)) {
	case TREE_NO_SOURCE:
		return 0;
	case TREE_BROKEN:
		return add_entry(list, REG_BROKEN, name, version) != NULL ? 0 : -ENOMEM;
	case TREE_ADDED:
		return add_added(sys, filter, version_fd, list, name, version);
	}
	return 0;
}

/* Entries of one source are neighbours and share its strings: its dkms.conf is read once. */
static int compare_with(const struct kg_system *sys, struct comparer *c,
			struct reg_list *list)
{
	_cleanup_strv_ struct strv overrides = { 0 };
	_cleanup_strv_ struct strv names = { 0 };
	const char *const *known = NULL;
	int r = regtree_list_overrides(sys, &overrides);

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		struct reg_entry *e = &list->entries[i];

		if (e->release == NULL)
			continue;
		if (i == 0 || e->version != e[-1].version) {
			strv_fini(&names);
			r = regtree_declared(sys, e->name, e->version, &overrides,
					     &names);
			known = r == 0 && names.n > 0 ? (const char *const *)names.v
						      : NULL;
		}
		if (r != -ENOMEM)
			r = comparer_compare(c, e, known);
	}
	return r;
}

static int compare_entries(const struct kg_system *sys, struct reg_list *list)
{
	struct comparer *c = comparer_new(sys);
	int r = c == NULL ? -ENOMEM : compare_with(sys, c, list);

	comparer_free(c);
	return r;
}

int reg_list_read(const struct kg_system *sys, const struct reg_filter *filter,
		  enum reg_compare compare, struct reg_list *ret_list, struct kg_err *err)
{
	_cleanup_strv_ struct strv paths = { 0 };
	struct reg_list list = { 0 };
	int r = regtree_list_versions(sys, filter, &paths, err);

	for (size_t i = 0; r == 0 && i < paths.n; i++)
		r = add_version(sys, filter, paths.v[i], &list);
	if (r == 0 && compare == REG_COMPARE)
		r = compare_entries(sys, &list);
	if (r < 0) {
		reg_list_fini(&list);
		return kg_fail_errno(err, r, "cannot read /%s", sys->dkms_tree);
	}
	*ret_list = list;
	return 0;
}
