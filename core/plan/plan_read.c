// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/yaml.h"
#include "core/plan/plan.h"

#define PLAN_MAX_SIZE (16u << 20)
#define VERSION_MAX_LEN 255

/* What every function below needs. */
struct plan_reader {
	struct kg_plan *plan;
	struct kg_err *err;
};

static bool is_version(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > VERSION_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '/')
			return false;
	return true;
}

/* Package names are words in every manager but for rpm's file-like provides, never seen here. */
static bool is_line(const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return text[0] != '\0';
}

static bool has_dot_dot(const char *path)
{
	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += len + (path[len] == '/');
	}
	return false;
}

static bool is_absolute(const char *path)
{
	return path[0] == '/' && is_line(path) && strlen(path) < PATH_MAX &&
	       !has_dot_dot(path);
}

typedef bool text_check(const char *text);

/* @key's text if present: it must pass @check. */
static int take_optional(const struct plan_reader *r, const struct yaml_node *map,
			 const char *key, text_check *check, const char **ret_text)
{
	const struct yaml_node *node = yaml_find(map, key);
	const char *text = NULL;
	int rc;

	if (node == NULL)
		return 0;
	rc = yaml_get_optional(map, key, &text, r->err);
	if (rc < 0)
		return rc;
	if (!check(text))
		return kg_fail(r->err, -KGE_FORMAT, "line %u: not a valid %s: '%.80s'",
			       node->line, key, text);
	*ret_text = text;
	return 0;
}

static int take(const struct plan_reader *r, const struct yaml_node *map, const char *key,
		text_check *check, const char **ret_text)
{
	if (yaml_find(map, key) == NULL)
		return kg_fail(r->err, -KGE_FORMAT, "line %u: '%s' is missing", map->line,
			       key);
	return take_optional(r, map, key, check, ret_text);
}

static int take_change(const struct plan_reader *r, const struct yaml_node *map,
		       enum kg_change *ret_change)
{
	static const enum kg_change all[] = { KG_CHANGE_STAYS, KG_CHANGE_ENTERS,
					      KG_CHANGE_CHANGES, KG_CHANGE_LEAVES };
	const char *text = NULL;
	int rc = take(r, map, "change", is_line, &text);

	if (rc < 0 || text == NULL)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(plan_change_text(all[i]), text) == 0) {
			*ret_change = all[i];
			return 0;
		}
	}
	return kg_fail(r->err, -KGE_FORMAT, "line %u: not a valid change: '%.80s'",
		       yaml_find(map, "change")->line, text);
}

static int take_role(const struct plan_reader *r, const struct yaml_node *map,
		     enum kg_role absent, enum kg_role *ret_role)
{
	static const enum kg_role all[] = { KG_ROLE_OTHER, KG_ROLE_IMAGE, KG_ROLE_MODULES,
					    KG_ROLE_HEADERS };
	const char *text = plan_role_text(absent);
	int rc = take_optional(r, map, "role", is_line, &text);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(plan_role_text(all[i]), text) == 0) {
			*ret_role = all[i];
			return 0;
		}
	}
	return kg_fail(r->err, -KGE_FORMAT, "line %u: not a valid role: '%.80s'",
		       yaml_find(map, "role")->line, text);
}

static int read_package(const struct plan_reader *r, const struct yaml_node *node,
			enum kg_role role, struct kg_package *ret)
{
	static const char *const known[] = { "name", "version", "role", "change", NULL };
	int rc = yaml_expect_map(node, "a package", known, r->err);

	if (rc == 0)
		rc = take(r, node, "name", name_is_package, &ret->name);
	if (rc == 0)
		rc = take(r, node, "version", is_version, &ret->version);
	if (rc == 0)
		rc = take_role(r, node, role, &ret->role);
	if (rc == 0)
		rc = take_change(r, node, &ret->change);
	return rc;
}

/* The list under @key, which must be there: an empty list is said, not left out. */
static int take_list(const struct plan_reader *r, const struct yaml_node *map,
		     const char *key, const struct yaml_node **ret_list)
{
	const struct yaml_node *list = yaml_find(map, key);

	if (list == NULL)
		return kg_fail(r->err, -KGE_FORMAT, "line %u: '%s' is missing", map->line,
			       key);
	*ret_list = list;
	return yaml_expect_list(list, key, r->err);
}

static int read_packages(const struct plan_reader *r, const struct yaml_node *map,
			 const char *key, enum kg_role role,
			 struct kg_package **ret_packages)
{
	const struct yaml_node *list = NULL;
	struct kg_package *packages;
	int rc = take_list(r, map, key, &list);

