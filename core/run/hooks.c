// SPDX-License-Identifier: GPL-2.0-or-later
/* What acts on the running system, as root: scripts of a dkms.conf, and what follows a command. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/base/spawn.h"
#include "core/recipe/recipe.h"
#include "core/run/run.h"

/* ---- scripts of dkms.conf ---- */

/* "./sub/../x.sh" is "x.sh"; NULL for what leaves the source's folder. */
static const char *plain_path(struct arena *arena, const char *word)
{
	_cleanup_strv_ struct strv parts = { 0 };
	_cleanup_str_ struct str path = { 0 };

	if (word[0] == '/')
		return NULL;
	for (word += strspn(word, "/"); *word != '\0'; word += strspn(word, "/")) {
		size_t len = strcspn(word, "/");

		if (len == 2 && memcmp(word, "..", 2) == 0) {
			if (parts.n == 0)
				return NULL;
			free(parts.v[--parts.n]);
			parts.v[parts.n] = NULL;
		} else if (len != 1 || word[0] != '.') {
			strv_addn(&parts, word, len);
		}
		word += len;
	}
	for (size_t i = 0; i < parts.n; i++)
		str_addf(&path, "%s%s", i > 0 ? "/" : "", parts.v[i]);
	return parts.n > 0 && strv_ok(&parts) && str_ok(&path)
		       ? arena_strdup(arena, str_get(&path))
		       : NULL;
}

/* A link is followed: what counts is the file behind it. */
static int look_at_script(const struct run *run, const char *path)
{
	_cleanup_close_ int fd = fd_try_open_in(run->sys->root_fd, path, O_PATH);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 ? 0 : -EACCES;
}

static int find_script(const struct run *run, const struct kg_source *source,
		       const char *script, struct arena *arena, const char **ret_path)
{
	const char *override =
		arena_printf(arena, "etc/dkms/%s/%s", source->name, script);
	const char *own = arena_printf(arena, "%s/%s", source->path, script);
	struct stat st;

	if (override == NULL || own == NULL)
		return -ENOMEM;
	*ret_path = fd_lstat_in(run->sys->root_fd, override, &st) == 0 ? override : own;
	return look_at_script(run, *ret_path);
}

static void add_words(struct arena *arena, const char *text, const char ***argv,
		      size_t *n)
{
	for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		const char **slot = ARENA_ADD(arena, *argv, *n);

		if (slot != NULL)
			*slot = arena_strndup(arena, text, len);
		text += len;
	}
}

