/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Package files in folders like apt's archive cache, found by their names: apt's lists may have
 * forgotten their versions since they came. Only what nobody but root can have put there, or
 * could change, is taken.
 */
#ifdef __cplusplus
extern "C" {
#endif

#include "core/base/str.h"

struct deb_pool {
	struct strv files; /* NAME_VERSION_ARCH.deb, with their folders */
	struct strv seen;  /* names that were looked for */
};

void deb_pool_fini(struct deb_pool *pool);
/* A folder that is not there, or that others can write to, adds nothing. */
void deb_pool_add(struct deb_pool *pool, const char *dir);

/*
 * Paths of whole packages called @name, in any version, and of what their dependencies name, and
 * so on: more than will be needed; apt's own resolver chooses. -ENOMEM, silently.
 */
int deb_pool_find(struct deb_pool *pool, const char *name, struct strv *ret_paths);

#ifdef __cplusplus
}
#endif
