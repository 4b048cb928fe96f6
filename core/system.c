// SPDX-License-Identifier: GPL-2.0-or-later
/* Where things are on this machine. */
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/kmodgate.h"
#include "core/registry/confline.h"
#include "core/registry/framework.h"

#define BUILD_USER "_kmodgate"
/* Nobody's id: from the range that is left to short-lived users. */
#define BUILD_UID_FALLBACK 64990

static struct kg_ids found_ids;

static void find_ids(void)
{
	const struct passwd *pw = getpwnam(BUILD_USER);

	found_ids.uid = pw != NULL && pw->pw_uid != 0 ? pw->pw_uid : BUILD_UID_FALLBACK;
	found_ids.gid = pw != NULL && pw->pw_gid != 0 ? pw->pw_gid : BUILD_UID_FALLBACK;
}

struct kg_ids kg_build_ids(const struct kg_system *sys)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (sys->build_uid != 0)
		return (struct kg_ids){ sys->build_uid, sys->build_gid };
	pthread_once(&once, find_ids);
	return found_ids;
}

/* ---- where modules go ---- */

#define ADDON_KEY "ADDON_MODULES_DIR"
#define ADDON_CONF "etc/sysconfig/module-init-tools"
#define CONF_MAX_BYTES 65536

/* The value of ID or ID_LIKE holds @word. */
static bool os_is(const char *os_release, const char *word)
{
	for (const char *p = os_release; p != NULL; p = strchr(p, '\n')) {
		size_t n;

		p += *p == '\n';
		if (!str_starts(p, "ID=") && !str_starts(p, "ID_LIKE="))
			continue;
		n = strcspn(p, "\n");
		if (memmem(p, n, word, strlen(word)) != NULL)
			return true;
	}
	return false;
}

static void take_distribution(struct kg_system *sys)
{
	static const struct {
		const char *id;
		const char *location;
	} known[] = {
		{ "fedora", "extra" },	      { "rhel", "extra" },
		{ "centos", "extra" },	      { "suse", "updates" },
		{ "debian", "updates/dkms" }, { "ubuntu", "updates/dkms" },
		{ "arch", "updates/dkms" },
	};
	_cleanup_free_ char *text = NULL;

	if (fd_read_file_in(sys->root_fd, "etc/os-release", CONF_MAX_BYTES, &text, NULL,
			    NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (os_is(text, known[i].id)) {
			sys->module_location = known[i].location;
			return;
		}
	sys->goes_as_given = true;
}

/* The value in a file of the shell; "" when there is none. */
static void read_addon_conf(const struct kg_system *sys, struct str *value)
{
	_cleanup_free_ char *text = NULL;
	char *next;

	if (fd_read_file_in(sys->root_fd, ADDON_CONF, CONF_MAX_BYTES, &text, NULL, NULL) <
	    0)
		return;
	for (char *line = text; line != NULL; line = next) {
		const char *word;

		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (!str_starts(line, ADDON_KEY "="))
			continue;
		word = line + strlen(ADDON_KEY "=");
		str_clear(value);
		if (confline_read_word(&word, value) < 0)
			str_clear(value);
	}
}

/* ADDON_MODULES_DIR is DKMS's way to have them elsewhere on any distribution. */
static int take_location(struct kg_system *sys, struct arena *arena, struct kg_err *err)
{
	_cleanup_str_ struct str value = { 0 };
	const char *path = getenv(ADDON_KEY);

	if (path != NULL)
		str_add(&value, path);
	else
		read_addon_conf(sys, &value);
	path = str_get(&value) + strspn(str_get(&value), "/");
	if (*path == '\0') {
		take_distribution(sys);
		return 0;
	}
	if (!name_is_path(path))
		return kg_fail(err, -KGE_FORMAT, ADDON_KEY ": not a plain path: %s",
			       str_get(&value));
	sys->module_location = arena_strdup(arena, path);
	return arena->failed ? kg_fail_errno(err, -ENOMEM, "cannot start") : 0;
}

/* ---- framework.conf ---- */

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
	sys->is_verbose = fw.verbose != NULL;
	framework_fini(&fw);
	return r;
}

int kg_system_init(struct kg_system *sys, const char *root, struct arena *arena,
		   struct kg_err *err)
{
	struct utsname uts;
	int r;

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
	r = take_location(sys, arena, err);
	return r < 0 ? r : take_framework(sys, arena, err);
}

void kg_system_fini(struct kg_system *sys)
{
	closep(&sys->root_fd);
	sys->root_fd = -1;
}
