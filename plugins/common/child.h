/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Programs started from a package manager's hook: in the terminal's own process group, so that
 * Ctrl-C reaches them, told to end when we or the package manager are gone. libc only.
 */
#include "plugins/common/owner.h"

#define CHILD_NOT_STARTED 127

/*
 * Runs @argv (argv[0] absolute) with @in_fd as stdin (negative: our own) and waits. Exit code,
 * 128+signal, or CHILD_NOT_STARTED.
 */
int child_run(const char *const argv[], int in_fd, const struct owner *owner);

/* What our exit code tells the package manager; nothing else is ever returned to it. */
enum event_exit { EVENT_GO_ON = 0, EVENT_STOP = 3 };

/*
 * The same, for the next program of the chain that ends in the gate. The only place where the end
 * of a program becomes a verdict: exit code 3, or an interruption, stops; whatever else is wrong
 * with it is said on stderr and lets the transaction go on.
 */
enum event_exit child_judge(const char *const argv[], int in_fd,
			    const struct owner *owner);
