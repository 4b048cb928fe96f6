/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What pacman was called with, as far as it says where archives are. Another front end of libalpm
 * has no such command line: then everything comes from pacman.conf.
 */
#include <sys/types.h>

#include "core/base/err.h"
#include "core/base/str.h"

struct cmdline {
	bool is_pacman;
	char operation;	     /* 'S', 'U', 'R' ...; '\0' unknown */
	bool is_sysupgrade;  /* -u: what is installed changes too, not only the targets */
	struct strv targets; /* packages, files or URLs, as they were written */
	struct strv caches;  /* --cachedir, as it was written */
	char *config, *root, *dbpath, *sysroot; /* NULL: not given */
};

void cmdline_fini(struct cmdline *c);
/* @args as the process was given them, its own name first. */
int cmdline_parse(const struct strv *args, struct cmdline *ret) _must_check_;
/* The same of a process; one that is not pacman gives an empty one. */
int cmdline_of(pid_t pid, struct cmdline *ret, struct kg_err *err) _must_check_;

/*
 * @path as process @pid would find it. pacman goes to "/" before it calls hooks, but keeps the
 * folder it was called in open. -ENOENT when there is no such file.
 */
int cmdline_resolve(pid_t pid, const char *path, char **ret_path) _must_check_;
