// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dpkg-event: dpkg's pre-invoke, for a person's own `dpkg -i`. Finds the archives on the command
 * line of the dpkg that called us; below apt it does nothing, apt-event has been asked already.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "plugins/apt/event.h"

#define FOLDERS_MAX_DEPTH 16

/* What dpkg was told to do. */
struct dpkg_call {
	struct str dir;	     /* its working directory */
	struct str archives; /* one absolute path a line */
	bool unpacks;
	bool is_recursive;
	bool is_elsewhere; /* --root and the like, or a dry run */
};

static void call_fini(struct dpkg_call *call)
{
	str_fini(&call->dir);
	str_fini(&call->archives);
}

/* "--root=/" is this machine after all. */
static void take_long_option(struct dpkg_call *call, const char *arg)
{
	static const char *const elsewhere[] = { "--root",   "--admindir", "--instdir",
						 "--no-act", "--dry-run",  "--simulate" };

	if (strcmp(arg, "--install") == 0 || strcmp(arg, "--unpack") == 0)
		call->unpacks = true;
	if (strcmp(arg, "--recursive") == 0)
		call->is_recursive = true;
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		size_t len = strlen(elsewhere[i]);

		if (strncmp(arg, elsewhere[i], len) == 0 &&
		    (arg[len] == '\0' ||
		     (arg[len] == '=' && strcmp(arg + len, "=/") != 0)))
			call->is_elsewhere = true;
	}
}

static void take_short_options(struct dpkg_call *call, const char *letters)
{
	for (; *letters != '\0'; letters++) {
		if (*letters == 'D')
			return; /* the rest is its value */
		if (*letters == 'i')
			call->unpacks = true;
		if (*letters == 'R')
			call->is_recursive = true;
	}
}

static void add_folder(struct dpkg_call *call, const char *path, int depth);

static void add_path(struct dpkg_call *call, const char *path, int depth)
{
	struct stat st;

	if (strchr(path, '\n') != NULL || stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode) && call->is_recursive) {
		add_folder(call, path, depth + 1);
	} else if (S_ISREG(st.st_mode) && (depth == 0 || str_ends(path, ".deb"))) {
		str_add(&call->archives, path);
		str_addc(&call->archives, '\n');
	}
}

static void add_folder(struct dpkg_call *call, const char *path, int depth)
{
	_cleanup_dir_ DIR *dir = depth < FOLDERS_MAX_DEPTH ? opendir(path) : NULL;
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		_cleanup_str_ struct str below = { 0 };

		str_addf(&below, "%s/%s", path, entry->d_name);
		if (str_ok(&below))
			add_path(call, str_get(&below), depth);
	}
}

static void add_operand(struct dpkg_call *call, const char *arg)
{
	_cleanup_str_ struct str path = { 0 };

	if (arg[0] != '/')
		str_addf(&path, "%s/", str_get(&call->dir));
	str_add(&path, arg);
	if (str_ok(&path))
		add_path(call, str_get(&path), 0);
}

static void take_options(struct dpkg_call *call, const struct strv *args)
{
	for (size_t i = 1; i < args->n && strcmp(args->v[i], "--") != 0; i++) {
		if (str_starts(args->v[i], "--"))
			take_long_option(call, args->v[i]);
		else if (args->v[i][0] == '-')
			take_short_options(call, args->v[i] + 1);
	}
}

static void take_operands(struct dpkg_call *call, const struct strv *args)
{
	bool all = false;

	for (size_t i = 1; i < args->n; i++) {
		if (!all && strcmp(args->v[i], "--") == 0)
			all = true;
		else if (all || args->v[i][0] != '-')
			add_operand(call, args->v[i]);
	}
}

static int read_call(pid_t dpkg, struct dpkg_call *ret)
{
	_cleanup_strv_ struct strv args = { 0 };
	char link[64];
	char dir[PATH_MAX];
	ssize_t len;
	int r = proc_arguments(dpkg, &args);

	if (r < 0)
		return r;
	snprintf(link, sizeof(link), "/proc/%d/cwd", dpkg);
	len = readlink(link, dir, sizeof(dir) - 1);
	if (len < 0)
		return -errno;
	str_addn(&ret->dir, dir, (size_t)len);
	take_options(ret, &args);
	if (ret->unpacks && !ret->is_elsewhere)
		take_operands(ret, &args);
	return str_ok(&ret->dir) && str_ok(&ret->archives) ? 0 : -ENOMEM;
}

/* Set, and to something else than @usual. */
static bool is_changed(const char *name, const char *usual)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' && strcmp(value, usual) != 0;
}

/* Not this machine, nothing unpacked, or a front end has asked before. */
static bool is_none_of_ours(const struct owner *owner)
{
	/* What runs DPkg::Pre-Install-Pkgs itself. The kernel cuts names after 15 bytes. */
	static const char *const front_ends[] = {
		"apt",	    "apt-get",	       "aptitude",    "aptitude-curse",
		"synaptic", "unattended-upgr", "packagekitd", "aptd",
		"nala",	    "aptdaemon",       NULL
	};
	const char *action = getenv("DPKG_HOOK_ACTION");

	if (action != NULL && strcmp(action, "install") != 0 &&
	    strcmp(action, "unpack") != 0)
		return true;
	return is_changed("DPKG_ROOT", "/") ||
	       is_changed("DPKG_ADMINDIR", "/var/lib/dpkg") ||
	       is_changed("DPKG_FRONTEND_LOCKED", "") ||
	       owner_is_below(owner, front_ends);
}

static enum event_exit judge_call(const struct dpkg_call *call, const struct owner *owner)
{
	struct stream s = { 0 };
	char *copy = strdup(str_get(&call->archives));
	enum event_exit verdict = EVENT_GO_ON;

	if (copy == NULL || stream_parse(copy, call->archives.len, &s, NULL) < 0)
		return EVENT_GO_ON;
	if (event_matters(&s))
		verdict = event_plan("dpkg", call->archives.p, call->archives.len, owner);
	stream_fini(&s);
	return verdict;
}

int main(void)
{
	struct dpkg_call call = { 0 };
	enum event_exit verdict = EVENT_GO_ON;
	struct owner owner;

	owner_find(&owner);
	if (!is_none_of_ours(&owner) && read_call(owner.pid, &call) == 0 &&
	    call.archives.len > 0 && !event_is_off())
		verdict = judge_call(&call, &owner);
	call_fini(&call);
	return (int)verdict;
}
