// SPDX-License-Identifier: GPL-2.0-or-later
/* The files that are there now and will not be afterwards, as far as a build could see them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "plugins/common/planner.h"
#include "plugins/common/removed.h"
#include "plugins/pacman/package.h"

#define REMOVED_PREFIX "removed-pacman-"

/* A kernel's own folder goes with its release: nothing that is built looks into another's. */
static bool is_of_interest(const char *path)
{
	const size_t n = strlen(path);

	return n > 0 && path[n - 1] != '/' && !str_starts(path, "usr/lib/modules/") &&
	       strchr(path, '\n') == NULL;
}

static bool is_kept(const struct txn *txn, const char *path)
{
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].is_loaded && package_comes(&txn->packages[i]) &&
		    alpm_filelist_contains(alpm_pkg_get_files(txn->packages[i].pkg),
					   path) != NULL)
			return true;
	return false;
}

static void add_gone(const struct txn *txn, alpm_pkg_t *old, struct strv *list)
{
	const alpm_filelist_t *files = alpm_pkg_get_files(old);

	for (size_t i = 0; files != NULL && i < files->count; i++)
		if (is_of_interest(files->files[i].name) &&
		    !is_kept(txn, files->files[i].name))
			strv_add(list, files->files[i].name);
}

int planner_add_removed(struct planner *p, struct kg_err *err)
{
	_cleanup_strv_ struct strv gone = { 0 };
	_cleanup_str_ struct str text = { 0 };

	for (size_t i = 0; i < p->txn->n; i++) {
		struct package *pkg = &p->txn->packages[i];

		if (pkg->is_wanted && pkg->old != NULL && package_comes(pkg) &&
		    package_load(p->txn, pkg))
			add_gone(p->txn, pkg->old, &gone);
	}
	strv_sort(&gone);
	for (size_t i = 0; i < gone.n; i++)
		str_addf(&text, "%s\n", gone.v[i]);
	if (!strv_ok(&gone) || !str_ok(&text))
		return kg_fail_errno(err, -ENOMEM, "making the plan");
	if (text.len == 0)
		return 0;
	removed_drop_older(PLANNING_RUN_DIR, REMOVED_PREFIX);
	return removed_write(p->plan, PLANNING_RUN_DIR, REMOVED_PREFIX, &text, err);
}
