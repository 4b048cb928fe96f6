/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which process is the package manager that called us. libc only. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct owner {
	pid_t pid;
	uint64_t start; /* 0: /proc is not there */
};

/* The nearest ancestor that is not a shell. */
void owner_find(struct owner *ret);
/* An ancestor's name is one of the programs that run DPkg::Pre-Install-Pkgs themselves. */
bool owner_is_below_apt(pid_t pid);
