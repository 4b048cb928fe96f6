// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <string.h>

/* DKMS exports kernelver, arch, module and module_version; these are its shell's own. */
static const char run_make[] =
	"kernel_source_dir=$1 dkms_tree=$2 source_tree=$3 install_tree=$4 "
	"PACKAGE_NAME=$module PACKAGE_VERSION=$module_version the_make=$5; "
	"set --; eval \"$the_make\"";

static bool starts_with_make(const char *command)
{
	return str_starts(command, "make") && strchr(" \t\n;&|<>", command[4]) != NULL;
}

const char *make_command(const struct build_request *req, const struct build_tools *tools,
			 const char *build_dir, struct arena *arena)
{
	const char *command = req->recipe->make;

	if (command == NULL)
		command = arena_printf(arena, "make -C %s M=%s", req->headers->source_dir,
				       build_dir);
	/* a quoted 'make' is how a recipe asks to be left alone */
	if (command == NULL || !starts_with_make(command))
		return command;
	return arena_printf(arena, "make -j%u KERNELRELEASE=%s%s%s",
			    req->jobs > 0 ? req->jobs : build_cpu_count(), req->release,
			    tools->is_clang ? " LLVM=1" : "", command + strlen("make"));
}

int make_run(struct build *b)
{
	const struct build_request *req = b->req;
	struct arena *a = &b->arena;
	const char *command = make_command(req, &b->tools, b->build_dir, a);
	const char *argv[] = {
		"/bin/bash",
		"-O",
		"extglob", /* as in the shell of DKMS */
		"-c",
		run_make,
		"bash",
		req->headers->source_dir,
		arena_printf(a, "/%s", req->sys->dkms_tree),
		arena_printf(a, "/%s", req->sys->source_tree),
		arena_printf(a, "/%s", req->sys->install_tree),
		command,
		NULL,
	};
	off_t start = step_log_end(b);
	int status = 0;
	int r;

	if (a->failed)
		return kg_fail_errno(b->err, -ENOMEM, "cannot run make");
	step_log(b, "$ %s\n", command);
	r = step_run(b, "make", argv, -1, &status);
	if (r < 0 || status == 0)
		return r;
	step_log(b, "exit status %d\n", status);
	return step_fail(b, -KGE_BUILD, "make", status, start);
}