	if (rc < 0 || list == NULL)
		return rc;
	packages = arena_array(&r->plan->arena, list->n, sizeof(*packages));
	if (packages == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading the plan");
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		rc = read_package(r, list->items[i], role, &packages[i]);
	*ret_packages = packages;
	return rc;
}

static int read_kernel_packages(const struct plan_reader *r, const struct yaml_node *node,
				struct kg_plan_kernel *ret)
{
	int rc = read_packages(r, node, "packages", KG_ROLE_OTHER, &ret->packages);

	if (rc == 0)
		rc = read_packages(r, node, "headers", KG_ROLE_HEADERS, &ret->headers);
	if (rc < 0)
		return rc;
	ret->n_packages = yaml_find(node, "packages")->n;
	ret->n_headers = yaml_find(node, "headers")->n;
	return 0;
}

static int read_kernel(const struct plan_reader *r, const struct yaml_node *node,
		       struct kg_plan_kernel *ret)
{
	static const char *const known[] = { "release", "arch",	    "flavour", "change",
					     "hint",	"packages", "headers", NULL };
	int rc = yaml_expect_map(node, "a kernel", known, r->err);

	ret->flavour = "";
	if (rc == 0)
		rc = take(r, node, "release", name_is_word, &ret->release);
	if (rc == 0)
		rc = take(r, node, "arch", name_is_word, &ret->arch);
	if (rc == 0)
		rc = take_optional(r, node, "flavour", name_is_word, &ret->flavour);
	if (rc == 0)
		rc = take_optional(r, node, "hint", is_line, &ret->hint);
	if (rc == 0)
		rc = take_change(r, node, &ret->change);
	if (rc == 0)
		rc = read_kernel_packages(r, node, ret);
	return rc;
}

static int read_source(const struct plan_reader *r, const struct yaml_node *node,
		       struct kg_plan_source *ret)
{
	static const char *const known[] = { "path", "change", "package", "version",
					     NULL };
	int rc = yaml_expect_map(node, "a source", known, r->err);

	if (rc == 0)
		rc = take(r, node, "path", name_is_path, &ret->path);
	if (rc == 0)
		rc = take(r, node, "package", name_is_package, &ret->package);
	if (rc == 0)
		rc = take_optional(r, node, "version", is_version, &ret->version);
	if (rc == 0)
		rc = take_change(r, node, &ret->change);
	return rc;
}

static int read_archive(const struct plan_reader *r, const struct yaml_node *node,
			struct kg_plan_archive *ret)
{
	static const char *const known[] = { "package", "version", "path", "change",
					     "role",	"release", NULL };
	int rc = yaml_expect_map(node, "an archive", known, r->err);