static int script_env(const struct run *run, const struct kg_source *source,
		      const char *release, struct arena *arena,
		      const char *const **ret_env)
{
	const struct {
		const char *name;
		const char *value;
	} vars[] = {
		{ "kernelver", release },
		{ "arch", run_arch(run) },
		{ "module", source->name },
		{ "module_version", source->version },
		{ "dkms_tree", arena_printf(arena, "/%s", run->sys->dkms_tree) },
		{ "source_tree", arena_printf(arena, "/%s", run->sys->source_tree) },
	};
	const char **env = NULL;
	const char **holder;
	size_t n = 0;

	for (size_t i = 0; spawn_clean_env[i] != NULL; i++) {
		const char **slot = ARENA_ADD(arena, env, n);

		if (slot != NULL)
			*slot = spawn_clean_env[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++) {
		const char **slot = ARENA_ADD(arena, env, n);

		if (slot != NULL)
			*slot = arena_printf(arena, "%s=%s", vars[i].name,
					     vars[i].value ?: "");
	}
	holder = ARENA_ADD(arena, env, n);
	if (holder != NULL)
		*holder = arena_printf(arena, "KMODGATE_LOCK_HOLDER=%d", getpid());
	(void)ARENA_ADD(arena, env, n);
	*ret_env = env;
	return arena->failed ? -ENOMEM : 0;
}

int run_script(struct run *run, const struct kg_source *source, const char *command,
	       const char *release, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_close_ int dir_fd = -1;
	const char **argv = NULL;
	const char *path = NULL;
	size_t n = 0;
	struct kg_spawn how = { .in_fd = -1, .out_fd = 2, .err_fd = 2 };
	int status = 0;
	int r;

	if (command == NULL || command[0] == '\0')
		return 0;
	if (strcmp(run->sys->root, "/") != 0) {
		kg_warning(
			"%s/%s: %s is not run: it would act on this machine, not on %s",
			source->name, source->version, command, run->sys->root);
		return 0;
	}
	add_words(&arena, command, &argv, &n);
	if (n > 0 && argv[0] != NULL)
		argv[0] = plain_path(&arena, argv[0]);
	if (n == 0 || argv[0] == NULL)
		return kg_fail(err, -KGE_RECIPE, "%s: not a script of its source: %s",
			       source->name, command);
	r = find_script(run, source, argv[0], &arena, &path);
	if (r < 0) {
		kg_warning("%s/%s: %s is not there or not executable; it was not run",
			   source->name, source->version, argv[0]);
		return 0;
	}
	argv[0] = arena_printf(&arena, "/%s", path);
	(void)ARENA_ADD(&arena, argv, n);
	dir_fd = fd_open_dir_in(run->sys->root_fd, source->path, err);
	r = dir_fd < 0 ? dir_fd : script_env(run, source, release, &arena, &how.env);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot run %s", command);
	how.argv = argv;
	how.dir_fd = dir_fd;
	r = spawn_run(&how, (int)run->policy.build_timeout_s * 1000, &status, err);
	if (r == 0 && status != 0) {
		r = kg_fail(err, -KGE_SCRIPT, "%s/%s: %s exited with %d", source->name,
			    source->version, command, status);
		if (err != NULL)
			err->status = status;
	}
	return r;
}

/* What is known of @release: add and remove do not look for headers, which takes a while. */
static struct run_release *known_release(struct run *run, const char *release,
					 struct run_release *spare)
{
	for (size_t i = 0; i < run->n_releases; i++)
		if (strcmp(run->releases[i].release, release) == 0)
			return &run->releases[i];
	*spare = (struct run_release){ .release = release, .result = -KGE_NO_HEADERS };
	return spare;
}

static const char *hook_command(const struct kg_recipe *recipe, enum run_hook hook)
{
	switch (hook) {
	case RUN_PRE_INSTALL:
		return recipe->pre_install;
	case RUN_POST_INSTALL:
		return recipe->post_install;
	case RUN_POST_REMOVE:
		return recipe->post_remove;
	}
	return NULL;
}

void run_show_warnings(const struct run *run, const struct kg_source *source,
		       const struct kg_recipe *recipe)
{
	const bool is_asked_for = run->target != NULL && run->target->name != NULL &&
				  strcmp(run->target->name, source->name) == 0;

	for (size_t i = 0;
	     is_asked_for && recipe->warnings != NULL && recipe->warnings[i] != NULL; i++)
		kg_warning("%s/%s: %s", source->name, source->version,
			   recipe->warnings[i]);
}

int run_hook(struct run *run, const struct kg_source *source, const char *release,
	     enum run_hook hook, struct kg_err *err)
{
	struct kg_recipe recipe = { 0 };
	struct kg_err why = { 0 };
	struct run_release spare;
	_cleanup_close_ int source_fd =
		fd_try_open_in(run->sys->root_fd, source->path, O_RDONLY | O_DIRECTORY);
	int r;

	if (source_fd < 0)
		return 0; /* its source left meanwhile: there is no script to run */
	r = run_read_recipe(run, source, source_fd, known_release(run, release, &spare),
			    &recipe, &why);
	if (r < 0)
		/* A refusal that cannot be read is no permission; the gate has read it once. */
		return hook == RUN_PRE_INSTALL && r == -KGE_RECIPE && run->txn == NULL
			       ? kg_fail(err, r, "%s", why.text)
			       : 0;
	r = run_script(run, source, hook_command(&recipe, hook), release, err);
	recipe_fini(&recipe);
	return r;
}

/* ---- modprobe_on_install ---- */

#define ALIASES_AT_ONCE 500
#define MODPROBE_TIMEOUT_MS 120000
#define DEVICES_DEPTH 64

static void add_alias(int dir_fd, struct strv *aliases)
{
	_cleanup_close_ int fd = openat(dir_fd, "modalias", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;

	if (fd < 0 || fd_read_all(fd, 65536, &text, NULL) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (text[0] != '\0')
		strv_add(aliases, text);
}

static void collect_aliases(int dir_fd, unsigned int depth, struct strv *aliases)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	add_alias(dir_fd, aliases);
	while (depth > 0 && dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		_cleanup_close_ int fd = -1;

		if (entry->d_type != DT_DIR)
			continue;
		fd = openat(dir_fd, entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			collect_aliases(fd, depth - 1, aliases);
	}
}

static void spawn_quietly(const struct strv *argv)
{
	const struct kg_spawn how = { .argv = (const char *const *)argv->v,
				      .dir_fd = -1,
				      .in_fd = -1,
				      .out_fd = -1,
				      .err_fd = -1 };
	struct kg_err err = { 0 };
	int status;

	if (!strv_ok(argv))
		kg_warning("no memory for %s", argv->v[0]);
	else if (spawn_run(&how, MODPROBE_TIMEOUT_MS, &status, &err) < 0)
		kg_warning("%s", err.text);
}

/* Aliases without a module are the rule: how modprobe ends says nothing. */
static void modprobe_aliases(const struct strv *aliases)
{
	for (size_t i = 0; i < aliases->n;) {
		_cleanup_strv_ struct strv argv = { 0 };

		strv_add(&argv, "/sbin/modprobe");
		strv_add(&argv, "-abq");
		strv_add(&argv, "--");
		for (size_t k = 0; k < ALIASES_AT_ONCE && i < aliases->n; k++, i++)
			if (i == 0 || strcmp(aliases->v[i], aliases->v[i - 1]) != 0)
				strv_add(&argv, aliases->v[i]);
		spawn_quietly(&argv);
	}
}

void run_load_drivers(const struct run *run, const char *release)
{
	const bool is_wanted = run->framework.modprobe_on_install != NULL ||
			       (run->target != NULL && run->target->modprobe_on_install);
	_cleanup_strv_ struct strv aliases = { 0 };
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!is_wanted || strcmp(release, run->sys->running) != 0 ||
	    strcmp(run->sys->root, "/") != 0)
		return;
	fd = open("/sys/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		collect_aliases(fd, DEVICES_DEPTH, &aliases);
	strv_sort(&aliases);
	modprobe_aliases(&aliases);
	if (stat("/lib/systemd/system/systemd-modules-load.service", &st) == 0) {
		_cleanup_strv_ struct strv argv = { 0 };

		strv_add(&argv, "/bin/systemctl");
		strv_add(&argv, "restart");
		strv_add(&argv, "--no-block"); /* at boot it may wait for us */
		strv_add(&argv, "systemd-modules-load.service");
		spawn_quietly(&argv);
	}
}

/* ---- post_transaction ---- */

#define POST_TRANSACTION_LOG "post_transaction.log"

static int run_post_transaction(const struct kg_system *sys, const char *command,
				int *ret_status, struct kg_err *err)
{
	const char *const argv[] = { "/bin/bash", "-c", command, NULL };
	_cleanup_close_ int tree_fd =
		fd_make_dir_in(sys->root_fd, sys->dkms_tree, 0755, err);
	_cleanup_close_ int log_fd = -1;
	struct kg_spawn how = { .argv = argv, .dir_fd = -1, .in_fd = -1, .err_fd = -1 };

	if (tree_fd < 0)
		return tree_fd;
	log_fd = openat(tree_fd, POST_TRANSACTION_LOG,
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (log_fd < 0)
		return kg_fail_errno(err, -errno, "cannot write /%s/%s", sys->dkms_tree,
				     POST_TRANSACTION_LOG);
	how.out_fd = log_fd;
	return spawn_run(&how, -1, ret_status, err);
}

/* framework.conf is root's own, and what it asks for is a shell's. */
void kg_dkms_post_transaction(const struct kg_system *sys)
{
	struct kg_framework framework = { 0 };
	struct kg_err err = { 0 };
	int status = 0;
	int r = framework_read(sys->root_fd, &framework, &err);

	if (r == 0 && framework.post_transaction != NULL && strcmp(sys->root, "/") == 0) {
		kg_info("running post_transaction: %s", framework.post_transaction);
		r = run_post_transaction(sys, framework.post_transaction, &status, &err);
	}
	if (r < 0)
		kg_warning("post_transaction: %s", err.text);
	else if (status != 0)
		kg_warning("post_transaction exited with %d; see /%s/%s", status,
			   sys->dkms_tree, POST_TRANSACTION_LOG);
	framework_fini(&framework);
}
