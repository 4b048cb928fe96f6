// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sandbox/internal.h"

#include <sys/mount.h>

int mount_copy(int dir_fd, const char *name, enum mount_depth depth)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
			     AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
	int fd =
		open_tree(dir_fd, name, flags | (depth == MOUNT_TREE ? AT_RECURSIVE : 0));

	return fd < 0 ? -errno : fd;
}

static int mount_new(const char *type, const char *const *options,
		     unsigned int attributes)
{
	_cleanup_close_ int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (fs_fd < 0)
		return -errno;
	for (size_t i = 0; options[i] != NULL; i += 2)
		if (fsconfig(fs_fd, FSCONFIG_SET_STRING, options[i], options[i + 1], 0) <
		    0)
			return -errno;
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
	return fd < 0 ? -errno : fd;
}

int mount_tmpfs(const char *mode, const char *size, unsigned int attributes)
{
	const char *const options[] = { "source", "kmodgate", "mode", mode,
					"size",	  size,	      NULL };

	return mount_new("tmpfs", options, attributes | MOUNT_ATTR_NOSUID);
}

int mount_proc(void)
{
	const char *const options[] = { "source", "proc", NULL };

	return mount_new("proc", options,
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				 MOUNT_ATTR_NOEXEC);
}

int mount_attach(int mount_fd, int dir_fd, const char *name)
{
	unsigned int flags =
		MOVE_MOUNT_F_EMPTY_PATH | (*name == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0);

	return move_mount(mount_fd, "", dir_fd, name, flags) < 0 ? -errno : 0;
}

static int set_attributes(int mount_fd, enum mount_depth depth, struct mount_attr attr)
{
	unsigned int flags = AT_EMPTY_PATH | (depth == MOUNT_TREE ? AT_RECURSIVE : 0);

	return mount_setattr(mount_fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int mount_flags(int mount_fd, enum mount_depth depth, uint64_t set, uint64_t clear)
{
	return set_attributes(mount_fd, depth,
			      (struct mount_attr){ .attr_set = set, .attr_clr = clear });
}

int mount_make_private(int mount_fd, enum mount_depth depth)
{
	return set_attributes(mount_fd, depth,
			      (struct mount_attr){ .propagation = MS_PRIVATE });
}
