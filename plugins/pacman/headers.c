// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The headers of the kernels that come: in this transaction, installed, or at least in a cache.
 * Only those built with the image count: the same version of the package.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "plugins/common/planner.h"
#include "plugins/pacman/package.h"

static const struct kg_package *image_of(const struct kg_plan_kernel *k)
{
	return k->n_packages > 0 ? &k->packages[0] : NULL;
}

static void add_headers(struct planner *p, struct kg_plan_kernel *k, const char *name,
			enum kg_change change)
{
	struct kg_package *slot = ARENA_ADD(&p->plan->arena, k->headers, k->n_headers);

	if (slot != NULL)
		*slot = (struct kg_package){ .name = name,
					     .version = image_of(k)->version,
					     .role = KG_ROLE_HEADERS,
					     .change = change };
}

static bool are_headers_of(const struct package *pkg, const struct kg_plan_kernel *k)
{
	return (package_bits(&pkg->hits, k->release) & CONTENT_HEADERS) != 0 &&
	       strcmp(pkg->version, image_of(k)->version) == 0;
}

static bool add_from_transaction(struct planner *p, struct kg_plan_kernel *k)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		struct package *pkg = &p->txn->packages[i];

		if (!(pkg->is_listed || pkg->is_fetched) || !are_headers_of(pkg, k))
			continue;
		pkg->is_wanted = true;
		add_headers(p, k, pkg->name, package_change(pkg));
	}
	return k->n_headers > 0;
}

/* A kernel that changes in place may have its headers already. */
static bool add_installed(struct planner *p, struct kg_plan_kernel *k)
{
	alpm_db_t *local = alpm_get_localdb(p->txn->alpm);
	const char *tree =
		arena_printf(&p->plan->arena, "usr/lib/modules/%s/build/", k->release);

	for (alpm_list_t *i = alpm_db_get_pkgcache(local); tree != NULL && i != NULL;
	     i = i->next)
		if (strcmp(alpm_pkg_get_version(i->data), image_of(k)->version) == 0 &&
		    alpm_filelist_contains(alpm_pkg_get_files(i->data), tree) != NULL)
			add_headers(p, k, alpm_pkg_get_name(i->data), KG_CHANGE_STAYS);
	return k->n_headers > 0;
}

static bool is_archive_of(const char *file, const char *stem)
{
	return str_starts(file, stem) && strstr(file, ".pkg.tar") != NULL &&
	       !str_ends(file, ".sig") && !str_ends(file, ".part");
}

/* Their content says what they are. */
static void search_caches(struct planner *p, const struct kg_plan_kernel *k)
{
	const char *stem =
		arena_printf(&p->plan->arena, "%s-%s-", k->hint, image_of(k)->version);
	const struct strv *caches = &p->txn->config.caches;
	char path[PATH_MAX];

	for (size_t i = 0; stem != NULL && i < caches->n; i++) {
		_cleanup_dir_ DIR *dir = opendir(caches->v[i]);
		struct dirent *entry;

		while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
			if (is_archive_of(entry->d_name, stem) &&
			    snprintf(path, sizeof(path), "%s/%s", caches->v[i],
				     entry->d_name) < (int)sizeof(path) &&
			    txn_add_fetched(p->txn, path) != NULL)
				return;
	}
}

int planner_add_headers(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->plan->n_kernels; i++) {
		struct kg_plan_kernel *k = &p->plan->kernels[i];

		if (!plan_comes(k->change) || image_of(k) == NULL ||
		    add_from_transaction(p, k) || add_installed(p, k))
			continue;
		search_caches(p, k);
		(void)add_from_transaction(p, k);
	}
	if (p->plan->arena.failed || p->txn->arena.failed)
		return kg_fail_errno(err, -ENOMEM, "making the plan");
	return 0;
}
