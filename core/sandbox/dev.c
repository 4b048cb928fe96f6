// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sandbox/internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

struct dev_node {
	const char *name;
	unsigned int minor;
};

static int bind_node(int dev_fd, int live_fd, const char *name, dev_t id)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/old/dev/%s", name);
	fd = mount_copy(AT_FDCWD, path, MOUNT_ONE);
	if (fd < 0)
		fd = mount_copy(live_fd, path + strlen("/old/"), MOUNT_ONE);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != id)
		return -ENODEV;
	(void)mount_flags(fd, MOUNT_ONE, 0, MOUNT_ATTR_NODEV);
	close(openat(dev_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	return mount_attach(fd, dev_fd, name);
}

/*
 * Where nodes cannot be made (user namespaces, some containers) the machine's own are
 * bound.
 */
static int add_dev_node(int dev_fd, int live_fd, const struct dev_node *node)
{
	dev_t id = makedev(node->minor == 0 ? 5 : 1, node->minor);
	_cleanup_close_ int fd = -1;

	if (mknodat(dev_fd, node->name, S_IFCHR | 0666, id) == 0 &&
	    fchmodat(dev_fd, node->name, 0666, 0) == 0) {
		fd = openat(dev_fd, node->name,
			    O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		/* the terminal is not there to be opened */
		if (fd >= 0 || node->minor == 0)
			return 0;
		unlinkat(dev_fd, node->name, 0);
	}
	return bind_node(dev_fd, live_fd, node->name, id);
}

int view_mount_dev(int view_fd, int live_fd, struct kg_err *err)
{
	static const struct dev_node nodes[] = { { "null", 3 },	   { "zero", 5 },
						 { "full", 7 },	   { "random", 8 },
						 { "urandom", 9 }, { "tty", 0 } };
	static const char *const links[] = { "fd",     "/proc/self/fd",
					     "stdin",  "/proc/self/fd/0",
					     "stdout", "/proc/self/fd/1",
					     "stderr", "/proc/self/fd/2",
					     "shm",    "/tmp" };
	_cleanup_close_ int point_fd = fd_open_dir_in(view_fd, "dev", err);
	_cleanup_close_ int dev_fd = -1;
	int r;

	if (point_fd < 0)
		return point_fd;
	dev_fd = mount_tmpfs("0755", "64k", MOUNT_ATTR_NOEXEC);
	r = dev_fd < 0 ? dev_fd : mount_attach(dev_fd, point_fd, "");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(nodes); i++) {
		r = add_dev_node(dev_fd, live_fd, &nodes[i]);
		if (r < 0)
			return kg_fail_errno(err, r,
					     "cannot make /dev/%s of the build's view",
					     nodes[i].name);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i += 2)
		if (symlinkat(links[i + 1], dev_fd, links[i]) < 0)
			r = -errno;
	if (r == 0 && mkdirat(dev_fd, &VIEW_SPARE_DIR[strlen("dev/")], 0755) < 0)
		r = -errno;
	if (r == 0)
		r = mount_flags(dev_fd, MOUNT_ONE, MOUNT_ATTR_RDONLY, 0);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot make /dev of the build's view");
}
