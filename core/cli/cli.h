/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the command line's files share. */
#include "core/kmodgate.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_USAGE = 1,
	EXIT_MODULES = 2, /* some modules failed; or: could not decide */
	EXIT_STOP = 3,	  /* the gate stops the transaction */
	EXIT_RECOVER = 4, /* needs `kmodgate recover` */
};

/* The dkms command line: core/cli/dkms.c. argv[0] is "dkms". */
int dkms_main(int argc, char **argv);

/* kmodgate VERB: core/cli/cmd.c. Each returns an exit code. */
struct cli {
	struct kg_system sys;
	struct arena arena;
	int argc; /* arguments after the verb */
	char **argv;
};
int cmd_gate(struct cli *cli);
int cmd_arrive(struct cli *cli);
int cmd_depart(struct cli *cli);
int cmd_settle(struct cli *cli);
int cmd_recover(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_skip_once(struct cli *cli);
