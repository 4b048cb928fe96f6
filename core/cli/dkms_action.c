// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/cli/dkms_action.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/registry/registry.h"

struct kg_target dkms_target(const struct dkms_call *call, size_t i)
{
	return (struct kg_target){
		.name = call->name,
		.version = call->version,
		.release = call->releases.v[i],
		.arch = call->arches.v[i],
		/* DKMS forces the installation of an upgrade. */
		.force = call->args->force || call->args->rpm_safe_upgrade ? KG_FORCE
									   : KG_NO_FORCE,
		.kernel_source_dir = call->args->kernel_source_dir,
		.directives = call->args->directives.n > 0
				      ? (const char *const *)call->args->directives.v
				      : NULL,
		.conf = call->args->conf,
		.kernel_config = call->args->kernel_config,
		.jobs = call->args->n_jobs,
		.force_version_override = call->args->force_version_override,
		.no_depmod = call->args->no_depmod,
		.modprobe_on_install = call->args->modprobe_on_install,
		.symlink_modules = call->args->symlink_modules,
	};
}

/* Set by common.postinst: what the kernel has itself, as new, is said and no failure. */
static bool is_note(int r)
{
	const char *left_out = getenv("KMODGATE_LEFT_OUT");

	return r == -KGE_OLDER && left_out != NULL && strcmp(left_out, "note") == 0;
}

typedef int dkms_step_fn(const struct kg_system *sys, const struct kg_target *target,
			 struct kg_err *err);

/* One kernel after the other: one that fails does not keep the others from being served. */
static int for_each_kernel(struct dkms_call *call, dkms_step_fn *step)
{
	int last = 0;

	for (size_t i = 0; i < call->releases.n; i++) {
		struct kg_target target = dkms_target(call, i);
		struct kg_err err = { 0 };
		int r = step(&call->sys, &target, &err);

		/* Also what a forced or repeated command finds done: a note, exit code 0. */
		if (r == -KGE_EXISTS) {
			kg_info("%s; --force does it anew", kg_err_text(&err, r));
			continue;
		}
		if (is_note(r)) {
			kg_info("%s", kg_err_text(&err, r));
			continue;
		}
		if (r == 0)
			continue;
		if (last < 0)
			kg_error("%s", kg_err_text(&call->err, last));
		call->err = err;
		last = r;
		if (r == -KGE_CANCELLED)
			break;
	}
	return last;
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
	int r = dkms_take_source(call);

	if (r == 0)
		r = check_module_given(call);
	/* Also for what is added already: it is the same package's next release. */
	if (r == 0 && call->args->rpm_safe_upgrade)
		r = kg_dkms_rpm_mark(&call->sys, call->name, call->version, &call->err);
	return r < 0 || call->is_added ? r : dkms_add_source(call);
}

/* build and install add what is not added; without a source that is an unknown module. */
static int ensure_added(struct dkms_call *call)
{
	struct kg_source source;
	int r = dkms_take_source(call);

	if (r == 0)
		r = check_module_given(call);
	if (r < 0 || call->is_added)
		return r;
	r = reg_find_source(&call->sys, call->name, call->version, &call->arena, &source,
			    &call->err);
	if (r == 0)
		return dkms_check_conf(call, source.path);
	if (r != -KGE_NOT_ADDED)
		return r;
	call->err = (struct kg_err){ 0 };
	r = dkms_add_source(call);
	if (r == -KGE_SCRIPT) {
		/* POST_ADD's: it is added all the same. */
		kg_warning("%s", kg_err_text(&call->err, r));
		call->err = (struct kg_err){ 0 };
		return 0;
	}
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

int dkms_list_built(struct dkms_call *call)
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
	int r = call->args->all ? dkms_list_built(call) : 0;

	return r < 0 ? r : for_each_kernel(call, kg_dkms_uninstall);
}

static int run_unbuild(struct dkms_call *call)
{
	int r = call->args->all ? dkms_list_built(call) : 0;

	return r < 0 ? r : for_each_kernel(call, kg_dkms_unbuild);
}

static int run_remove(struct dkms_call *call)
{
	struct kg_target target = {
		.name = call->name,
		.version = call->version,
		.force = call->args->force ? KG_FORCE : KG_NO_FORCE,
		.no_depmod = call->args->no_depmod,
	};

	if (call->args->rpm_safe_upgrade &&
	    kg_dkms_rpm_take_mark(&call->sys, call->name, call->version)) {
		kg_info("%s/%s stays: its package is being upgraded", call->name,
			call->version);
		return 0;
	}
	if (!call->args->all)
		return for_each_kernel(call, kg_dkms_remove);
	return kg_dkms_remove(&call->sys, &target, &call->err);
}

