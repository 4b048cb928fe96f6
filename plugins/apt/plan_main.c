// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt-plan MANAGER OWNER-PID OWNER-START: a transaction on stdin, as apt-event or dpkg-event saw
 * it, becomes a plan for `kmodgate gate`. With --print the plan goes to stdout instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/apt/planner.h"
#include "plugins/apt/policy.h"
#include "plugins/common/child.h"
#include "plugins/common/handover.h"
#include "plugins/common/say.h"

#define STREAM_MAX (64u << 20)

/* Command line. */
struct request {
	const char *manager;
	struct owner owner;
	bool prints;
};

static int read_request(int argc, char **argv, struct request *ret)
{
	uint64_t pid;

	*ret = (struct request){ .prints = argc > 1 && strcmp(argv[1], "--print") == 0 };
	if (ret->prints) {
		argc--;
		argv++;
	}
	if (argc != 4 || parse_u64(argv[2], &pid) < 0 || pid == 0 || pid > INT32_MAX ||
	    parse_u64(argv[3], &ret->owner.start) < 0)
		return -EINVAL;
	ret->manager = argv[1];
	ret->owner.pid = (pid_t)pid;
	return 0;
}

static int read_stream(struct stream *ret, struct kg_err *err)
{
	char *text = NULL;
	size_t len = 0;
	int r = fd_read_all(0, STREAM_MAX, &text, &len);

	if (r < 0)
		return kg_fail_errno(err, r, "reading the transaction");
	return stream_parse(text, len, ret, err);
}

/* What the archives and file lists hold; remembered for the next run. */
static int scan(const struct stream *s, struct txn *txn, struct kg_err *err)
{
	struct verdict_cache cache;
	int r;

	verdict_open(&cache, VERDICT_DIR);
	r = txn_scan(txn, s, &cache, err);
	(void)verdict_save(&cache, VERDICT_DIR);
	verdict_close(&cache);
	return r;
}

static int make_plan(const struct request *req, struct txn *txn, struct kg_plan *plan,
		     struct kg_err *err)
{
	struct planner p = {
		.txn = txn,
		.plan = plan,
		.fetch = policy_fetches_headers() ? PLANNER_FETCH : PLANNER_NO_FETCH,
	};
	int r;

	r = planner_make(&p, err);
	return r < 0 ? r : planning_seal(plan, req->manager, &req->owner, err);
}

static int run_gate(const struct request *req, const struct kg_plan *plan,
		    struct kg_err *err)
{
	static const char *const argv[] = { GATE_PROGRAM, "gate", NULL };
	_cleanup_close_ int fd = -1;

	if (req->prints)
		return handover_print(plan, err);
	fd = handover_open(plan, err);
	return fd < 0 ? fd : (int)child_judge(argv, fd, &req->owner);
}

/* EVENT_GO_ON, EVENT_STOP, or negative: no verdict. */
static int judge(const struct request *req, const struct stream *s, struct kg_err *err)
{
	struct txn txn;
	struct kg_plan plan = { 0 };
	int r = scan(s, &txn, err);

	if (r == 0 && txn_matters(&txn)) {
		r = txn_load(&txn, s, err);
		if (r == 0)
			r = make_plan(req, &txn, &plan, err);
		if (r == 0 && (plan.n_kernels > 0 || plan.n_sources > 0))
			r = run_gate(req, &plan, err);
		if (plan.removed != NULL && !req->prints)
			unlink(plan.removed);
	}
	plan_fini(&plan);
	txn_fini(&txn);
	return r;
}

int main(int argc, char **argv)
{
	struct request req;
	struct stream s = { 0 };
	struct kg_err err = { 0 };
	int r;

	if (read_request(argc, argv, &req) < 0) {
		fputs("usage: apt-plan [--print] MANAGER OWNER-PID OWNER-START\n",
		      stderr);
		return 1;
	}
	r = read_stream(&s, &err);
	if (r == 0)
		r = judge(&req, &s, &err);
	stream_fini(&s);
	if (r < 0) {
		say("warning: %s: kernel modules are not checked", kg_err_text(&err, r));
		return EVENT_GO_ON;
	}
	return r;
}
