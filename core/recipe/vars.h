/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The directives a dkms.conf sets, as (directive, index, value). A bash scalar is element 0 of an
 * array, so a plain NAME=x is index 0.
 */
#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"

/*
 * In the order DKMS reads them back, which shows when one value names another directive. What
 * follows CLEAN is deprecated.
 */
// clang-format off
#define RECIPE_DIRECTIVES(X)                                                          \
	X(PACKAGE_NAME) X(PACKAGE_VERSION)                                            \
	X(POST_ADD) X(POST_BUILD) X(POST_INSTALL) X(POST_REMOVE)                      \
	X(PRE_BUILD) X(PRE_INSTALL) X(BUILD_DEPENDS)                                  \
	X(BUILD_EXCLUSIVE_ARCH) X(BUILD_EXCLUSIVE_CONFIG) X(BUILD_EXCLUSIVE_KERNEL)   \
	X(BUILD_EXCLUSIVE_KERNEL_MIN) X(BUILD_EXCLUSIVE_KERNEL_MAX) X(OBSOLETE_BY)    \
	X(MAKE) X(MAKE_MATCH) X(PATCH) X(PATCH_MATCH)                                 \
	X(BUILT_MODULE_NAME) X(BUILT_MODULE_LOCATION)                                 \
	X(DEST_MODULE_NAME) X(DEST_MODULE_LOCATION) X(STRIP)                          \
	X(AUTOINSTALL) X(NO_WEAK_MODULES) X(BUILD_DEPENDS_REBUILD)                    \
	X(CLEAN) X(REMAKE_INITRD) X(MODULES_CONF) X(MODULES_CONF_OBSOLETES)           \
	X(MODULES_CONF_ALIAS_TYPE) X(MODULES_CONF_OBSOLETE_ONLY)

enum recipe_directive {
#define X(name) D_##name,
	RECIPE_DIRECTIVES(X)
#undef X
	N_DIRECTIVES
};
// clang-format on

#define VARS_MAX_INDEX 9999u
/* Bytes; well below what one argument of a program may have. */
#define VARS_MAX_VALUE 65536u

struct recipe_var {
	enum recipe_directive directive;
	unsigned int index;
	const char *value;
};

struct recipe_vars {
	struct arena *arena;
	struct recipe_var *v; /* sorted by directive, then index */
	size_t n;
};

const char *directive_name(enum recipe_directive directive);
/* "MAKE" or "MAKE[2]": whole of @text of @len bytes. False when it is no directive. */
bool directive_parse(const char *text, size_t len, enum recipe_directive *ret_directive,
		     unsigned int *ret_index);
/* "[2]" without the brackets: no sign, no leading zero, at most VARS_MAX_INDEX. */
bool directive_parse_index(const char *text, size_t len, unsigned int *ret_index);

/* NULL when unset. */
const char *vars_get(const struct recipe_vars *vars, enum recipe_directive directive,
		     unsigned int index);
/* Copies @value into the arena, replacing an older one. 0 or -ENOMEM. */
int vars_set(struct recipe_vars *vars, enum recipe_directive directive,
	     unsigned int index, const char *value) _must_check_;
/* Everything of @from into @to. */
int vars_merge(struct recipe_vars *to, const struct recipe_vars *from) _must_check_;

/*
 * DKMS hands each value through an unquoted echo: a run of blanks and newlines becomes one
 * blank (zfs writes its PRE_BUILD over twenty lines and relies on it).
 */
int vars_squeeze(const char *value, struct str *out) _must_check_;
/*
 * ... and reads it back as NAME[i]="value", so it is expanded once more (zfs and rtpengine rely
 * on that one: inner quotes vanish). 0 with the result where C can tell, which is when nothing
 * but backslashes is left to do; -EAGAIN where bash has to.
 */
int vars_requote(const char *value, struct str *out) _must_check_;
