/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Child processes. The child sees only fds 0-2 (stdin is @in_fd or /dev/null), no signal
 * blocked or ignored, its own process group, an environment built from nothing. Never
 * touches SIGCHLD and never waits for a pid it did not start: a host such as rpm has its own.
 */
#include <sys/types.h>

#include "core/base/err.h"
#include "core/base/str.h"

struct kg_spawn {
	const char *const *argv; /* NULL-terminated; argv[0] is absolute */
	const char *const *env;	 /* NULL: spawn_clean_env */
	int dir_fd;		 /* working directory; -1: "/" */
	int in_fd;		 /* -1: /dev/null */
	int out_fd;		 /* -1: /dev/null */
	int err_fd;		 /* -1: as out_fd */
};

struct kg_child {
	pid_t pid;
	int pidfd; /* owned; -1 when reaped */
};

extern const char *const spawn_clean_env[]; /* PATH, LC_ALL=C, HOME=/ */

int spawn_start(struct kg_child *child, const struct kg_spawn *how,
		struct kg_err *err) _must_check_;

/*
 * Wait at most @timeout_ms (-1: for ever), or until a signal set by cancel_watch() came; then
 * kill the group and return -KGE_TIMEOUT or -KGE_CANCELLED. 0: @ret_status is the exit code, or 128+signal.
 */
int spawn_wait(struct kg_child *child, int timeout_ms, int *ret_status,
	       struct kg_err *err) _must_check_;

/* Start and wait. */
int spawn_run(const struct kg_spawn *how, int timeout_ms, int *ret_status,
	      struct kg_err *err) _must_check_;

/* As spawn_run() with stdout collected in @out (at most @max bytes, -KGE_LIMIT beyond). */
int spawn_capture(const struct kg_spawn *how, int timeout_ms, size_t max, struct str *out,
		  int *ret_status, struct kg_err *err) _must_check_;

/*
 * Read @fd to its end into @out: at most @max bytes (-KGE_LIMIT), @timeout_ms and until a
 * watched signal comes. For a caller that started the writer itself.
 */
int spawn_drain(int fd, int timeout_ms, size_t max, struct str *out,
		struct kg_err *err) _must_check_;

/*
 * SIGINT, SIGTERM, SIGHUP: remember instead of dying, so that work is undone in order.
 * Only the command line calls cancel_watch(), never a library user.
 */
void cancel_watch(void);
/* The first signal that came, 0 if none. */
int cancel_signal(void);
/* -KGE_CANCELLED once a signal came, else 0. */
int cancel_check(struct kg_err *err);
/* Readable end of the pipe the handler writes to, for poll(); -1 when not watching. */
int cancel_fd(void);
