// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels and module sources of the plan. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "plugins/apt/content.h"
#include "plugins/apt/planner.h"

static const char *const image_paths[] = {
	"/boot/vmlinuz-%s", "/lib/modules/%s/vmlinuz", "/usr/lib/modules/%s/vmlinuz",
	"/boot/vmlinux-%s", "/lib/modules/%s/vmlinux", "/usr/lib/modules/%s/vmlinux",
};

/* image_paths[@i] for @release. */
static const char *image_path(struct arena *a, size_t i, const char *release)
{
	_cleanup_str_ struct str path = { 0 };
	const char *hole = strstr(image_paths[i], "%s");

	str_addn(&path, image_paths[i], (size_t)(hole - image_paths[i]));
	str_add(&path, release);
	str_add(&path, hole + 2);
	return arena_strdup(a, str_get(&path));
}

bool planner_is_image_there(struct planner *p, const char *release)
{
	for (size_t i = 0; i < ARRAY_SIZE(image_paths); i++) {
		const char *path = image_path(&p->txn->arena, i, release);

		if (path != NULL && access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* ---- the image's package when it is not part of the transaction ---- */

static bool note_image(const char *path, size_t len, void *data)
{
	const char **release = data;
	struct content what = content_of(path, len);

	if (what.bit != CONTENT_IMAGE || strlen(*release) != what.release_len ||
	    memcmp(*release, what.release, what.release_len) != 0)
		return true;
	*release = NULL;
	return false;
}

static bool has_image(const struct db_package *pkg, const char *release)
{
	(void)db_each_file_of(pkg, note_image, &release);
	return release == NULL;
}

/* The usual names first: looking through every file list takes 100 ms. */
const struct db_package *planner_image_package(struct planner *p, const char *release)
{
	static const char *const names[] = { "linux-image-", "linux-binary-",
					     "linux-image-unsigned-" };
	const struct db *db = &p->txn->db;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name =
			arena_printf(&p->txn->arena, "%s%s", names[i], release);
		const struct db_package *pkg =
			name != NULL ? db_find(db, name, NULL) : NULL;

		if (pkg != NULL && has_image(pkg, release))
			return pkg;
	}
	for (size_t i = 0; i < ARRAY_SIZE(image_paths); i++) {
		const char *path = image_path(&p->txn->arena, i, release);
		const struct db_package *pkg;

		if (path == NULL || access(path, F_OK) < 0)
			continue;
		pkg = db_owner(db, path);
		if (pkg != NULL)
			return pkg;
	}
	return NULL;
}

/* ---- kernels ---- */

static struct kg_plan_kernel *find_kernel(struct planner *p, const char *release)
{
	for (size_t i = 0; i < p->plan->n_kernels; i++)
		if (strcmp(p->plan->kernels[i].release, release) == 0)
			return &p->plan->kernels[i];
	return NULL;
}

static void add_package(struct planner *p, struct kg_plan_kernel *k,
			const struct kg_package *package)
{
	struct kg_package *slot = ARENA_ADD(&p->plan->arena, k->packages, k->n_packages);

	if (slot != NULL)
		*slot = *package;
}

/* What all packages together say about @release. */
struct release_facts {
	unsigned int before;
	unsigned int after;
	const char *image_version;
	const char *arch;
};

static void gather(const struct txn *txn, const char *release, struct release_facts *ret)
{
	*ret = (struct release_facts){ .arch = "" };
	for (size_t i = 0; i < txn->n; i++) {
		const struct txn_package *pkg = &txn->packages[i];
		unsigned int after = txn_bits_of(&pkg->after, release);
		unsigned int before = txn_bits_of(&pkg->before, release);

		ret->before |= before;
		ret->after |= after;
		if (((before | after) & CONTENT_IMAGE) != 0 || ret->arch[0] == '\0')
			ret->arch = (before | after) != 0 ? pkg->arch : ret->arch;
		if ((after & CONTENT_IMAGE) != 0)
			ret->image_version = pkg->new_version;
	}
}

/* -1: not a kernel that is or will be there. */
static int judge_change(struct planner *p, const char *release,
			const struct release_facts *f)
{
	bool is_there =
		(f->before & CONTENT_IMAGE) != 0 || planner_is_image_there(p, release);

	if ((f->after & CONTENT_IMAGE) != 0)
		return is_there ? KG_CHANGE_CHANGES : KG_CHANGE_ENTERS;
	if ((f->before & CONTENT_IMAGE) != 0)
		return KG_CHANGE_LEAVES;
	return is_there ? KG_CHANGE_CHANGES : -1;
}

static void add_kernel_packages(struct planner *p, struct kg_plan_kernel *k)
{
	const unsigned int of_kernel = CONTENT_IMAGE | CONTENT_MODULES;

	for (size_t i = 0; i < p->txn->n; i++) {
		const struct txn_package *pkg = &p->txn->packages[i];
		unsigned int before = txn_bits_of(&pkg->before, k->release) & of_kernel;
		unsigned int after = txn_bits_of(&pkg->after, k->release) & of_kernel;

		if ((before | after) == 0)
			continue;
		add_package(p, k,
			    &(struct kg_package){
				    .name = pkg->name,
				    .version = after != 0 ? pkg->new_version
							  : pkg->old_version,
				    .role = ((before | after) & CONTENT_IMAGE) != 0
						    ? KG_ROLE_IMAGE
						    : KG_ROLE_MODULES,
				    .change = planning_change(before != 0, after != 0) });
	}
}

/* The image's own package, which stays as it is: settle must know whose kernel it is. */
static const char *add_staying_image(struct planner *p, struct kg_plan_kernel *k)
{
	const struct db_package *pkg = planner_image_package(p, k->release);

	if (pkg == NULL)
		return NULL;
	add_package(p, k,
		    &(struct kg_package){ .name = pkg->name,
					  .version = pkg->version,
					  .role = KG_ROLE_IMAGE,
					  .change = KG_CHANGE_STAYS });
	k->arch = txn_kernel_arch(pkg->arch);
	return pkg->version;
}

static int add_kernel(struct planner *p, const char *release, enum kg_change change,
		      const struct release_facts *facts)
{
	struct kg_plan_kernel *k =
		ARENA_ADD(&p->plan->arena, p->plan->kernels, p->plan->n_kernels);
	const char **version =
		ARENA_ADD(&p->plan->arena, p->image_versions, p->n_image_versions);

	if (k == NULL || version == NULL)
		return -ENOMEM;
	*k = (struct kg_plan_kernel){
		.release = release,
		.arch = txn_kernel_arch(facts->arch),
		.flavour = planner_flavour(p, release),
		.hint = arena_printf(&p->plan->arena, "linux-headers-%s", release),
		.change = change,
	};
	*version = facts->image_version;
	add_kernel_packages(p, k);
	if (*version == NULL && change != KG_CHANGE_LEAVES)
		*version = add_staying_image(p, k);
	return 0;
}

static int consider_release(struct planner *p, const char *release, struct kg_err *err)
{
	struct release_facts facts;
	int change;
	int r;

	if (find_kernel(p, release) != NULL)
		return 0;
	gather(p->txn, release, &facts);
	if (((facts.before | facts.after) & (CONTENT_IMAGE | CONTENT_MODULES)) == 0)
		return 0;
	change = judge_change(p, release, &facts);
	if (change < 0)
		return 0;
	r = add_kernel(p, release, (enum kg_change)change, &facts);
	return r < 0 ? kg_fail_errno(err, r, "making the plan") : 0;
}

static int consider_parts(struct planner *p, const struct txn_contents *c,
			  struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_parts; i++)
		r = consider_release(p, c->parts[i].release, err);
	return r;
}

int planner_add_kernels(struct planner *p, struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->txn->n; i++) {
		r = consider_parts(p, &p->txn->packages[i].after, err);
		if (r == 0)
			r = consider_parts(p, &p->txn->packages[i].before, err);
	}
	return r;
}

