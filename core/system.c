// SPDX-License-Identifier: GPL-2.0-or-later
/* Where things are on this machine. */
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/kmodgate.h"
#include "core/registry/framework.h"

#define BUILD_USER "_kmodgate"
/* Nobody's id: from the range that is left to short-lived users. */
#define BUILD_UID_FALLBACK 64990

static void find_build_user(struct kg_system *sys)
{
	const struct passwd *pw = getpwnam(BUILD_USER);

	sys->build_uid = pw != NULL && pw->pw_uid != 0 ? pw->pw_uid : BUILD_UID_FALLBACK;
	sys->build_gid = pw != NULL && pw->pw_gid != 0 ? pw->pw_gid : BUILD_UID_FALLBACK;
}

/* An absolute path of framework.conf as a path below the root; the default when it is unset. */
static int take_path(struct arena *arena, const char *configured, const char *fallback,
		     const char **ret_path, struct kg_err *err)
{
	const char *path = fallback;

	if (configured != NULL) {
		path = configured + strspn(configured, "/");
		if (!name_is_path(path))
			return kg_fail(err, -KGE_FORMAT,
				       "framework.conf: not a plain path: %s",
				       configured);
	}
	*ret_path = arena_strdup(arena, path);
	return *ret_path != NULL ? 0 : kg_fail_errno(err, -ENOMEM, "cannot start");
}

static int take_framework(struct kg_system *sys, struct arena *arena, struct kg_err *err)
{
	struct kg_framework fw = { 0 };
	int r = framework_read(sys->root_fd, &fw, err);

	if (r == 0)
		r = take_path(arena, fw.dkms_tree, "var/lib/dkms", &sys->dkms_tree, err);
	if (r == 0)
		r = take_path(arena, fw.source_tree, "usr/src", &sys->source_tree, err);
	if (r == 0)
		r = take_path(arena, fw.install_tree, "lib/modules", &sys->install_tree,
			      err);
	framework_fini(&fw);
	return r;
}

int kg_system_init(struct kg_system *sys, const char *root, struct arena *arena,
		   struct kg_err *err)
{
	struct utsname uts;

	*sys = (struct kg_system){
		.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.state_dir = "var/lib/kmodgate",
		.cache_dir = "var/cache/kmodgate",
		.log_dir = "var/log/kmodgate",
	};
	if (sys->root_fd < 0)
		return kg_fail_errno(err, -errno, "cannot open %s", root);
	if (uname(&uts) < 0)
		return kg_fail_errno(err, -errno, "uname");
	sys->root = arena_strdup(arena, root);
	sys->running = arena_strdup(arena, uts.release);
	sys->arch = arena_strdup(arena, uts.machine);
	if (arena->failed)
		return kg_fail_errno(err, -ENOMEM, "cannot start");
	find_build_user(sys);
	return take_framework(sys, arena, err);
}

void kg_system_fini(struct kg_system *sys)
{
	closep(&sys->root_fd);
	sys->root_fd = -1;
}