	if (rc == 0)
		rc = take(r, node, "package", name_is_package, &ret->package);
	if (rc == 0)
		rc = take(r, node, "version", is_version, &ret->version);
	if (rc == 0)
		rc = take(r, node, "path", is_absolute, &ret->path);
	if (rc == 0)
		rc = take_optional(r, node, "release", name_is_word, &ret->release);
	if (rc == 0)
		rc = take_role(r, node, KG_ROLE_OTHER, &ret->role);
	if (rc == 0)
		rc = take_change(r, node, &ret->change);
	return rc;
}

static int check_kernels_unique(const struct plan_reader *r)
{
	const struct kg_plan *plan = r->plan;

	for (size_t i = 0; i < plan->n_kernels; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(plan->kernels[i].release, plan->kernels[j].release) ==
			    0)
				return kg_fail(r->err, -KGE_FORMAT,
					       "kernel %s is there twice",
					       plan->kernels[i].release);
	return 0;
}

#define KERNELS_MAX 1000

static int read_kernels(const struct plan_reader *r, const struct yaml_node *root)
{
	struct kg_plan *plan = r->plan;
	const struct yaml_node *list = NULL;
	int rc = take_list(r, root, "kernels", &list);

	if (rc < 0 || list == NULL)
		return rc;
	if (list->n > KERNELS_MAX)
		return kg_fail(r->err, -KGE_LIMIT, "line %u: more than %d kernels",
			       list->line, KERNELS_MAX);
	plan->kernels = arena_array(&plan->arena, list->n, sizeof(*plan->kernels));
	if (plan->kernels == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading the plan");
	plan->n_kernels = list->n;
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		rc = read_kernel(r, list->items[i], &plan->kernels[i]);
	return rc < 0 ? rc : check_kernels_unique(r);
}

static int read_sources(const struct plan_reader *r, const struct yaml_node *root)
{
	struct kg_plan *plan = r->plan;
	const struct yaml_node *list = NULL;
	int rc = take_list(r, root, "sources", &list);

	if (rc < 0 || list == NULL)
		return rc;
	plan->sources = arena_array(&plan->arena, list->n, sizeof(*plan->sources));
	if (plan->sources == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading the plan");
	plan->n_sources = list->n;
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		rc = read_source(r, list->items[i], &plan->sources[i]);
	return rc;
}

static int read_archives(const struct plan_reader *r, const struct yaml_node *root)
{
	struct kg_plan *plan = r->plan;
	const struct yaml_node *list = NULL;
	int rc = take_list(r, root, "archives", &list);

	if (rc < 0 || list == NULL)
		return rc;
	plan->archives = arena_array(&plan->arena, list->n, sizeof(*plan->archives));
	if (plan->archives == NULL)
		return kg_fail_errno(r->err, -ENOMEM, "reading the plan");
	plan->n_archives = list->n;
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		rc = read_archive(r, list->items[i], &plan->archives[i]);
	return rc;
}

static int read_owner(const struct plan_reader *r, const struct yaml_node *root)
{
	static const char *const known[] = { "pid", "start", NULL };
	const struct yaml_node *node = yaml_find(root, "owner");
	uint64_t pid = 0;
	int rc;

	if (node == NULL)
		return kg_fail(r->err, -KGE_FORMAT, "line %u: 'owner' is missing",
			       root->line);
	rc = yaml_expect_map(node, "owner", known, r->err);
	if (rc == 0)
		rc = yaml_get_u64(node, "pid", &pid, r->err);
	if (rc == 0)
		rc = yaml_get_u64(node, "start", &r->plan->owner_start, r->err);
	if (rc < 0)
		return rc;
	if (pid < 1 || pid > INT_MAX)
		return kg_fail(r->err, -KGE_FORMAT, "line %u: not a process id: %llu",
			       node->line, (unsigned long long)pid);
	r->plan->owner_pid = (pid_t)pid;
	return 0;
}

static int read_version(const struct plan_reader *r, const struct yaml_node *root)
{
	uint64_t version = 0;
	int rc = yaml_get_u64(root, "kmodgate-plan", &version, r->err);

	if (rc < 0)
		return rc;
	if (version != KG_PLAN_VERSION)
		return kg_fail(r->err, -KGE_FORMAT,
			       "line %u: plan format %llu, this kmodgate reads %d",
			       yaml_find(root, "kmodgate-plan")->line,
			       (unsigned long long)version, KG_PLAN_VERSION);
	return 0;
}

static int read_head(const struct plan_reader *r, const struct yaml_node *root)
{
	struct kg_plan *plan = r->plan;
	int rc = read_version(r, root);

	if (rc == 0)
		rc = take_optional(r, root, "id", name_is_word, &plan->id);
	if (rc == 0)
		rc = take(r, root, "manager", name_is_word, &plan->manager);
	if (rc == 0)
		rc = read_owner(r, root);
	if (rc == 0)
		rc = take(r, root, "root", is_absolute, &plan->root);
	if (rc == 0 && yaml_find(root, "growth-bytes") != NULL)
		rc = yaml_get_u64(root, "growth-bytes", &plan->growth_bytes, r->err);
	if (rc == 0)
		rc = take_optional(r, root, "removed", is_absolute, &plan->removed);
	return rc;
}

static int read_plan(const struct plan_reader *r, const struct yaml_node *root)
{
	static const char *const known[] = { "kmodgate-plan", "id",	 "manager",
					     "owner",	      "root",	 "growth-bytes",
					     "kernels",	      "sources", "archives",
					     "removed",	      NULL };
	int rc = yaml_expect_map(root, "a plan", known, r->err);

	if (rc == 0)
		rc = read_head(r, root);
	if (rc == 0)
		rc = read_kernels(r, root);
	if (rc == 0)
		rc = read_sources(r, root);
	if (rc == 0)
		rc = read_archives(r, root);
	if (rc == 0 && r->plan->id == NULL)
		rc = plan_seal(r->plan, r->err);
	return rc;
}

int plan_read(const char *text, size_t len, struct kg_plan *ret_plan, struct kg_err *err)
{
	struct kg_plan plan = { 0 };
	struct plan_reader r = { .plan = &plan, .err = err };
	struct yaml_node *root;
	int rc = yaml_parse(text, len, &plan.arena, &root, err);

	if (rc == 0)
		rc = read_plan(&r, root);
	if (rc < 0) {
		plan_fini(&plan);
		return rc;
	}
	*ret_plan = plan;
	return 0;
}

int plan_read_fd(int fd, struct kg_plan *ret_plan, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int rc = fd_read_all(fd, PLAN_MAX_SIZE, &text, &len);

	if (rc < 0)
		return kg_fail_errno(err, rc, "reading the plan");
	return plan_read(text, len, ret_plan, err);
}
