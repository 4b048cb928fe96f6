// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/plan/plan_body.h"

#define PLAN_ID_DIGITS 16

void plan_fini(struct kg_plan *plan)
{
	arena_fini(&plan->arena);
	*plan = (struct kg_plan){ 0 };
}

bool plan_comes(enum kg_change change)
{
	return change == KG_CHANGE_ENTERS || change == KG_CHANGE_CHANGES;
}

bool plan_brings_image(const struct kg_plan_kernel *kernel)
{
	for (size_t i = 0; i < kernel->n_packages; i++)
		if (kernel->packages[i].role == KG_ROLE_IMAGE &&
		    plan_comes(kernel->packages[i].change))
			return true;
	return false;
}

const char *plan_change_text(enum kg_change change)
{
	switch (change) {
	case KG_CHANGE_STAYS:
		return "stays";
	case KG_CHANGE_ENTERS:
		return "enters";
	case KG_CHANGE_CHANGES:
		return "changes";
	case KG_CHANGE_LEAVES:
		return "leaves";
	}
	return "stays";
}

const char *plan_role_text(enum kg_role role)
{
	switch (role) {
	case KG_ROLE_OTHER:
		return "other";
	case KG_ROLE_IMAGE:
		return "image";
	case KG_ROLE_MODULES:
		return "modules";
	case KG_ROLE_HEADERS:
		return "headers";
	}
	return "other";
}

/* Order of @a and @b, NULL before any text. */
static int compare_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int compare_packages(const void *a, const void *b)
{
	const struct kg_package *x = a;
	const struct kg_package *y = b;
	int order = compare_text(x->name, y->name);

	if (order == 0)
		order = compare_text(x->version, y->version);
	return order != 0 ? order : (int)x->change - (int)y->change;
}

static int compare_kernels(const void *a, const void *b)
{
	const struct kg_plan_kernel *x = a;
	const struct kg_plan_kernel *y = b;

	return compare_text(x->release, y->release);
}

static int compare_sources(const void *a, const void *b)
{
	const struct kg_plan_source *x = a;
	const struct kg_plan_source *y = b;
	int order = compare_text(x->path, y->path);

	if (order == 0)
		order = (int)x->change - (int)y->change;
	return order != 0 ? order : compare_text(x->package, y->package);
}

static int compare_archives(const void *a, const void *b)
{
	const struct kg_plan_archive *x = a;
	const struct kg_plan_archive *y = b;
	int order = compare_text(x->package, y->package);

	return order != 0 ? order : compare_text(x->path, y->path);
}

static void sort_items(void *items, size_t n, size_t size,
		       int (*compare)(const void *, const void *))
{
	if (n > 1)
		qsort(items, n, size, compare);
}

static void plan_sort(struct kg_plan *plan)
{
	for (size_t i = 0; i < plan->n_kernels; i++) {
		struct kg_plan_kernel *k = &plan->kernels[i];

		sort_items(k->packages, k->n_packages, sizeof(*k->packages),
			   compare_packages);
		sort_items(k->headers, k->n_headers, sizeof(*k->headers),
			   compare_packages);
	}
	sort_items(plan->kernels, plan->n_kernels, sizeof(*plan->kernels),
		   compare_kernels);
	sort_items(plan->sources, plan->n_sources, sizeof(*plan->sources),
		   compare_sources);
	sort_items(plan->archives, plan->n_archives, sizeof(*plan->archives),
		   compare_archives);
}

static void *copy_items(struct arena *a, const void *items, size_t n, size_t size)
{
	void *copy = arena_array(a, n, size);

	if (copy != NULL && n > 0)
		memcpy(copy, items, n * size);
	return copy;
}

/* The same texts in lists of their own, to be sorted without the owner seeing it. */
static int plan_copy(const struct kg_plan *plan, struct arena *a, struct kg_plan *copy)
{
	*copy = *plan;
	copy->kernels =
		copy_items(a, plan->kernels, plan->n_kernels, sizeof(*plan->kernels));
	copy->sources =
		copy_items(a, plan->sources, plan->n_sources, sizeof(*plan->sources));
	copy->archives =
		copy_items(a, plan->archives, plan->n_archives, sizeof(*plan->archives));
	for (size_t i = 0; !a->failed && i < copy->n_kernels; i++) {
		struct kg_plan_kernel *k = &copy->kernels[i];

		k->packages =
			copy_items(a, k->packages, k->n_packages, sizeof(*k->packages));
		k->headers = copy_items(a, k->headers, k->n_headers, sizeof(*k->headers));
	}
	return a->failed ? -ENOMEM : 0;
}

int plan_digest(const struct kg_plan *plan, char ret_hex[DIGEST_HEX_SIZE],
		struct kg_err *err)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	_cleanup_str_ struct str body = { 0 };
	struct kg_plan sorted;
	int rc = plan_copy(plan, &scratch, &sorted);

	if (rc < 0)
		return kg_fail_errno(err, rc, "digest of the plan");
	plan_sort(&sorted);
	rc = plan_write_body(&sorted, PLAN_BODY_ONLY, &body, err);
	if (rc == 0)
		rc = digest_ready(err); /* plugins have no log */
	if (rc < 0)
		return rc;
	rc = digest_hex(body.p, body.len, ret_hex);
	return rc < 0 ? kg_fail_errno(err, rc, "digest of the plan") : 0;
}

int plan_seal(struct kg_plan *plan, struct kg_err *err)
{
	char hex[DIGEST_HEX_SIZE];
	int rc;

	plan_sort(plan);
	rc = plan_digest(plan, hex, err);
	if (rc < 0)
		return rc;
	plan->id = arena_printf(
		&plan->arena, "%s-%ld-%llu-%.*s", plan->manager, (long)plan->owner_pid,
		(unsigned long long)plan->owner_start, PLAN_ID_DIGITS, hex);
	return plan->id == NULL ? kg_fail_errno(err, -ENOMEM, "id of the plan") : 0;
}
