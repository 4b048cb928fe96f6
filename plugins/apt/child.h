/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The next program of the chain apt-event, apt-plan, kmodgate: in the terminal's own process
 * group, so that Ctrl-C reaches it, told to end when its parent or the package manager dies.
 * libc only.
 */
#include "plugins/apt/owner.h"

/* What our exit code tells the package manager; nothing else is ever returned to it. */
enum event_exit { EVENT_GO_ON = 0, EVENT_STOP = 3 };

/*
 * Runs @argv (argv[0] absolute) with @in_fd as stdin and waits. The only place where the end of a
 * program becomes a verdict: exit code 3, or an interruption of our own, stops; whatever else is
 * wrong with it is said on stderr and lets the transaction go on.
 */
enum event_exit child_run(const char *const argv[], int in_fd, const struct owner *owner);

/* One line on stderr, "kmodgate: " before it. */
void event_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
