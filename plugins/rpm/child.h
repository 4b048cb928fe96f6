/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Programs started from rpm's process. What rpm blocks or ignores they do not, none of its
 * descriptors is theirs, and they end when it does. libc only.
 */

enum child_stderr {
	CHILD_STDERR_LIVE,   /* as rpm's own */
	CHILD_STDERR_LOGGED, /* a client that hides stderr: every line through @log */
};

struct child_how {
	const char *const *argv; /* argv[0] is absolute */
	int in_fd;		 /* becomes stdin; -1: /dev/null */
	enum child_stderr err;
	void (*log)(const char *line);
	/* Said on stdout every second while it runs; NULL: nothing. */
	const char *beat;
};

#define CHILD_NOT_STARTED 127
#define CHILD_LOST (-1) /* the client waits for all children, and has taken its end */
/* Exit code, 128+signal, CHILD_NOT_STARTED or CHILD_LOST. */
int child_run(const struct child_how *how);
