// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole folders put in place and taken away, so that a kill at any step can be made good. */
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/regtree.h"

struct temp_names {
	char part[NAME_MAX + 1];
	char fresh[NAME_MAX + 1];
};

static int temp_names_init(struct temp_names *t, const char *name, struct kg_err *err)
{
	size_t size = sizeof(t->part);

	if (snprintf(t->part, size, TREE_PART "%s", name) >= (int)size ||
	    snprintf(t->fresh, size, TREE_NEW "%s", name) >= (int)size)
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", name);
	return 0;
}

static int make_part(int dir_fd, const char *part, struct kg_err *err)
{
	int r = fd_remove_tree_at(dir_fd, part, err);

	if (r < 0)
		return r;
	if (mkdirat(dir_fd, part, 0755) < 0)
		return kg_fail_errno(err, -errno, "cannot make directory %s", part);
	return fd_open_dir_at(dir_fd, part, err);
}

static int copy_to_part(int dir_fd, const char *part, int from_fd, struct kg_err *err)
{
	_cleanup_close_ int part_fd = make_part(dir_fd, part, err);
	int r;

	if (part_fd < 0)
		return part_fd;
	r = fd_copy_tree(from_fd, part_fd, FD_COPY_TO_OWNER, geteuid(), getegid(), err);
	return r < 0 ? r : fd_sync_tree(part_fd, err);
}

static int sync_dir(int dir_fd)
{
	return fsync(dir_fd) < 0 ? -errno : 0;
}

/* The whole one waits under its own name while the old one goes. */
static int switch_by_removing(int dir_fd, const struct temp_names *t, const char *name)
{
	int r = fd_remove_tree_at(dir_fd, t->fresh, NULL);

	if (r == 0 && renameat(dir_fd, t->part, dir_fd, t->fresh) < 0)
		r = -errno;
	if (r == 0)
		r = sync_dir(dir_fd);
	if (r == 0)
		r = fd_remove_tree_at(dir_fd, name, NULL);
	if (r == 0 && renameat(dir_fd, t->fresh, dir_fd, name) < 0)
		r = -errno;
	return r < 0 ? r : sync_dir(dir_fd);
}

/*
 * The exchange leaves the old folder under the name of the rubbish. A lower layer's folder on
 * overlayfs can't be exchanged or renamed (EXDEV); some file systems can't exchange at all.
 */
static int switch_to_part(int dir_fd, const struct temp_names *t, const char *name)
{
	int r;

	if (renameat2(dir_fd, t->part, dir_fd, name, RENAME_NOREPLACE) == 0)
		return sync_dir(dir_fd);
	if (errno == EEXIST &&
	    renameat2(dir_fd, t->part, dir_fd, name, RENAME_EXCHANGE) == 0) {
		r = sync_dir(dir_fd);
		return r < 0 ? r : fd_remove_tree_at(dir_fd, t->part, NULL);
	}
	if (errno != EXDEV && errno != EINVAL && errno != ENOSYS)
		return -errno;
	return switch_by_removing(dir_fd, t, name);
}

int regdir_replace(int dir_fd, const char *name, int from_fd, struct kg_err *err)
{
	struct temp_names t = { 0 };
	int r = temp_names_init(&t, name, err);

	if (r == 0)
		r = copy_to_part(dir_fd, t.part, from_fd, err);
	if (r == 0)
		r = switch_to_part(dir_fd, &t, name);
	if (r == 0)
		return 0;
	fd_remove_tree_at(dir_fd, t.part, NULL);
	return kg_fail_errno(err, r, "cannot put %s in place", name);
}

/* Recovering takes the empty "new" folder for a replacement, and an empty folder away. */
static int remove_in_place(int dir_fd, const struct temp_names *t, const char *name,
			   struct kg_err *err)
{
	int r;

	if (mkdirat(dir_fd, t->fresh, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = sync_dir(dir_fd);
	if (r == 0)
		r = fd_remove_tree_at(dir_fd, name, err);
	if (r == 0 && unlinkat(dir_fd, t->fresh, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

int regdir_remove(int dir_fd, const char *name, struct kg_err *err)
{
	struct temp_names t = { 0 };
	int r = temp_names_init(&t, name, err);

	if (r == 0)
		r = fd_remove_tree_at(dir_fd, t.part, err);
	if (r < 0)
		return r;
	/* Renamed first: half of a folder must not pass for one that is registered. */
	if (renameat(dir_fd, name, dir_fd, t.part) == 0)
		r = fd_remove_tree_at(dir_fd, t.part, err);
	else if (errno == EXDEV)
		r = remove_in_place(dir_fd, &t, name, err);
	else if (errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = sync_dir(dir_fd);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot remove %s", name);
}

int regdir_recover(int dir_fd, const char *temp, struct kg_err *err)
{
	const char *name = temp + strlen(TREE_NEW);
	int r;

	if (str_starts(temp, TREE_PART))
		return fd_remove_tree_at(dir_fd, temp, err);
	if (!str_starts(temp, TREE_NEW) || *name == '\0')
		return 0;
	r = fd_remove_tree_at(dir_fd, name, err);
	if (r == 0 && renameat(dir_fd, temp, dir_fd, name) < 0)
		r = -errno;
	if (r == 0) {
		/* Fails, as it should, for a folder with something in it. */
		(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
		r = sync_dir(dir_fd);
	}
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot finish %s", name);
}
