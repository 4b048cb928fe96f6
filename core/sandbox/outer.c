// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sandbox/internal.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define BOX_NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)

/*
 * Mounts are copied while we are still in the namespace their descriptors belong to; what
 * is shared with the rest of the machine is cut off, and nobody's noexec stops the
 * kernel's scripts.
 */
static int copy_mount(int fd, enum mount_depth depth, uint64_t set, uint64_t clear)
{
	int copy_fd = mount_copy(fd, "", depth);
	int r = copy_fd < 0 ? copy_fd : mount_make_private(copy_fd, depth);

	if (r == 0)
		r = mount_flags(copy_fd, depth, set, 0);
	/* refused in a user namespace where somebody else set them: then it stays */
	if (r == 0 && clear != 0)
		(void)mount_flags(copy_fd, depth, 0, clear);
	if (r < 0 && copy_fd >= 0)
		close(copy_fd);
	return r < 0 ? r : copy_fd;
}

static int copy_binds(struct box *box)
{
	const struct sandbox *how = box->how;

	box->bind_fds = calloc(how->n_binds + 1, sizeof(*box->bind_fds));
	if (box->bind_fds == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < how->n_binds; i++) {
		const struct sandbox_bind *bind = &how->binds[i];
		uint64_t set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

		box->bind_fds[i] = -1;
		if (bind->fd < 0)
			continue;
		box->bind_fds[i] =
			copy_mount(bind->fd, bind->is_writable ? MOUNT_ONE : MOUNT_TREE,
				   bind->is_writable ? set : set | MOUNT_ATTR_RDONLY,
				   MOUNT_ATTR_NOEXEC);
		if (box->bind_fds[i] < 0)
			return box->bind_fds[i];
	}
	return 0;
}

static int copy_mounts(struct box *box)
{
	uint64_t set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;

	box->live_fd = copy_mount(box->how->root_fd, MOUNT_TREE, set, 0);
	if (box->live_fd < 0)
		return box->live_fd;
	if (box->how->stage_fd >= 0) {
		box->stage_fd = copy_mount(box->how->stage_fd, MOUNT_TREE,
					   set | MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC);
		if (box->stage_fd < 0)
			return box->stage_fd;
	}
	return copy_binds(box);
}

static int explain(int r, struct kg_err *err)
{
	if (r == 0)
		return 0;
	errno = -r;
	if (r == -ENOSYS)
		return box_fail(err, "Linux 5.12 or newer is needed");
	return box_fail(err, "cannot copy mounts");
}

/* As root of the machine; without CAP_SYS_ADMIN as root of a user namespace. */
static int enter_namespaces(struct box *box, struct kg_err *err)
{
	int r = copy_mounts(box);

	if (r == -EPERM) {
		r = userns_enter(box, BOX_NAMESPACES, err);
		return r < 0 ? r : explain(copy_mounts(box), err);
	}
	if (r < 0)
		return explain(r, err);
	if (unshare(BOX_NAMESPACES) < 0)
		return box_fail(err, "no new namespaces");
	return 0;
}

/* A caller may run without 0-2; descriptors of ours must not be taken for them. */
static int raise_fd(int fd)
{
	return fd < 0 || fd > 2 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void fill_standard_fds(struct box *box, struct sandbox *how)
{
	if (how->err_fd < 0)
		how->err_fd = how->out_fd;
	how->root_fd = raise_fd(how->root_fd);
	how->stage_fd = raise_fd(how->stage_fd);
	how->in_fd = raise_fd(how->in_fd);
	how->out_fd = raise_fd(how->out_fd);
	how->err_fd = raise_fd(how->err_fd);
	box->report_fd = raise_fd(box->report_fd);
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/", O_PATH | O_CLOEXEC); /* the lowest free number */
}

/* Init becomes our sibling, and the first process of its namespace. */
static pid_t clone_init(void)
{
#ifdef __s390x__
	return (pid_t)syscall(SYS_clone, 0, CLONE_PARENT | SIGCHLD, 0, 0, 0);
#else
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
#endif
}

void outer_run(struct box *box)
{
	static struct sandbox how; /* ours to change; this process never returns */
	struct box_report report = { .init = 0 };

	how = *box->how;
	box->how = &how;
	umask(022);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	fill_standard_fds(box, &how);
	if (how.root_fd < 0)
		kg_fail(&report.err, -EINVAL, "the build sandbox has no root");
	else
		enter_namespaces(box, &report.err);
	if (report.err.code < 0)
		box_give_up(box, &report.err);
	report.init = clone_init();
	if (report.init == 0)
		init_run(box);
	if (report.init < 0) {
		box_fail(&report.err, "no process");
		box_give_up(box, &report.err);
	}
	_exit(write(box->report_fd, &report, sizeof(report)) == sizeof(report) ? 0 : 125);
}
