// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel's files came or go: what the gate placed is looked at, indexed and registered. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/log.h"
#include "core/base/proc.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run.h"

#define LOCK_WAIT_MS (10 * 60 * 1000)
#define MODULES_DEP_MAX (64u << 20)

int run_open_sealed(struct run *run, const struct txn *txn, const struct run_record *rec,
		    struct run_set *ret_set, struct kg_err *err)
{
	const struct kg_source source = { .name = rec->name,
					  .version = rec->version,
					  .path = rec->path };
	char path[1024];
	int fd;

	if (snprintf(path, sizeof(path), "sealed/%s/%s-%s", rec->release, rec->name,
		     rec->version) >= (int)sizeof(path))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", rec->name);
	fd = fd_open_dir_in(txn->dir_fd, path, err);
	if (fd < 0)
		return fd;
	return run_open_set(run, &source, rec->release, rec->arch, fd, ret_set, err);
}

int run_join_live(const struct kg_system *sys, struct txn *ret_txn, struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int r = txn_list(sys, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		struct txn txn = TXN_INIT;

		if (txn_open(sys, ids.v[i], &txn, NULL) < 0)
			continue;
		if (txn.state == TXN_PASSED && txn_is_live(&txn) &&
		    proc_is_ancestor(txn.plan.owner_pid, txn.plan.owner_start)) {
			*ret_txn = txn;
			return 1;
		}
		txn_fini(&txn);
	}
	return r;
}

/* ---- one set ---- */

/* modules.dep names every file of @files and is not older than they are. */
static bool indexes_match(const struct kg_system *sys, const struct set *set)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_free_ char *dep = NULL;
	const char *base = arena_printf(&arena, "%s/%s", sys->install_tree, set->release);
	const char *path = arena_printf(&arena, "%s/modules.dep", base ?: "");
	struct stat index;
	struct stat file;

	if (path == NULL || fd_lstat_in(sys->root_fd, path, &index) < 0 ||
	    fd_read_file_in(sys->root_fd, path, MODULES_DEP_MAX, &dep, NULL, NULL) < 0)
		return false;
	for (size_t i = 0; set->files[i] != NULL; i++) {
		const char *line = arena_printf(&arena, "%s:", set->files[i]);
		const char *at = arena_printf(&arena, "%s/%s", base, set->files[i]);

		if (line == NULL || at == NULL || strstr(dep, line) == NULL ||
		    fd_lstat_in(sys->root_fd, at, &file) < 0 ||
		    file.st_mtim.tv_sec > index.st_mtim.tv_sec)
			return false;
	}
	return true;
}

static int run_recipe_script(struct run *run, const struct run_set *rs, bool is_before,
			     struct kg_err *err)
{
	struct kg_recipe recipe = { 0 };
	const struct run_release *release = run_find_release(run, rs->set.release);
	_cleanup_close_ int source_fd =
		fd_open_dir_in(run->sys->root_fd, rs->source.path, NULL);
	int r;

	if (source_fd < 0 || release == NULL)
		return 0; /* its source left meanwhile: there is no script to run */
	r = run_read_recipe(run, &rs->source, source_fd, release, &recipe, NULL);
	if (r < 0)
		return 0;
	r = run_script(run, &rs->source,
		       is_before ? recipe.pre_install : recipe.post_install,
		       rs->set.release, err);
	recipe_fini(&recipe);
	return r;
}

static void undo_swap(struct run *run, const char *release)
{
	struct kg_err err = { 0 };

	if (set_undo(run->sys, release, &err) < 0)
		kg_warning("%s: %s", release, err.text);
}

/* PRE_INSTALL said no: what the gate placed for it is taken away again. */
static void refuse_set(struct run *run, const struct run_set *rs)
{
	struct kg_err err = { 0 };

	if (set_withdraw(run->sys, run->txn, rs->set.release, rs->set.files, &err) < 0 ||
	    depmod_run(run->sys, rs->set.release, NULL, &err) < 0)
		kg_warning("%s: %s", rs->set.release, err.text);
}

int run_install_set(struct run *run, struct run_set *rs, struct kg_err *err)
{
	int r = run_recipe_script(run, rs, true, err);

	if (r < 0) {
		refuse_set(run, rs);
		return r;
	}
	r = set_publish(run->sys, run->txn, &rs->set, err);
	if (r == 0 && indexes_match(run->sys, &rs->set))
		r = depmod_skip(run->sys, rs->set.release, err);
	else if (r == 0)
		r = depmod_run(run->sys, rs->set.release, rs->set.files, err);
	else
		undo_swap(run, rs->set.release);
	if (r == 0)
		r = run_register_set(run, rs, err);
	if (r < 0)
		return r;
	if (run_recipe_script(run, rs, false, err) < 0 && err != NULL) {
		kg_warning("%s", err->text);
		*err = (struct kg_err){ 0 };
	}
	return 0;
}

/* ---- arrival ---- */

static bool has_arrived(const struct txn *txn, const struct run_record *rec)
{
	char subject[1024];

	snprintf(subject, sizeof(subject), "%s/%s/%s", rec->release, rec->name,
		 rec->version);
	return strv_has(&txn->arrived, subject);
}

