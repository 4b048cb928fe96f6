// SPDX-License-Identifier: GPL-2.0-or-later
/* add: a source tree given by its path, or the one in /usr/src that M/V names. */

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/cli/dkms_action.h"
#include "core/registry/registry.h"

static int fail_with(struct dkms_call *call, int exit_code, int code)
{
	call->exit = exit_code;
	return code;
}

/* PACKAGE_NAME and PACKAGE_VERSION of the tree's dkms.conf. */
static int identify(struct dkms_call *call, int dir_fd, const char **ret_name,
		    const char **ret_version)
{
	const char *path = call->args->source_dir;
	int r = reg_read_identity(dir_fd, &call->arena, ret_name, ret_version,
				  &call->err);

	if (r == -ENOENT)
		return fail_with(call, 9, kg_fail_errno(&call->err, r, "%s", path));
	return r == 0 ? 0 : fail_with(call, 10, r);
}

int dkms_take_source_dir(struct dkms_call *call)
{
	_cleanup_close_ int dir_fd = -1;
	struct kg_source known;
	int r;

	if (call->args->source_dir == NULL || call->name != NULL)
		return 0;
	dir_fd = open(call->args->source_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return fail_with(call, 9,
				 kg_fail_errno(&call->err, -errno, "cannot open %s",
					       call->args->source_dir));
	r = identify(call, dir_fd, &call->name, &call->version);
	if (r < 0)
		return r;
	/* What is registered is not overwritten by an add that will be refused. */
	r = reg_find_source(&call->sys, call->name, call->version, &call->arena, &known,
			    NULL);
	if (r == 0 && !call->args->force)
		return 0;
	return reg_import_source(&call->sys, dir_fd, call->name, call->version,
				 &call->err);
}

/* The folder and its dkms.conf are there, else DKMS's codes for that. */
static int check_source(struct dkms_call *call, const char *path)
{
	_cleanup_close_ int dir_fd =
		fd_try_open_in(call->sys.root_fd, path, O_PATH | O_DIRECTORY);
	_cleanup_close_ int conf_fd = -1;

	if (dir_fd < 0)
		return fail_with(call, 2,
				 kg_fail(&call->err, -ENOENT,
					 "%s/%s: no source folder /%s", call->name,
					 call->version, path));
	conf_fd =
		openat(dir_fd, "dkms.conf", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (conf_fd < 0)
		return fail_with(call, 4,
				 kg_fail_errno(&call->err, -errno,
					       "cannot read /%s/dkms.conf", path));
	return 0;
}

int dkms_add_source(struct dkms_call *call)
{
	struct kg_target target = {
		.name = call->name,
		.version = call->version,
		.force = call->args->force ? KG_FORCE : KG_NO_FORCE,
	};
	struct kg_source known;
	const char *path;
	int r;

	if (!name_is_word(call->name) || !name_is_word(call->version))
		return fail_with(call, 1,
				 kg_fail(&call->err, -EINVAL,
					 "not a module's name: '%s/%s'", call->name,
					 call->version));
	r = reg_find_source(&call->sys, call->name, call->version, &call->arena, &known,
			    NULL);
	if (r == 0)
		return kg_fail(&call->err, -KGE_EXISTS,
			       "%s/%s is already in the dkms tree", call->name,
			       call->version);
	path = arena_printf(&call->arena, "%s/%s-%s", call->sys.source_tree, call->name,
			    call->version);
	if (path == NULL)
		return kg_fail_errno(&call->err, -ENOMEM, "%s", call->name);
	r = check_source(call, path);
	return r < 0 ? r : kg_dkms_add(&call->sys, &target, &call->err);
}
