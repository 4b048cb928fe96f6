// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/config.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/spawn.h"

#define CONF_PROGRAM "/usr/bin/pacman-conf"
#define CONF_TIMEOUT_MS 10000
#define CONF_MAX (4u << 20)

void config_fini(struct config *c)
{
	free(c->root);
	free(c->dbpath);
	strv_fini(&c->caches);
	strv_fini(&c->repos);
	strv_fini(&c->no_extract);
	*c = (struct config){ 0 };
}

static int set_text(char **slot, const char *text, size_t len)
{
	free(*slot);
	*slot = strndup(text, len);
	return *slot == NULL ? -ENOMEM : 0;
}

/* "Key = value" of [options]. */
static int take_option(struct config *c, const char *line, size_t len)
{
	const char *end = memmem(line, len, " = ", 3);
	const char *value = end != NULL ? end + 3 : NULL;
	const size_t n_key = end != NULL ? (size_t)(end - line) : 0;
	const size_t n = value != NULL ? (size_t)(line + len - value) : 0;

	if (value == NULL)
		return 0;
	if (n_key == 7 && strncmp(line, "RootDir", n_key) == 0)
		return set_text(&c->root, value, n);
	if (n_key == 6 && strncmp(line, "DBPath", n_key) == 0)
		return set_text(&c->dbpath, value, n);
	if (n_key == 8 && strncmp(line, "CacheDir", n_key) == 0)
		strv_addn(&c->caches, value, n);
	if (n_key == 9 && strncmp(line, "NoExtract", n_key) == 0)
		strv_addn(&c->no_extract, value, n);
	return 0;
}

int config_parse(const char *text, struct config *ret)
{
	bool is_options = false;
	int r = 0;

	*ret = (struct config){ 0 };
	while (r == 0 && *text != '\0') {
		const size_t len = strcspn(text, "\n");

		if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
			is_options = strncmp(text, "[options]", len) == 0;
			if (!is_options)
				strv_addn(&ret->repos, text + 1, len - 2);
		} else if (is_options) {
			r = take_option(ret, text, len);
		}
		text += len + (text[len] == '\n');
	}
	if (r == 0 && (!strv_ok(&ret->caches) || !strv_ok(&ret->repos) ||
		       !strv_ok(&ret->no_extract)))
		r = -ENOMEM;
	if (r == 0 && (ret->root == NULL || ret->dbpath == NULL))
		r = -KGE_FORMAT;
	if (r < 0)
		config_fini(ret);
	return r;
}

/* ---- asking ---- */

static int add_path(struct strv *args, pid_t pid, const char *option, const char *path)
{
	_cleanup_free_ char *real = NULL;

	if (path == NULL)
		return 0;
	strv_add(args, option);
	strv_add(args, cmdline_resolve(pid, path, &real) == 0 ? real : path);
	return 0;
}

static int ask(pid_t pid, const struct cmdline *cmd, struct str *out, struct kg_err *err)
{
	_cleanup_strv_ struct strv args = { 0 };
	struct kg_spawn how = { .dir_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = 2 };
	int status = 0;
	int r;

	strv_add(&args, CONF_PROGRAM);
	add_path(&args, pid, "--config", cmd->config);
	add_path(&args, pid, "--rootdir", cmd->root);
	if (!strv_ok(&args))
		return kg_fail_errno(err, -ENOMEM, "reading pacman.conf");
	how.argv = (const char *const *)args.v;
	r = spawn_capture(&how, CONF_TIMEOUT_MS, CONF_MAX, out, &status, err);
	if (r == 0 && status != 0)
		r = kg_fail(err, -EIO, CONF_PROGRAM " ended with %d", status);
	return r;
}

/* The command line's own come instead of pacman.conf's. */
static int override(pid_t pid, const struct cmdline *cmd, struct config *c)
{
	if (cmd->dbpath != NULL) {
		_cleanup_free_ char *real = NULL;
		const char *path = cmdline_resolve(pid, cmd->dbpath, &real) == 0
					   ? real
					   : cmd->dbpath;

		if (set_text(&c->dbpath, path, strlen(path)) < 0)
			return -ENOMEM;
	}
	if (cmd->caches.n > 0)
		strv_fini(&c->caches);
	for (size_t i = 0; i < cmd->caches.n; i++) {
		_cleanup_free_ char *real = NULL;

		strv_add(&c->caches, cmdline_resolve(pid, cmd->caches.v[i], &real) == 0
					     ? real
					     : cmd->caches.v[i]);
	}
	return strv_ok(&c->caches) ? 0 : -ENOMEM;
}

int config_read(pid_t pid, const struct cmdline *cmd, struct config *ret,
		struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	int r = ask(pid, cmd, &text, err);

	if (r < 0)
		return r;
	r = config_parse(str_get(&text), ret);
	if (r == 0) {
		r = override(pid, cmd, ret);
		if (r < 0)
			config_fini(ret);
	}
	return r < 0 ? kg_fail_errno(err, r, "reading what " CONF_PROGRAM " says") : 0;
}
