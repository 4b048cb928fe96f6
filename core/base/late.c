// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/late.h"

#include <dlfcn.h>
#include <string.h>

#include "core/base/log.h"

void late_load(const char *soname, const struct late_call *calls, size_t n,
	       struct kg_err *ret_err)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		kg_fail(ret_err, -EOPNOTSUPP,
			"cannot load %s: %s (install its package again)", soname,
			dlerror());
		return;
	}
	for (size_t i = 0; i < n; i++) {
		void *found = dlsym(library, calls[i].name);

		if (found == NULL) {
			kg_fail(ret_err, -EOPNOTSUPP,
				"%s has no %s() (install its package again)", soname,
				calls[i].name);
			return;
		}
		memcpy(calls[i].slot, &found, sizeof(found));
	}
}

int late_result(const struct kg_err *load_err, struct kg_err *err)
{
	if (load_err->code == 0)
		return 0;
	if (err == NULL)
		kg_warning("%s", load_err->text);
	return kg_fail(err, load_err->code, "%s", load_err->text);
}
