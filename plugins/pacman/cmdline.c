// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/cmdline.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/proc.h"

void cmdline_fini(struct cmdline *c)
{
	strv_fini(&c->targets);
	strv_fini(&c->caches);
	free(c->config);
	free(c->root);
	free(c->dbpath);
	free(c->sysroot);
	*c = (struct cmdline){ 0 };
}

/* Every long option with a value; what has no place here is skipped with its value. */
enum kept { KEPT_NOWHERE, KEPT_CONFIG, KEPT_ROOT, KEPT_DBPATH, KEPT_SYSROOT, KEPT_CACHE };
static const struct {
	const char *name;
	enum kept kept;
} with_value[] = {
	{ "config", KEPT_CONFIG },	 { "root", KEPT_ROOT },
	{ "dbpath", KEPT_DBPATH },	 { "sysroot", KEPT_SYSROOT },
	{ "cachedir", KEPT_CACHE },	 { "arch", KEPT_NOWHERE },
	{ "ask", KEPT_NOWHERE },	 { "assume-installed", KEPT_NOWHERE },
	{ "color", KEPT_NOWHERE },	 { "gpgdir", KEPT_NOWHERE },
	{ "hookdir", KEPT_NOWHERE },	 { "ignore", KEPT_NOWHERE },
	{ "ignoregroup", KEPT_NOWHERE }, { "logfile", KEPT_NOWHERE },
	{ "overwrite", KEPT_NOWHERE },	 { "print-format", KEPT_NOWHERE },
};

static int keep(struct cmdline *c, enum kept kept, const char *value)
{
	char **slots[] = { [KEPT_CONFIG] = &c->config,
			   [KEPT_ROOT] = &c->root,
			   [KEPT_DBPATH] = &c->dbpath,
			   [KEPT_SYSROOT] = &c->sysroot };

	if (kept == KEPT_NOWHERE || value == NULL)
		return 0;
	if (kept == KEPT_CACHE) {
		strv_add(&c->caches, value);
		return 0;
	}
	free(*slots[kept]);
	*slots[kept] = strdup(value);
	return *slots[kept] == NULL ? -ENOMEM : 0;
}

static void note_long_flag(struct cmdline *c, const char *name)
{
	static const struct {
		const char *name;
		char operation;
	} operations[] = { { "sync", 'S' },	{ "upgrade", 'U' }, { "remove", 'R' },
			   { "database", 'D' }, { "query", 'Q' },   { "files", 'F' },
			   { "deptest", 'T' } };

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (strcmp(operations[i].name, name) == 0)
			c->operation = operations[i].operation;
	if (strcmp(name, "sysupgrade") == 0)
		c->is_sysupgrade = true;
}

/* As getopt_long takes them: "--root=/x", "--root /x". Returns how many arguments it was. */
static int take_long(struct cmdline *c, const char *arg, const char *next, size_t *ret_n)
{
	const size_t len = strcspn(arg, "=");

	*ret_n = 1;
	for (size_t i = 0; i < ARRAY_SIZE(with_value); i++) {
		const char *name = with_value[i].name;

		if (strlen(name) != len || strncmp(name, arg, len) != 0)
			continue;
		if (arg[len] == '=')
			return keep(c, with_value[i].kept, arg + len + 1);
		*ret_n = 2;
		return keep(c, with_value[i].kept, next);
	}
	note_long_flag(c, arg);
	return 0;
}

/* "-Syu", "-Ur /x", "-Ub/x". */
static int take_short(struct cmdline *c, const char *arg, const char *next, size_t *ret_n)
{
	*ret_n = 1;
	for (; *arg != '\0'; arg++) {
		if (strchr("SURDQFT", *arg) != NULL)
			c->operation = *arg;
		/* With another operation it means something else. */
		if (*arg == 'u')
			c->is_sysupgrade = true;
		if (*arg != 'r' && *arg != 'b')
			continue;
		*ret_n = arg[1] != '\0' ? 1 : 2;
		return keep(c, *arg == 'r' ? KEPT_ROOT : KEPT_DBPATH,
			    arg[1] != '\0' ? arg + 1 : next);
	}
	return 0;
}

static bool is_pacman(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strcmp(slash != NULL ? slash + 1 : name, "pacman") == 0;
}

int cmdline_parse(const struct strv *args, struct cmdline *ret)
{
	bool is_end = false; /* "--" was there */
	size_t step = 1;
	int r = 0;

	*ret = (struct cmdline){ .is_pacman = args->n > 0 && is_pacman(args->v[0]) };
	for (size_t i = 1; r == 0 && ret->is_pacman && i < args->n; i += step) {
		const char *arg = args->v[i];
		const char *next = i + 1 < args->n ? args->v[i + 1] : NULL;

		step = 1;
		if (is_end || arg[0] != '-' || arg[1] == '\0')
			strv_add(&ret->targets, arg);
		else if (strcmp(arg, "--") == 0)
			is_end = true;
		else if (arg[1] == '-')
			r = take_long(ret, arg + 2, next, &step);
		else
			r = take_short(ret, arg + 1, next, &step);
	}
	if (r == 0 && (!strv_ok(&ret->targets) || !strv_ok(&ret->caches)))
		r = -ENOMEM;
	if (r < 0)
		cmdline_fini(ret);
	return r;
}

int cmdline_of(pid_t pid, struct cmdline *ret, struct kg_err *err)
{
	_cleanup_strv_ struct strv args = { 0 };
	int r = proc_arguments(pid, &args);

	if (r == 0)
		r = cmdline_parse(&args, ret);
	return r < 0 ? kg_fail_errno(err, r, "cannot read the command line of process %d",
				     pid)
		     : 0;
}

/* ---- relative paths ---- */

static char *real_below(const char *folder, const char *path)
{
	char joined[PATH_MAX];

	if (snprintf(joined, sizeof(joined), "%s/%s", folder, path) >=
	    (int)sizeof(joined))
		return NULL;
	return realpath(joined, NULL);
}

int cmdline_resolve(pid_t pid, const char *path, char **ret_path)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	char folder[64];
	char link[PATH_MAX];

	if (path[0] == '/') {
		*ret_path = realpath(path, NULL);
		return *ret_path == NULL ? -errno : 0;
	}
	*ret_path = NULL;
	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	while (*ret_path == NULL && dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		struct stat st;

		if (snprintf(link, sizeof(link), "%s/%s", folder, entry->d_name) <
			    (int)sizeof(link) &&
		    stat(link, &st) == 0 && S_ISDIR(st.st_mode))
			*ret_path = real_below(link, path);
	}
	if (*ret_path == NULL) {
		snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
		*ret_path = real_below(link, path);
	}
	return *ret_path == NULL ? -ENOENT : 0;
}
