// SPDX-License-Identifier: GPL-2.0-or-later
/* What the two sides of a union have, and what follows for the folder made of them. */
#include "core/sandbox/sides.h"

#include <limits.h>
#include <string.h>

bool side_stat(int dir_fd, const char *name, struct stat *ret_stat)
{
	return dir_fd >= 0 && fstatat(dir_fd, name, ret_stat, AT_SYMLINK_NOFOLLOW) == 0;
}

int side_open_dir(int dir_fd, const char *name)
{
	if (dir_fd < 0)
		return -1;
	return openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * As the live side has it: a stage's lib -> usr/lib is a folder where /lib still is one,
 * so what is staged below usr/lib is found in both places.
 */
bool side_stat_staged(const struct merge *m, const char *name, struct stat *ret_stat)
{
	_cleanup_close_ int fd = -1;
	struct stat live;

	if (!side_stat(m->stage_fd, name, ret_stat))
		return false;
	if (m->place != MERGE_AT_TOP || !S_ISLNK(ret_stat->st_mode) ||
	    !side_stat(m->live_fd, name, &live) || !S_ISDIR(live.st_mode))
		return true;
	fd = fd_try_open_in(m->stage_fd, name, O_PATH | O_DIRECTORY);
	return fd < 0 || fstat(fd, ret_stat) == 0;
}

int side_open_staged(const struct merge *m, const char *name)
{
	if (m->place == MERGE_AT_TOP)
		return fd_try_open_in(m->stage_fd, name, O_PATH | O_DIRECTORY);
	return side_open_dir(m->stage_fd, name);
}

/* Documentation: no build reads it, and its folders are the largest to open up. */
bool sides_is_dull(const struct merge *m, const char *name)
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

enum merge_place sides_place_of(const struct merge *parent, const char *name)
{
	if (parent->place == MERGE_AT_TOP && strcmp(name, "usr") == 0)
		return MERGE_AT_USR;
	if (parent->place == MERGE_AT_USR && strcmp(name, "share") == 0)
		return MERGE_AT_SHARE;
	return MERGE_ELSEWHERE;
}

static bool is_dir(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return side_stat(dir_fd, entry->d_name, &st) && S_ISDIR(st.st_mode);
}

/* Every file of the folder @dir_fd/@name is removed, and so is the folder. */
static bool is_gone(int dir_fd, const char *name, const struct paths *removed,
		    unsigned int depth)
{
	_cleanup_close_ int fd = side_open_dir(dir_fd, name);
	_cleanup_dir_ DIR *dir = fd < 0 || depth > MERGE_MAX_DEPTH ? NULL : fd_list(fd);
	struct dirent *entry;

	if (dir == NULL)
		return false;
	while ((entry = fd_list_next(dir)) != NULL) {
		struct paths below;

		if (!paths_below(removed, entry->d_name, &below))
			return false;
		if (is_dir(fd, entry) && !is_gone(fd, entry->d_name, &below, depth + 1))
			return false;
	}
	return true;
}

/* Does the live side show @name after the removals? */
bool sides_has_live(const struct merge *m, const char *name, struct stat *ret_stat)
{
	struct paths below;

	if (!side_stat(m->live_fd, name, ret_stat))
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

/*
 * Every name of the live folder is the stage's too, or goes: then the stage's is all
 * there is to show, without a mount for each file. So it is when a package of headers is
 * replaced.
 */
bool sides_is_replaced(int live_fd, int stage_fd, const struct paths *removed,
		       unsigned int depth)
{
	_cleanup_dir_ DIR *dir = depth > MERGE_MAX_DEPTH ? NULL : fd_list(live_fd);
	struct dirent *entry;
	struct stat st;

	if (dir == NULL)
		return false;
	while ((entry = fd_list_next(dir)) != NULL) {
		_cleanup_close_ int live_child_fd = -1;
		_cleanup_close_ int stage_child_fd = -1;
		struct paths below;
		bool is_listed = paths_below(removed, entry->d_name, &below);
		bool is_folder = is_dir(live_fd, entry);

		if (!side_stat(stage_fd, entry->d_name, &st)) {
			if (!is_listed || (is_folder && !is_gone(live_fd, entry->d_name,
								 &below, depth + 1)))
				return false;
			continue;
		}
		if (is_folder != S_ISDIR(st.st_mode))
			return false;
		if (!is_folder)
			continue;
		live_child_fd = side_open_dir(live_fd, entry->d_name);
		stage_child_fd = side_open_dir(stage_fd, entry->d_name);
		if (live_child_fd < 0 || stage_child_fd < 0 ||
		    !sides_is_replaced(live_child_fd, stage_child_fd, &below, depth + 1))
			return false;
	}
	return true;
}

/* Can the stage's @name be bound over the live one? */
static bool is_covering(const struct merge *m, const char *name,
			const struct stat *staged)
{
	struct stat live;

	if (!sides_has_live(m, name, &live))
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

/* A folder that turns out to stay costs a skeleton that was not needed. */
static bool name_goes(const struct merge *m, const char *name)
{
	struct paths below;
	struct stat st;

	return paths_below(&m->removed, name, &below) &&
	       side_stat(m->live_fd, name, &st) && !side_stat(m->stage_fd, name, &st);
}

static bool name_is_wanting(const struct merge *m, const char *name)
{
	struct stat st;

	return !sides_has_live(m, name, &st) && !side_stat(m->stage_fd, name, &st);
}

/* Do names come or go, so that covering the live folder does not do? */
bool sides_wants_skeleton(const struct merge *m)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;

	if (m->live_fd < 0 || any_listed(m, &m->removed, name_goes) ||
	    any_listed(m, &m->needed, name_is_wanting))
		return true;
	dir = m->stage_fd >= 0 ? fd_list(m->stage_fd) : NULL;
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		if (sides_is_dull(m, entry->d_name) &&
		    sides_has_live(m, entry->d_name, &st))
			continue;
		if (side_stat_staged(m, entry->d_name, &st) &&
		    !is_covering(m, entry->d_name, &st))
			return true;
	}
	return false;
}