/* ---- module sources ---- */

static void add_source(struct planner *p, const struct txn_package *pkg, const char *path,
		       enum kg_change change)
{
	struct kg_plan_source *s =
		ARENA_ADD(&p->plan->arena, p->plan->sources, p->plan->n_sources);

	if (s == NULL)
		return;
	*s = (struct kg_plan_source){
		.path = path,
		.change = change,
		.package = pkg->name,
		.version =
			change == KG_CHANGE_LEAVES ? pkg->old_version : pkg->new_version,
	};
}

/* Another package of this transaction brings the same path: it moved. */
static bool is_brought(const struct planner *p, const char *path)
{
	for (size_t i = 0; i < p->txn->n; i++)
		if (txn_has_source(&p->txn->packages[i].after, path))
			return true;
	return false;
}

static bool is_taken(const struct planner *p, const char *path)
{
	for (size_t i = 0; i < p->txn->n; i++)
		if (txn_has_source(&p->txn->packages[i].before, path))
			return true;
	return false;
}

static void add_sources_of(struct planner *p, const struct txn_package *pkg)
{
	for (size_t i = 0; i < pkg->after.n_sources; i++) {
		const char *path = pkg->after.sources[i];

		if (name_is_path(path))
			add_source(p, pkg, path,
				   planning_change(is_taken(p, path), true));
	}
	for (size_t i = 0; i < pkg->before.n_sources; i++) {
		const char *path = pkg->before.sources[i];

		if (name_is_path(path) && !is_brought(p, path))
			add_source(p, pkg, path, KG_CHANGE_LEAVES);
	}
}

static bool sources_come(const struct planner *p)
{
	for (size_t i = 0; i < p->plan->n_sources; i++)
		if (p->plan->sources[i].change != KG_CHANGE_LEAVES)
			return true;
	return false;
}

/* Every other kernel that is there: the sources may have to be built for it. */
static int add_staying_kernels(struct planner *p, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = opendir("/lib/modules");
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		struct release_facts facts = { .arch = p->txn->native_arch };
		int r;

		if (!name_is_word(entry->d_name) ||
		    find_kernel(p, entry->d_name) != NULL ||
		    !planner_is_image_there(p, entry->d_name))
			continue;
		r = add_kernel(p, arena_strdup(&p->plan->arena, entry->d_name),
			       KG_CHANGE_STAYS, &facts);
		if (r < 0)
			return kg_fail_errno(err, r, "making the plan");
	}
	return 0;
}

int planner_add_sources(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->txn->n; i++)
		add_sources_of(p, &p->txn->packages[i]);
	return sources_come(p) ? add_staying_kernels(p, err) : 0;
}