/* A first signing key was made in the gate: it becomes the machine's, unless one came meanwhile. */
static int move_key(const struct kg_system *sys, const struct txn *txn,
		    struct kg_err *err)
{
	_cleanup_close_ int from_fd =
		fd_try_open_in(txn->dir_fd, "key", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int to_fd = -1;
	struct stat st;
	int r;

	if (from_fd < 0)
		return 0;
	to_fd = fd_make_dir_in(sys->root_fd, sys->dkms_tree, 0755, err);
	if (to_fd < 0)
		return to_fd;
	if (fstatat(to_fd, "mok.key", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = fd_copy_file_at(from_fd, "mok.pub", to_fd, "mok.pub", 0644, err);
	if (r == 0)
		r = fd_copy_file_at(from_fd, "mok.key", to_fd, "mok.key", 0600, err);
	return r;
}

int run_arrive_record(struct run *run, struct txn *txn, const struct run_record *rec,
		      struct kg_err *err)
{
	struct run_set rs;
	char subject[1024];
	int r;

	if (has_arrived(txn, rec))
		return 0;
	r = move_key(run->sys, txn, err);
	if (r == 0)
		r = run_open_sealed(run, txn, rec, &rs, err);
	if (r < 0)
		return r;
	run->txn = txn;
	r = run_install_set(run, &rs, err);
	run->txn = NULL;
	run_set_fini(&rs);
	if (r < 0)
		return r;
	snprintf(subject, sizeof(subject), "%s/%s/%s", rec->release, rec->name,
		 rec->version);
	return txn_note(txn, "arrived", subject, err);
}

static void arrive_txn(struct run *run, struct txn *txn, const char *release,
		       struct strv *known)
{
	struct run_records records;
	struct kg_err err = { 0 };

	if (run_records_read(txn, &records, &err) < 0) {
		kg_warning("%s", err.text);
		return;
	}
	for (size_t i = 0; i < records.n; i++) {
		const struct run_record *rec = &records.v[i];

		if (strcmp(rec->release, release) != 0)
			continue;
		err = (struct kg_err){ 0 };
		if (rec->is_placed && run_arrive_record(run, txn, rec, &err) < 0) {
			kg_error("%s: %s/%s is not installed: %s", release, rec->name,
				 rec->version, kg_err_text(&err, err.code));
			continue; /* autoinstall tries once more */
		}
		strv_add(known, rec->name);
	}
	run_records_fini(&records);
}

/* Every transaction that passed and placed something for this release, dead ones too. */
static int arrive_all(struct run *run, const char *release, struct strv *known,
		      struct kg_err *err)
{
	_cleanup_strv_ struct strv ids = { 0 };
	int r = txn_list(run->sys, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		_cleanup_txn_ struct txn txn = TXN_INIT;

		if (txn_open(run->sys, ids.v[i], &txn, NULL) == 0 &&
		    txn.state == TXN_PASSED)
			arrive_txn(run, &txn, release, known);
	}
	return r;
}

int kg_arrive(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);
	_cleanup_strv_ struct strv known = { 0 };
	struct run run;
	int r;

	if (lock_fd < 0)
		return lock_fd;
	r = commit_recover(sys, err);
	if (r == 0)
		r = run_init(&run, sys, err);
	if (r < 0)
		return r;
	r = arrive_all(&run, release, &known, err);
	if (r == 0)
		r = run_autoinstall(&run, release, &known, err);
	run_fini(&run);
	return r;
}

/* ---- departure ---- */

static bool is_coming_back(const struct kg_system *sys, const char *release)
{
	_cleanup_txn_ struct txn txn = TXN_INIT;

	if (run_join_live(sys, &txn, NULL) <= 0)
		return false;
	for (size_t i = 0; i < txn.plan.n_kernels; i++)
		if (strcmp(txn.plan.kernels[i].release, release) == 0)
			return txn.plan.kernels[i].change == KG_CHANGE_ENTERS ||
			       txn.plan.kernels[i].change == KG_CHANGE_CHANGES;
	return false;
}

static int depart_entry(struct run *run, const struct reg_entry *e, struct kg_err *err)
{
	int r = 0;

	if (e->state == REG_INSTALLED)
		r = run_uninstall(run, e->name, e->version, e->release, e->arch, err);
	if (r == 0)
		r = reg_remove_built(run->sys, e->name, e->version, e->release, e->arch,
				     err);
	return r;
}

/* The folders of modules that are ours, and the kernel's own when nothing is left in it. */
static void prune_release(const struct run *run, const char *release)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/%s", run->sys->install_tree, release,
		 run_module_location(run));
	fd_prune_empty_in(run->sys->root_fd, path, run->sys->install_tree);
}

static int depart_locked(struct run *run, const char *release, struct kg_err *err)
{
	const struct reg_filter filter = { .release = release };
	struct reg_list list = { 0 };
	int r = reg_list_read(run->sys, &filter, REG_NO_COMPARE, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (list.entries[i].release != NULL)
			r = depart_entry(run, &list.entries[i], err);
	reg_list_fini(&list);
	if (r == 0)
		prune_release(run, release);
	return r;
}

int kg_depart(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	_cleanup_close_ int lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);
	struct run run;
	int r;

	if (lock_fd < 0)
		return lock_fd;
	if (is_coming_back(sys, release))
		return 0;
	r = commit_recover(sys, err);
	if (r == 0)
		r = run_init(&run, sys, err);
	if (r < 0)
		return r;
	r = depart_locked(&run, release, err);
	run_fini(&run);
	return r;
}
