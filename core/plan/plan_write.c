// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "core/base/yaml.h"
#include "core/plan/plan.h"
#include "core/plan/plan_body.h"

static void write_package(struct yaml_writer *w, const struct kg_package *p)
{
	yaml_write_flow_map(w);
	yaml_write_pair(w, "name", p->name);
	yaml_write_pair(w, "version", p->version);
	yaml_write_pair(w, "role", plan_role_text(p->role));
	yaml_write_pair(w, "change", plan_change_text(p->change));
	yaml_write_map_end(w);
}

static void write_packages(struct yaml_writer *w, const char *key,
			   const struct kg_package *packages, size_t n)
{
	yaml_write_key(w, key);
	yaml_write_list(w);
	for (size_t i = 0; i < n; i++)
		write_package(w, &packages[i]);
	yaml_write_list_end(w);
}

static void write_kernel(struct yaml_writer *w, const struct kg_plan_kernel *k)
{
	yaml_write_map(w);
	yaml_write_pair(w, "release", k->release);
	yaml_write_pair(w, "arch", k->arch);
	if (k->flavour != NULL && k->flavour[0] != '\0')
		yaml_write_pair(w, "flavour", k->flavour);
	yaml_write_pair(w, "change", plan_change_text(k->change));
	yaml_write_pair(w, "hint", k->hint);
	write_packages(w, "packages", k->packages, k->n_packages);
	write_packages(w, "headers", k->headers, k->n_headers);
	yaml_write_map_end(w);
}

static void write_source(struct yaml_writer *w, const struct kg_plan_source *s)
{
	yaml_write_map(w);
	yaml_write_pair(w, "path", s->path);
	yaml_write_pair(w, "change", plan_change_text(s->change));
	yaml_write_pair(w, "package", s->package);
	yaml_write_pair(w, "version", s->version);
	yaml_write_map_end(w);
}

static void write_archive(struct yaml_writer *w, const struct kg_plan_archive *a)
{
	yaml_write_map(w);
	yaml_write_pair(w, "package", a->package);
	yaml_write_pair(w, "version", a->version);
	yaml_write_pair(w, "path", a->path);
	yaml_write_pair(w, "change", plan_change_text(a->change));
	yaml_write_pair(w, "role", plan_role_text(a->role));
	yaml_write_pair(w, "release", a->release);
	yaml_write_map_end(w);
}

static void write_owner(struct yaml_writer *w, const struct kg_plan *plan)
{
	yaml_write_key(w, "owner");
	yaml_write_flow_map(w);
	yaml_write_pair_u64(w, "pid", (uint64_t)plan->owner_pid);
	yaml_write_pair_u64(w, "start", plan->owner_start);
	yaml_write_map_end(w);
}

static void write_lists(struct yaml_writer *w, const struct kg_plan *plan)
{
	yaml_write_key(w, "kernels");
	yaml_write_list(w);
	for (size_t i = 0; i < plan->n_kernels; i++)
		write_kernel(w, &plan->kernels[i]);
	yaml_write_list_end(w);
	yaml_write_key(w, "sources");
	yaml_write_list(w);
	for (size_t i = 0; i < plan->n_sources; i++)
		write_source(w, &plan->sources[i]);
	yaml_write_list_end(w);
	yaml_write_key(w, "archives");
	yaml_write_list(w);
	for (size_t i = 0; i < plan->n_archives; i++)
		write_archive(w, &plan->archives[i]);
	yaml_write_list_end(w);
}

static void write_document(struct yaml_writer *w, const struct kg_plan *plan,
			   enum plan_part part)
{
	yaml_write_map(w);
	yaml_write_pair_u64(w, "kmodgate-plan", KG_PLAN_VERSION);
	if (part == PLAN_WHOLE)
		yaml_write_pair(w, "id", plan->id);
	yaml_write_pair(w, "manager", plan->manager);
	if (part == PLAN_WHOLE)
		write_owner(w, plan);
	yaml_write_pair(w, "root", plan->root);
	if (plan->growth_bytes > 0)
		yaml_write_pair_u64(w, "growth-bytes", plan->growth_bytes);
	write_lists(w, plan);
	yaml_write_pair(w, "removed", plan->removed);
	yaml_write_map_end(w);
}

int plan_write_body(const struct kg_plan *plan, enum plan_part part, struct str *out,
		    struct kg_err *err)
{
	struct yaml_writer w;
	int rc = yaml_write_begin(&w);

	if (rc == 0) {
		write_document(&w, plan, part);
		rc = yaml_write_end(&w);
	}
	if (rc == 0) {
		str_addn(out, w.out.p, w.out.len);
		rc = str_ok(out) ? 0 : -ENOMEM;
	}
	yaml_write_fini(&w);
	return rc < 0 ? kg_fail_errno(err, rc, "writing the plan") : 0;
}

int plan_write(const struct kg_plan *plan, struct str *out, struct kg_err *err)
{
	return plan_write_body(plan, PLAN_WHOLE, out, err);
}
