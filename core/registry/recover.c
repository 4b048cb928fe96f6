// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/registry/regtree.h"

#define LINK_TEMP_SUFFIX ".kmodgate-new" /* core/base/fd.c: fd_replace_link_at() */

/* A complete folder whose place is empty, or holds the rest of what it replaces, gets it. */
static int finish_new(int dir_fd, const char *temp, struct kg_err *err)
{
	const char *name = temp + strlen(TREE_NEW);
	int r = fd_remove_tree_at(dir_fd, name, err);

	if (r == 0 && renameat(dir_fd, temp, dir_fd, name) < 0)
		r = -errno;
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot finish %s", name);
}

static int recover_entry(int dir_fd, const char *name, struct kg_err *err)
{
	if (str_starts(name, TREE_NEW) && name[strlen(TREE_NEW)] != '\0')
		return finish_new(dir_fd, name, err);
	if (str_starts(name, TREE_PART) ||
	    (name[0] == '.' && str_ends(name, LINK_TEMP_SUFFIX)))
		return fd_remove_tree_at(dir_fd, name, err);
	return 0;
}

static int recover_dir(int dir_fd, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	_cleanup_strv_ struct strv temps = { 0 };
	struct dirent *entry;
	int r = 0;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (entry->d_name[0] == '.')
			strv_add(&temps, entry->d_name);
	for (size_t i = 0; r == 0 && i < temps.n; i++)
		r = recover_entry(dir_fd, temps.v[i], err);
	return strv_ok(&temps) ? r : -ENOMEM;
}

/* Temporary names live in M, M/V and M/V/R, and in original_module/R/A: as deep as this. */
#define RECOVER_DEPTH 3

static int recover_below(int dir_fd, unsigned int depth, struct kg_err *err)
{
	_cleanup_strv_ struct strv names = { 0 };
	int r = recover_dir(dir_fd, err);

	if (r == 0 && depth > 0)
		r = regtree_list_dirs(dir_fd, NULL, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_close_ int sub_fd = -1;

		/* The build tree is somebody else's content, and may be huge. */
		if (strcmp(names.v[i], "build") == 0)
			continue;
		sub_fd = openat(dir_fd, names.v[i],
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub_fd >= 0)
			r = recover_below(sub_fd, depth - 1, err);
	}
	return r;
}

int reg_recover(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_close_ int tree_fd =
		fd_try_open_in(sys->root_fd, sys->dkms_tree, O_RDONLY | O_DIRECTORY);
	int r;

	if (tree_fd == -ENOENT)
		return 0;
	r = tree_fd < 0 ? tree_fd : recover_below(tree_fd, RECOVER_DEPTH + 1, err);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot clean up /%s", sys->dkms_tree);
}
