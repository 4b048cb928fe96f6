/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* pacman.conf as pacman itself understands it, Includes and all: asked from pacman-conf. */
#include "core/base/err.h"
#include "core/base/str.h"
#include "plugins/pacman/cmdline.h"

struct config {
	char *root;   /* "/" */
	char *dbpath; /* ends in "/" */
	struct strv caches;
	struct strv repos; /* in their order */
	struct strv no_extract;
};

void config_fini(struct config *c);
/* Of the pacman that is process @pid and was called with @cmd; 0 and an empty @cmd: its defaults. */
int config_read(pid_t pid, const struct cmdline *cmd, struct config *ret,
		struct kg_err *err) _must_check_;
/* What pacman-conf has printed. */
int config_parse(const char *text, struct config *ret) _must_check_;
