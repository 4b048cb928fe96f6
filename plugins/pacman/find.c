// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which archives a transaction of another process installs. Those of `pacman -U` are in its command
 * line; every other lies in a cache, under the name that a sync database has for it. Which of them
 * are kernels, headers and module sources is not guessed: they hold the files that the hook was told
 * of. For what a compiler depends on, the command line has to do.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/pacman/package.h"

/* ---- candidates ---- */

static const char *find_in_caches(struct txn *txn, const char *file)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < txn->config.caches.n; i++)
		if (snprintf(path, sizeof(path), "%s/%s", txn->config.caches.v[i], file) <
			    (int)sizeof(path) &&
		    access(path, R_OK) == 0)
			return arena_strdup(&txn->arena, path);
	return NULL;
}

/* A target of -U: a file, or a URL, whose file is in a cache by now. */
static const char *find_target(struct txn *txn, const char *target)
{
	_cleanup_free_ char *real = NULL;
	const char *slash = strrchr(target, '/');

	if (strstr(target, "://") != NULL)
		return slash != NULL ? find_in_caches(txn, slash + 1) : NULL;
	if (cmdline_resolve(txn->owner.pid, target, &real) < 0)
		return NULL;
	return arena_strdup(&txn->arena, real);
}

static void add_targets(struct txn *txn)
{
	for (size_t i = 0; i < txn->cmd.targets.n; i++) {
		const char *path = find_target(txn, txn->cmd.targets.v[i]);
		struct package *pkg;

		if (path == NULL)
			continue;
		pkg = ARENA_ADD(&txn->arena, txn->packages, txn->n);
		if (pkg == NULL)
			return;
		pkg->path = path;
		pkg->comes = true;
		if (!package_load(txn, pkg))
			txn->n--;
	}
}

static bool is_named(const struct cmdline *cmd, const char *name)
{
	for (size_t i = 0; i < cmd->targets.n; i++) {
		const char *target = cmd->targets.v[i];
		const char *slash = strchr(target, '/');
		const char *bare = slash != NULL ? slash + 1 : target;
		const size_t n = strcspn(bare, "<>=");

		if (strlen(name) == n && strncmp(bare, name, n) == 0)
			return true;
	}
	return false;
}

static bool is_same_version(const struct package *pkg)
{
	return pkg->old != NULL &&
	       strcmp(alpm_pkg_get_version(pkg->old), pkg->version) == 0;
}

/* What is not installed is in a cache because something that comes needs it. */
static bool comes_by_cmdline(const struct cmdline *cmd, const struct package *pkg)
{
	if (pkg->old == NULL || is_named(cmd, pkg->name))
		return true;
	return !is_same_version(pkg) && (cmd->is_sysupgrade || cmd->operation == '\0');
}

static bool is_candidate(const struct txn *txn, const char *name)
{
	for (size_t i = 0; i < txn->n; i++)
		if (strcmp(txn->packages[i].name, name) == 0)
			return true;
	return false;
}

static void add_sync_package(struct txn *txn, alpm_pkg_t *sync)
{
	const char *file = alpm_pkg_get_filename(sync);
	const char *name = alpm_pkg_get_name(sync);
	const char *path = file != NULL ? find_in_caches(txn, file) : NULL;
	struct package *pkg;

	/* Of several repositories the first one counts. */
	if (path == NULL || is_candidate(txn, name))
		return;
	pkg = ARENA_ADD(&txn->arena, txn->packages, txn->n);
	if (pkg == NULL)
		return;
	pkg->pkg = sync;
	pkg->name = name;
	pkg->version = alpm_pkg_get_version(sync);
	pkg->path = path;
	pkg->old = alpm_db_get_pkg(alpm_get_localdb(txn->alpm), name);
	pkg->comes = comes_by_cmdline(&txn->cmd, pkg);
}

static void add_sync_packages(struct txn *txn)
{
	for (alpm_list_t *d = alpm_get_syncdbs(txn->alpm); d != NULL; d = d->next)
		for (alpm_list_t *p = alpm_db_get_pkgcache(d->data); p != NULL;
		     p = p->next)
			add_sync_package(txn, p->data);
}

/* ---- those with the files ---- */

struct search {
	const struct strv *paths;
	bool *is_found;
	size_t n_found;
};

static void match(struct search *s, struct package *pkg)
{
	alpm_filelist_t *files = alpm_pkg_get_files(pkg->pkg);

	for (size_t i = 0; i < s->paths->n; i++) {
		if (s->is_found[i] ||
		    alpm_filelist_contains(files, s->paths->v[i]) == NULL)
			continue;
		s->is_found[i] = true;
		s->n_found++;
		pkg->is_listed = true;
	}
}

/* Only saves time: who is looked into first. */
static int rank(const struct package *pkg)
{
	static const char *const parts[] = { "linux", "kernel", "headers", "dkms" };
	int rank = is_same_version(pkg) ? 2 : 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(pkg->name, parts[i]) != NULL)
			return rank;
	return rank + 1;
}

static void match_all(struct txn *txn, struct search *s)
{
	for (int now = 0; now < 4; now++)
		for (size_t i = 0; i < txn->n && s->n_found < s->paths->n; i++) {
			struct package *pkg = &txn->packages[i];

			if (rank(pkg) == now && package_load(txn, pkg))
				match(s, pkg);
		}
}

/* For a folder of headers that nobody has, the kernel's own rules do. */
static int check_found(const struct search *s, struct kg_err *err)
{
	for (size_t i = 0; i < s->paths->n; i++)
		if (!s->is_found[i] && !str_ends(s->paths->v[i], "/"))
			return kg_fail(err, -ENOENT, "no archive with %s is found",
				       s->paths->v[i]);
	return 0;
}

int txn_find(struct txn *txn, const struct strv *paths, struct kg_err *err)
{
	struct search s = { .paths = paths };

	s.is_found = arena_array(&txn->arena, paths->n + 1, sizeof(bool));
	if (txn->cmd.operation == 'U')
		add_targets(txn);
	add_sync_packages(txn);
	if (txn->arena.failed)
		return kg_fail_errno(err, -ENOMEM, "looking for archives");
	match_all(txn, &s);
	return check_found(&s, err);
}
