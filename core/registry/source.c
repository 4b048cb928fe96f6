// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/registry/regtree.h"

/*
 * Where the source link leads, relative to the root. A relative or odd target is reached
 * through the link itself: openat2 resolves it below the root.
 */
static const char *source_path(const struct kg_system *sys, int version_fd,
			       const char *name, const char *version, struct arena *arena)
{
	_cleanup_free_ char *target = NULL;

	if (fd_read_link_at(version_fd, "source", &target) == 0 && target[0] == '/' &&
	    name_is_path(target + 1))
		return arena_strdup(arena, target + 1);
	return arena_printf(arena, "%s/%s/%s/source", sys->dkms_tree, name, version);
}

static int fill_source(const struct kg_system *sys, int version_fd, const char *name,
		       const char *version, struct arena *arena,
		       struct kg_source *ret_source)
{
	*ret_source = (struct kg_source){
		.name = arena_strdup(arena, name),
		.version = arena_strdup(arena, version),
		.path = source_path(sys, version_fd, name, version, arena),
		.change = KG_CHANGE_STAYS,
	};
	return arena->failed ? -ENOMEM : 0;
}

int reg_sources(const struct kg_system *sys, struct arena *arena,
		struct kg_source **ret_sources, size_t *ret_n, struct kg_err *err)
{
	const struct reg_filter all = { 0 };
	_cleanup_strv_ struct strv paths = { 0 };
	struct kg_source *sources = NULL;
	size_t n = 0;
	int r = regtree_list_versions(sys, &all, &paths, err);

	for (size_t i = 0; r == 0 && i < paths.n; i++) {
		_cleanup_close_ int version_fd = regtree_open_dir(sys, "%s", paths.v[i]);
		char *version = strchr(paths.v[i], '/');
		struct kg_source *source;

		*version++ = '\0';
		if (version_fd < 0 || regtree_source_state(sys, version_fd, paths.v[i],
							   version) != TREE_ADDED)
			continue;
		source = ARENA_ADD(arena, sources, n);
		if (source == NULL)
			r = -ENOMEM;
		else
			r = fill_source(sys, version_fd, paths.v[i], version, arena,
					source);
	}
	if (r < 0)
		return kg_fail_errno(err, r, "cannot list module sources");
	*ret_sources = sources;
	*ret_n = n;
	return 0;
}

int reg_find_source(const struct kg_system *sys, const char *name, const char *version,
		    struct arena *arena, struct kg_source *ret_source, struct kg_err *err)
{
	_cleanup_close_ int version_fd = -1;
	int r = regtree_check_names(name, version, NULL, NULL, err);

	if (r < 0)
		return r;
	version_fd = regtree_open_dir(sys, "%s/%s", name, version);
	if (version_fd >= 0) {
		switch (regtree_source_state(sys, version_fd, name, version)) {
		case TREE_ADDED:
			r = fill_source(sys, version_fd, name, version, arena,
					ret_source);
			return r == 0 ? 0 : kg_fail_errno(err, r, "%s/%s", name, version);
		case TREE_BROKEN:
			return kg_fail(
				err, -KGE_BROKEN,
				"%s/%s: its source folder, or the link to it in /%s, is "
				"gone; put it back, or delete /%s/%s/%s",
				name, version, sys->dkms_tree, sys->dkms_tree, name,
				version);
		case TREE_NO_SOURCE:
			break;
		}
	}
	return kg_fail(err, -KGE_NOT_ADDED, "%s/%s is not in the dkms tree", name,
		       version);
}

/* M/V/ with build/ and the link, made aside: without the link it would look broken. */
static int add_new(int name_fd, const struct kg_source *source, struct kg_err *err)
{
	_cleanup_close_ int part_fd = -1;
	char part[NAME_MAX + 1];
	char target[PATH_MAX];
	int r;

	if (snprintf(part, sizeof(part), TREE_PART "%s", source->version) >=
		    (int)sizeof(part) ||
	    snprintf(target, sizeof(target), "/%s", source->path) >= (int)sizeof(target))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s/%s", source->name,
				     source->version);
	r = fd_remove_tree_at(name_fd, part, err);
	if (r < 0)
		return r;
	if (mkdirat(name_fd, part, 0755) < 0)
		return kg_fail_errno(err, -errno, "cannot make directory %s", part);
	part_fd = fd_open_dir_at(name_fd, part, err);
	if (part_fd < 0)
		return part_fd;
	if (mkdirat(part_fd, "build", 0755) < 0 ||
	    symlinkat(target, part_fd, "source") < 0 || fsync(part_fd) < 0 ||
	    renameat(name_fd, part, name_fd, source->version) < 0 || fsync(name_fd) < 0) {
		r = -errno;
		fd_remove_tree_at(name_fd, part, NULL);
		return kg_fail_errno(err, r, "cannot add %s/%s", source->name,
				     source->version);
	}
	return 0;
}

