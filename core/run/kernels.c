// SPDX-License-Identifier: GPL-2.0-or-later
/* unbuild, and what DKMS does to all modules of a kernel that comes or goes. */
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/command.h"

int kg_dkms_unbuild(const struct kg_system *sys, const struct kg_target *target,
		    struct kg_err *err)
{
	const struct reg_entry e = { .name = target->name,
				     .version = target->version,
				     .release = target->release,
				     .arch = target->arch };
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	_cleanup_close_ int built_fd = -1;
	int r = run_command_begin_for(&c, sys, target, err);

	if (r < 0)
		return r;
	built_fd = reg_open_built(sys, e.name, e.version, e.release, e.arch, NULL);
	if (built_fd == -ENOENT) {
		kg_info("%s: %s/%s is not built (%s)", e.release, e.name, e.version,
			e.arch);
		return 0;
	}
	r = run_remove_entries(&c.run, &e, 1, err);
	if (r == 0)
		kg_info("%s: what was built of %s/%s is gone (%s)", e.release, e.name,
			e.version, e.arch);
	return r;
}

/* ---- a kernel ---- */

static void note_failure(const struct reg_entry *e, struct str *failed,
			 const struct kg_err *why, int r)
{
	kg_error("%s: %s/%s: %s", e->release, e->name, e->version, kg_err_text(why, r));
	str_addf(failed, " %s/%s", e->name, e->version);
}

/* Only these come back by themselves when the kernel is there. */
int run_wants_autoinstall(struct run *run, const struct reg_entry *e, struct kg_err *err)
{
	struct kg_recipe recipe = { 0 };
	_cleanup_close_ int source_fd = -1;
	struct kg_source source;
	int r = reg_find_source(run->sys, e->name, e->version, &run->arena, &source, err);

	if (r == 0) {
		source_fd = run_open_source(run, &source, err);
		r = source_fd < 0 ? source_fd : 0;
	}
	if (r == 0)
		r = run_read_recipe(run, &source, source_fd,
				    run_find_release(run, e->release), &recipe, err);
	if (r < 0)
		return r;
	r = recipe.autoinstall;
	recipe_fini(&recipe);
	return r;
}

/* What has to go, in an array of its own. */
static int choose(struct run *run, const struct kg_target *target, bool comes_back,
		  const struct reg_list *list, struct reg_entry **ret_chosen,
		  size_t *ret_n, struct str *ret_failed)
{
	struct reg_entry *chosen = NULL;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct reg_entry *e = &list->entries[i];
		struct kg_err why = { 0 };
		struct reg_entry *slot;
		int r;

		if (e->release == NULL || e->state == REG_INSTALLED_WEAK ||
		    strcmp(e->release, target->release) != 0 ||
		    strcmp(e->arch, target->arch) != 0)
			continue;
		r = comes_back ? run_wants_autoinstall(run, e, &why) : 1;
		if (r < 0)
			note_failure(e, ret_failed, &why, r);
		if (r <= 0)
			continue;
		slot = ARENA_ADD(&run->arena, chosen, n);
		if (slot == NULL)
			return -ENOMEM;
		*slot = *e;
	}
	*ret_chosen = chosen;
	*ret_n = n;
	return 0;
}

/* All at once, with one depmod; where that fails each by itself: one must not keep the others. */
static int take_off(struct run *run, const struct reg_entry *entries, size_t n,
		    struct str *ret_failed)
{
	int all = n > 0 ? run_remove_entries(run, entries, n, NULL) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct reg_entry *e = &entries[i];
		struct kg_err why = { 0 };
		int r = all == 0 ? 0 : run_remove_entries(run, e, 1, &why);

		if (r == -KGE_CANCELLED)
			return r;
		if (r < 0)
			note_failure(e, ret_failed, &why, r);
		else
			kg_info("%s: %s/%s is taken off (%s)", e->release, e->name,
				e->version, e->arch);
	}
	return 0;
}

static int take_all_off(struct run *run, const struct kg_target *target, bool comes_back,
			struct str *ret_failed, struct kg_err *err)
{
	const struct reg_filter all = { 0 };
	struct reg_list list = { 0 };
	struct reg_entry *chosen = NULL;
	size_t n = 0;
	int r = reg_list_read(run->sys, &all, REG_NO_COMPARE, &list, err);

	if (r < 0)
		return r;
	r = choose(run, target, comes_back, &list, &chosen, &n, ret_failed);
	if (r == 0)
		r = take_off(run, chosen, n, ret_failed);
	reg_list_fini(&list);
	return r < 0 ? kg_fail_errno(err, r, "%s", target->release) : 0;
}

static int serve_kernel(const struct kg_system *sys, const struct kg_target *target,
			bool comes_back, struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	_cleanup_str_ struct str failed = { 0 };
	int r = run_command_begin_for(&c, sys, target, err);

	/* A gate has placed what this kernel will have: nothing of it may go. */
	if (r == 0 && run_is_coming_back(sys, target->release))
		return 0;
	if (r == 0)
		r = take_all_off(&c.run, target, comes_back, &failed, err);
	if (r == 0)
		run_prune_release(&c.run, target->release);
	if (r == 0 && failed.len > 0)
		r = kg_fail(err, -KGE_BUILD, "%s: not taken off:%s", target->release,
			    str_get(&failed));
	return r;
}

int kg_dkms_kernel_preinst(const struct kg_system *sys, const struct kg_target *target,
			   struct kg_err *err)
{
	return serve_kernel(sys, target, true, err);
}

int kg_dkms_kernel_prerm(const struct kg_system *sys, const struct kg_target *target,
			 struct kg_err *err)
{
	return serve_kernel(sys, target, false, err);
}
