// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The union of two folders without a union file system: nothing but bind mounts, so it
 * has no depth limit and what is mounted below the live side stays visible. A folder both
 * sides have is shown as the live one with the stage's entries bound over it ("covered"),
 * unless names come or go in it: then a tmpfs folder is made of mount points
 * ("skeleton").
 */
#include "core/sandbox/internal.h"

#include <limits.h>
#include <string.h>
#include <sys/mount.h>

#define MERGE_MAX_DEPTH 48

/* One folder of the result. On a skeleton, names can be made at @dir_fd. */
struct spot {
	int dir_fd;
	bool is_skeleton;
};

static int merge_dir(const struct merge *m, const struct spot *at, const char *name,
		     unsigned int depth, int *ret_fd, struct kg_err *err);

static bool stat_entry(int dir_fd, const char *name, struct stat *ret_stat)
{
	return dir_fd >= 0 && fstatat(dir_fd, name, ret_stat, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_side(int dir_fd, const char *name)
{
	if (dir_fd < 0)
		return -1;
	return openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * As the live side has it: a stage's lib -> usr/lib is a folder where /lib still is one,
 * so what is staged below usr/lib is found in both places.
 */
static bool stat_staged(const struct merge *m, const char *name, struct stat *ret_stat)
{
	_cleanup_close_ int fd = -1;
	struct stat live;

	if (!stat_entry(m->stage_fd, name, ret_stat))
		return false;
	if (m->place != MERGE_AT_TOP || !S_ISLNK(ret_stat->st_mode) ||
	    !stat_entry(m->live_fd, name, &live) || !S_ISDIR(live.st_mode))
		return true;
	fd = fd_try_open_in(m->stage_fd, name, O_PATH | O_DIRECTORY);
	return fd < 0 || fstat(fd, ret_stat) == 0;
}

static int open_staged(const struct merge *m, const char *name)
{
	if (m->place == MERGE_AT_TOP)
		return fd_try_open_in(m->stage_fd, name, O_PATH | O_DIRECTORY);
	return open_side(m->stage_fd, name);
}

/* Documentation: no build reads it, and its folders are the largest to open up. */
static bool is_dull(const struct merge *m, const char *name)
{
	static const char *const dull[] = { "doc",    "man",	 "info",
					    "locale", "lintian", "bug" };

	if (m->place != MERGE_AT_SHARE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(dull); i++)
		if (strcmp(name, dull[i]) == 0)
			return true;
	return false;
}

static enum merge_place place_of(const struct merge *parent, const char *name)
{
	if (parent->place == MERGE_AT_TOP && strcmp(name, "usr") == 0)
		return MERGE_AT_USR;
	if (parent->place == MERGE_AT_USR && strcmp(name, "share") == 0)
		return MERGE_AT_SHARE;
	return MERGE_ELSEWHERE;
}

/* Every file of the folder @dir_fd/@name is removed, and so is the folder. */
static bool is_gone(int dir_fd, const char *name, const struct paths *removed,
		    unsigned int depth)
{
	_cleanup_close_ int fd = open_side(dir_fd, name);
	_cleanup_dir_ DIR *dir = fd < 0 || depth > MERGE_MAX_DEPTH ? NULL : fd_list(fd);
	struct dirent *entry;

	if (dir == NULL)
		return false;
	while ((entry = fd_list_next(dir)) != NULL) {
		struct paths below;
		struct stat st;

		if (!paths_below(removed, entry->d_name, &below))
			return false;
		if (!stat_entry(fd, entry->d_name, &st))
			continue;
		if (S_ISDIR(st.st_mode) && !is_gone(fd, entry->d_name, &below, depth + 1))
			return false;
	}
	return true;
}

/* Does the live side show @name after the removals? */
static bool has_live(const struct merge *m, const char *name, struct stat *ret_stat)
{
	struct paths below;

	if (!stat_entry(m->live_fd, name, ret_stat))
		return false;
	if (!paths_below(&m->removed, name, &below))
		return true;
	return S_ISDIR(ret_stat->st_mode) && !is_gone(m->live_fd, name, &below, 0);
}

static bool is_same_link(int a_fd, int b_fd, const char *name)
{
	_cleanup_free_ char *a = NULL;
	_cleanup_free_ char *b = NULL;

	return fd_read_link_at(a_fd, name, &a) == 0 &&
	       fd_read_link_at(b_fd, name, &b) == 0 && strcmp(a, b) == 0;
}

/* Can the stage's @name be bound over the live one? */
static bool is_covering(const struct merge *m, const char *name,
			const struct stat *staged)
{
	struct stat live;

	if (!has_live(m, name, &live))
		return false;
	if (S_ISLNK(live.st_mode) || S_ISLNK(staged->st_mode))
		return S_ISLNK(live.st_mode) && S_ISLNK(staged->st_mode) &&
		       is_same_link(m->live_fd, m->stage_fd, name);
	return S_ISDIR(live.st_mode) == S_ISDIR(staged->st_mode);
}

/* Is there a name in @range that passes @test for this folder? */
static bool any_listed(const struct merge *m, const struct paths *range,
		       bool (*test)(const struct merge *m, const char *name))
{
	char name[NAME_MAX + 1];
	size_t same;

	for (size_t i = 0; i < range->n; i += same) {
		size_t len = paths_component(range, i, &same);

		if (len > NAME_MAX)
			continue;
		memcpy(name, range->v[i] + range->skip, len);
		name[len] = '\0';
		if (test(m, name))
			return true;
	}
	return false;
}

static bool name_goes(const struct merge *m, const char *name)
{
	struct stat st;

	return stat_entry(m->live_fd, name, &st) && !has_live(m, name, &st) &&
	       !stat_entry(m->stage_fd, name, &st);
}

static bool name_is_wanting(const struct merge *m, const char *name)
{
	struct stat st;

	return !has_live(m, name, &st) && !stat_entry(m->stage_fd, name, &st);
}

/* Do names come or go, so that covering the live folder does not do? */
static bool wants_skeleton(const struct merge *m)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;

	if (m->live_fd < 0 || any_listed(m, &m->removed, name_goes) ||
	    any_listed(m, &m->needed, name_is_wanting))
		return true;
	dir = m->stage_fd >= 0 ? fd_list(m->stage_fd) : NULL;
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		if (is_dull(m, entry->d_name) && has_live(m, entry->d_name, &st))
			continue;
		if (stat_staged(m, entry->d_name, &st) &&
		    !is_covering(m, entry->d_name, &st))
			return true;
	}
	return false;
}

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
			       .place = place_of(m, name) };

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
	bool is_live = has_live(m, name, &live);
	bool is_staged = stat_staged(m, name, &staged) && !(is_live && is_dull(m, name));
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
		child.live_fd = open_side(m->live_fd, name);
	if (is_staged)
		child.stage_fd = open_staged(m, name);
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
		if (at->is_skeleton ? stat_entry(at->dir_fd, name, &st)
				    : stat_entry(m->stage_fd, name, &st))
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
		if (at->is_skeleton && stat_entry(at->dir_fd, entry->d_name, &st))
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
		fd = open_side(at->dir_fd, name);
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
	r = wants_skeleton(m) ? open_skeleton(at, name, &spot)
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
	struct spot spot = { .dir_fd = -1, .is_skeleton = wants_skeleton(m) };
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
