// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pacman-plan [--print] OWNER-PID: the files that a transaction of that process brings, as its hook
 * lists them on stdin, become a plan for `kmodgate gate`, whose place this process then takes.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "plugins/common/handover.h"
#include "plugins/common/planner.h"
#include "plugins/pacman/content.h"
#include "plugins/pacman/package.h"

#define LIST_MAX (64u << 20)

static bool matters(const char *path)
{
	char release[CONTENT_RELEASE_SIZE];

	return (content_of(path, release) & CONTENT_MATTERS) != 0;
}

/* @ret_matters: a kernel or a source is among them, not only headers. */
static int read_paths(struct strv *ret, bool *ret_matters, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	char release[CONTENT_RELEASE_SIZE];
	int r = fd_read_all(0, LIST_MAX, &text, NULL);

	*ret_matters = false;
	for (char *p = text; r == 0 && *p != '\0';) {
		const size_t len = strcspn(p, "\n");
		const bool has_next = p[len] == '\n';

		p[len] = '\0';
		if (content_of(p, release) != 0)
			strv_add(ret, p);
		*ret_matters = *ret_matters || matters(p);
		p += len + has_next;
	}
	return r < 0 || !strv_ok(ret) ? kg_fail_errno(err, r < 0 ? r : -ENOMEM,
						      "reading the hook's targets")
				      : 0;
}

/* ---- the plan ---- */

uint64_t planner_growth(const struct planner *p)
{
	off_t more = 0;

	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];

		if (!package_comes(pkg))
			continue;
		more += alpm_pkg_get_isize(pkg->pkg);
		if (pkg->old != NULL)
			more -= alpm_pkg_get_isize(pkg->old);
	}
	return more > 0 ? (uint64_t)more : 0;
}

static int make_plan(struct planner *p, struct kg_err *err)
{
	int r = planner_make(p, err);

	return r < 0 ? r : planning_seal(p->plan, "pacman", &p->txn->owner, err);
}

static int judge(struct txn *txn, bool prints, struct kg_err *err)
{
	struct kg_plan plan = { 0 };
	struct planner p = { .txn = txn, .plan = &plan };
	int r = make_plan(&p, err);

	if (r == 0)
		r = prints ? handover_print(&plan, err) : handover_exec(&plan, NULL, err);
	plan_fini(&plan);
	return r;
}

static int run(pid_t owner, bool prints, struct kg_err *err)
{
	_cleanup_strv_ struct strv paths = { 0 };
	struct txn txn;
	bool matters_at_all;
	int r = read_paths(&paths, &matters_at_all, err);

	if (r < 0 || !matters_at_all)
		return r;
	r = txn_init(&txn, owner, err);
	if (r == 0)
		r = txn_find(&txn, &paths, err);
	if (r == 0)
		r = judge(&txn, prints, err);
	txn_fini(&txn);
	return r;
}

int main(int argc, char **argv)
{
	const bool prints = argc > 1 && strcmp(argv[1], "--print") == 0;
	struct kg_err err = { 0 };
	uint64_t pid = 0;
	int r;

	if (argc != 2 + prints || parse_u64(argv[1 + prints], &pid) < 0 || pid == 0 ||
	    pid > INT_MAX) {
		fputs("usage: pacman-plan [--print] OWNER-PID\n", stderr);
		return 1;
	}
	r = run((pid_t)pid, prints, &err);
	if (r < 0)
		fprintf(stderr, "kmodgate: warning: %s\n", kg_err_text(&err, r));
	return r < 0 ? 2 : 0;
}
