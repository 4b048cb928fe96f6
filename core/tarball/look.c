// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking at a tree that was unpacked. */
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/base/fd.h"
#include "core/stage/member.h"
#include "core/tarball/tarball.h"

#define MAX_DEPTH (MEMBER_MAX_DEPTH + 2)
#define MAX_FIND_DEPTH 12u

static bool leads_out(int dir_fd, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int fd =
		(int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP;
}

/* For a link that leads nowhere yet: where its words alone would end. */
static bool words_lead_out(const char *path, const char *target)
{
	long depth = 0;

	for (const char *p = path; (p = strchr(p, '/')) != NULL; p++)
		depth++;
	while (*target != '\0') {
		size_t len = strcspn(target, "/");

		if (len == 2 && memcmp(target, "..", 2) == 0)
			depth--;
		else if (len > 0 && !(len == 1 && target[0] == '.'))
			depth++;
		if (depth < 0)
			return true;
		target += len;
		target += *target == '/';
	}
	return false;
}

struct looking {
	int root_fd;
	const char *name;
	struct kg_err *err;
};

static int check_link(const struct looking *l, int dir_fd, const char *name,
		      const char *path)
{
	_cleanup_free_ char *target = NULL;
	char shown[MEMBER_SHOW_SIZE];
	int r = fd_read_link_at(dir_fd, name, &target);

	if (r < 0)
		return kg_fail_errno(l->err, r, "%s: %s", l->name,
				     member_show(path, shown));
	if (target[0] != '/' && !words_lead_out(path, target) &&
	    !leads_out(l->root_fd, path))
		return 0;
	return kg_fail(l->err, -KGE_HOSTILE, "%s: member %s: a link out of the archive",
		       l->name, member_show(path, shown));
}

static int check_folder(const struct looking *l, int dir_fd, const char *prefix,
			unsigned int depth)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *e;

	if (dir == NULL || depth > MAX_DEPTH)
		return kg_fail(l->err, dir == NULL ? -errno : -KGE_LIMIT,
			       "%s: cannot look at %s", l->name, prefix);
	while ((e = fd_list_next(dir)) != NULL) {
		char path[PATH_MAX];
		struct stat st;
		int r = 0;
		int len;

		len = snprintf(path, sizeof(path), "%s%s", prefix, e->d_name);
		if (len + 1 >= (int)sizeof(path) ||
		    fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return kg_fail(l->err, -ENAMETOOLONG, "%s: cannot look at %s",
				       l->name, prefix);
		if (S_ISLNK(st.st_mode)) {
			r = check_link(l, dir_fd, e->d_name, path);
		} else if (S_ISDIR(st.st_mode)) {
			_cleanup_close_ int sub_fd =
				fd_open_dir_at(dir_fd, e->d_name, l->err);

			path[len] = '/';
			path[len + 1] = '\0';
			r = sub_fd < 0 ? sub_fd
				       : check_folder(l, sub_fd, path, depth + 1);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int tarball_check_links(int dir_fd, const char *name, struct kg_err *err)
{
	const struct looking l = { .root_fd = dir_fd, .name = name, .err = err };

	return check_folder(&l, dir_fd, "", 0);
}

static bool has_file(int dir_fd, const char *file)
{
	struct stat st;

	return fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* Folders exactly @depth below @dir_fd; @path is where it is, and gets the answer. */
static int find_at_depth(int dir_fd, const char *file, unsigned int depth,
			 struct str *path)
{
	_cleanup_strv_ struct strv names = { 0 };
	const size_t len = path->len;
	int r;

	if (depth == 0)
		return has_file(dir_fd, file) ? 0 : -ENOENT;
	r = fd_list_folders(dir_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_close_ int sub_fd = fd_open_dir_at(dir_fd, names.v[i], NULL);

		if (sub_fd < 0)
			return sub_fd;
		str_addf(path, "/%s", names.v[i]);
		r = find_at_depth(sub_fd, file, depth - 1, path);
		if (r != -ENOENT)
			return str_ok(path) ? r : -ENOMEM;
		path->len = len;
		path->p[len] = '\0';
		r = 0;
	}
	return r < 0 ? r : -ENOENT;
}

int tarball_find_folder(int dir_fd, const char *file, struct str *ret_path)
{
	int r = -ENOENT;

	str_clear(ret_path);
	str_add(ret_path, ".");
	for (unsigned int depth = 0; r == -ENOENT && depth <= MAX_FIND_DEPTH; depth++)
		r = find_at_depth(dir_fd, file, depth, ret_path);
	return r;
}
