// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/removed.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/digest.h"
#include "core/base/fd.h"

static int open_folder(const char *run_dir)
{
	int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void removed_drop_older(const char *run_dir, const char *prefix)
{
	_cleanup_close_ int dir_fd = open_folder(run_dir);
	_cleanup_dir_ DIR *dir = dir_fd < 0 ? NULL : fd_list(dir_fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (str_starts(entry->d_name, prefix))
			(void)unlinkat(dir_fd, entry->d_name, 0);
}

int removed_write(struct kg_plan *plan, const char *run_dir, const char *prefix,
		  const struct str *text, struct kg_err *err)
{
	_cleanup_close_ int dir_fd = -1;
	char hex[DIGEST_HEX_SIZE];
	char name[64];
	int r = digest_ready(err);

	if (r == 0)
		r = digest_hex(text->p, text->len, hex);
	if (r < 0)
		return kg_fail_errno(err, r, "digest of the removed files");
	snprintf(name, sizeof(name), "%s%.16s", prefix, hex);
	(void)mkdir(run_dir, 0755);
	dir_fd = open_folder(run_dir);
	if (dir_fd < 0)
		return kg_fail_errno(err, dir_fd, "cannot open %s", run_dir);
	plan->removed = arena_printf(&plan->arena, "%s/%s", run_dir, name);
	return fd_replace_at(dir_fd, name, text->p, text->len, 0644, err);
}
