// SPDX-License-Identifier: GPL-2.0-or-later
/* Modules leave a kernel: files, active link, originals back, one depmod. */
#include <string.h>

#include "core/base/log.h"
#include "core/run/run.h"

/* One entry on its way out. */
struct leaving {
	const struct reg_entry *entry;
	struct kg_source source;
};

static struct reg_archive archive_of(const struct reg_entry *e)
{
	return (struct reg_archive){ .name = e->name,
				     .release = e->release,
				     .arch = e->arch };
}

static int withdraw_ours(struct run *run, const struct leaving *l, struct kg_err *err)
{
	const struct reg_entry *e = l->entry;
	const char *const *files = NULL;
	struct run_set rs;
	int r;

	if (run_open_registered(run, &l->source, e->release, e->arch, &rs) < 0)
		return 0; /* nobody can say which files were its */
	r = run_list_ours(run, &rs, &files, err);
	if (r == 0)
		run_weak_modules(run, RUN_WEAK_REMOVE, &l->source, e->release, files);
	if (r == 0)
		r = set_withdraw(run->sys, run->txn, e->release, files, err);
	run_set_fini(&rs);
	return r;
}

static int take_off(struct run *run, const struct leaving *l, struct kg_err *err)
{
	const struct reg_archive archive = archive_of(l->entry);
	int r = withdraw_ours(run, l, err);

	return r < 0 ? r : run_return_originals(run->sys, run->txn, &archive, err);
}

/* The link goes last: until then a killed uninstall is an install with differences. */
static int forget(struct run *run, const struct leaving *l, struct kg_err *err)
{
	const struct reg_entry *e = l->entry;
	const struct reg_archive archive = archive_of(e);
	struct kg_err script_err = { 0 };
	int r = reg_clear_active(run->sys, e->name, e->release, e->arch, err);

	if (r == 0)
		r = reg_drop_originals(run->sys, &archive, err);
	if (r == 0 &&
	    run_hook(run, &l->source, e->release, RUN_POST_REMOVE, &script_err) < 0)
		kg_warning("%s", script_err.text);
	return r;
}

static int close_swap(struct run *run, const char *release, struct kg_err *err)
{
	if (run->target != NULL && run->target->no_depmod)
		return depmod_skip(run->sys, release, err);
	return depmod_run(run->sys, release, NULL, err);
}

static struct kg_source source_of(struct run *run, const struct reg_entry *e)
{
	struct kg_source source = { .name = e->name, .version = e->version };

	if (reg_find_source(run->sys, e->name, e->version, &run->arena, &source, NULL) <
	    0)
		source.path = arena_printf(&run->arena, "%s/%s-%s", run->sys->source_tree,
					   e->name, e->version);
	source.path = source.path ?: "";
	return source;
}

/* Those that are to be taken off; a set that the live transaction placed only loses its link. */
static int list_leaving(struct run *run, const char *release,
			const struct reg_entry *entries, size_t n,
			struct leaving **ret_leaving, size_t *ret_n)
{
	struct leaving *v = arena_array(&run->arena, n + 1, sizeof(*v));
	int r = v == NULL ? -ENOMEM : 0;

	*ret_leaving = v;
	*ret_n = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct reg_entry *e = &entries[i];
		const struct kg_source source = { .name = e->name,
						  .version = e->version };

		if (e->release == NULL || strcmp(e->release, release) != 0 ||
		    !run_is_installed(run, &source, e->release, e->arch))
			continue;
		if (run_is_placed_by_txn(run, e->name, e->version, e->release))
			r = reg_clear_active(run->sys, e->name, e->release, e->arch,
					     NULL);
		else
			v[(*ret_n)++] = (struct leaving){ .entry = e,
							  .source = source_of(run, e) };
	}
	return r;
}

int run_uninstall(struct run *run, const char *release, const struct reg_entry *entries,
		  size_t n, struct kg_err *err)
{
	struct leaving *leaving = NULL;
	size_t n_leaving = 0;
	int r = list_leaving(run, release, entries, n, &leaving, &n_leaving);

	if (r < 0)
		return kg_fail_errno(err, r, "%s: cannot take its modules off", release);
	for (size_t i = 0; r == 0 && i < n_leaving; i++)
		r = take_off(run, &leaving[i], err);
	if (r < 0) {
		if (set_undo(run->sys, release, NULL) < 0)
			kg_warning("%s: a half-done change is left to `kmodgate recover`",
				   release);
		return r;
	}
	if (n_leaving > 0)
		r = close_swap(run, release, err);
	for (size_t i = 0; r == 0 && i < n_leaving; i++)
		r = forget(run, &leaving[i], err);
	return r;
}

/* ---- remove ---- */

/* All of one release. */
static int remove_group(struct run *run, const struct reg_entry *entries, size_t n,
			struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && run->txn != NULL && i < n; i++)
		r = run_save_built(run, &entries[i], err);
	if (r == 0)
		r = run_uninstall(run, entries[0].release, entries, n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = reg_remove_built(run->sys, entries[i].name, entries[i].version,
				     entries[i].release, entries[i].arch, err);
	return r;
}

int run_remove_entries(struct run *run, const struct reg_entry *entries, size_t n,
		       struct kg_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n;) {
		size_t len = 1;

		if (entries[i].release == NULL) {
			i++;
			continue;
		}
		while (i + len < n && entries[i + len].release != NULL &&
		       strcmp(entries[i].release, entries[i + len].release) == 0)
			len++;
		r = remove_group(run, &entries[i], len, err);
		i += len;
	}
	return r;
}
