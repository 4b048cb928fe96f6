// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The headers of the kernels that come: in this transaction, installed, or at least in a
 * client's cache. Only those built with the image count: same release, same version and release of
 * the package.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/common/planner.h"
#include "plugins/rpm/cache.h"
#include "plugins/rpm/content.h"
#include "plugins/rpm/package.h"

#define CACHE_DEPTH 4u

static const struct package *image_of(const struct txn *txn, const char *release)
{
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].path != NULL &&
		    (package_bits(&txn->packages[i], release) & CONTENT_IMAGE) != 0)
			return &txn->packages[i];
	return NULL;
}

/*
 * Modules without an image of theirs: the headers are what is there. SUSE's smaller image of a
 * kernel, kernel-*-base, is made from it later, and has a number more behind the kernel's own.
 */
static bool fits(const char *evr, const struct package *image)
{
	const size_t n = strlen(evr);

	if (image == NULL || strcmp(evr, image->evr) == 0)
		return true;
	return str_ends(image->name, "-base") && strncmp(evr, image->evr, n) == 0 &&
	       image->evr[n] == '.';
}

static bool is_headers_of(const struct package *pkg, const char *release,
			  const struct package *image)
{
	const unsigned int bits = package_bits(pkg, release);

	if (pkg->path == NULL || (bits & CONTENT_HEADERS) == 0 ||
	    (bits & (CONTENT_IMAGE | CONTENT_MODULES)) != 0)
		return false;
	return fits(pkg->evr, image);
}

static struct kg_package *add_slot(struct planner *p, struct kg_plan_kernel *k)
{
	return ARENA_ADD(&p->plan->arena, k->headers, k->n_headers);
}

static bool add_from_transaction(struct planner *p, struct kg_plan_kernel *k,
				 const struct package *image)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		struct package *pkg = &p->txn->packages[i];
		struct kg_package *slot;

		if (!is_headers_of(pkg, k->release, image))
			continue;
		pkg->is_wanted = true;
		slot = add_slot(p, k);
		if (slot != NULL)
			*slot = (struct kg_package){ .name = pkg->name,
						     .version = pkg->evr,
						     .role = KG_ROLE_HEADERS,
						     .change = package_change(p->txn,
									      pkg) };
	}
	return k->n_headers > 0;
}

/* ---- installed ---- */

static bool is_leaving(const struct txn *txn, const char *name)
{
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].path == NULL &&
		    strcmp(txn->packages[i].name, name) == 0)
			return true;
	return false;
}

static bool add_if_there(struct planner *p, struct kg_plan_kernel *k,
			 const struct package *image, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct kg_package found = { .name = "local-headers",
				    .version = "0",
				    .role = KG_ROLE_HEADERS,
				    .change = KG_CHANGE_STAYS };
	struct kg_package *slot;

	if (real == NULL)
		return false;
	/* Of no package: made by hand, and of no version that could be compared. */
	if (txn_owner_of(p->txn, real, &found, &p->plan->arena) == 0 &&
	    (!fits(found.version, image) || is_leaving(p->txn, found.name)))
		return false;
	slot = add_slot(p, k);
	if (slot != NULL)
		*slot = found;
	return true;
}

static bool add_installed(struct planner *p, struct kg_plan_kernel *k,
			  const struct package *image)
{
	const char *dash = strrchr(k->release, '-');
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/usr/src/kernels/%s/Makefile", k->release);
	if (add_if_there(p, k, image, path))
		return true;
	if (dash != NULL) { /* (by rpm's name for the architecture) */
		snprintf(path, sizeof(path), "/usr/src/linux-%.*s-obj/%s/%s/Makefile",
			 (int)(dash - k->release), k->release,
			 image != NULL ? image->arch : k->arch, dash + 1);
		if (add_if_there(p, k, image, path))
			return true;
	}
	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile", k->release);
	return add_if_there(p, k, image, path);
}

/* ---- in a cache ---- */

struct search {
	struct planner *p;
	char *tail; /* "-devel-VERSION-RELEASE." of what is looked for */
};

/* Several may be needed: SUSE's are in two packages. Their content says what they are. */
static void take_devel(const char *path, const char *name, void *data)
{
	struct search *s = data;
	const size_t known = s->p->txn->n;
	struct kg_err err = { 0 };

	if (strstr(name, s->tail) == NULL)
		return;
	if (txn_add_archive(s->p->txn, path, &err) == 0 && s->p->txn->n > known)
		s->p->txn->packages[known].is_fetched = true;
}

static void search_caches(struct planner *p, const struct package *image)
{
	static const char *const caches[] = { "/var/cache/dnf", "/var/cache/libdnf5",
					      "/var/cache/zypp/packages",
					      "/var/cache/PackageKit" };
	const char *colon = strchr(image->evr, ':');
	struct search s = { .p = p };

	s.tail = arena_printf(&p->txn->arena, "-devel-%s.",
			      colon != NULL ? colon + 1 : image->evr);
	for (size_t i = 0; s.tail != NULL && i < ARRAY_SIZE(caches); i++)
		archives_find(caches[i], CACHE_DEPTH, take_devel, &s);
}

int planner_add_headers(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->plan->n_kernels; i++) {
		struct kg_plan_kernel *k = &p->plan->kernels[i];
		const struct package *image = image_of(p->txn, k->release);

		if (!plan_comes(k->change) || add_from_transaction(p, k, image) ||
		    add_installed(p, k, image) || image == NULL)
			continue;
		search_caches(p, image);
		/* the list may have moved */
		(void)add_from_transaction(p, k, image_of(p->txn, k->release));
	}
	if (p->plan->arena.failed || p->txn->arena.failed)
		return kg_fail_errno(err, -ENOMEM, "making the plan");
	return 0;
}
