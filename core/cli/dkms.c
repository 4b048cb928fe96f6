// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The DKMS command line. Options, exit codes and the text of `status` are DKMS 3.4's; every
 * other word is ours.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/cli/cli.h"
#include "core/cli/dkms_action.h"
#include "core/registry/registry.h"

#define DKMS_VERSION "3.4.3"

static const char usage[] =
	"usage: dkms ACTION [OPTIONS] [NAME/VERSION | SOURCE-TREE | DKMS.CONF | ARCHIVE]\n"
	"\n"
	"  status                    what is registered, built and installed\n"
	"  add                       register a module source\n"
	"  build, install            for the running kernel, or -k; adds and builds as needed\n"
	"  uninstall                 take it off a kernel, keep what was built\n"
	"  unbuild                   off a kernel, with what was built\n"
	"  remove                    the same, and off the register when no kernel is left\n"
	"  autoinstall               all modules that ask for it, for one kernel\n"
	"  match                     what is installed on --templatekernel, on -k too\n"
	"  mktarball, ldtarball      source and built modules as an archive; load one\n"
	"  generate_mok              make the signing key where it is missing\n"
	"  kernel_preinst, kernel_postinst, kernel_prerm   for kernel hooks, with one -k\n"
	"\n"
	"  -m NAME[/VERSION]  -v VERSION   -k RELEASE[/ARCH]  -a ARCH (each may be repeated)\n"
	"  --all  --force  --force-version-override  -j N  -q  --verbose  -V  -h\n"
	"  -c DKMS.CONF  --config FILE  --kernelsourcedir DIR  --directive NAME=VALUE\n"
	"  --no-depmod  --modprobe-on-install  --symlink-modules  --rpm_safe_upgrade\n"
	"  --archive FILE  --binaries-only  --source-only  --templatekernel RELEASE\n"
	"  --dkmstree DIR  --sourcetree DIR  --installtree DIR  --root DIR\n"
	"\n"
	"This is kmodgate in the place of DKMS: dkms(8), kmodgate(8).\n";

static void show(enum kg_level level, const char *text, void *data)
{
	const struct dkms_args *args = data;

	switch (level) {
	case KG_DEBUG:
		if (args->verbose)
			fprintf(stderr, "dkms: %s\n", text);
		return;
	case KG_INFO:
		printf("%s\n", text);
		return;
	case KG_WARNING:
		fprintf(stderr, "dkms: warning: %s\n", text);
		return;
	case KG_ERROR:
		fprintf(stderr, "dkms: error: %s\n", text);
		return;
	}
}

