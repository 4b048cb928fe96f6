// SPDX-License-Identifier: GPL-2.0-or-later
/* Which kernels and module sources a transaction brings, changes or takes. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/name.h"
#include "plugins/common/planner.h"
#include "plugins/rpm/arch.h"
#include "plugins/rpm/content.h"
#include "plugins/rpm/package.h"

/* ---- one release ---- */

static bool is_on_disk(const char *release)
{
	static const char *const images[] = { "/lib/modules/%s/vmlinuz",
					      "/usr/lib/modules/%s/vmlinuz",
					      "/boot/vmlinuz-%s", "/boot/Image-%s",
					      "/boot/image-%s" };
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		const char *mark = strchr(images[i], '%');

		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)(mark - images[i]),
			     images[i], release, mark + 2) < (int)sizeof(path) &&
		    access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static unsigned int bits_of_side(const struct txn *txn, const char *release, bool comes)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < txn->n; i++)
		if ((txn->packages[i].path != NULL) == comes)
			bits |= package_bits(&txn->packages[i], release);
	return bits & CONTENT_KERNEL;
}

/* false: not a kernel of this machine (modules for one that is not here). */
static bool find_change(const struct txn *txn, const char *release, enum kg_change *ret)
{
	unsigned int comes = bits_of_side(txn, release, true);
	unsigned int goes = bits_of_side(txn, release, false);

	if ((comes & CONTENT_IMAGE) != 0)
		*ret = (goes & CONTENT_IMAGE) != 0 ? KG_CHANGE_CHANGES : KG_CHANGE_ENTERS;
	else if ((goes & CONTENT_IMAGE) != 0)
		*ret = KG_CHANGE_LEAVES;
	else if (is_on_disk(release))
		*ret = KG_CHANGE_CHANGES;
	else
		return false;
	return true;
}

/*
 * "default" of 6.4.0-150600.23-default, "" of 6.5.6-300.fc39.x86_64, "debug" of the same with
 * +debug. As core/run/plan.c, which compares flavours.
 */
static const char *find_flavour(struct planner *p, const char *release)
{
	const char *part = release + strcspn(release, "-");
	const char *plus = strchr(release, '+');

	if (plus != NULL && name_is_word(plus + 1))
		return arena_strdup(&p->plan->arena, plus + 1);
	while (*part == '-' && isdigit((unsigned char)part[1]))
		part += 1 + strcspn(part + 1, "-");
	return arena_strdup(&p->plan->arena, *part == '-' ? part + 1 : "");
}

static void add_package(struct planner *p, struct kg_plan_kernel *k,
			const struct package *pkg, unsigned int bits)
{
	struct kg_package *slot = ARENA_ADD(&p->plan->arena, k->packages, k->n_packages);

	if (slot == NULL)
		return;
	*slot = (struct kg_package){
		.name = pkg->name,
		.version = pkg->evr,
		.role = (bits & CONTENT_IMAGE) != 0 ? KG_ROLE_IMAGE : KG_ROLE_MODULES,
		.change = package_change(p->txn, pkg),
	};
	if (slot->role == KG_ROLE_IMAGE && k->n_packages > 1) {
		struct kg_package first = k->packages[0];

		k->packages[0] = *slot; /* what a report names first */
		*slot = first;
	}
}

/* kernel-core, kernel-default: their headers are in kernel-devel, kernel-default-devel. */
static const char *find_hint(struct planner *p, const struct package *pkg)
{
	const char *rest = pkg->name + strlen(pkg->plain_name);
	size_t n = strlen(pkg->plain_name);

	if (str_ends(pkg->plain_name, "-core"))
		n -= strlen("-core");
	return arena_printf(&p->plan->arena, "%.*s-devel%s", (int)n, pkg->plain_name,
			    rest);
}

