// SPDX-License-Identifier: GPL-2.0-or-later
/* add: a source tree or an archive given by its path, or the tree in /usr/src that M/V names. */
#include <fcntl.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/cli/dkms_action.h"
#include "core/registry/registry.h"

static int fail_with(struct dkms_call *call, int exit_code, int code)
{
	call->exit = exit_code;
	return code;
}

/* DKMS's codes for a dkms.conf that can't be used. */
static int identity_exit(int r)
{
	switch (-r) {
	case ENOENT:
	case ENOTDIR:
		return 9;
	case KGE_RECIPE:
	case KGE_FORMAT:
	case KGE_LIMIT:
	case KGE_TIMEOUT:
		return 10;
	default:
		return 0;
	}
}

/* As DKMS: of several kernels the first. */
static const char *first_release(const struct dkms_call *call)
{
	return call->releases.n > 0 ? call->releases.v[0] : NULL;
}

static int take_folder(struct dkms_call *call, struct kg_loaded *loaded)
{
	const struct kg_load load = {
		.path = call->args->source_dir,
		.force = call->args->force ? KG_FORCE : KG_NO_FORCE,
		.arena = &call->arena,
		.release = first_release(call),
	};
	int r = kg_dkms_import(&call->sys, &load, loaded, &call->err);

	return r < 0 ? fail_with(call, identity_exit(r), r) : 0;
}

/* build and install go on with what is registered already. */
static int take_archive(struct dkms_call *call, struct kg_loaded *loaded)
{
	const struct kg_load load = {
		.path = call->args->archive,
		.force = call->args->force ? KG_FORCE : KG_NO_FORCE,
		.arena = &call->arena,
		.release = first_release(call),
	};
	int r = kg_dkms_load(&call->sys, &load, loaded, &call->err);

	if (r == -KGE_EXISTS && (call->action->needs & DKMS_CHAINS_ADD) != 0) {
		kg_info("%s", kg_err_text(&call->err, r));
		call->err = (struct kg_err){ 0 };
		return 0;
	}
	if (r < 0)
		return r == -ENOENT ? fail_with(call, 2, r) : r;
	call->is_added = true;
	return 0;
}

int dkms_take_source(struct dkms_call *call)
{
	struct kg_loaded loaded = { 0 };
	int r;

	if (call->name != NULL ||
	    (call->args->source_dir == NULL && call->args->archive == NULL))
		return 0;
	r = call->args->source_dir != NULL ? take_folder(call, &loaded)
					   : take_archive(call, &loaded);
	call->name = loaded.name;
	call->version = loaded.version;
	return r;
}

int dkms_check_conf(struct dkms_call *call, const char *path)
{
	const char *given = call->args->conf;
	const char *conf = given ?: arena_printf(&call->arena, "%s/dkms.conf", path);
	_cleanup_close_ int fd = -1;

	if (conf == NULL)
		return kg_fail_errno(&call->err, -ENOMEM, "%s", path);
	if (given != NULL)
		fd = open(conf, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	else
		fd = fd_try_open_in(call->sys.root_fd, conf,
				    O_RDONLY | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0)
		return 0;
	return fail_with(call, 4,
			 kg_fail_errno(&call->err, given != NULL ? -errno : fd,
				       "cannot read %s%s", given != NULL ? "" : "/",
				       conf));
}

/* The folder and its dkms.conf are there, else DKMS's codes for that. */
static int check_source(struct dkms_call *call, const char *path)
{
	_cleanup_close_ int dir_fd =
		fd_try_open_in(call->sys.root_fd, path, O_PATH | O_DIRECTORY);

	if (dir_fd < 0)
		return fail_with(call, 2,
				 kg_fail(&call->err, -ENOENT,
					 "%s/%s: no source folder /%s", call->name,
					 call->version, path));
	return dkms_check_conf(call, path);
}

int dkms_add_source(struct dkms_call *call)
{
	/* of several kernels the first, as DKMS */
	const struct kg_target target = dkms_target(call, 0);
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
