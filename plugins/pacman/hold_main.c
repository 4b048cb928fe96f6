// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pacman-hold:
 *   set [RELEASE...]    hold these kernels of the plan on stdin (none named: all that come);
 *                       prints the file. Fails without a word when the configuration that pacman
 *                       was called with does not include it
 *   clear [RELEASE...]  lift them (none named: all)
 *   list                one release a line
 *   check               lift what has lost its reason
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/plan/plan.h"
#include "plugins/common/hold_reason.h"
#include "plugins/pacman/cmdline.h"
#include "plugins/pacman/hold.h"

#define CONF_FILE "/etc/pacman.conf"
#define FILE_MAX (1u << 20)

static bool is_named(char **releases, int n, const char *release)
{
	for (int i = 0; i < n; i++)
		if (strcmp(releases[i], release) == 0)
			return true;
	return n == 0;
}

/* "Include = /etc/pacman.d/kmodgate-hold.conf", whatever blanks there are. */
static bool is_include(const char *line)
{
	static const char *const words[] = { "Include", "=", HOLD_DIR "/" HOLD_FILE };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		line += strspn(line, " \t");
		if (!str_starts(line, words[i]))
			return false;
		line += strlen(words[i]);
	}
	line += strspn(line, " \t\r");
	return *line == '\n' || *line == '\0';
}

