// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpm-plan [--print] MANAGER OWNER-PID [--test|--step]: what a transaction brings and takes, as
 * kmodgate.so lists it on stdin ("+ ARCHIVE", "- NUMBER"), becomes a plan for `kmodgate gate`,
 * whose place this process then takes. --test: nothing is placed. --step: one rpm process of a
 * zypper commit.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpm/header.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "plugins/common/handover.h"
#include "plugins/common/planner.h"
#include "plugins/rpm/content.h"
#include "plugins/rpm/package.h"
#include "plugins/rpm/steps.h"

#define LIST_MAX (16u << 20)

/* Command line. */
struct request {
	const char *manager;
	pid_t owner;
	bool prints;
	bool is_test;
	bool is_step;
};

static int read_request(int argc, char **argv, struct request *ret)
{
	uint64_t pid;

	*ret = (struct request){ .prints = argc > 1 && strcmp(argv[1], "--print") == 0 };
	argc -= ret->prints;
	argv += ret->prints;
	if (argc < 3 || argc > 4 || parse_u64(argv[2], &pid) < 0 || pid == 0 ||
	    pid > INT32_MAX)
		return -EINVAL;
	ret->manager = argv[1];
	ret->owner = (pid_t)pid;
	ret->is_test = argc == 4 && strcmp(argv[3], "--test") == 0;
	ret->is_step = argc == 4 && strcmp(argv[3], "--step") == 0;
	return argc == 4 && !ret->is_test && !ret->is_step ? -EINVAL : 0;
}

static int read_lines(struct strv *ret, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	int r = fd_read_all(0, LIST_MAX, &text, NULL);

	for (const char *p = text; r == 0 && *p != '\0';) {
		size_t len = strcspn(p, "\n");

		strv_addn(ret, p, len);
		p += len + (p[len] == '\n');
	}
	return r < 0 || !strv_ok(ret) ? kg_fail_errno(err, r < 0 ? r : -ENOMEM,
						      "reading the transaction")
				      : 0;
}

static int load_line(struct txn *txn, const char *line, struct kg_err *err)
{
	uint64_t number;

	if (str_starts(line, "+ "))
		return txn_add_archive(txn, line + 2, err);
	if (str_starts(line, "- ") && parse_u64(line + 2, &number) == 0 &&
	    number <= UINT_MAX)
		return txn_add_installed(txn, (unsigned int)number, err);
	return kg_fail(err, -KGE_FORMAT, "not a line of a transaction: %s", line);
}

/* ---- the plan ---- */

uint64_t planner_growth(const struct planner *p)
{
	uint64_t more = 0;
	uint64_t less = 0;

	for (size_t i = 0; i < p->txn->n; i++) {
		const struct package *pkg = &p->txn->packages[i];
		char *text = headerGetAsString(pkg->header, RPMTAG_LONGSIZE);
		uint64_t size = text != NULL ? strtoull(text, NULL, 10) : 0;

		if (package_comes(pkg))
			more += size;
		else if (pkg->path == NULL)
			less += size;
		free(text);
	}
	return more > less ? more - less : 0;
}

static int make_plan(const struct request *req, struct planner *p, struct kg_err *err)
{
	struct owner owner = { .pid = req->owner };
	int r = planner_make(p, err);

	if (r == 0 && proc_start_time(owner.pid, &owner.start) < 0)
		r = kg_fail(err, -ESRCH, "process %d is not there", owner.pid);
	return r < 0 ? r : planning_seal(p->plan, req->manager, &owner, err);
}

static int judge(const struct request *req, struct txn *txn, struct kg_err *err)
{
	struct kg_plan plan = { 0 };
	struct planner p = { .txn = txn, .plan = &plan };
	int r = make_plan(req, &p, err);

	if (r == 0 && req->is_step)
		r = steps_note_judged(req->owner, txn, err);
	if (r == 0 && req->prints)
		r = handover_print(&plan, err);
	else if (r == 0 && (plan.n_kernels > 0 || plan.n_sources > 0))
		r = handover_exec(&plan, req->is_test ? "--test" : NULL, err);
	plan_fini(&plan);
	return r;
}

/* Archives of this very process. */
static void list_paths(const struct strv *lines, struct strv *ret)
{
	for (size_t i = 0; i < lines->n; i++)
		if (str_starts(lines->v[i], "+ "))
			strv_add(ret, lines->v[i] + 2);
}

static int run(const struct request *req, struct kg_err *err)
{
	_cleanup_strv_ struct strv lines = { 0 };
	_cleanup_strv_ struct strv paths = { 0 };
	struct txn txn;
	int r = read_lines(&lines, err);

	list_paths(&lines, &paths);
	if (r < 0 || (req->is_step && steps_are_judged(req->owner, &paths)))
		return r;
	r = txn_init(&txn, err);
	for (size_t i = 0; r == 0 && i < lines.n; i++)
		r = load_line(&txn, lines.v[i], err);
	if (r == 0 && req->is_step)
		r = steps_add(req->owner, paths.n > 0 ? paths.v[0] : NULL, &txn, err);
	if (r == 0)
		r = judge(req, &txn, err);
	txn_fini(&txn);
	return r;
}

int main(int argc, char **argv)
{
	struct request req;
	struct kg_err err = { 0 };
	int r;

	if (read_request(argc, argv, &req) < 0) {
		fputs("usage: rpm-plan [--print] MANAGER OWNER-PID [--test|--step]\n",
		      stderr);
		return 1;
	}
	r = run(&req, &err);
	if (r < 0)
		fprintf(stderr, "kmodgate: warning: %s\n", kg_err_text(&err, r));
	return r < 0 ? 2 : 0;
}
