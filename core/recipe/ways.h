/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to core/recipe: one file of assignments, read by C or by bash, with one answer. */
#include "core/recipe/vars.h"
#include "core/sandbox/sandbox.h"

#define RECIPE_MAX_FILE (1024u * 1024u) /* of a conf, and of what bash prints about it */
#define RECIPE_TIMEOUT_MS 10000

/* What DKMS makes visible to a conf; never NULL. */
struct recipe_env {
	const char *kernelver;
	const char *arch;
	const char *kernel_source_dir;
	const char *dkms_tree;
	const char *source_tree;
	const char *module;
	const char *module_version;
};

/* dkms.conf or an override, carriage returns at line ends removed. */
struct recipe_file {
	const char *name; /* in messages: its absolute path on the machine */
	const char *at;	  /* absolute path in the view, for bash alone */
	const char *text;
	size_t len;
};

/*
 * Adds what @file assigns to @vars (which earlier files filled, and which it sees). -EAGAIN with
 * @vars as they were when the file holds anything but plain assignments.
 */
int plain_read(const struct recipe_file *file, const struct recipe_env *env,
	       struct recipe_vars *vars) _must_check_;

/* How bash runs: @view shows every file at its path. */
struct bash_how {
	const struct sandbox *view;
	const struct recipe_env *env;
	struct strv *warnings;
};
/* As plain_read(), for any file. -KGE_RECIPE names file, line or cause. */
int bash_read(const struct bash_how *how, const struct recipe_file *file,
	      struct recipe_vars *vars, struct kg_err *err) _must_check_;
