// SPDX-License-Identifier: GPL-2.0-or-later
/* Actions about a kernel instead of a module. */
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/cli/dkms_action.h"

static bool is_turned_off(const struct dkms_call *call)
{
	struct stat st;

	if (fd_lstat_in(call->sys.root_fd, "etc/dkms/no-autoinstall", &st) < 0)
		return false;
	kg_info("autoinstall is turned off by /etc/dkms/no-autoinstall");
	return true;
}

int dkms_run_autoinstall(struct dkms_call *call)
{
	const struct kg_target target = dkms_target(call, 0);

	return is_turned_off(call) ? 0
				   : kg_dkms_autoinstall(&call->sys, &target, &call->err);
}

/* What a gate has placed for this kernel comes first, then what else is wanted on it. */
int dkms_run_kernel_postinst(struct dkms_call *call)
{
	if (is_turned_off(call))
		return 0;
	return kg_arrive(&call->sys, call->releases.v[0], &call->err);
}

int dkms_run_kernel_preinst(struct dkms_call *call)
{
	struct kg_target target = dkms_target(call, 0);

	return kg_dkms_kernel_preinst(&call->sys, &target, &call->err);
}

int dkms_run_kernel_prerm(struct dkms_call *call)
{
	struct kg_target target = dkms_target(call, 0);

	return kg_dkms_kernel_prerm(&call->sys, &target, &call->err);
}

int dkms_run_generate_mok(struct dkms_call *call)
{
	const char *release =
		call->releases.n > 0 ? call->releases.v[0] : call->sys.running;

	return kg_dkms_generate_mok(&call->sys, release, &call->err);
}

static int fail_match(struct dkms_call *call, int exit_code, const char *what)
{
	call->exit = exit_code;
	return kg_fail(&call->err, -EINVAL, "match: %s", what);
}

static bool is_in_tree(const struct dkms_call *call, const char *name)
{
	_cleanup_close_ int tree_fd = fd_try_open_in(
		call->sys.root_fd, call->sys.dkms_tree, O_PATH | O_DIRECTORY);
	struct stat st;

	return tree_fd >= 0 && strchr(name, '/') == NULL &&
	       fstatat(tree_fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

int dkms_run_match(struct dkms_call *call)
{
	const char *template = call->args->template_kernel;
	struct kg_target target = dkms_target(call, 0);

	if (template == NULL)
		return fail_match(call, 1,
				  "as which kernel? give it with --templatekernel");
	if (strchr(template, '/') != NULL)
		template = arena_strndup(&call->arena, template, strcspn(template, "/"));
	if (template == NULL)
		return kg_fail_errno(&call->err, -ENOMEM, "match");
	if (strcmp(template, target.release) == 0)
		return fail_match(call, 2, "a kernel can't be matched onto itself");
	if (call->name != NULL && !is_in_tree(call, call->name))
		return fail_match(call, 3, "this module is not in the dkms tree");
	return kg_dkms_match(&call->sys, &target, template, &call->err);
}
