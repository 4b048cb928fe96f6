/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to core/recipe: what the directives mean for one release. */
#include "core/job.h"
#include "core/recipe/vars.h"

struct interpret {
	const struct recipe_vars *vars;
	const char *file; /* for messages */
	const char *release;
	const char *arch;
	const char *config; /* text of the kernel's .config, "" when there is none */
	struct kg_recipe *recipe; /* filled; its arena is used */
	const char **warnings;	  /* recipe->warnings while it grows */
	size_t n_warnings;
	struct kg_err *err;
};

/* Fills everything but identity. Name and version stay what the caller put in. */
int interpret_all(struct interpret *in) _must_check_;
/* -KGE_RECIPE with file and directive, as every failure here. */
int interpret_fail(const struct interpret *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int interpret_no_memory(const struct interpret *in);
void interpret_warn(struct interpret *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "" counts as unset: NULL. */
const char *interpret_get(const struct interpret *in, enum recipe_directive directive,
			  unsigned int index);
/* Does @text fit the POSIX extended expression in @directive[@index]? */
int interpret_match(const struct interpret *in, enum recipe_directive directive,
		    unsigned int index, const char *text, bool *ret_fits) _must_check_;

/*
 * BUILD_EXCLUSIVE_* of module @index: [@index] where it is set, else [0], which is what a plain
 * NAME=value sets and so counts for the whole package. NULL in @ret_why: build it.
 */
int exclusive_check(struct interpret *in, unsigned int index,
		    const char **ret_why) _must_check_;
/*
 * Kernel versions in natural order: runs of digits by value, everything else by byte, the longer
 * of two that begin alike is the later. <0, 0, >0. So 6.1 < 6.1-rc1 < 6.1.0-50 < 6.10.
 */
int release_compare(const char *a, const char *b);
