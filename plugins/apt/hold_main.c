// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt-hold set [RELEASE...]    hold these kernels of the plan on stdin (none named: all that
 *                              come); prints the file
 * apt-hold clear [RELEASE...]  lift them (none named: all)
 * apt-hold list                one release a line
 * apt-hold check               lift what has lost its reason
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/spawn.h"
#include "core/plan/plan.h"
#include "plugins/apt/hold.h"
#include "plugins/common/hold_reason.h"

#define FETCH_PROGRAM KG_LIBEXECDIR "/apt-fetch"
#define FETCH_TIMEOUT_MS 25000
#define FETCH_MAX (1u << 20)

static bool is_named(const char *release, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], release) == 0)
			return true;
	return argc == 0;
}

/* Runs `apt-fetch VERB NAME=VERSION...`: one "NAME\tVERSION" a line. */
static int ask_apt(const char *verb, const struct hold *hold, struct str *out)
{
	_cleanup_strv_ struct strv args = { 0 };
	struct kg_spawn how = { .env = (const char *const *)environ,
				.dir_fd = -1,
				.in_fd = -1,
				.out_fd = -1,
				.err_fd = 2 };
	int status = 0;
	int r;

	strv_add(&args, FETCH_PROGRAM);
	strv_add(&args, verb);
	for (size_t i = 0; i < hold->n_pins; i++)
		strv_addf(&args, "%s=%s", hold->pins[i].package, hold->pins[i].version);
	if (!strv_ok(&args))
		return -ENOMEM;
	how.argv = (const char *const *)args.v;
	r = spawn_capture(&how, FETCH_TIMEOUT_MS, FETCH_MAX, out, &status, NULL);
	return r == 0 && status != 0 ? -EIO : r;
}

/* Meta packages that need a held version would be "kept back", or fail by name: held, too. */
static void pin_dependents(struct hold_list *list, struct hold *hold)
{
	_cleanup_str_ struct str out = { 0 };
	char name[256];
	char version[256];

	if (ask_apt("dependents", hold, &out) < 0)
		return;
	for (const char *line = str_get(&out); *line != '\0';) {
		if (sscanf(line, "%255[^\t]\t%255[^\n]", name, version) == 2)
			hold_add_pin(list, hold, name, version);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

/* What is installed already, in this version, is none of the hold's business. */
static void pin_packages(struct hold_list *list, struct hold *hold,
			 const struct kg_package *packages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (plan_comes(packages[i].change))
			hold_add_pin(list, hold, packages[i].name, packages[i].version);
}

static void hold_kernel(struct hold_list *list, const struct kg_plan_kernel *k)
{
	struct hold *hold = hold_of(list, k->release);

	if (hold == NULL)
		return;
	pin_packages(list, hold, k->packages, k->n_packages);
	pin_packages(list, hold, k->headers, k->n_headers);
	pin_dependents(list, hold);
}

static int open_dir(struct kg_err *err)
{
	int fd = open(HOLD_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? kg_fail_errno(err, -errno, "cannot open %s", HOLD_DIR) : fd;
}

static int set_holds(int argc, char **argv, int dir_fd, struct hold_list *list,
		     struct kg_err *err)
{
	struct kg_plan plan = { 0 };
	char reason[DIGEST_HEX_SIZE];
	int r = plan_read_fd(0, &plan, err);

	if (r == 0)
		r = hold_reason(reason, err);
	if (r < 0) {
		plan_fini(&plan);
		return r;
	}
	for (size_t i = 0; i < plan.n_kernels; i++)
		if (plan_comes(plan.kernels[i].change) &&
		    is_named(plan.kernels[i].release, argc, argv))
			hold_kernel(list, &plan.kernels[i]);
	plan_fini(&plan);
	list->reason = reason;
	r = hold_write(dir_fd, list, err);
	list->reason = NULL;
	if (r == 0 && list->n > 0)
		puts(HOLD_DIR "/" HOLD_FILE);
	return r;
}

static int clear_holds(int argc, char **argv, int dir_fd, struct hold_list *list,
		       struct kg_err *err)
{
	for (int i = 0; i < argc; i++)
		hold_drop(list, argv[i]);
	if (argc == 0)
		list->n = 0;
	return hold_write(dir_fd, list, err);
}

/* A newer version of that kernel has taken its place, or it was taken from the archive. */
static bool is_still_offered(const struct hold *hold)
{
	_cleanup_str_ struct str out = { 0 };

	return ask_apt("offered", hold, &out) < 0 || out.len > 0;
}

static int check_holds(int dir_fd, struct hold_list *list, struct kg_err *err)
{
	char reason[DIGEST_HEX_SIZE];
	size_t n = 0;
	int r;

	if (list->n == 0)
		return 0;
	r = hold_reason(reason, err);
	if (r < 0)
		return r;
	if (list->reason == NULL || strcmp(list->reason, reason) != 0) {
		fputs("kmodgate: what held kernels back has changed: the hold is lifted\n",
		      stderr);
		list->n = 0;
		return hold_write(dir_fd, list, err);
	}
	for (size_t i = 0; i < list->n; i++)
		if (is_still_offered(&list->holds[i]))
			list->holds[n++] = list->holds[i];
	if (n == list->n)
		return 0;
	list->n = n;
	return hold_write(dir_fd, list, err);
}

static void list_holds(const struct hold_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		puts(list->holds[i].release);
}

static int run_verb(int argc, char **argv, struct kg_err *err)
{
	_cleanup_close_ int dir_fd = open_dir(err);
	struct hold_list list = { 0 };
	int r = dir_fd < 0 ? dir_fd : hold_read(dir_fd, &list, err);

	if (r < 0)
		return r;
	if (strcmp(argv[1], "set") == 0)
		r = set_holds(argc - 2, argv + 2, dir_fd, &list, err);
	else if (strcmp(argv[1], "clear") == 0)
		r = clear_holds(argc - 2, argv + 2, dir_fd, &list, err);
	else if (strcmp(argv[1], "check") == 0)
		r = check_holds(dir_fd, &list, err);
	else if (strcmp(argv[1], "list") == 0)
		list_holds(&list);
	else
		r = kg_fail(err, -EINVAL, "unknown verb '%s'", argv[1]);
	hold_fini(&list);
	return r;
}

int main(int argc, char **argv)
{
	struct kg_err err = { 0 };
	int r = argc < 2 ? kg_fail(&err, -EINVAL,
				   "usage: apt-hold set|clear|list|check [RELEASE...]")
			 : run_verb(argc, argv, &err);

	if (r < 0)
		fprintf(stderr, "kmodgate: %s\n", kg_err_text(&err, r));
	return r < 0 || fflush(stdout) != 0;
}
