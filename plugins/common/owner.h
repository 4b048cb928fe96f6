/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which process is the package manager that called us. libc only. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The process whose transaction it is. */
struct owner {
	pid_t pid;
	uint64_t start; /* proc_start_time(); 0: not known */
};

/* The nearest ancestor that is not a shell. */
void owner_find(struct owner *ret);
/* It, or a process above it, has one of @names (NULL at the end), as the kernel cuts them: 15 bytes. */
bool owner_is_below(const struct owner *owner, const char *const *names);
/* It sees another file system as its root: /proc knows. Then we run in a root that it serves. */
bool owner_is_outside(const struct owner *owner);
/* A descriptor that is readable when it has ended; -1: not known, or not on this kernel. */
int owner_open(const struct owner *owner);
