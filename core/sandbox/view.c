// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The view is put together on a tmpfs, in our own mount namespace:
 *   live/   the root as it is      stage/  what the transaction will add
 *   view/   the union of both, with masks, /dev, /proc and /tmp
 *   old/    what "/" was before, for the devices
 * and pivoted into; nothing of the others stays. It is all done by descriptors, so it
 * does not matter where root and stage are, nor what of them is covered on the way.
 */
#include "core/sandbox/internal.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define TMP_SIZE "25%" /* of memory */

/* What the first component of paths is a link to; the last answer is kept. */
struct top_link {
	int root_fd;
	char name[NAME_MAX + 1];
	char *target; /* NULL: no link, or one that goes astray */
};

static void top_link_find(struct top_link *top, const char *path, size_t len)
{
	if (len == strlen(top->name) && memcmp(top->name, path, len) == 0)
		return;
	memcpy(top->name, path, len);
	top->name[len] = '\0';
	free(top->target);
	top->target = NULL;
	(void)!fd_read_link_at(top->root_fd, top->name, &top->target);
	if (top->target != NULL && strstr(top->target, "..") != NULL) {
		free(top->target);
		top->target = NULL;
	}
}

/* /lib -> usr/lib: a path by its first component's link. */
static void add_canonical(struct strv *list, struct top_link *top, const char *path)
{
	size_t len;

	path += strspn(path, "/");
	len = strcspn(path, "/");
	if (len == 0 || len > NAME_MAX)
		return;
	top_link_find(top, path, len);
	if (top->target == NULL)
		strv_add(list, path);
	else
		strv_addf(list, "%s%s", top->target + strspn(top->target, "/"),
			  path + len);
}

static struct paths sorted(struct strv *list)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), paths_compare);
	return (struct paths){ .v = (const char *const *)list->v, .n = list->n };
}

/* Folders that something will be mounted on. */
static void list_needed(const struct box *box, struct top_link *top, struct strv *out)
{
	static const char *const always[] = { "proc", "dev", "tmp" };
	const struct sandbox *how = box->how;

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		strv_add(out, always[i]);
	for (size_t i = 0; how->masks != NULL && how->masks[i] != NULL; i++)
		add_canonical(out, top, how->masks[i]);
	for (size_t i = 0; i < how->n_binds; i++) {
		_cleanup_str_ struct str path = { 0 };
		const char *at = how->binds[i].at;
		const char *slash = strrchr(at, '/');
		struct stat st;

		if (slash == NULL)
			continue;
		if (box->bind_fds[i] >= 0 && fstat(box->bind_fds[i], &st) == 0 &&
		    S_ISDIR(st.st_mode))
			str_add(&path, at);
		else
			str_addn(&path, at, (size_t)(slash - at));
		out->failed |= !str_ok(&path);
		add_canonical(out, top, str_get(&path));
	}
}

static int mount_union(const struct box *box, int base_fd, struct kg_err *err)
{
	_cleanup_strv_ struct strv removed = { 0 };
	_cleanup_strv_ struct strv needed = { 0 };
	struct merge m = { .live_fd = box->live_fd, .stage_fd = box->stage_fd };
	const char *const *paths = box->how->removed;
	struct top_link top = { .root_fd = box->live_fd };

	for (size_t i = 0; paths != NULL && paths[i] != NULL; i++)
		add_canonical(&removed, &top, paths[i]);
	list_needed(box, &top, &needed);
	free(top.target);
	if (!strv_ok(&removed) || !strv_ok(&needed))
		return kg_fail_errno(err, -ENOMEM, "cannot prepare the build's view");
	m.removed = sorted(&removed);
	m.needed = sorted(&needed);
	return merge_mount(&m, base_fd, "view", err);
}

/*
 * In a chroot "/" may be no mount point, and its mount cannot be made private from
 * inside; a namespace entered anew starts at its real root. What is mounted before that
 * would show up on the host.
 */