int reg_add(const struct kg_system *sys, const struct kg_source *source,
	    struct kg_err *err)
{
	_cleanup_close_ int name_fd = -1;
	_cleanup_close_ int version_fd = -1;
	_cleanup_close_ int source_fd = -1;
	char target[PATH_MAX];
	int r = regtree_check_names(source->name, source->version, NULL, NULL, err);

	if (r < 0)
		return r;
	source_fd = fd_try_open_in(sys->root_fd, source->path, O_PATH | O_DIRECTORY);
	if (source_fd < 0)
		return kg_fail(err, source_fd, "%s/%s: no source folder /%s",
			       source->name, source->version, source->path);
	name_fd = regtree_make_dir(sys, err, "%s", source->name);
	if (name_fd < 0)
		return name_fd;
	version_fd = regtree_open_dir(sys, "%s/%s", source->name, source->version);
	if (version_fd == -ENOENT)
		return add_new(name_fd, source, err);
	if (version_fd < 0)
		return kg_fail_errno(err, version_fd, "/%s/%s/%s", sys->dkms_tree,
				     source->name, source->version);
	if (regtree_source_state(sys, version_fd, source->name, source->version) ==
	    TREE_ADDED)
		return kg_fail(err, -KGE_EXISTS, "%s/%s is already in the dkms tree",
			       source->name, source->version);
	if (snprintf(target, sizeof(target), "/%s", source->path) >= (int)sizeof(target))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", source->path);
	return fd_replace_link_at(version_fd, "source", target, err);
}

/* Takes the entry off the register but keeps what is not ours. */
static int unlink_source(const struct kg_system *sys, int version_fd, const char *name,
			 const char *version, const char *foreign, struct kg_err *err)
{
	kg_warning("%s/%s: /%s/%s/%s/%s is not kmodgate's and stays", name, version,
		   sys->dkms_tree, name, version, foreign);
	if (unlinkat(version_fd, "source", 0) < 0 && errno != ENOENT)
		return kg_fail_errno(err, -errno, "%s/%s: cannot remove the source link",
				     name, version);
	/* With it the rest would look like an entry that has lost its link. */
	(void)fd_remove_tree_at(version_fd, "build", NULL);
	return fsync(version_fd) < 0 ? -errno : 0;
}

static int check_nothing_built(const struct kg_system *sys, const char *name,
			       const char *version, struct kg_err *err)
{
	const struct reg_filter all = { 0 };
	_cleanup_close_ int version_fd = regtree_open_dir(sys, "%s/%s", name, version);
	_cleanup_strv_ struct strv built = { 0 };
	int r = version_fd < 0 ? version_fd
			       : regtree_list_built(version_fd, &all, &built);

	if (r < 0)
		return kg_fail_errno(err, r, "%s/%s", name, version);
	if (built.n > 0)
		return kg_fail(err, -EBUSY, "%s/%s is still built for %s", name, version,
			       built.v[0]);
	return 0;
}

int reg_remove_source(const struct kg_system *sys, const char *name, const char *version,
		      struct kg_err *err)
{
	_cleanup_close_ int tree_fd = -1;
	_cleanup_close_ int name_fd = -1;
	_cleanup_close_ int version_fd = -1;
	char foreign[NAME_MAX + 1];
	int r = regtree_check_names(name, version, NULL, NULL, err);

	if (r < 0)
		return r;
	name_fd = regtree_open_dir(sys, "%s", name);
	version_fd = regtree_open_dir(sys, "%s/%s", name, version);
	if (name_fd < 0 || version_fd < 0)
		return kg_fail(err, -KGE_NOT_ADDED, "%s/%s is not in the dkms tree", name,
			       version);
	r = check_nothing_built(sys, name, version, err);
	if (r == 0)
		r = regtree_find_foreign(version_fd, foreign);
	if (r == 0)
		r = foreign[0] != '\0'
			    ? unlink_source(sys, version_fd, name, version, foreign, err)
			    : regdir_remove(name_fd, version, err);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot remove %s/%s", name, version);
	tree_fd = fd_open_dir_in(sys->root_fd, sys->dkms_tree, err);
	if (tree_fd < 0)
		return tree_fd;
	/* Goes with its last version; what else may be in it (another version) keeps it. */
	if (unlinkat(tree_fd, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
	    errno != EEXIST && errno != ENOTDIR)
		return kg_fail_errno(err, -errno, "cannot remove /%s/%s", sys->dkms_tree,
				     name);
	return 0;
}