/* What every action has in common; an action's own table is looked at first. */
static const struct dkms_exit shared_exits[] = {
	{ EACCES, 1 },	    { EPERM, 1 },      { EROFS, 1 },	     { EINVAL, 1 },
	{ EBUSY, 1 },	    { KGE_LIVE, 1 },   { KGE_NOT_ADDED, 3 }, { KGE_BROKEN, 4 },
	{ KGE_HOSTILE, 5 }, { KGE_RECIPE, 8 }, { KGE_FORMAT, 8 },    { ENOTDIR, 15 },
	{ 0, 0 },
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
	{ ENOENT, 6 },	      { KGE_PATCH, 6 },	   { KGE_PLACE, 6 },
	{ KGE_DEPMOD, 6 },    { KGE_CHECK, 7 },	   { KGE_BUILD, 10 },
	{ KGE_TIMEOUT, 10 },  { KGE_DEPENDS, 13 }, { KGE_NO_HEADERS, 21 },
	{ KGE_EXCLUDED, 77 }, { KGE_SCRIPT, 101 }, { 0, 0 },
};

static const struct dkms_exit mktarball_exits[] = {
	{ ENOENT, 6 }, { EACCES, 9 }, { EPERM, 9 },   { EROFS, 9 },
	{ EINVAL, 9 }, { ENOSPC, 9 }, { ENOTDIR, 9 }, { 0, 0 },
};

static const struct dkms_exit ldtarball_exits[] = {
	{ ENOENT, 2 },	  { KGE_NOT_ADDED, 3 }, { KGE_FORMAT, 3 }, { KGE_HOSTILE, 3 },
	{ KGE_CHECK, 7 }, { KGE_EXISTS, 8 },	{ 0, 0 },
};

static const struct dkms_exit kernel_exits[] = { { KGE_BUILD, 14 }, { 0, 0 } };

#define ADDS (DKMS_NEEDS_TREE | DKMS_ALL_REFUSED)
#define CHAINS (ADDS | DKMS_CHAINS_ADD)
#define NEEDS_ENTRY (DKMS_NEEDS_MODULE | DKMS_NEEDS_REGISTERED)
#define TAKES_OFF (NEEDS_ENTRY | DKMS_ENDS_TRANSACTION)
#define ONE_KERNEL (DKMS_NEEDS_ROOT | DKMS_NEEDS_ONE_KERNEL | DKMS_ALL_REFUSED)
#define HOOK (DKMS_NEEDS_ROOT | DKMS_NEEDS_GIVEN_KERNEL | DKMS_ALL_REFUSED)

static const struct dkms_action actions[] = {
	{ "status", dkms_run_status, 0, no_exits, 1 },
	{ "add", run_add, ADDS, add_exits, 1 },
	{ "build", run_build, CHAINS, build_exits, 10 },
	{ "install", run_install, CHAINS | DKMS_NEEDS_ROOT | DKMS_ENDS_TRANSACTION,
	  install_exits, 6 },
	{ "uninstall", run_uninstall, TAKES_OFF | DKMS_NEEDS_ROOT, no_exits, 6 },
	{ "unbuild", run_unbuild, TAKES_OFF | DKMS_NEEDS_TREE, no_exits, 6 },
	{ "remove", run_remove, TAKES_OFF | DKMS_NEEDS_TREE, no_exits, 6 },
	{ "autoinstall", dkms_run_autoinstall, ONE_KERNEL | DKMS_ENDS_TRANSACTION,
	  no_exits, 11 },
	{ "match", dkms_run_match, ONE_KERNEL, install_exits, 6 },
	{ "mktarball", dkms_run_mktarball, NEEDS_ENTRY, mktarball_exits, 6 },
	{ "ldtarball", dkms_run_ldtarball, DKMS_NEEDS_TREE, ldtarball_exits, 1 },
	{ "generate_mok", dkms_run_generate_mok, DKMS_NEEDS_ROOT, no_exits, 1 },
	{ "kernel_preinst", dkms_run_kernel_preinst, HOOK, kernel_exits, 14 },
	{ "kernel_postinst", dkms_run_kernel_postinst, HOOK, no_exits, 11 },
	{ "kernel_prerm", dkms_run_kernel_prerm, HOOK, kernel_exits, 14 },
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

int dkms_action_exit(const struct dkms_action *action, const struct kg_err *err, int r)
{
	int result;

	if (r >= 0)
		return 0;
	/* PRE_BUILD and POST_BUILD say it themselves; a patch that was never run is another matter. */
	if (r == -KGE_SCRIPT && err->status > 0)
		return err->status;
	if (r == -KGE_PATCH && err->status == 0)
		return 5;
	if (r == -KGE_CANCELLED)
		return 128 + cancel_signal();
	if (find_exit(action->exits, -r, &result) || find_exit(shared_exits, -r, &result))
		return result;
	return action->exit_otherwise;
}
