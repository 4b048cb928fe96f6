// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <string.h>

/* The variables a MAKE may use are the shell's own, as in DKMS: not in the environment of make. */
#define RUN_MAKE                                                                       \
	"kernelver=$1 arch=$2 kernel_source_dir=$3 dkms_tree=$4 source_tree=$5 "       \
	"install_tree=$6 module=$7 module_version=$8 PACKAGE_NAME=$7 "                 \
	"PACKAGE_VERSION=$8 the_make=$9; set --; eval \"$the_make\""

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
		"-c",
		RUN_MAKE,
		"bash",
		req->release,
		req->arch,
		req->headers->source_dir,
		arena_printf(a, "/%s", req->sys->dkms_tree),
		arena_printf(a, "/%s", req->sys->source_tree),
		arena_printf(a, "/%s", req->sys->install_tree),
		req->source->name,
		req->source->version,
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
