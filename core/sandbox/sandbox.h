/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Run a program, or a function, as an unprivileged user in a private read-only view of
 * the file system as it will be after the transaction: no network, no capabilities, no
 * new privileges, own /tmp and /proc, uname(2) answering the target release. Below every
 * stage, since recipes (bash), builds and checks all run in it.
 *
 * The view is the union of root and stage. Always hidden: /root /home /run /srv /mnt
 * /media /var/lib/dkms (with the signing key), /var/lib/kmodgate, /var/lib/shim-signed,
 * /var/cache/kmodgate; but for headers that /lib/modules/RELEASE/build points to.
 * Documentation is shown as installed. Linux 5.12 or newer; without CAP_SYS_ADMIN in a
 * user namespace, where that is denied too -KGE_SANDBOX.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/err.h"
#include "core/base/spawn.h"

/*
 * One thing put into the view, in this order after all masks. A folder is made where it
 * is missing; a file or a link must be below a mask or cover a file that is there.
 */
struct sandbox_bind {
	const char *at; /* absolute path in the view */
	int fd;		/* O_PATH or directory fd of what is bound there; -1: a symlink */
	const char *target; /* symlink's text when fd is -1 */
	bool is_writable;   /* to the build user; without what is mounted below it */
};

struct sandbox {
	int root_fd;  /* the machine's root */
	int stage_fd; /* unpacked archives: usr/, boot/ ...; lib -> usr/lib; -1 none */
	const char *const *removed; /* paths, absent in the view; NULL none */
	const char *const *masks;   /* absolute folders, shown empty; NULL none */
	const struct sandbox_bind *binds;
	size_t n_binds;
	const char *release; /* what uname -r answers; NULL: the truth */
	uid_t uid;
	gid_t gid;
	const char *cwd;	 /* absolute, in the view */
	const char *const *argv; /* argv[0] absolute; NULL: run @call instead */
	const char *const *env;	 /* NULL: PATH, HOME=/tmp, TMPDIR=/tmp, LC_ALL=C */
	/*
	 * Runs inside, unprivileged, with descriptors 0-2 only; its return value (0-124)
	 * is the exit status. Writes with write(2) or dprintf(3): stdio's buffers are the
	 * caller's. A library that it needs is opened before (core/base/late.h): inside, the
	 * view's would be.
	 */
	int (*call)(void *data);
	void *data;
	int in_fd;		  /* -1: /dev/null */
	int out_fd;		  /* -1: /dev/null */
	int err_fd;		  /* -1: as out_fd */
	unsigned int cpu_limit_s; /* RLIMIT_CPU per process; 0 none */
	size_t file_limit_bytes;  /* RLIMIT_FSIZE; 0 none */
};

#define SANDBOX_INIT \
	{ \
		.root_fd = -1, .stage_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1 \
	}

/*
 * Returns once the program runs, or with what went wrong in setting up (-KGE_SANDBOX,
 * -ENOENT for a missing program). @child is then waited for with spawn_wait(), by the
 * thread that started it: everything in the view ends with the child, with that thread,
 * and with the program itself, and nothing in there runs any more when the wait is over.
 */
int sandbox_start(const struct sandbox *how, struct kg_child *child,
		  struct kg_err *err) _must_check_;
/* Start, wait at most @timeout_ms. */
int sandbox_run(const struct sandbox *how, int timeout_ms, int *ret_status,
		struct kg_err *err) _must_check_;
/*
 * As sandbox_run(), stdout collected in @out, -KGE_LIMIT beyond @max bytes. stderr too,
 * unless err_fd is set.
 */
int sandbox_capture(const struct sandbox *how, int timeout_ms, size_t max,
		    struct str *out, int *ret_status, struct kg_err *err) _must_check_;
/* The same with stderr alone; stdout goes where out_fd says. */
int sandbox_capture_errors(const struct sandbox *how, int timeout_ms, size_t max,
			   struct str *out, int *ret_status,
			   struct kg_err *err) _must_check_;
