// SPDX-License-Identifier: GPL-2.0-or-later
/* match: on one kernel what is installed on another. */
#include <string.h>

#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

static bool is_wanted(const struct reg_entry *e, const struct kg_target *target,
		      const char *template_release)
{
	return e->state == REG_INSTALLED && strcmp(e->release, template_release) == 0 &&
	       strcmp(e->arch, target->arch) == 0 &&
	       (target->name == NULL || strcmp(e->name, target->name) == 0);
}

/* One that fails does not keep the others from being tried; the first failure counts. */
int kg_dkms_match(const struct kg_system *sys, const struct kg_target *target,
		  const char *template_release, struct kg_err *err)
{
	const struct reg_filter all = { 0 };
	struct reg_list list = { 0 };
	size_t n = 0;
	int first = 0;
	int r = reg_list_read(sys, &all, REG_NO_COMPARE, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct kg_target one = *target;
		struct kg_err why = { 0 };
		int failed;

		if (!is_wanted(&list.entries[i], target, template_release))
			continue;
		n++;
		one.name = list.entries[i].name;
		one.version = list.entries[i].version;
		failed = kg_dkms_install(sys, &one, &why);
		if (failed == -KGE_EXISTS)
			failed = 0;
		if (failed < 0 && first == 0) {
			first = kg_fail(err, failed, "%s", kg_err_text(&why, failed));
			if (err != NULL)
				err->status = why.status;
		} else if (failed < 0)
			kg_error("%s", kg_err_text(&why, failed));
		r = cancel_check(NULL);
	}
	reg_list_fini(&list);
	if (r == 0 && n == 0)
		kg_info("%s: nothing is installed there, so nothing is to be done for %s",
			template_release, target->release);
	return first < 0 ? first : r;
}