/* "kernel" of Fedora: brings no file, only the other packages. A hold has to name it, too. */
static bool is_meta_of(const struct package *pkg, const struct kg_package *image)
{
	return pkg->path != NULL && headerGetNumber(pkg->header, RPMTAG_LONGSIZE) == 0 &&
	       strcmp(pkg->evr, image->version) == 0 &&
	       str_starts(image->name, pkg->plain_name);
}

static void add_metas(struct planner *p, struct kg_plan_kernel *k)
{
	const struct kg_package image = k->packages[0];

	if (image.role != KG_ROLE_IMAGE)
		return;
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];

		if (pkg->n_hits > 0 || !is_meta_of(pkg, &image))
			continue;
		add_package(p, k, pkg, 0);
		if (!p->plan->arena.failed)
			k->packages[k->n_packages - 1].role = KG_ROLE_OTHER;
	}
}

static void fill_kernel(struct planner *p, struct kg_plan_kernel *k)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];
		unsigned int bits = package_bits(pkg, k->release) & CONTENT_KERNEL;

		if (bits == 0 || pkg->is_fetched)
			continue;
		add_package(p, k, pkg, bits);
		if (k->arch == NULL || strcmp(k->arch, "noarch") == 0)
			k->arch = arch_to_machine(pkg->arch);
		if (k->hint == NULL && (bits & CONTENT_IMAGE) != 0)
			k->hint = find_hint(p, pkg);
	}
	if (k->n_packages > 0)
		add_metas(p, k);
}

static bool is_known(const struct kg_plan *plan, const char *release)
{
	for (size_t i = 0; i < plan->n_kernels; i++)
		if (strcmp(plan->kernels[i].release, release) == 0)
			return true;
	return false;
}

static void add_kernel(struct planner *p, const char *release)
{
	enum kg_change change;
	struct kg_plan_kernel *k;

	if (!name_is_word(release) || is_known(p->plan, release) ||
	    !find_change(p->txn, release, &change))
		return;
	k = ARENA_ADD(&p->plan->arena, p->plan->kernels, p->plan->n_kernels);
	if (k == NULL)
		return;
	k->release = release;
	k->change = change;
	k->flavour = find_flavour(p, release);
	fill_kernel(p, k);
}

int planner_add_kernels(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];

		for (size_t k = 0; k < pkg->n_hits; k++)
			if ((pkg->hits[k].bit & CONTENT_KERNEL) != 0)
				add_kernel(p, pkg->hits[k].release);
	}
	return p->plan->arena.failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}

/* ---- module sources ---- */

static const struct package *find_other_side(const struct txn *txn, const char *path,
					     bool comes)
{
	for (size_t i = 0; i < txn->n; i++)
		for (size_t k = 0; k < txn->packages[i].n_hits; k++)
			if ((txn->packages[i].path != NULL) == comes &&
			    txn->packages[i].hits[k].bit == CONTENT_SOURCE &&
			    strcmp(txn->packages[i].hits[k].path, path) == 0)
				return &txn->packages[i];
	return NULL;
}

static void add_source(struct planner *p, const struct package *pkg, const char *path)
{
	const bool comes = pkg->path != NULL;
	const bool is_both = find_other_side(p->txn, path, !comes) != NULL;
	struct kg_plan_source *s;

	if (is_both && !comes)
		return; /* listed as what it becomes */
	s = ARENA_ADD(&p->plan->arena, p->plan->sources, p->plan->n_sources);
	if (s == NULL)
		return;
	*s = (struct kg_plan_source){
		.path = path,
		.package = pkg->name,
		.version = pkg->evr,
		.change = KG_CHANGE_LEAVES,
	};
	if (comes)
		s->change = is_both ? KG_CHANGE_CHANGES : KG_CHANGE_ENTERS;
}

int planner_add_sources(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];

		for (size_t k = 0; k < pkg->n_hits; k++)
			if (pkg->hits[k].bit == CONTENT_SOURCE && !pkg->is_fetched)
				add_source(p, pkg, pkg->hits[k].path);
	}
	return p->plan->arena.failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}
