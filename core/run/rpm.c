// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --rpm_safe_upgrade. rpm runs the new package's %post before the old one's %preun: when both have the
 * same NAME/VERSION, the old one's `remove` would take away what the new one has just added. So add
 * leaves a mark that carries the rpm process, and a remove from the same process does nothing, once.
 * The marks are below /run, where only root writes, and of one boot.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/proc.h"
#include "core/kmodgate.h"

#define MARKS "run/kmodgate-rpm"

struct mark {
	char name[NAME_MAX + 1];
	pid_t pid;
	uint64_t start;
};

/* rpm -> its scriptlet's shell -> us */
static int mark_init(struct mark *mark, const char *name, const char *version,
		     struct kg_err *err)
{
	int r;

	if (!name_is_word(name) || !name_is_word(version))
		return kg_fail(err, -EINVAL, "not a module's name and version: %s/%s",
			       name, version);
	r = proc_parent(getppid(), &mark->pid);
	if (r == 0)
		r = proc_start_time(mark->pid, &mark->start);
	if (r < 0)
		return kg_fail_errno(err, r, "--rpm_safe_upgrade: no package manager");
	if (snprintf(mark->name, sizeof(mark->name), "%d-%" PRIu64 "-%s-%s", mark->pid,
		     mark->start, name, version) >= (int)sizeof(mark->name))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s/%s", name, version);
	return 0;
}

/* What rpm processes that are no more have left. */
static void drop_old_marks(int dir_fd)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *e;

	while (dir != NULL && (e = fd_list_next(dir)) != NULL) {
		uint64_t start;
		int pid;

		if (sscanf(e->d_name, "%d-%" SCNu64 "-", &pid, &start) == 2 &&
		    !proc_is_running(pid, start))
			(void)unlinkat(dir_fd, e->d_name, 0);
	}
}

int kg_dkms_rpm_mark(const struct kg_system *sys, const char *name, const char *version,
		     struct kg_err *err)
{
	_cleanup_close_ int dir_fd = -1;
	_cleanup_close_ int fd = -1;
	struct mark mark;
	int r = mark_init(&mark, name, version, err);

	if (r < 0)
		return r;
	dir_fd = fd_make_dir_in(sys->root_fd, MARKS, 0700, err);
	if (dir_fd < 0)
		return dir_fd;
	drop_old_marks(dir_fd);
	fd = openat(dir_fd, mark.name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? kg_fail_errno(err, -errno, "cannot note the package's upgrade")
		      : 0;
}

bool kg_dkms_rpm_take_mark(const struct kg_system *sys, const char *name,
			   const char *version)
{
	_cleanup_close_ int dir_fd =
		fd_try_open_in(sys->root_fd, MARKS, O_RDONLY | O_DIRECTORY);
	struct mark mark;

	if (dir_fd < 0 || mark_init(&mark, name, version, NULL) < 0)
		return false;
	drop_old_marks(dir_fd);
	return unlinkat(dir_fd, mark.name, 0) == 0;
}
