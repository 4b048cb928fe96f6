// SPDX-License-Identifier: GPL-2.0-or-later
/* mktarball, ldtarball. */
#include "core/cli/dkms_action.h"

int dkms_run_mktarball(struct dkms_call *call)
{
	const struct dkms_args *args = call->args;
	struct kg_mktarball how = {
		.name = call->name,
		.version = call->version,
		.contents = args->source_only	  ? KG_TARBALL_SOURCE
			    : args->binaries_only ? KG_TARBALL_BINARIES
						  : KG_TARBALL_ALL,
		.archive = args->archive,
	};
	static const char *const none[] = { NULL };
	int r = args->all ? dkms_list_built(call) : 0;

	if (r < 0)
		return r;
	how.releases =
		call->releases.n > 0 ? (const char *const *)call->releases.v : none;
	how.arches = call->arches.n > 0 ? (const char *const *)call->arches.v : none;
	return kg_dkms_mktarball(&call->sys, &how, &call->err);
}

/* A word that is no file was taken for a module's name. */
int dkms_run_ldtarball(struct dkms_call *call)
{
	const struct dkms_args *args = call->args;
	struct kg_load load = {
		.path = args->archive,
		.force = args->force ? KG_FORCE : KG_NO_FORCE,
		.arena = &call->arena,
	};
	struct kg_loaded loaded;

	if (load.path == NULL) {
		const char *word =
			args->lost_path != NULL ? args->lost_path : args->module;

		return kg_fail(&call->err, -ENOENT, "ldtarball: no archive%s%s",
			       word != NULL ? " " : " given", word != NULL ? word : "");
	}
	return kg_dkms_load(&call->sys, &load, &loaded, &call->err);
}