static int leave_chroot(void)
{
	_cleanup_close_ int self_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (self_fd < 0 || setns(self_fd, CLONE_NEWNS) < 0)
		return -errno;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

static int make_mounts_private(struct kg_err *err)
{
	int r = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;

	if (r == -EINVAL)
		r = leave_chroot();
	return r == 0 ? 0 : box_fail(err, "cannot keep mounts to ourselves");
}

static int attach_at(int mount_fd, int base_fd, const char *name)
{
	if (mkdirat(base_fd, name, 0755) < 0)
		return -errno;
	return mount_fd < 0 ? 0 : mount_attach(mount_fd, base_fd, name);
}

/* Makes @base_fd, mounted on "/", the root, with the old one below it. */
static int enter_base(int base_fd)
{
	if (mkdirat(base_fd, "old", 0755) < 0 || fchdir(base_fd) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", "old") == 0)
		return chdir("/") < 0 ? -errno : 0;
	/*
	 * an initramfs cannot be pivoted away from; it stays below, out of every path's
	 * reach
	 */
	return chroot(".") < 0 ? -errno : 0;
}

/* The tmpfs everything is put together on; caller owns it. */
static int open_base(const struct box *box, struct kg_err *err)
{
	int base_fd = mount_tmpfs("0755", "1m", MOUNT_ATTR_NODEV);
	int r = base_fd;

	if (r >= 0)
		r = mount_attach(base_fd, AT_FDCWD, "/");
	if (r == 0)
		r = enter_base(base_fd);
	if (r == 0)
		r = attach_at(box->live_fd, base_fd, "live");
	if (r == 0)
		r = attach_at(box->stage_fd, base_fd, "stage");
	if (r == 0)
		r = attach_at(-1, base_fd, "view");
	if (r == 0)
		return base_fd;
	if (base_fd >= 0)
		close(base_fd);
	errno = -r;
	return box_fail(err, "cannot prepare the build's view");
}

/* One tmpfs for /tmp and /var/tmp. */
static int mount_tmp(int view_fd, struct kg_err *err)
{
	_cleanup_close_ int tmp_fd = fd_open_dir_in(view_fd, "tmp", err);
	_cleanup_close_ int var_tmp_fd =
		fd_try_open_in(view_fd, "var/tmp", O_PATH | O_DIRECTORY);
	_cleanup_close_ int mount_fd = mount_tmpfs("1777", TMP_SIZE, MOUNT_ATTR_NODEV);
	_cleanup_close_ int copy_fd = -1;
	struct stat a;
	struct stat b;
	int r = mount_fd;

	if (tmp_fd < 0)
		return tmp_fd;
	if (r >= 0)
		r = mount_attach(mount_fd, tmp_fd, "");
	if (r == 0 && var_tmp_fd >= 0 && fstat(tmp_fd, &a) == 0 &&
	    fstat(var_tmp_fd, &b) == 0 &&
	    (a.st_dev != b.st_dev || a.st_ino != b.st_ino)) {
		copy_fd = mount_copy(mount_fd, "", MOUNT_ONE);
		r = copy_fd < 0 ? copy_fd : mount_attach(copy_fd, var_tmp_fd, "");
	}
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot mount /tmp of the build's view");
}

/* A file that says which kernel this is, over the one that says which kernel runs. */
static int cover_osrelease(const struct box *box, int base_fd, int proc_fd)
{
	_cleanup_close_ int file_fd = openat(
		base_fd, "osrelease", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	_cleanup_close_ int copy_fd = -1;

	if (file_fd < 0 || dprintf(file_fd, "%s\n", box->how->release) < 0)
		return -errno;
	copy_fd = mount_copy(base_fd, "osrelease", MOUNT_ONE);
	return copy_fd < 0 ? copy_fd
			   : mount_attach(copy_fd, proc_fd, "sys/kernel/osrelease");
}

static int view_mount_proc(const struct box *box, int base_fd, int view_fd,
			   struct kg_err *err)
{
	_cleanup_close_ int point_fd = fd_open_dir_in(view_fd, "proc", err);
	_cleanup_close_ int mount_fd = mount_proc();
	int r = mount_fd;

	if (point_fd < 0)
		return point_fd;
	/* a container whose own /proc is masked is given no fresh one: that stays */
	if (r == -EPERM)
		return 0;
	if (r >= 0)
		r = mount_attach(mount_fd, point_fd, "");
	if (r == 0 && box->how->release != NULL)
		r = cover_osrelease(box, base_fd, mount_fd);
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot mount /proc of the build's view");
}

/* The second argument puts the old root over the new one, from where it is taken off. */
static int pivot(int view_fd, struct kg_err *err)
{
	if (fchdir(view_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return box_fail(err, "cannot enter the build's view");
	return 0;
}

int view_enter(struct box *box, struct kg_err *err)
{
	_cleanup_close_ int base_fd = -1;
	_cleanup_close_ int view_fd = -1;
	int r = make_mounts_private(err);

	if (r < 0)
		return r;
	base_fd = open_base(box, err);
	if (base_fd < 0)
		return base_fd;
	view_fd = mount_union(box, base_fd, err);
	if (view_fd < 0)
		return view_fd;
	r = view_mount_masks(box, view_fd, err);
	if (r == 0)
		r = view_mount_dev(view_fd, box->live_fd, err);
	if (r == 0)
		r = view_mount_proc(box, base_fd, view_fd, err);
	if (r == 0)
		r = mount_tmp(view_fd, err);
	return r == 0 ? pivot(view_fd, err) : r;
}