static int say_nothing(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		return -errno;
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

/*
 * --dkmstree and its like are paths of the user's world, with --root of that root's; the core
 * wants them below the root, without the leading slash.
 */
static int take_tree(struct dkms_call *call, const char *option, const char *given,
		     const char **field)
{
	char path[PATH_MAX];
	char cwd[PATH_MAX];

	if (given == NULL)
		return 0;
	if (call->args->root != NULL || realpath(given, path) == NULL) {
		if (given[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
			return kg_fail_errno(&call->err, -errno, "%s", option);
		if (snprintf(path, sizeof(path), "%s%s%s", given[0] == '/' ? "" : cwd,
			     given[0] == '/' ? "" : "/", given) >= (int)sizeof(path))
			return kg_fail_errno(&call->err, -ENAMETOOLONG, "%s", option);
	}
	if (path[strspn(path, "/")] == '\0' || strstr(path, "/..") != NULL)
		return kg_fail(&call->err, -EINVAL, "%s: not a folder for that: '%s'",
			       option, given);
	*field = arena_strdup(&call->arena, path + strspn(path, "/"));
	return *field != NULL ? 0 : kg_fail_errno(&call->err, -ENOMEM, "%s", option);
}

static int take_trees(struct dkms_call *call)
{
	const struct dkms_args *args = call->args;
	int r = take_tree(call, "--dkmstree", args->dkms_tree, &call->sys.dkms_tree);

	if (r == 0)
		r = take_tree(call, "--sourcetree", args->source_tree,
			      &call->sys.source_tree);
	if (r == 0)
		r = take_tree(call, "--installtree", args->install_tree,
			      &call->sys.install_tree);
	return r;
}

static int fail_exit(struct dkms_call *call, int exit_code, const char *what)
{
	call->exit = exit_code;
	return kg_fail(&call->err, -EINVAL, "%s: %s", call->action->name, what);
}

static int fill_kernels(struct dkms_call *call)
{
	const struct dkms_args *args = call->args;

	if (args->all)
		return 0;
	if (args->arches.n == 0 && call->sys.arch[0] == '\0' &&
	    call->action->run != dkms_run_status)
		return fail_exit(
			call, 12,
			"this machine's architecture is unknown; give it with -a");
	if (args->releases.n == 0)
		strv_add(&call->releases, call->sys.running);
	for (size_t i = 0; i < args->releases.n; i++)
		strv_add(&call->releases, args->releases.v[i]);
	for (size_t i = 0; i < call->releases.n; i++) {
		const char *arch = call->sys.arch;

		if (args->arches.n > 0)
			arch = args->arches.v[args->arches.n == 1 ? 0 : i];
		strv_add(&call->arches, arch);
	}
	return strv_ok(&call->releases) && strv_ok(&call->arches)
		       ? 0
		       : kg_fail_errno(&call->err, -ENOMEM, "cannot list the kernels");
}

static int check_rights(struct dkms_call *call)
{
	unsigned int needs = call->action->needs;

	if ((needs & DKMS_NEEDS_ROOT) != 0 && geteuid() != 0)
		return kg_fail(&call->err, -EPERM, "%s: only root may do that",
			       call->action->name);
	if ((needs & DKMS_NEEDS_TREE) == 0 || geteuid() == 0)
		return 0;
	if (faccessat(call->sys.root_fd, call->sys.dkms_tree, W_OK, AT_EACCESS) < 0)
		return kg_fail_errno(&call->err, -EPERM, "%s: cannot write to /%s",
				     call->action->name, call->sys.dkms_tree);
	return 0;
}

static int check_needs(struct dkms_call *call)
{
	const struct dkms_args *args = call->args;
	unsigned int needs = call->action->needs;
	struct kg_source source;

	if ((needs & DKMS_ALL_REFUSED) != 0 && args->all)
		return fail_exit(call, 5, "--all makes no sense here");
	if ((needs & DKMS_NEEDS_GIVEN_KERNEL) != 0 && args->releases.n != 1)
		return fail_exit(call, 4, "for which kernel? give one with -k");
	if ((needs & DKMS_NEEDS_ONE_KERNEL) != 0 && args->releases.n > 1)
		return fail_exit(call, 4, "one kernel at a time");
	if ((needs & DKMS_NEEDS_MODULE) != 0 &&
	    (call->name == NULL || call->version == NULL))
		return fail_exit(call, 1,
				 "which module? give NAME/VERSION, or -m and -v");
	if ((needs & DKMS_NEEDS_REGISTERED) == 0)
		return 0;
	return reg_find_source(&call->sys, call->name, call->version, &call->arena,
			       &source, &call->err);
}

static int perform(struct dkms_call *call)
{
	int r = take_trees(call);

	if (r == 0)
		r = fill_kernels(call);
	if (r == 0)
		r = check_needs(call);
	if (r == 0)
		r = check_rights(call);
	return r < 0 ? r : call->action->run(call);
}

static int run_action(struct dkms_args *args, const struct dkms_action *action)
{
	struct dkms_call call = {
		.args = args,
		.action = action,
		.sys = { .root_fd = -1 },
		.name = args->module,
		.version = args->version,
	};
	const char *root = args->root != NULL ? args->root : "/";
	int r = kg_system_init(&call.sys, root, &call.arena, &call.err);
	int code;

	if (action->run != dkms_run_status) {
		cancel_watch();
		/* In a pipe too, what was done comes before what went wrong. */
		(void)setvbuf(stdout, NULL, _IOLBF, 0);
	}
	if (r == 0) {
		args->verbose |= call.sys.is_verbose;
		r = perform(&call);
		if (r == 0 && (action->needs & DKMS_ENDS_TRANSACTION) != 0)
			kg_dkms_post_transaction(&call.sys);
		kg_system_fini(&call.sys);
	}
	code = r < 0 && call.exit != 0 ? call.exit
				       : dkms_action_exit(action, &call.err, r);
	if (r < 0)
		kg_error("%s", kg_err_text(&call.err, r));
	strv_fini(&call.releases);
	strv_fini(&call.arches);
	arena_fini(&call.arena);
	return code;
}

static int run_args(struct dkms_args *args)
{
	if (args->wants_version) {
		puts("dkms-" DKMS_VERSION);
		return 0;
	}
	if (args->wants_help) {
		fputs(usage, stdout);
		return 0;
	}
	if (args->action == NULL) {
		kg_error("no action given, or one that is unknown%s%s",
			 args->module != NULL ? ": " : "",
			 args->module != NULL ? args->module : "");
		fputs(usage, stderr);
		return 2;
	}
	return run_action(args, dkms_action_find(args->action));
}

int dkms_main(int argc, char **argv)
{
	struct dkms_args args;
	struct kg_err err = { 0 };
	int code;
	int r;

	kg_log_set(show, &args);
	r = dkms_args_parse(argc, argv, &args, &err);
	if (args.quiet && say_nothing() < 0)
		r = kg_fail(&err, -EIO, "cannot open /dev/null");
	if (r < 0) {
		kg_error("%s", kg_err_text(&err, r));
		code = args.exit != 0 ? args.exit : 1;
	} else {
		code = run_args(&args);
	}
	kg_log_set(NULL, NULL);
	dkms_args_fini(&args);
	return code;
}
