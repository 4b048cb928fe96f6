// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of one release go into lib/modules together, with one depmod. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/run/run.h"

#define MODULES_DEP_MAX (64u << 20)

/* ---- the indexes as they are ---- */

/* modules.dep names every file of @files and is not older than they are. */
static bool indexes_match(const struct kg_system *sys, const char *release,
			  const char *const *files)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_free_ char *dep = NULL;
	const char *base = arena_printf(&arena, "%s/%s", sys->install_tree, release);
	const char *path = arena_printf(&arena, "%s/modules.dep", base ?: "");
	struct stat index;
	struct stat file;

	if (path == NULL || fd_lstat_in(sys->root_fd, path, &index) < 0 ||
	    fd_read_file_in(sys->root_fd, path, MODULES_DEP_MAX, &dep, NULL, NULL) < 0)
		return false;
	for (; *files != NULL; files++) {
		const char *line = arena_printf(&arena, "%s:", *files);
		const char *at = arena_printf(&arena, "%s/%s", base, *files);

		if (line == NULL || at == NULL || strstr(dep, line) == NULL ||
		    fd_lstat_in(sys->root_fd, at, &file) < 0 ||
		    file.st_mtim.tv_sec > index.st_mtim.tv_sec)
			return false;
	}
	return true;
}

static bool changes_others(const struct run_item *item)
{
	return item->originals[0] != NULL || item->replaced[0] != NULL ||
	       item->left_out[0] != NULL || item->dropped[0] != NULL;
}

static bool needs_depmod(const struct run *run, const char *release,
			 const struct run_item *items, size_t n)
{
	if (run->target != NULL && run->target->no_depmod)
		return false;
	if (set_has_changes(run->sys, release))
		return true;
	for (size_t i = 0; i < n; i++)
		if (items[i].result == 0 &&
		    (changes_others(&items[i]) ||
		     !indexes_match(run->sys, release, items[i].files)))
			return true;
	return false;
}

static int make_indexes(struct run *run, const char *release,
			const struct run_item *items, size_t n, struct kg_err *err)
{
	const char **files = NULL;
	size_t n_files = 0;

	if (!needs_depmod(run, release, items, n))
		return depmod_skip(run->sys, release, err);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; items[i].result == 0 && items[i].files[k] != NULL;
		     k++) {
			const char **slot = ARENA_ADD(&run->arena, files, n_files);

			if (slot != NULL)
				*slot = items[i].files[k];
		}
	(void)ARENA_ADD(&run->arena, files, n_files);
	if (run->arena.failed) {
		(void)!set_undo(run->sys, release, NULL);
		return kg_fail_errno(err, -ENOMEM, "%s: cannot run depmod", release);
	}
	return depmod_run(run->sys, release, files, err);
}

/* ---- before anything changes ---- */

/* It is not to be installed: what the gate placed for it is taken away again. */
static void take_placed(struct run *run, const struct run_set *rs)
{
	const char *const *files = NULL;
	struct kg_err err = { 0 };

	if (run->txn == NULL)
		return;
	if (run_list_placed(run, rs, rs->set.files, &files, &err) < 0 ||
	    set_withdraw(run->sys, run->txn, rs->set.release, files, &err) < 0 ||
	    depmod_run(run->sys, rs->set.release, NULL, &err) < 0)
		kg_warning("%s: %s", rs->set.release, err.text);
}

static int add_if_missing(struct run *run, const struct kg_source *source,
			  struct kg_err *err)
{
	struct kg_source known;
	int r = reg_find_source(run->sys, source->name, source->version, &run->arena,
				&known, NULL);

	if (r != -KGE_NOT_ADDED)
		return r == -KGE_BROKEN ? 0 : r;
	return reg_add(run->sys, source, err);
}

int run_register_built(struct run *run, const struct run_set *rs, struct kg_err *err)
{
	int r = add_if_missing(run, &rs->source, err);

	return r < 0 ? r
		     : reg_put_built(run->sys, &rs->source, rs->set.release, rs->arch,
				     rs->built_fd, err);
}

int run_register_set(struct run *run, const struct run_set *rs, struct kg_err *err)
{
	int r = run_register_built(run, rs, err);

	return r < 0 ? r
		     : reg_set_active(run->sys, &rs->source, rs->set.release, rs->arch,
				      err);
}

/* DKMS takes it off first: the script of this version runs, though its files only change. */
static void leave_for_itself(struct run *run, const struct run_set *rs)
{
	struct kg_err err = { 0 };

	if (run_is_installed(run, &rs->source, rs->set.release, rs->arch) &&
	    run_hook(run, &rs->source, rs->set.release, RUN_POST_REMOVE, &err) < 0)
		kg_warning("%s", err.text);
}

