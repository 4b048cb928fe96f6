/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which folders a build against a header tree reads. Changes the working directory. */
#include "core/base/str.h"
#include "core/base/err.h"

/* Where the directory @path really is below @root_fd, all links followed; or a bare -errno. */
int roots_real_dir(int root_fd, const char *path, struct str *ret_path) _must_check_;

/*
 * The tree @first (canonical) and those it leads to: by links at its top (Debian's scripts ->
 * linux-kbuild) and by what its Makefile includes (Debian's -common, SUSE's linux-obj); and
 * so on from there. Adds to @ret_roots, none of them below another.
 */
int roots_find(int root_fd, const char *first, struct strv *ret_roots,
	       struct kg_err *err) _must_check_;
