/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Programs started from a hook of libalpm: in the terminal's own process group, so that Ctrl-C
 * reaches them, and told to end when we or the package manager are gone. pacman that is interrupted
 * leaves its hooks running.
 */
#include <stdint.h>
#include <sys/types.h>

/* The process whose transaction it is. */
struct owner {
	pid_t pid;
	uint64_t start; /* proc_start_time(); 0: not known */
};

/* The one that called us, past the shell that guards the hook. */
void owner_find(struct owner *ret);
/* It sees another file system as its root: /proc knows. Then we run in a root that it serves. */
int owner_is_outside(const struct owner *owner);

#define CHILD_INTERRUPTED (-1)
#define CHILD_NOT_STARTED 127
/* Exit code, 128+signal, CHILD_NOT_STARTED, or CHILD_INTERRUPTED: we or the owner were ended. */
int child_run(const char *const argv[], const struct owner *owner);

/* One line on stderr, "kmodgate: " before it. */
void child_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A descriptor that is readable when the process has ended; -1: not on this kernel. */
int child_open_pidfd(pid_t pid);