static int consider(struct run *run, struct run_item *item)
{
	const struct run_set *rs = item->rs;
	int r;

	if (item->is_forced)
		leave_for_itself(run, rs);
	r = run_hook(run, &rs->source, rs->set.release, RUN_PRE_INSTALL, &item->err);
	if (r < 0 && item->is_forced) {
		kg_warning("%s", item->err.text);
		item->err = (struct kg_err){ 0 };
		r = 0;
	}
	if (r == 0)
		r = run_choose_files(run, item, &item->err);
	if (r < 0)
		take_placed(run, rs);
	return r;
}

/* ---- the change ---- */

static struct reg_archive archive_of(const struct run_item *item)
{
	const struct set *set = &item->rs->set;

	return (struct reg_archive){ .name = set->name,
				     .release = set->release,
				     .arch = item->rs->arch };
}

/* The gate placed all files of the set: it had not seen the kernel's own modules. */
static int withdraw_others(struct run *run, const struct run_item *item,
			   struct kg_err *err)
{
	const char *release = item->rs->set.release;
	const char *const *placed = NULL;
	int r = 0;

	if (item->originals[0] != NULL)
		r = set_withdraw(run->sys, run->txn, release, item->originals, err);
	if (r == 0 && item->replaced[0] != NULL)
		r = set_withdraw(run->sys, run->txn, release, item->replaced, err);
	if (r == 0 && item->dropped[0] != NULL)
		r = set_withdraw(run->sys, run->txn, release, item->dropped, err);
	if (r == 0 && item->dropped[0] != NULL)
		r = run_return_dropped(run, item, err);
	if (r == 0 && item->left_out[0] != NULL && run->txn != NULL) {
		r = run_list_placed(run, item->rs, item->left_out, &placed, err);
		if (r == 0 && placed[0] != NULL)
			r = set_withdraw(run->sys, run->txn, release, placed, err);
	}
	return r;
}

static bool wants_links(const struct run *run)
{
	return run->framework.symlink_modules != NULL ||
	       (run->target != NULL && run->target->symlink_modules);
}

/* They are made in the work folder; where a gate's sets arrive it is not open yet. */
static bool can_link(struct run *run)
{
	struct kg_err err = { 0 };
	char id[64];

	if (!wants_links(run))
		return false;
	snprintf(id, sizeof(id), "dkms-%d", getpid());
	if (run->work_fd >= 0 || run_open_folders(run, id, "work", &err) == 0)
		return true;
	kg_warning("modules are copied, not linked: %s", err.text);
	return false;
}

/* A folder of links into K/A, as `cp -s` would make them. */
static int make_links(struct run *run, const struct run_item *item, const char *folder,
		      struct kg_err *err)
{
	const struct run_set *rs = item->rs;
	int r = fd_remove_tree_at(run->work_fd, folder, err);
	int fd = -1;

	if (r == 0 && mkdirat(run->work_fd, folder, 0700) < 0)
		r = -errno;
	fd = r < 0 ? r : fd_open_dir_at(run->work_fd, folder, err);
	for (size_t i = 0; fd >= 0 && item->files[i] != NULL; i++) {
		const char *name = strrchr(item->files[i], '/') + 1;
		const char *target = arena_printf(
			&run->arena, "/%s/%s/%s/%s/%s/module/%s", run->sys->dkms_tree,
			rs->set.name, rs->set.version, rs->set.release, rs->arch, name);

		if (target != NULL && symlinkat(target, fd, name) == 0)
			continue;
		r = target == NULL ? -ENOMEM : -errno;
		closep(&fd);
		fd = r;
	}
	return fd < 0 ? kg_fail_errno(err, fd, "cannot link the modules of %s",
				      rs->set.name)
		      : fd;
}

static int publish_links(struct run *run, struct run_item *item, struct set *set)
{
	char folder[64];
	int r = run_register_built(run, item->rs, &item->err);

	snprintf(folder, sizeof(folder), "links-%d", getpid());
	set->sealed_fd = r < 0 ? r : make_links(run, item, folder, &item->err);
	if (set->sealed_fd < 0)
		return set->sealed_fd;
	set->are_links = true;
	r = set_publish(run->sys, run->txn, set, &item->err);
	closep(&set->sealed_fd);
	(void)fd_remove_tree_at(run->work_fd, folder, NULL);
	return r;
}

