/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The packages of one transaction, by libalpm: the archives of those that come, what is installed
 * of the same names. libalpm tells nobody what another process is about to do: which they are is
 * found by the files that its hook was told of (find.c).
 */
#include <alpm.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"
#include "core/plan/plan.h"
#include "plugins/common/owner.h"
#include "plugins/pacman/cmdline.h"
#include "plugins/pacman/config.h"

/* What some of its files are: one entry for each kind and release, one for each source. */
struct package_hit {
	unsigned int bit;    /* one of content_bits */
	const char *release; /* "" for a source */
	const char *path;    /* of the first such file, no leading slash */
};

struct package_hits {
	struct package_hit *v;
	size_t n;
};

struct package {
	alpm_pkg_t *
		pkg; /* of the archive once it is loaded, before that of a sync database */
	alpm_pkg_t *old; /* what is installed of that name, or NULL */
	const char *name;
	const char *version;
	const char *path; /* of the archive */
	bool is_loaded;	  /* files are known; @pkg is ours */
	bool is_broken;	  /* the archive cannot be read */
	bool comes;	  /* as far as the command line tells */
	bool is_listed;	  /* holds a file the hook was told of: it surely comes */
	bool is_fetched;  /* lies in a cache: the transaction does not install it */
	bool is_wanted;	  /* a build needs what is in the archive */
	struct package_hits hits;
	struct package_hits old_hits;
};

struct txn {
	struct arena arena;
	struct cmdline cmd;
	struct config config;
	alpm_handle_t *alpm;
	struct owner owner;
	struct package *packages;
	size_t n;
};

/* Opens libalpm's databases as process @owner has them. */
int txn_init(struct txn *txn, pid_t owner, struct kg_err *err) _must_check_;
void txn_fini(struct txn *txn);

/* Every archive that may be part of the transaction; those that hold one of @paths are listed. */
int txn_find(struct txn *txn, const struct strv *paths, struct kg_err *err) _must_check_;
/* One more, which is not part of it. NULL: it cannot be read. Moves @txn->packages. */
struct package *txn_add_fetched(struct txn *txn, const char *path);

/* Reads the archive's file list, once. */
bool package_load(struct txn *txn, struct package *pkg);
/* Bits of what @hits have for @release. */
unsigned int package_bits(const struct package_hits *hits, const char *release);
/* @pkg is part of the transaction. */
static inline bool package_comes(const struct package *pkg)
{
	return pkg->is_listed || (pkg->comes && !pkg->is_fetched);
}
enum kg_change package_change(const struct package *pkg);
