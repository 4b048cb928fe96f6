// SPDX-License-Identifier: GPL-2.0-or-later
/* kmodgate's own verbs. */
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/name.h"
#include "core/cli/cli.h"

static int say(const struct kg_err *err, int r)
{
	kg_error("%s", kg_err_text(err, r));
	return EXIT_MODULES;
}

static bool takes(const struct cli *cli, int n)
{
	if (cli->argc == n)
		return true;
	kg_error("wrong number of arguments; see kmodgate --help");
	return false;
}

/*
 * 3 stops the transaction; 2 means no verdict could be reached, and the caller lets the
 * transaction go on with our message: a broken kmodgate must not hold up an upgrade. An
 * interrupt is the user's stop.
 */
int cmd_gate(struct cli *cli)
{
	struct kg_plan plan = { 0 };
	struct kg_err err = { 0 };
	bool is_test = cli->argc == 1 && strcmp(cli->argv[0], "--test") == 0;
	int r;

	if (!is_test && !takes(cli, 0))
		return EXIT_USAGE;
	r = plan_read_fd(0, &plan, &err);
	if (r == 0)
		r = is_test ? kg_gate_test(&cli->sys, &plan, &err)
			    : kg_gate(&cli->sys, &plan, &err);
	plan_fini(&plan);
	if (r == 0)
		return EXIT_DONE;
	if (r == -KGE_STOPPED)
		return EXIT_STOP;
	if (r == -KGE_CANCELLED) {
		kg_error("interrupted: nothing was changed");
		return EXIT_STOP;
	}
	return say(&err, r);
}

static int with_release(struct cli *cli, int (*act)(const struct kg_system *,
						    const char *, struct kg_err *))
{
	struct kg_err err = { 0 };
	int r;

	if (!takes(cli, 1))
		return EXIT_USAGE;
	if (!name_is_word(cli->argv[0])) {
		kg_error("not a kernel release: %s", cli->argv[0]);
		return EXIT_USAGE;
	}
	r = act(&cli->sys, cli->argv[0], &err);
	return r == 0 ? EXIT_DONE : say(&err, r);
}

int cmd_arrive(struct cli *cli)
{
	return with_release(cli, kg_arrive);
}

int cmd_depart(struct cli *cli)
{
	return with_release(cli, kg_depart);
}

int cmd_settle(struct cli *cli)
{
	struct kg_err err = { 0 };
	uint64_t pid = 0;
	int r;

	if (cli->argc == 2 && strcmp(cli->argv[0], "--owner") == 0 &&
	    parse_u64(cli->argv[1], &pid) == 0)
		r = kg_settle(&cli->sys, (pid_t)pid, &err);
	else if (takes(cli, 0))
		r = kg_settle(&cli->sys, 0, &err);
	else
		return EXIT_USAGE;
	return r == 0 ? EXIT_DONE : say(&err, r);
}

int cmd_recover(struct cli *cli)
{
	struct kg_err err = { 0 };
	int r;

	if (!takes(cli, 0))
		return EXIT_USAGE;
	r = kg_recover(&cli->sys, &err);
	return r == 0 ? EXIT_DONE : say(&err, r);
}

int cmd_skip_once(struct cli *cli)
{
	struct kg_err err = { 0 };
	int r;

	if (!takes(cli, 0))
		return EXIT_USAGE;
	r = kg_skip_once(&cli->sys, &err);
	if (r < 0)
		return say(&err, r);
	puts("The next transaction with a kernel or a module source is not checked.");
	return EXIT_DONE;
}

int cmd_status(struct cli *cli)
{
	struct kg_status status;
	struct kg_err err = { 0 };
	int code = EXIT_DONE;
	int r;

	if (!takes(cli, 0))
		return EXIT_USAGE;
	r = kg_status_read(&cli->sys, &status, &err);
	if (r < 0)
		return say(&err, r);
	for (size_t i = 0; i < status.n_items; i++) {
		printf("%s: %s\n", status.items[i].id, status.items[i].text);
		if (status.items[i].needs_recovery)
			code = EXIT_RECOVER;
	}
	if (status.skips_next)
		puts("skip-once is set: the next transaction is not checked");
	if (status.n_items == 0 && !status.skips_next)
		puts("nothing open, nothing held");
	kg_status_fini(&status);
	return code;
}
