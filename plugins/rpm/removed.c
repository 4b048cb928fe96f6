// SPDX-License-Identifier: GPL-2.0-or-later
/* The files that are there now and will not be afterwards, as far as a build could see them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rpm/rpmtd.h>

#include "core/base/fd.h"
#include "plugins/common/planner.h"
#include "plugins/common/removed.h"
#include "plugins/rpm/package.h"

#define REMOVED_PREFIX "removed-rpm-"

typedef void (*take_file)(const char *path, void *data);

static void each_file(const struct package *pkg, take_file take, void *data)
{
	struct rpmtd_s names;
	const char *name;

	if (!headerGet(pkg->header, RPMTAG_FILENAMES, &names, HEADERGET_EXT))
		return;
	while ((name = rpmtdNextString(&names)) != NULL)
		take(name, data);
	rpmtdFreeData(&names);
}

/* As on disk: the folder's real place, so that /lib/x of a merged /usr is usr/lib/x. */
static bool real_path(const char *path, struct str *out)
{
	const char *base = strrchr(path, '/') + 1;
	_cleanup_free_ char *dir = strndup(path, (size_t)(base - path));
	_cleanup_free_ char *real = dir != NULL ? realpath(dir, NULL) : NULL;

	str_clear(out);
	if (real != NULL && strcmp(real, "/") != 0)
		str_addf(out, "%s/", real + 1);
	str_add(out, base);
	return real != NULL && str_ok(out);
}

static void add_old_file(const char *path, void *data)
{
	_cleanup_str_ struct str name = { 0 };
	struct strv *list = data;
	struct stat st;

	if (path[0] == '/' && strchr(path, '\n') == NULL && lstat(path, &st) == 0 &&
	    S_ISREG(st.st_mode) && real_path(path, &name))
		strv_add(list, str_get(&name));
}

struct kept {
	const struct strv *old; /* sorted */
	bool *is_kept;
};

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

static void keep_new_file(const char *path, void *data)
{
	_cleanup_str_ struct str name = { 0 };
	struct kept *kept = data;
	char **found;

	if (path[0] != '/' || !real_path(path, &name))
		return;
	found = bsearch(str_get(&name), kept->old->v, kept->old->n, sizeof(char *),
			compare_name);
	if (found != NULL)
		kept->is_kept[found - kept->old->v] = true;
}

/* It leaves for good, or its successor is unpacked for the build. */
static bool is_gone(const struct txn *txn, const struct package *old)
{
	for (size_t i = 0; i < txn->n; i++)
		if (package_comes(&txn->packages[i]) &&
		    strcmp(txn->packages[i].plain_name, old->plain_name) == 0 &&
		    !txn->packages[i].is_wanted)
			return false;
	return old->path == NULL;
}

static void collect_old(const struct txn *txn, struct strv *ret)
{
	for (size_t i = 0; i < txn->n; i++)
		if (is_gone(txn, &txn->packages[i]))
			each_file(&txn->packages[i], add_old_file, ret);
	strv_sort(ret);
}

static int list_gone(struct txn *txn, struct strv *old, struct str *out)
{
	struct kept kept = { .old = old };

	kept.is_kept = arena_array(&txn->arena, old->n + 1, sizeof(bool));
	if (kept.is_kept == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < txn->n; i++)
		if (package_comes(&txn->packages[i]))
			each_file(&txn->packages[i], keep_new_file, &kept);
	for (size_t i = 0; i < old->n; i++)
		if (!kept.is_kept[i])
			str_addf(out, "%s\n", old->v[i]);
	return str_ok(out) ? 0 : -ENOMEM;
}

int planner_add_removed(struct planner *p, struct kg_err *err)
{
	_cleanup_strv_ struct strv old = { 0 };
	_cleanup_str_ struct str text = { 0 };
	int r;

	collect_old(p->txn, &old);
	if (!strv_ok(&old))
		return kg_fail_errno(err, -ENOMEM, "making the plan");
	if (old.n == 0)
		return 0;
	r = list_gone(p->txn, &old, &text);
	if (r < 0)
		return kg_fail_errno(err, r, "making the plan");
	if (text.len == 0)
		return 0;
	removed_drop_older(PLANNING_RUN_DIR, REMOVED_PREFIX);
	return removed_write(p->plan, PLANNING_RUN_DIR, REMOVED_PREFIX, &text, err);
}
