// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Modules of the kernel that ours replace. The archive is a copy, made before the swap that takes
 * the original away, and dropped after the one that puts it back: whatever a kill leaves, the
 * original is in lib/modules or in the archive.
 */
#include <fcntl.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/commit/modtree.h"
#include "core/run/run.h"

static int archive_one(struct run *run, const struct run_set *rs, const char *file,
		       struct kg_err *err)
{
	kg_info("%s: %s is archived", rs->set.release, file);
	return reg_archive_original(run->sys, rs->set.name, rs->set.release, rs->arch,
				    file, err);
}

int run_archive_originals(struct run *run, const struct run_item *item,
			  struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && item->originals[i] != NULL; i++)
		r = archive_one(run, item->rs, item->originals[i], err);
	return r;
}

int run_archive_elsewhere(struct run *run, const struct run_item *item,
			  struct kg_err *err)
{
	const char *location = run_module_location(run);
	int r = 0;

	for (size_t i = 0; r == 0 && item->originals[i] != NULL; i++)
		if (!str_starts(item->originals[i], location))
			r = archive_one(run, item->rs, item->originals[i], err);
	return r;
}

static int return_one(const struct kg_system *sys, struct txn *txn,
		      const struct reg_archive *archive, const struct reg_original *o,
		      struct kg_err *err)
{
	_cleanup_close_ int dir_fd = -1;

	if (o->file == NULL) {
		kg_warning(
			"%s: nothing says where the archived %s came from; it stays archived",
			archive->release, o->base);
		return 0;
	}
	dir_fd = fd_open_dir_in(sys->root_fd, o->dir, err);
	if (dir_fd < 0)
		return dir_fd;
	return set_put_back(sys, txn, archive->release, dir_fd, o->file, err);
}

int run_return_originals(const struct kg_system *sys, struct txn *txn,
			 const struct reg_archive *archive, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reg_original *v = NULL;
	size_t n = 0;
	int r = reg_list_originals(sys, archive, &arena, &v, &n, err);

	/* The kernel went: its modules go with it. */
	if (r == 0 && !modtree_has_kernel(sys, archive->release))
		return 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = return_one(sys, txn, archive, &v[i], err);
	return r;
}

static bool is_dropped(const struct run_item *item, const struct reg_original *o)
{
	for (const char *const *p = item->dropped; *p != NULL; p++)
		if (run_is_same_module(*p, o->base))
			return true;
	return false;
}

int run_return_dropped(struct run *run, const struct run_item *item, struct kg_err *err)
{
	const struct set *set = &item->rs->set;
	const struct reg_archive archive = { .name = set->name,
					     .release = set->release,
					     .arch = item->rs->arch };
	struct reg_original *v = NULL;
	size_t n = 0;
	int r = reg_list_originals(run->sys, &archive, &run->arena, &v, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (is_dropped(item, &v[i]))
			r = return_one(run->sys, run->txn, &archive, &v[i], err);
	return r;
}

/*
 * Worth the trouble, and not in the way of ours: an install that was killed after its swap, and
 * before it was registered, is whole as far as the kernel goes.
 */
static bool is_to_return(const struct kg_system *sys, const struct reg_archive *archive,
			 const struct reg_original *v, size_t n)
{
	const struct run run = { .sys = sys };
	const char *location = run_module_location(&run);
	bool has_known = n == 0; /* an empty archive is to be dropped */

	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ struct str ours = { 0 };

		if (v[i].file == NULL)
			continue;
		has_known = true;
		str_addf(&ours, "%s/%s", location, v[i].base);
		if (strcmp(str_get(&ours), v[i].file) != 0 &&
		    modtree_has_file(sys, archive->release, str_get(&ours)) != 0)
			return false;
	}
	return has_known;
}

/* A kernel that is not there may be on a disk that is not mounted yet. */
static int recover_orphan(const struct kg_system *sys, const struct reg_archive *archive,
			  struct arena *arena, struct kg_err *err)
{
	struct reg_original *v = NULL;
	size_t n = 0;
	int r;

	if (!modtree_has_kernel(sys, archive->release))
		return 0;
	r = reg_list_originals(sys, archive, arena, &v, &n, err);
	if (r < 0 || !is_to_return(sys, archive, v, n))
		return r;
	r = run_return_originals(sys, NULL, archive, err);
	if (r < 0) {
		(void)!set_undo(sys, archive->release, NULL);
		return r;
	}
	r = depmod_run(sys, archive->release, NULL, err);
	return r < 0 ? r : reg_drop_originals(sys, archive, err);
}

static int recover_orphans(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reg_archive *v = NULL;
	size_t n = 0;
	int r = reg_list_orphans(sys, &arena, &v, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = recover_orphan(sys, &v[i], &arena, err);
	return r;
}

int run_recover(const struct kg_system *sys, struct kg_err *err)
{
	int r = commit_recover(sys, err);

	if (r == 0)
		r = reg_recover(sys, err);
	return r < 0 ? r : recover_orphans(sys, err);
}
