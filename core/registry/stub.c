// SPDX-License-Identifier: GPL-2.0-or-later
/* A module source whose source is elsewhere: built modules and their dkms.conf are all there is. */
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/regtree.h"

static int fill_part(int part_fd, int conf_dir_fd, struct kg_err *err)
{
	_cleanup_close_ int source_fd = -1;
	int r;

	if (mkdirat(part_fd, "build", 0755) < 0 || mkdirat(part_fd, "source", 0755) < 0)
		return kg_fail_errno(err, -errno, "cannot make directory source");
	source_fd = fd_open_dir_at(part_fd, "source", err);
	if (source_fd < 0)
		return source_fd;
	r = fd_copy_file_at(conf_dir_fd, "dkms.conf", source_fd, "dkms.conf", 0644, err);
	return r < 0 ? r : fd_sync_tree(part_fd, err);
}

int reg_add_stub(const struct kg_system *sys, const char *name, const char *version,
		 int conf_dir_fd, struct kg_err *err)
{
	_cleanup_close_ int name_fd = -1;
	_cleanup_close_ int part_fd = -1;
	char part[NAME_MAX + 1];
	int r = regtree_check_names(name, version, NULL, NULL, err);

	if (r == 0)
		r = name_fd = regtree_make_dir(sys, err, "%s", name);
	if (r < 0)
		return r;
	if (snprintf(part, sizeof(part), TREE_PART "%s", version) >= (int)sizeof(part))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s/%s", name, version);
	r = fd_remove_tree_at(name_fd, part, err);
	if (r == 0 && mkdirat(name_fd, part, 0755) < 0)
		r = -errno;
	if (r == 0)
		r = part_fd = fd_open_dir_at(name_fd, part, err);
	if (r >= 0)
		r = fill_part(part_fd, conf_dir_fd, err);
	if (r == 0 &&
	    (renameat(name_fd, part, name_fd, version) < 0 || fsync(name_fd) < 0))
		r = -errno;
	if (r == 0)
		return 0;
	(void)fd_remove_tree_at(name_fd, part, NULL);
	return kg_fail_errno(err, r, "cannot add %s/%s", name, version);
}
