// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The union of two folders without a union file system: nothing but bind mounts, so it
 * has no depth limit and what is mounted below the live side stays visible. A folder both
 * sides have is shown as the live one with the stage's entries bound over it ("covered"),
 * unless names come or go in it: then a tmpfs folder is made of mount points
 * ("skeleton").
 */
#include "core/sandbox/sides.h"

#include <limits.h>
#include <string.h>
#include <sys/mount.h>

/* One folder of the result. On a skeleton, names can be made at @dir_fd. */
struct spot {
	int dir_fd;
	bool is_skeleton;
};

static int merge_dir(const struct merge *m, const struct spot *at, const char *name,
		     unsigned int depth, int *ret_fd, struct kg_err *err);

/* The mount point @name for something of type @mode. */
static int make_point(const struct spot *at, const char *name, mode_t mode)
{
	_cleanup_close_ int fd = -1;

	if (!at->is_skeleton)
		return 0;
	if (S_ISDIR(mode))
		return mkdirat(at->dir_fd, name, 0755) < 0 ? -errno : 0;
	fd = openat(at->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : 0;
}

/* One entry of one side, with all that is below and mounted there. */
static int show_entry(int from_fd, const char *name, const struct stat *st,
		      const struct spot *at, struct kg_err *err)
{
	_cleanup_free_ char *target = NULL;
	_cleanup_close_ int mount_fd = -1;
	int r;

	if (S_ISLNK(st->st_mode)) {
		r = fd_read_link_at(from_fd, name, &target);
		if (r == 0 && at->is_skeleton && symlinkat(target, at->dir_fd, name) < 0)
			r = -errno;
		return r == 0 ? 0 : kg_fail_errno(err, r, "cannot show link %s", name);
	}
	mount_fd = mount_copy(from_fd, name, MOUNT_TREE);
	if (mount_fd == -ENOENT)
		return 0; /* gone meanwhile */
	r = mount_fd < 0 ? mount_fd : make_point(at, name, st->st_mode);
	if (r == 0)
		r = mount_attach(mount_fd, at->dir_fd, name);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot show %s", name);
}

/* What of @m lies below @name. */
static struct merge below_name(const struct merge *m, const char *name,
			       bool *ret_is_needed)
{
	struct merge child = { .live_fd = -1,
			       .stage_fd = -1,
			       .place = sides_place_of(m, name) };

	paths_below(&m->removed, name, &child.removed);
	*ret_is_needed = paths_below(&m->needed, name, &child.needed);
	*ret_is_needed |= child.needed.n > 0;
	return child;
}

/* One name of the result, whatever side it comes from. */
static int merge_name(const struct merge *m, const struct spot *at, const char *name,
		      unsigned int depth, struct kg_err *err)
{
	_cleanup_close_ int done_fd = -1;
	struct stat live;
	struct stat staged;
	bool is_live = sides_has_live(m, name, &live);
	bool is_staged = side_stat_staged(m, name, &staged) &&
			 !(is_live && sides_is_dull(m, name));
	bool is_live_dir = is_live && S_ISDIR(live.st_mode);
	bool is_needed;
	struct merge child = below_name(m, name, &is_needed);
	int r;

	if (!is_live && !is_staged && !is_needed)
		return 0;
	if (is_staged &&
	    (!S_ISDIR(staged.st_mode) || (!is_live_dir && child.needed.n == 0)))
		return show_entry(m->stage_fd, name, &staged, at, err);
	if (!is_staged && is_live &&
	    (!is_live_dir || (child.needed.n == 0 && child.removed.n == 0)))
		return at->is_skeleton ? show_entry(m->live_fd, name, &live, at, err) : 0;
	if (is_live_dir)
		child.live_fd = side_open_dir(m->live_fd, name);
	if (is_staged)
		child.stage_fd = side_open_staged(m, name);
	if (child.live_fd >= 0 && child.stage_fd >= 0 && child.needed.n == 0 &&
	    m->place != MERGE_AT_TOP &&
	    sides_is_replaced(child.live_fd, child.stage_fd, &child.removed, 0))
		r = show_entry(m->stage_fd, name, &staged, at, err);
	else
		r = merge_dir(&child, at, name, depth + 1, &done_fd, err);
	closep(&child.live_fd);
	closep(&child.stage_fd);
	return r;
}

static int merge_listed(const struct merge *m, const struct paths *range,
			const struct spot *at, unsigned int depth, struct kg_err *err)
{
	char name[NAME_MAX + 1];
	struct stat st;
	size_t same;
	int r = 0;

	for (size_t i = 0; r == 0 && i < range->n; i += same) {
		size_t len = paths_component(range, i, &same);

		if (len > NAME_MAX)
			continue;
		memcpy(name, range->v[i] + range->skip, len);
		name[len] = '\0';
		/* made already, by this list or because a side has it */
		if (at->is_skeleton ? side_stat(at->dir_fd, name, &st)
				    : side_stat(m->stage_fd, name, &st))
			continue;
		r = merge_name(m, at, name, depth, err);
	}
	return r;
}

static int merge_side(const struct merge *m, int side_fd, const struct spot *at,
		      unsigned int depth, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = side_fd >= 0 ? fd_list(side_fd) : NULL;
	struct dirent *entry;
	struct stat st;
	int r = 0;

	if (side_fd >= 0 && dir == NULL)
		return kg_fail_errno(err, -errno, "cannot list a folder of the view");
	while (r == 0 && dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		if (at->is_skeleton && side_stat(at->dir_fd, entry->d_name, &st))
			continue;
		r = merge_name(m, at, entry->d_name, depth, err);
	}
	return r;
}

static int fill(const struct merge *m, const struct spot *at, unsigned int depth,
		struct kg_err *err)
{
	int r = at->is_skeleton ? merge_side(m, m->live_fd, at, depth, err) : 0;

	if (r == 0)
		r = merge_side(m, m->stage_fd, at, depth, err);
	if (r == 0 && !at->is_skeleton)
		r = merge_listed(m, &m->removed, at, depth, err);
	return r == 0 ? merge_listed(m, &m->needed, at, depth, err) : r;
}

/* The folder a skeleton is built in: part of the parent's, or a tmpfs of its own. */
static int open_skeleton(const struct spot *at, const char *name, struct spot *ret_spot)
{
	int r = make_point(at, name, S_IFDIR);
	int fd;

	if (r < 0)
		return r;
	ret_spot->is_skeleton = true;
	if (at->is_skeleton)
		fd = openat(at->dir_fd, name,
			    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	else
		fd = mount_tmpfs("0755", "1m", MOUNT_ATTR_NODEV);
	ret_spot->dir_fd = fd;
	if (fd < 0)
		return at->is_skeleton ? -errno : fd;
	return at->is_skeleton ? 0 : mount_attach(fd, at->dir_fd, name);
}

/* The live folder itself, to be covered in places. */
static int open_covered(const struct merge *m, const struct spot *at, const char *name,
			struct spot *ret_spot)
{
	int r = make_point(at, name, S_IFDIR);
	int fd;

	if (r < 0)
		return r;
	ret_spot->is_skeleton = false;
	if (at->is_skeleton)
		fd = mount_copy(m->live_fd, "", MOUNT_TREE);
	else
		fd = side_open_dir(at->dir_fd, name);
	ret_spot->dir_fd = fd;
	if (fd < 0)
		return at->is_skeleton ? fd : -errno;
	return at->is_skeleton ? mount_attach(fd, at->dir_fd, name) : 0;
}

static int merge_dir(const struct merge *m, const struct spot *at, const char *name,
		     unsigned int depth, int *ret_fd, struct kg_err *err)
{
	struct spot spot = { .dir_fd = -1 };
	int r;

	if (depth > MERGE_MAX_DEPTH)
		return kg_fail(err, -KGE_LIMIT, "%s: folders nested too deeply", name);
	r = sides_wants_skeleton(m) ? open_skeleton(at, name, &spot)
				    : open_covered(m, at, name, &spot);
	if (r < 0)
		kg_fail_errno(err, r, "cannot open up %s in the view", name);
	else
		r = fill(m, &spot, depth, err);
	/* a tmpfs of ours becomes read-only; the folders of a larger one with it */
	if (r == 0 && spot.is_skeleton && !at->is_skeleton)
		r = mount_flags(spot.dir_fd, MOUNT_ONE, MOUNT_ATTR_RDONLY, 0);
	if (r < 0) {
		if (spot.dir_fd >= 0)
			close(spot.dir_fd);
		return kg_fail_errno(err, r, "cannot open up %s in the view", name);
	}
	*ret_fd = spot.dir_fd;
	return 0;
}

int merge_mount(const struct merge *m, int dir_fd, const char *name, struct kg_err *err)
{
	/*
	 * a skeleton of its own, or a copy of all that is live: both are mounts at @name
	 */
	struct spot spot = { .dir_fd = -1, .is_skeleton = sides_wants_skeleton(m) };
	int r;

	spot.dir_fd = spot.is_skeleton ? mount_tmpfs("0755", "1m", MOUNT_ATTR_NODEV)
				       : mount_copy(m->live_fd, "", MOUNT_TREE);
	r = spot.dir_fd < 0 ? spot.dir_fd : mount_attach(spot.dir_fd, dir_fd, name);
	if (r < 0)
		kg_fail_errno(err, r, "cannot copy the root");
	else
		r = fill(m, &spot, 0, err);
	if (r == 0 && spot.is_skeleton)
		r = mount_flags(spot.dir_fd, MOUNT_ONE, MOUNT_ATTR_RDONLY, 0);
	if (r < 0 && spot.dir_fd >= 0)
		close(spot.dir_fd);
	return r < 0 ? r : spot.dir_fd;
}