/* What @pacman reads: --config FILE, else the usual one. */
static int open_conf(pid_t pacman)
{
	_cleanup_free_ char *path = NULL;
	struct cmdline cmd;
	int fd = -1;

	if (cmdline_of(pacman, &cmd, NULL) < 0)
		return -1;
	if (cmd.config == NULL)
		fd = open(CONF_FILE, O_RDONLY | O_CLOEXEC);
	else if (cmdline_resolve(pacman, cmd.config, &path) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	cmdline_fini(&cmd);
	return fd;
}

/* Below [options], the only place where it means something. */
static bool is_included(pid_t pacman)
{
	_cleanup_close_ int fd = open_conf(pacman);
	_cleanup_free_ char *text = NULL;
	bool is_options = false;

	if (fd < 0 || fd_read_all(fd, FILE_MAX, &text, NULL) < 0)
		return false;
	for (const char *p = text; *p != '\0';) {
		const size_t len = strcspn(p, "\n");

		if (p[0] == '[')
			is_options = str_starts(p, "[options]");
		if (is_options && is_include(p))
			return true;
		p += len + (p[len] == '\n');
	}
	return false;
}

static int open_dir(struct kg_err *err)
{
	int fd = open(HOLD_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? kg_fail_errno(err, -errno, "cannot open " HOLD_DIR) : fd;
}

static int read_list(struct hold_list *ret, struct kg_err *err)
{
	_cleanup_close_ int fd = open_dir(err);
	_cleanup_free_ char *text = NULL;
	int r = fd < 0 ? fd : fd_read_file_in(fd, HOLD_FILE, FILE_MAX, &text, NULL, NULL);

	*ret = (struct hold_list){ 0 };
	if (fd < 0 || r == -ENOENT)
		return fd < 0 ? fd : 0;
	if (r == 0)
		r = hold_parse(text, ret);
	return r < 0 ? kg_fail_errno(err, r, "cannot read " HOLD_DIR "/" HOLD_FILE) : 0;
}

static int write_list(const struct hold_list *list, struct kg_err *err)
{
	_cleanup_close_ int fd = open_dir(err);
	_cleanup_str_ struct str text = { 0 };
	int r = fd < 0 ? fd : hold_print(list, &text);

	if (fd < 0)
		return fd;
	if (r < 0)
		return kg_fail_errno(err, r, "writing the holds");
	return fd_replace_at(fd, HOLD_FILE, text.p, text.len, 0644, err);
}

/* ---- the verbs ---- */

static void add_packages(struct hold *hold, const struct kg_package *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (plan_comes(v[i].change) && !strv_has(&hold->packages, v[i].name))
			strv_add(&hold->packages, v[i].name);
}

static int add_kernel(struct hold_list *list, const struct kg_plan_kernel *k)
{
	struct hold *hold = hold_take(list, k->release);

	if (hold == NULL)
		return -ENOMEM;
	add_packages(hold, k->packages, k->n_packages);
	add_packages(hold, k->headers, k->n_headers);
	return strv_ok(&hold->packages) ? 0 : -ENOMEM;
}

static int set_plan(char **releases, int n, const struct kg_plan *plan,
		    struct kg_err *err)
{
	char reason[DIGEST_HEX_SIZE];
	struct hold_list list;
	int r = read_list(&list, err);

	if (r == 0)
		r = hold_reason(reason, err);
	for (size_t i = 0; r == 0 && i < plan->n_kernels; i++)
		if (plan_comes(plan->kernels[i].change) &&
		    is_named(releases, n, plan->kernels[i].release))
			r = add_kernel(&list, &plan->kernels[i]);
	if (r == 0) {
		free(list.reason);
		list.reason = strdup(reason);
		r = list.reason == NULL ? -ENOMEM : write_list(&list, err);
	}
	if (r == 0)
		puts(HOLD_DIR "/" HOLD_FILE);
	hold_fini(&list);
	return r;
}

static int verb_set(char **releases, int n, struct kg_err *err)
{
	struct kg_plan plan = { 0 };
	int r = plan_read_fd(0, &plan, err);

	if (r == 0 && !is_included(plan.owner_pid))
		r = -EOPNOTSUPP; /* the report says what to type instead */
	if (r == 0)
		r = set_plan(releases, n, &plan, err);
	plan_fini(&plan);
	return r;
}

static int verb_clear(char **releases, int n, struct kg_err *err)
{
	struct hold_list list;
	int r = read_list(&list, err);
	const size_t before = list.n;

	if (r < 0)
		return r;
	for (int i = 0; i < n; i++)
		hold_drop(&list, releases[i]);
	while (n == 0 && list.n > 0)
		hold_drop(&list, list.v[0].release);
	if (list.n != before)
		r = write_list(&list, err);
	hold_fini(&list);
	return r;
}

static int verb_list(char **releases, int n, struct kg_err *err)
{
	struct hold_list list;
	int r = read_list(&list, err);

	(void)releases;
	(void)n;
	for (size_t i = 0; i < list.n; i++)
		puts(list.v[i].release);
	hold_fini(&list);
	return r;
}

static int verb_check(char **releases, int n, struct kg_err *err)
{
	char now[DIGEST_HEX_SIZE];
	struct hold_list list;
	int r = read_list(&list, err);
	bool is_lost = false;

	(void)releases;
	(void)n;
	if (r == 0 && list.n > 0) {
		r = hold_reason(now, err);
		is_lost =
			r == 0 && (list.reason == NULL || strcmp(now, list.reason) != 0);
	}
	hold_fini(&list);
	if (!is_lost)
		return r;
	fputs("kmodgate: what held kernels back has changed: the hold is lifted\n",
	      stderr);
	return verb_clear(NULL, 0, err);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*act)(char **releases, int n, struct kg_err *err);
	} verbs[] = { { "set", verb_set },
		      { "clear", verb_clear },
		      { "list", verb_list },
		      { "check", verb_check } };
	struct kg_err err = { 0 };
	int r = kg_fail(&err, -EINVAL, "usage: pacman-hold set|clear|list|check");

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (argc > 1 && strcmp(argv[1], verbs[i].name) == 0) {
			err = (struct kg_err){ 0 };
			r = verbs[i].act(argv + 2, argc - 2, &err);
		}
	if (r < 0 && err.code != 0)
		fprintf(stderr, "kmodgate: %s\n", kg_err_text(&err, r));
	return r < 0 || fflush(stdout) != 0;
}