static int publish(struct run *run, struct run_item *item)
{
	struct set set = item->rs->set;
	int r = run_archive_originals(run, item, &item->err);

	set.files = item->files;
	if (r == 0)
		r = withdraw_others(run, item, &item->err);
	if (r < 0)
		return r;
	return can_link(run) ? publish_links(run, item, &set)
			     : set_publish(run->sys, run->txn, &set, &item->err);
}

/* An archive that was made for nothing: the originals are where they were. */
static void drop_unused_archive(struct run *run, const struct run_item *item)
{
	const struct reg_archive archive = archive_of(item);
	const char *version = NULL;

	if (item->originals == NULL || item->originals[0] == NULL ||
	    reg_active_version(run->sys, archive.name, archive.release, archive.arch,
			       &run->arena, &version, NULL) < 0 ||
	    version != NULL)
		return;
	if (reg_drop_originals(run->sys, &archive, NULL) < 0)
		kg_debug("the archive of %s stays", archive.name);
}

static void undo_swap(struct run *run, const char *release)
{
	struct kg_err err = { 0 };

	if (set_undo(run->sys, release, &err) < 0)
		kg_warning("%s: %s", release, err.text);
}

/* What the disk said is in the text. Whoever called is to know that they are not in place. */
static int publish_failure(int r)
{
	return r < 0 && r > -KGE_NO_HEADERS ? -KGE_PLACE : r;
}

/* Publishes until one fails; what was done is undone then, and that one is out: 1. */
static int publish_once(struct run *run, const char *release, struct run_item *items,
			size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].result != 0)
			continue;
		items[i].result = publish_failure(publish(run, &items[i]));
		if (items[i].result == 0)
			continue;
		undo_swap(run, release);
		drop_unused_archive(run, &items[i]);
		return 1;
	}
	return 0;
}

static void change(struct run *run, const char *release, struct run_item *items, size_t n)
{
	struct kg_err err = { 0 };
	int r;

	while (publish_once(run, release, items, n) != 0)
		;
	r = make_indexes(run, release, items, n, &err);
	for (size_t i = 0; r < 0 && i < n; i++) {
		if (items[i].result != 0)
			continue;
		items[i].result = kg_fail(&items[i].err, r, "%s", err.text);
		drop_unused_archive(run, &items[i]);
	}
}

/* ---- afterwards ---- */

static void finish(struct run *run, struct run_item *item)
{
	const struct run_set *rs = item->rs;
	struct kg_err err = { 0 };

	item->result = run_register_set(run, rs, &item->err);
	if (item->result < 0)
		return;
	run_weak_modules(run, RUN_WEAK_ADD, &rs->source, rs->set.release, item->files);
	if (run_hook(run, &rs->source, rs->set.release, RUN_POST_INSTALL, &err) < 0)
		kg_warning("%s", err.text);
}

/*
 * As in DKMS, what can't be installed stays built. Of a transaction's only what the kernel has
 * no need of: a failure is settle's to look at.
 */
static void keep_built(struct run *run, const struct run_item *item)
{
	const struct set *set = &item->rs->set;
	struct kg_err err = { 0 };

	if (item->result != -KGE_OLDER &&
	    (run->txn != NULL || item->result == -KGE_CANCELLED))
		return;
	if (run_register_built(run, item->rs, &err) < 0)
		kg_warning("%s/%s does not stay built: %s", set->name, set->version,
			   err.text);
}

static int first_failure(const struct run_item *items, size_t n, struct kg_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (items[i].result < 0)
			return kg_fail(err, items[i].result, "%s",
				       kg_err_text(&items[i].err, items[i].result));
	return 0;
}

int run_install_items(struct run *run, const char *release, struct run_item *items,
		      size_t n, struct kg_err *err)
{
	size_t n_good = 0;

	for (size_t i = 0; i < n; i++) {
		items[i].result = consider(run, &items[i]);
		n_good += items[i].result == 0;
	}
	if (n_good > 0)
		change(run, release, items, n);
	n_good = 0;
	for (size_t i = 0; i < n; i++) {
		if (items[i].result == 0)
			finish(run, &items[i]);
		else
			keep_built(run, &items[i]);
		n_good += items[i].result == 0;
	}
	if (n_good > 0)
		run_load_drivers(run, release);
	return first_failure(items, n, err);
}

int run_install_set(struct run *run, struct run_set *rs, struct kg_err *err)
{
	struct run_item item = {
		.rs = rs,
		.is_forced = run->target != NULL && run->target->force == KG_FORCE,
	};

	return run_install_items(run, rs->set.release, &item, 1, err);
}
