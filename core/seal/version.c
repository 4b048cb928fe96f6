// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/seal.h"

#include <stdio.h>

#include "core/seal/module.h"

/* Files of /lib/modules, which depmod and modprobe read as root too: no sandbox here. */
int seal_module_version(int file_fd, struct arena *arena, const char **ret_version,
			struct kg_err *err)
{
	_cleanup_module_ struct module module = MODULE_INIT;
	const char *version = NULL;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	r = module_open(&module, path);
	if (r == 0)
		r = module_info(&module, "version", arena, &version);
	if (r == 0 && version == NULL)
		r = module_info(&module, "srcversion", arena, &version);
	if (r == -ENODATA || r == -ENOENT)
		r = 0; /* no .modinfo at all */
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read a module's version");
	*ret_version = version != NULL ? version : "";
	return 0;
}
