// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/cli/dkms_action.h"

#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/registry/registry.h"

static struct kg_target target_of(const struct dkms_call *call, size_t i)
{
	return (struct kg_target){
		.name = call->name,
		.version = call->version,
		.release = call->releases.v[i],
		.arch = call->arches.v[i],
		.force = call->args->force ? KG_FORCE : KG_NO_FORCE,
		.kernel_source_dir = call->args->kernel_source_dir,
		.directives = call->args->directives.n > 0
				      ? (const char *const *)call->args->directives.v
				      : NULL,
	};
}

typedef int dkms_step_fn(const struct kg_system *sys, const struct kg_target *target,
			 struct kg_err *err);

/* One kernel after the other; the first failure ends it, as in DKMS. */
static int for_each_kernel(struct dkms_call *call, dkms_step_fn *step)
{
	for (size_t i = 0; i < call->releases.n; i++) {
		struct kg_target target = target_of(call, i);
		int r = step(&call->sys, &target, &call->err);

		/* Also what a forced or repeated command finds done: a note, exit code 0. */
		if (r == -KGE_EXISTS) {
			kg_info("%s; --force does it anew", kg_err_text(&call->err, r));
			call->err = (struct kg_err){ 0 };
			r = 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_module_given(struct dkms_call *call)
{
	if (call->name != NULL && call->version != NULL)
		return 0;
	call->exit = 1;
	return kg_fail(&call->err, -EINVAL,
		       "%s: which module? give NAME/VERSION, or -m NAME -v VERSION",
		       call->action->name);
}

static int run_add(struct dkms_call *call)
{
	int r = dkms_take_source_dir(call);

	if (r == 0)
		r = check_module_given(call);
	return r < 0 ? r : dkms_add_source(call);
}

/* build and install add what is not added; without a source that is an unknown module. */
static int ensure_added(struct dkms_call *call)
{
	struct kg_source source;
	int r = dkms_take_source_dir(call);

	if (r == 0)
		r = check_module_given(call);
	if (r < 0)
		return r;
	r = reg_find_source(&call->sys, call->name, call->version, &call->arena, &source,
			    &call->err);
	if (r != -KGE_NOT_ADDED)
		return r;
	call->err = (struct kg_err){ 0 };
	r = dkms_add_source(call);
	if (r == -ENOENT && call->exit == 2) {
		call->exit = 3;
		return -KGE_NOT_ADDED;
	}
	return r;
}

static int run_build(struct dkms_call *call)
{
	int r = ensure_added(call);

	return r < 0 ? r : for_each_kernel(call, kg_dkms_build);
}

static int run_install(struct dkms_call *call)
{
	int r = ensure_added(call);

	return r < 0 ? r : for_each_kernel(call, kg_dkms_install);
}

/* --all: the kernels it is built for. */
static int list_built_kernels(struct dkms_call *call)
{
	const struct reg_filter filter = { .name = call->name, .version = call->version };
	struct reg_list list = { 0 };
	int r = reg_list_read(&call->sys, &filter, REG_NO_COMPARE, &list, &call->err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (list.entries[i].release == NULL)
			continue;
		strv_add(&call->releases, list.entries[i].release);
		strv_add(&call->arches, list.entries[i].arch);
	}
	reg_list_fini(&list);
	return r;
}

static int run_uninstall(struct dkms_call *call)
{
	int r = call->args->all ? list_built_kernels(call) : 0;

	return r < 0 ? r : for_each_kernel(call, kg_dkms_uninstall);
}

static int run_remove(struct dkms_call *call)
{
	struct kg_target target = {
		.name = call->name,
		.version = call->version,
		.force = call->args->force ? KG_FORCE : KG_NO_FORCE,
	};

	if (!call->args->all)
		return for_each_kernel(call, kg_dkms_remove);
	return kg_dkms_remove(&call->sys, &target, &call->err);
}

static int run_autoinstall(struct dkms_call *call)
{
	struct stat st;

	if (fd_lstat_in(call->sys.root_fd, "etc/dkms/no-autoinstall", &st) == 0) {
		kg_info("autoinstall is turned off by /etc/dkms/no-autoinstall");
		return 0;
	}
	return kg_dkms_autoinstall(&call->sys, call->releases.v[0], &call->err);
}

/* What every action has in common; an action's own table is looked at first. */
static const struct dkms_exit shared_exits[] = {
	{ EACCES, 1 },	    { EPERM, 1 },      { EROFS, 1 },	     { EINVAL, 1 },
	{ EBUSY, 1 },	    { KGE_LIVE, 1 },   { KGE_NOT_ADDED, 3 }, { KGE_BROKEN, 4 },
	{ KGE_HOSTILE, 5 }, { KGE_RECIPE, 8 }, { KGE_FORMAT, 8 },    { 0, 0 },
};

static const struct dkms_exit no_exits[] = { { 0, 0 } };

static const struct dkms_exit add_exits[] = {
	{ ENOENT, 2 },
	{ KGE_EXISTS, 3 },
	{ 0, 0 },
};

static const struct dkms_exit build_exits[] = {
	{ ENOENT, 6 },	      { KGE_PATCH, 6 },
	{ KGE_CHECK, 7 },     { KGE_BUILD, 10 },
	{ KGE_SCRIPT, 10 },   { KGE_TIMEOUT, 10 },
	{ KGE_DEPENDS, 13 },  { KGE_NO_HEADERS, 21 },
	{ KGE_EXCLUDED, 77 }, { 0, 0 },
};

/* As build, which it chains; a script that fails here is PRE_INSTALL's refusal. */
static const struct dkms_exit install_exits[] = {
	{ ENOENT, 6 },
	{ KGE_PATCH, 6 },
	{ KGE_DEPMOD, 6 },
	{ KGE_CHECK, 7 },
	{ KGE_BUILD, 10 },
	{ KGE_TIMEOUT, 10 },
	{ KGE_DEPENDS, 13 },
	{ KGE_NO_HEADERS, 21 },
	{ KGE_EXCLUDED, 77 },
	{ KGE_SCRIPT, 101 },
	{ 0, 0 },
};

#define CHAINS (DKMS_NEEDS_TREE | DKMS_ALL_REFUSED)
#define TAKES_OFF (DKMS_NEEDS_MODULE | DKMS_NEEDS_REGISTERED)

static const struct dkms_action actions[] = {
	{ "status", dkms_run_status, 0, no_exits, 1 },
	{ "add", run_add, CHAINS, add_exits, 1 },
	{ "build", run_build, CHAINS, build_exits, 10 },
	{ "install", run_install, CHAINS | DKMS_NEEDS_ROOT, install_exits, 6 },
	{ "uninstall", run_uninstall, TAKES_OFF | DKMS_NEEDS_ROOT, no_exits, 6 },
	{ "remove", run_remove, TAKES_OFF | DKMS_NEEDS_TREE, no_exits, 6 },
	{ "autoinstall", run_autoinstall,
	  DKMS_NEEDS_ROOT | DKMS_NEEDS_ONE_KERNEL | DKMS_ALL_REFUSED, no_exits, 11 },
	{ "unbuild", NULL, 0, no_exits, 2 },
	{ "match", NULL, 0, no_exits, 2 },
	{ "mktarball", NULL, 0, no_exits, 2 },
	{ "ldtarball", NULL, 0, no_exits, 2 },
	{ "generate_mok", NULL, 0, no_exits, 2 },
	{ "kernel_preinst", NULL, 0, no_exits, 2 },
	{ "kernel_postinst", NULL, 0, no_exits, 2 },
	{ "kernel_prerm", NULL, 0, no_exits, 2 },
};

const struct dkms_action *dkms_action_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, word) == 0)
			return &actions[i];
	return NULL;
}

static bool find_exit(const struct dkms_exit *table, int code, int *ret_exit)
{
	for (; table->code != 0; table++) {
		if (table->code != code)
			continue;
		*ret_exit = table->exit;
		return true;
	}
	return false;
}

int dkms_action_exit(const struct dkms_action *action, int r)
{
	int result;

	if (r >= 0)
		return 0;
	if (r == -KGE_CANCELLED)
		return 128 + cancel_signal();
	if (find_exit(action->exits, -r, &result) || find_exit(shared_exits, -r, &result))
		return result;
	return action->exit_otherwise;
}
