/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Run a program, or a function, as an unprivileged user in a private read-only view of the
 * file system as it will be after the transaction: no network, no capabilities, no new
 * privileges, own /tmp, uname(2) answering the target release. Below every stage, since
 * recipes (bash), builds and checks all run in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/err.h"
#include "core/base/spawn.h"

/* One thing put into the view. Its parents must exist there, or lie below a mask. */
struct sandbox_bind {
	const char *at;     /* absolute path in the view */
	int fd;             /* O_PATH or directory fd of what is bound there; -1: a symlink */
	const char *target; /* symlink's text when fd is -1 */
	bool is_writable;
};

struct sandbox {
	int root_fd;             /* the machine's root */
	int stage_fd;            /* unpacked archives: usr/, boot/, etc/ ...; lib -> usr/lib; -1 none */
	const char *const *removed; /* paths relative to the root that are absent in the view; NULL none */
	const char *const *masks;   /* absolute folders shown empty (made of tmpfs), e.g. /var/lib/dkms; NULL */
	const struct sandbox_bind *binds;
	size_t n_binds;
	const char *release;     /* what uname -r answers; NULL: the truth */
	uid_t uid;
	gid_t gid;
	const char *cwd;         /* absolute, in the view */
	const char *const *argv; /* argv[0] absolute; NULL: run @call instead */
	const char *const *env;  /* NULL: PATH, HOME=/tmp, TMPDIR=/tmp, LC_ALL=C */
	/* Runs inside, unprivileged; its return value (0-124) is the exit status. */
	int (*call)(void *data);
	void *data;
	int in_fd;  /* -1: /dev/null */
	int out_fd; /* -1: /dev/null */
	int err_fd; /* -1: as out_fd */
	unsigned int cpu_limit_s;   /* RLIMIT_CPU per process; 0 none */
	size_t file_limit_bytes;    /* RLIMIT_FSIZE; 0 none */
};

#define SANDBOX_INIT                                                                  \
	{                                                                             \
		.root_fd = -1, .stage_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1 \
	}

/*
 * Returns once the program runs, or with what went wrong in setting up (-KGE_SANDBOX, -ENOENT
 * for a missing program). @child is then waited for with spawn_wait(): ending the child ends
 * every process in the view.
 */
int sandbox_start(const struct sandbox *how, struct kg_child *child, struct kg_err *err)
	_must_check_;
/* Start, wait at most @timeout_ms. */
int sandbox_run(const struct sandbox *how, int timeout_ms, int *ret_status,
		struct kg_err *err) _must_check_;
/* As sandbox_run(), stdout collected in @out, -KGE_LIMIT beyond @max bytes. */
int sandbox_capture(const struct sandbox *how, int timeout_ms, size_t max, struct str *out,
		    int *ret_status, struct kg_err *err) _must_check_;
