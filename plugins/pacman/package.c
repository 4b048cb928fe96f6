// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/package.h"

#include <string.h>

#include "core/base/proc.h"
#include "plugins/common/planning.h"
#include "plugins/pacman/content.h"

int txn_init(struct txn *txn, pid_t owner, struct kg_err *err)
{
	alpm_errno_t why = 0;
	int r;

	*txn = (struct txn){ .owner = { .pid = owner } };
	if (proc_start_time(owner, &txn->owner.start) < 0)
		return kg_fail(err, -ESRCH, "process %d is not there", owner);
	r = cmdline_of(owner, &txn->cmd, err);
	if (r == 0)
		r = config_read(owner, &txn->cmd, &txn->config, err);
	if (r < 0)
		return r;
	txn->alpm = alpm_initialize(txn->config.root, txn->config.dbpath, &why);
	if (txn->alpm == NULL)
		return kg_fail(err, -EIO, "libalpm: %s", alpm_strerror(why));
	/* pacman has verified what it downloaded a moment ago. */
	for (size_t i = 0; i < txn->config.repos.n; i++)
		(void)alpm_register_syncdb(txn->alpm, txn->config.repos.v[i], 0);
	return 0;
}

void txn_fini(struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].is_loaded)
			alpm_pkg_free(txn->packages[i].pkg);
	if (txn->alpm != NULL)
		(void)alpm_release(txn->alpm);
	config_fini(&txn->config);
	cmdline_fini(&txn->cmd);
	arena_fini(&txn->arena);
	*txn = (struct txn){ 0 };
}

/* ---- what is in it ---- */

static bool has_hit(const struct package_hits *hits, unsigned int bit,
		    const char *release)
{
	for (size_t i = 0; i < hits->n; i++)
		if (hits->v[i].bit == bit && strcmp(hits->v[i].release, release) == 0)
			return true;
	return false;
}

static void add_hit(struct arena *arena, struct package_hits *hits, const char *path)
{
	char release[CONTENT_RELEASE_SIZE];
	const unsigned int bit = content_of(path, release);
	struct package_hit *hit;

	if (bit == 0 || (bit != CONTENT_SOURCE && has_hit(hits, bit, release)))
		return;
	hit = ARENA_ADD(arena, hits->v, hits->n);
	if (hit != NULL)
		*hit = (struct package_hit){ bit, arena_strdup(arena, release),
					     arena_strdup(arena, path) };
}

static void look_at_files(struct arena *arena, alpm_pkg_t *pkg, struct package_hits *ret)
{
	const alpm_filelist_t *files = alpm_pkg_get_files(pkg);

	for (size_t i = 0; files != NULL && i < files->count; i++)
		add_hit(arena, ret, files->files[i].name);
}

bool package_load(struct txn *txn, struct package *pkg)
{
	alpm_pkg_t *loaded = NULL;

	if (pkg->is_loaded || pkg->is_broken)
		return pkg->is_loaded;
	pkg->is_broken = alpm_pkg_load(txn->alpm, pkg->path, 1, 0, &loaded) != 0;
	if (pkg->is_broken)
		return false;
	pkg->is_loaded = true;
	pkg->pkg = loaded;
	pkg->name = alpm_pkg_get_name(loaded);
	pkg->version = alpm_pkg_get_version(loaded);
	pkg->old = alpm_db_get_pkg(alpm_get_localdb(txn->alpm), pkg->name);
	look_at_files(&txn->arena, loaded, &pkg->hits);
	if (pkg->old != NULL)
		look_at_files(&txn->arena, pkg->old, &pkg->old_hits);
	return true;
}

struct package *txn_add_fetched(struct txn *txn, const char *path)
{
	struct package *pkg = ARENA_ADD(&txn->arena, txn->packages, txn->n);

	if (pkg == NULL)
		return NULL;
	pkg->path = arena_strdup(&txn->arena, path);
	pkg->is_fetched = true;
	if (pkg->path != NULL && package_load(txn, pkg))
		return pkg;
	txn->n--;
	return NULL;
}

unsigned int package_bits(const struct package_hits *hits, const char *release)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < hits->n; i++)
		if (strcmp(hits->v[i].release, release) == 0)
			bits |= hits->v[i].bit;
	return bits;
}

enum kg_change package_change(const struct package *pkg)
{
	return package_comes(pkg) ? planning_change(pkg->old != NULL, true)
				  : KG_CHANGE_STAYS;
}
