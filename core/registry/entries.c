// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/registry/entries.h"

#include <string.h>

#include "core/base/fd.h"

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

/* M/V while it is looked at. */
struct one_version {
	const char *name;
	const char *version;
	int fd;
	int conf_fd; /* its dkms.conf, for a comparison; negative: not at hand */
};

static bool is_active(const struct entries *r, const struct reg_entry *e)
{
	_cleanup_free_ char *link =
		regtree_text("%s/kernel-%s-%s", e->name, e->release, e->arch);
	_cleanup_free_ char *usual =
		regtree_text("%s/%s/%s", e->version, e->release, e->arch);
	_cleanup_free_ char *target = NULL;
	_cleanup_free_ char *path = NULL;

	if (link == NULL || usual == NULL ||
	    fd_read_link_at(r->tree_fd, link, &target) < 0)
		return false;
	if (strcmp(target, usual) == 0)
		return true;
	path = regtree_text("%s/%s", e->name, usual);
	return path != NULL && leads_to(r->sys, link, path);
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
static bool has_originals(const struct entries *r, const char *name)
{
	_cleanup_free_ char *path = regtree_text("%s/original_module", name);
	struct stat st;

	return path == NULL || fstatat(r->tree_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int add_built(struct entries *r, const struct one_version *v,
		     const struct strv *paths, const char *const *declared)
{
	bool may_have_original = has_originals(r, v->name);
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < paths->n; i++) {
		struct reg_entry *e = add_entry(&r->list, REG_BUILT, v->name, v->version);

		if (e == NULL)
			return -ENOMEM;
		split_path(&r->list.arena, paths->v[i], &e->release, &e->arch);
		if (r->list.arena.failed)
			return -ENOMEM;
		if (is_active(r, e))
			e->state = REG_INSTALLED;
		e->has_original = may_have_original &&
				  regtree_has_dir(r->sys, "%s/original_module/%s",
						  v->name, paths->v[i]);
		if (r->comparer != NULL)
			ret = comparer_compare(r->comparer, e, v->fd, declared);
	}
	return ret;
}

static int add_added(struct entries *r, const struct one_version *v)
{
	_cleanup_strv_ struct strv built = { 0 };
	_cleanup_strv_ struct strv declared = { 0 };
	static const char *const none[] = { NULL };
	const char *const *names = none;
	int ret = regtree_list_built(v->fd, r->filter, &built);

	if (ret < 0)
		return ret;
	if (built.n == 0)
		return add_entry(&r->list, REG_ADDED, v->name, v->version) != NULL
			       ? 0
			       : -ENOMEM;
	ret = regtree_declared(v->conf_fd, v->name, r->overrides, &declared);
	if (ret == -ENOMEM)
		return ret;
	if (declared.n > 0)
		names = (const char *const *)declared.v;
	return add_built(r, v, &built, ret == 0 ? names : NULL);
}

/* A dkms.conf that can be opened says that the source is there. */
static enum regtree_source source_state(const struct entries *r,
					const struct one_version *v)
{
	return v->conf_fd >= 0 ? TREE_ADDED
			       : regtree_source_state(r->sys, v->fd, v->name, v->version);
}

static int add_version_entries(struct entries *r, const struct one_version *v)
{
	switch (source_state(r, v)) {
	case TREE_NO_SOURCE:
		return 0;
	case TREE_BROKEN:
		return add_entry(&r->list, REG_BROKEN, v->name, v->version) != NULL
			       ? 0
			       : -ENOMEM;
	case TREE_ADDED:
		return add_added(r, v);
	}
	return 0;
}

int entries_add(struct entries *r, const char *path)
{
	_cleanup_close_ int fd =
		regtree_open_sub(r->sys, r->tree_fd, ".", path, O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int conf_fd = -1;
	struct one_version v = { .fd = fd };

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	split_path(&r->list.arena, path, &v.name, &v.version);
	if (r->list.arena.failed)
		return -ENOMEM;
	if (r->comparer != NULL)
		conf_fd = regtree_open(r->sys, O_RDONLY | O_NOCTTY | O_NONBLOCK,
				       "%s/source/dkms.conf", path);
	v.conf_fd = conf_fd;
	return add_version_entries(r, &v);
}
