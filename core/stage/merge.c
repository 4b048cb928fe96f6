// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/merge.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/stage/member.h"

struct merge {
	int stage_fd;
	const char *archive;
	struct kg_err *err;
};

static int merge_fail(const struct merge *m, int code, const char *path, const char *what)
{
	char shown[MEMBER_SHOW_SIZE];

	return kg_fail(m->err, code, "%s: member %s: %s", m->archive,
		       member_show(path, shown), what);
}

/* Makes the folder that a link at the stage's top (lib -> usr/lib) speaks of. */
static int make_link_target(const struct merge *m, const char *path)
{
	_cleanup_free_ char *target = NULL;
	int r;

	if (strchr(path, '/') != NULL)
		return -ENOTDIR;
	r = fd_read_link_at(m->stage_fd, path, &target);
	if (r == 0 && target[0] == '/')
		r = -ENOTDIR;
	return r < 0 ? r : fd_make_dir_in(m->stage_fd, target, 0755, NULL);
}

/* The folder of the stage that stands at @path, whatever links lead there. */
static int open_stage_dir(const struct merge *m, const char *path)
{
	int fd = fd_try_open_in(m->stage_fd, path, O_RDONLY | O_DIRECTORY);

	return fd == -ENOENT ? make_link_target(m, path) : fd;
}

static int merge_entries(const struct merge *m, int from_fd, int to_fd, const char *path);

static int merge_dir(const struct merge *m, int from_fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	_cleanup_close_ int sub_fd = fd_open_dir_at(from_fd, name, m->err);
	_cleanup_close_ int to_fd = open_stage_dir(m, path);

	if (sub_fd < 0)
		return sub_fd;
	if (to_fd < 0)
		return merge_fail(m, -KGE_HOSTILE, path,
				  "a folder where another package has something else");
	return merge_entries(m, sub_fd, to_fd, path);
}

static int merge_entry(const struct merge *m, int from_fd, int to_fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	struct stat from;
	struct stat to;

	if (fstatat(from_fd, name, &from, AT_SYMLINK_NOFOLLOW) < 0)
		return merge_fail(m, -errno, path, strerror(errno));
	if (fstatat(to_fd, name, &to, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(from.st_mode))
			return merge_dir(m, from_fd, path);
		if (S_ISDIR(to.st_mode))
			return merge_fail(m, -KGE_HOSTILE, path,
					  "would replace a folder of another package");
	}
	if (renameat(from_fd, name, to_fd, name) < 0)
		return merge_fail(m, -errno, path, strerror(errno));
	return 0;
}

static int merge_entries(const struct merge *m, int from_fd, int to_fd, const char *path)
{
	_cleanup_dir_ DIR *dir = fd_list(from_fd);
	struct dirent *entry;

	if (dir == NULL)
		return merge_fail(m, -errno, path, strerror(errno));
	while ((entry = fd_list_next(dir)) != NULL) {
		_cleanup_str_ struct str sub = { 0 };
		int r;

		str_addf(&sub, "%s%s%s", path, path[0] != '\0' ? "/" : "", entry->d_name);
		if (!str_ok(&sub))
			return -ENOMEM;
		r = merge_entry(m, from_fd, to_fd, sub.p);
		if (r < 0)
			return r;
	}
	return 0;
}

int merge_into_stage(int stage_fd, int from_fd, const char *archive, struct kg_err *err)
{
	const struct merge m = { .stage_fd = stage_fd, .archive = archive, .err = err };

	return merge_entries(&m, from_fd, stage_fd, "");
}
