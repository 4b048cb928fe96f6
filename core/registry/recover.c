// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/regtree.h"

#define LINK_TEMP_SUFFIX ".kmodgate-new" /* core/base/fd.c: fd_replace_link_at() */

static int recover_entry(int dir_fd, const char *name, struct kg_err *err)
{
	if (str_ends(name, LINK_TEMP_SUFFIX))
		return fd_remove_tree_at(dir_fd, name, err);
	return regdir_recover(dir_fd, name, err);
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

/* Temporary names live in M, M/V, M/V/R and M/original_module/R/A, and in the source tree. */
#define RECOVER_DEPTH 4

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

static int recover_folder(const struct kg_system *sys, const char *path,
			  unsigned int depth, struct kg_err *err)
{
	_cleanup_close_ int fd =
		fd_try_open_in(sys->root_fd, path, O_RDONLY | O_DIRECTORY);
	int r;

	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : recover_below(fd, depth, err);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot clean up /%s", path);
}

int reg_recover(const struct kg_system *sys, struct kg_err *err)
{
	int r = recover_folder(sys, sys->dkms_tree, RECOVER_DEPTH, err);

	return r < 0 ? r : recover_folder(sys, sys->source_tree, 0, err);
}
