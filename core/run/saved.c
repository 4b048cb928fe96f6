// SPDX-License-Identifier: GPL-2.0-or-later
/* What the scripts of a live transaction remove is kept until settle: txn/ID/saved. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

static bool plan_changes_source(const struct kg_plan *plan, const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < plan->n_sources; i++) {
		const char *at = strstr(plan->sources[i].path, name);

		if (at != NULL && at[n] == '-')
			return true;
	}
	return false;
}

int run_save_built(struct run *run, const struct reg_entry *e, struct kg_err *err)
{
	char path[1024];
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;

	if (e->state != REG_INSTALLED || !plan_changes_source(&run->txn->plan, e->name) ||
	    run_is_placed_by_txn(run, e->name, e->version, e->release))
		return 0;
	from_fd =
		reg_open_built(run->sys, e->name, e->version, e->release, e->arch, NULL);
	if (from_fd < 0)
		return 0; /* nothing that could come back */
	if (snprintf(path, sizeof(path), "saved/%s/%s/%s", e->release, e->name,
		     e->version) >= (int)sizeof(path))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", e->name);
	to_fd = fd_make_dir_in(run->txn->dir_fd, path, 0755, err);
	if (to_fd < 0)
		return to_fd;
	if (fd_empty_dir(to_fd, err) < 0 ||
	    fd_copy_tree(from_fd, to_fd, FD_COPY_TO_OWNER, 0, 0, err) < 0)
		return err->code;
	return fd_sync_tree(to_fd, err);
}

int run_open_saved(struct run *run, const struct txn *txn, const char *name,
		   const char *release, struct run_set *ret_set, struct kg_err *err)
{
	char path[1024];
	_cleanup_close_ int dir_fd = -1;
	_cleanup_dir_ DIR *dir = NULL;
	struct kg_source source = { .name = name };
	struct dirent *entry;
	int fd;

	if (snprintf(path, sizeof(path), "saved/%s/%s", release, name) >=
	    (int)sizeof(path))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", name);
	dir_fd = fd_try_open_in(txn->dir_fd, path, O_RDONLY | O_DIRECTORY);
	dir = dir_fd < 0 ? NULL : fd_list(dir_fd);
	entry = dir == NULL ? NULL : fd_list_next(dir);
	if (entry == NULL)
		return -ENOENT;
	source.version = arena_strdup(&run->arena, entry->d_name);
	source.path = arena_printf(&run->arena, "%s/%s-%s", run->sys->source_tree, name,
				   entry->d_name);
	source.name = arena_strdup(&run->arena, name);
	fd = fd_open_dir_at(dir_fd, entry->d_name, err);
	if (fd < 0)
		return fd;
	return run_open_set(run, &source, release, run->sys->arch, fd, ret_set, err);
}
