// SPDX-License-Identifier: GPL-2.0-or-later
/* `dkms status`: reads, never locks, never forks. Scripts parse these lines: DKMS's own text. */
#include <stdio.h>

#include "core/cli/dkms_action.h"
#include "core/registry/registry.h"

static void print_entry(const struct reg_entry *e)
{
	const char *state = reg_state_text(e->state);

	switch (e->state) {
	case REG_BROKEN:
		printf("%s/%s: %s\n", e->name, e->version, state);
		fprintf(stderr,
			"dkms: error: %s/%s: its source folder, or the link to it, is gone; put it "
			"back, or delete the entry from the dkms tree by hand\n",
			e->name, e->version);
		return;
	case REG_ADDED:
		printf("%s/%s: %s\n", e->name, e->version, state);
		return;
	case REG_INSTALLED_WEAK:
		printf("%s, %s, %s, %s: %s from %s\n", e->name, e->version, e->release,
		       e->arch, state, e->weak_from);
		return;
	case REG_BUILT:
	case REG_INSTALLED:
		printf("%s/%s, %s, %s: %s%s%s%s\n", e->name, e->version, e->release,
		       e->arch, state, e->has_original ? " (Original modules exist)" : "",
		       e->misses_installed
			       ? " (Built modules are missing in the kernel modules folder)"
			       : "",
		       e->differs_installed
			       ? " (Differences between built and installed modules)"
			       : "");
		return;
	}
}

static int print_fitting(struct dkms_call *call, const char *release, const char *arch)
{
	const struct reg_filter filter = {
		.name = call->args->module,
		.version = call->args->version,
		.release = release,
		.arch = arch,
	};
	struct reg_list list = { 0 };
	int r = reg_list_read(&call->sys, &filter, REG_COMPARE, &list, &call->err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		print_entry(&list.entries[i]);
	reg_list_fini(&list);
	if (r == 0)
		r = reg_list_weak(&call->sys, &filter, &list, &call->err);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		print_entry(&list.entries[i]);
	reg_list_fini(&list);
	return r;
}

int dkms_run_status(struct dkms_call *call)
{
	const struct strv *releases = &call->args->releases;
	const struct strv *arches = &call->args->arches;
	int r = 0;

	if (releases->n == 0)
		r = print_fitting(call, NULL, arches->n > 0 ? arches->v[0] : NULL);
	for (size_t i = 0; r == 0 && i < releases->n; i++) {
		const char *arch = NULL;

		if (arches->n > 0)
			arch = arches->n == 1 ? arches->v[0] : arches->v[i];
		r = print_fitting(call, releases->v[i], arch);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = kg_fail_errno(&call->err, -errno, "cannot write the status");
	return r;
}
