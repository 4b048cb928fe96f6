// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * weak-modules of RHEL and SUSE: links the modules built for one kernel into others of the same ABI. It
 * reads their paths on standard input.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

#define RHEL "/sbin/weak-modules"
#define SUSE "/usr/lib/module-init-tools/weak-modules2"
#define TIMEOUT_MS (15 * 60 * 1000)

static const char *find_program(const struct run *run)
{
	if (strcmp(run->sys->root, "/") != 0)
		return NULL;
	if (access(SUSE, X_OK) == 0)
		return SUSE;
	return access(RHEL, X_OK) == 0 ? RHEL : NULL;
}

/* An unnamed file with a path a line. Caller owns it. */
static int write_paths(const struct run *run, const char *release,
		       const char *const *files)
{
	_cleanup_close_ int fd = memfd_create("modules", MFD_CLOEXEC);
	_cleanup_str_ struct str text = { 0 };
	int r;

	for (size_t i = 0; files[i] != NULL; i++)
		str_addf(&text, "/%s/%s/%s\n", run->sys->install_tree, release, files[i]);
	r = fd < 0 ? -errno : !str_ok(&text) ? -ENOMEM : 0;
	if (r == 0)
		r = fd_write_all(fd, str_get(&text), text.len);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

static void tell(const struct run *run, const char *program, enum run_weak what,
		 const char *release, const char *const *files)
{
	const bool is_suse = strcmp(program, SUSE) == 0;
	const char *const rhel[] = { RHEL, "--no-initramfs",
				     what == RUN_WEAK_ADD ? "--add-modules"
							  : "--remove-modules",
				     NULL };
	const char *const suse[] = { SUSE,
				     what == RUN_WEAK_ADD ? "--add-kernel-modules"
							  : "--remove-kernel-modules",
				     release, NULL };
	struct kg_spawn how = { .argv = is_suse ? suse : rhel,
				.dir_fd = -1,
				.out_fd = STDERR_FILENO,
				.err_fd = STDERR_FILENO };
	_cleanup_close_ int in_fd = -1;
	struct kg_err err = { 0 };
	int status = 0;

	how.in_fd = in_fd = write_paths(run, release, files);
	if (in_fd < 0 || spawn_run(&how, TIMEOUT_MS, &status, &err) < 0 || status != 0)
		kg_warning("%s: weak-modules: %s", release,
			   err.code != 0 ? err.text : "failed");
}

/* NO_WEAK_MODULES; what can't be read is no refusal. */
static bool refuses(struct run *run, const struct kg_source *source, const char *release)
{
	struct kg_recipe recipe = { 0 };
	_cleanup_close_ int source_fd = run_open_source(run, source, NULL);
	bool result;

	if (source_fd < 0 ||
	    run_read_recipe(run, source, source_fd, run_find_release(run, release),
			    &recipe, NULL) < 0)
		return false;
	result = recipe.no_weak_modules;
	recipe_fini(&recipe);
	return result;
}

void run_weak_modules(struct run *run, enum run_weak what, const struct kg_source *source,
		      const char *release, const char *const *files)
{
	const char *program = find_program(run);

	if (program == NULL || files == NULL || files[0] == NULL ||
	    refuses(run, source, release))
		return;
	tell(run, program, what, release, files);
}

bool run_is_weak_installed(const struct run *run, const struct kg_source *source,
			   const char *release)
{
	const struct reg_filter filter = { .name = source->name,
					   .version = source->version,
					   .release = release };
	struct reg_list list = { 0 };
	bool result;

	if (find_program(run) == NULL ||
	    reg_list_weak(run->sys, &filter, &list, NULL) < 0)
		return false;
	result = list.n > 0;
	reg_list_fini(&list);
	return result;
}
