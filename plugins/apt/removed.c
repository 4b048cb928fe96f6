// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files that are there now and will not be afterwards. Regular files only: a folder or
 * a symlink (/lib!) may belong to several packages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "plugins/apt/deb.h"
#include "plugins/apt/planner.h"
#include "plugins/common/removed.h"

/* Paths as they are on disk: /lib/x of a merged /usr is usr/lib/x, whoever says which. */
struct path_set {
	struct strv paths; /* sorted before the first look */
	bool *is_kept;
};

static bool is_merged(const char *top)
{
	char path[16];
	struct stat st;

	snprintf(path, sizeof(path), "/%s", top);
	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static void canonical(const char *path, size_t len, struct str *out)
{
	static const char *const tops[] = { "lib", "bin", "sbin", "lib64", "lib32" };

	if (len > 1 && path[0] == '.' && path[1] == '/') {
		path++;
		len--;
	}
	while (len > 0 && path[0] == '/') {
		path++;
		len--;
	}
	str_clear(out);
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		size_t n = strlen(tops[i]);

		if (len > n && path[n] == '/' && memcmp(path, tops[i], n) == 0 &&
		    is_merged(tops[i]))
			str_add(out, "usr/");
	}
	str_addn(out, path, len);
}

static bool add_old_file(const char *path, size_t len, void *data)
{
	struct path_set *set = data;
	_cleanup_str_ struct str name = { 0 };
	struct stat st;

	str_addn(&name, path, len);
	if (!str_ok(&name) || memchr(path, '\n', len) != NULL ||
	    lstat(str_get(&name), &st) < 0 || !S_ISREG(st.st_mode))
		return true;
	canonical(path, len, &name);
	strv_addn(&set->paths, str_get(&name), name.len);
	return true;
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

static void keep_name(const char *path, size_t len, void *data)
{
	struct path_set *set = data;
	_cleanup_str_ struct str name = { 0 };
	char **found;

	canonical(path, len, &name);
	found = bsearch(str_get(&name), set->paths.v, set->paths.n, sizeof(*set->paths.v),
			compare_name);
	if (found != NULL)
		set->is_kept[found - set->paths.v] = true;
}

static bool keep_line(const char *path, size_t len, void *data)
{
	keep_name(path, len, data);
	return true;
}

/* Leaves, or its new version is in the view: else what is there now must stay to be seen. */
static void collect_old(const struct txn *txn, struct path_set *set)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct txn_package *pkg = &txn->packages[i];
		const struct db_package *old;

		if (pkg->old_version == NULL || (pkg->path != NULL && !pkg->is_wanted))
			continue;
		old = db_find(&txn->db, pkg->plain_name, pkg->old_arch);
		if (old != NULL)
			(void)db_each_file_of(old, add_old_file, set);
	}
}

/* The same package of another architecture shares files with it. */
static void keep_siblings(const struct txn *txn, const struct txn_package *pkg,
			  struct path_set *set)
{
	for (size_t i = 0; i < txn->db.n; i++) {
		const struct db_package *other = &txn->db.packages[i];

		if (strcmp(other->name, pkg->plain_name) == 0 &&
		    strcmp(other->arch, pkg->old_arch) != 0)
			(void)db_each_file_of(other, keep_line, set);
	}
}

/* Any package of the transaction may take a file over. */
static void keep_new(const struct txn *txn, struct path_set *set)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct txn_package *pkg = &txn->packages[i];
		_cleanup_deb_ struct deb deb = DEB_INIT;
		struct kg_err err = { 0 };

		if (pkg->old_version != NULL)
			keep_siblings(txn, pkg, set);
		if (pkg->path == NULL || pkg->is_fetched ||
		    deb_open(pkg->path, &deb, &err) < 0)
			continue;
		(void)!deb_each_name(&deb, pkg->path, DEB_NAMES, keep_name, set, &err);
	}
}

static void list_gone(const struct path_set *set, struct str *out)
{
	for (size_t i = 0; i < set->paths.n; i++) {
		if (set->is_kept[i])
			continue;
		str_add(out, set->paths.v[i]);
		str_addc(out, '\n');
	}
}

int planner_add_removed(struct planner *p, struct kg_err *err)
{
	struct path_set set = { 0 };
	_cleanup_str_ struct str text = { 0 };
	int r = 0;

	collect_old(p->txn, &set);
	strv_sort(&set.paths);
	set.is_kept = arena_array(&p->txn->arena, set.paths.n, sizeof(*set.is_kept));
	if (set.is_kept != NULL && strv_ok(&set.paths) && set.paths.n > 0) {
		keep_new(p->txn, &set);
		list_gone(&set, &text);
	}
	if (set.is_kept == NULL || !strv_ok(&set.paths) || !str_ok(&text))
		r = kg_fail_errno(err, -ENOMEM, "making the plan");
	else if (text.len > 0)
		r = removed_write(p->plan, PLANNING_RUN_DIR, "removed-", &text, err);
	strv_fini(&set.paths);
	return r;
}
