// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "core/base/fd.h"
#include "core/registry/regtree.h"

static bool is_same_dir(int a_fd, int b_fd)
{
	struct stat a;
	struct stat b;

	return a_fd >= 0 && b_fd >= 0 && fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The tree is where it belongs already, or is the registry's own link or work copy of it. */
static bool is_in_place(const struct kg_system *sys, int from_fd, int tree_fd,
			const char *folder, const char *name, const char *version)
{
	_cleanup_close_ int there_fd =
		openat(tree_fd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int build_fd =
		regtree_open(sys, O_PATH | O_DIRECTORY, "%s/%s/build", name, version);

	return is_same_dir(from_fd, there_fd) || is_same_dir(from_fd, build_fd);
}

int reg_import_source(const struct kg_system *sys, int from_fd, const char *name,
		      const char *version, struct kg_err *err)
{
	_cleanup_close_ int tree_fd = -1;
	char folder[NAME_MAX + 1];
	int r = regtree_check_names(name, version, NULL, NULL, err);

	if (r < 0)
		return r;
	if (snprintf(folder, sizeof(folder), "%s-%s", name, version) >=
	    (int)sizeof(folder))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s-%s", name, version);
	tree_fd = fd_make_dir_in(sys->root_fd, sys->source_tree, 0755, err);
	if (tree_fd < 0)
		return tree_fd;
	if (is_in_place(sys, from_fd, tree_fd, folder, name, version))
		return 0;
	r = regdir_replace(tree_fd, folder, from_fd, err);
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot copy the source to /%s/%s",
				      sys->source_tree, folder);
}
