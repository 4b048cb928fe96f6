/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The packages of one transaction, by the headers of their archives or of the database: those
 * that come and those that go. Read by librpm in a process of its own, not rpm's.
 */
#include <rpm/header.h>
#include <rpm/rpmts.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"
#include "core/plan/plan.h"

/* What some of its files are: one entry for each kind and release, one for each source. */
struct package_hit {
	unsigned int bit;    /* one of content_bits */
	const char *release; /* "" for a source */
	const char *path;    /* of the first such file, no leading slash */
};

struct package {
	Header header;
	const char *
		name; /* NAME-VERSION-RELEASE.ARCH: several versions of a kernel live together */
	const char *plain_name;
	const char *evr;
	const char *arch;
	const char *path; /* of the archive; NULL: it goes */
	bool is_fetched;  /* found in a cache: the transaction does not install it */
	bool is_wanted;	  /* a build needs what is in the archive */
	struct package_hit *hits;
	size_t n_hits;
};

struct txn {
	struct arena arena;
	rpmts ts;
	struct package *packages;
	size_t n;
};

int txn_init(struct txn *txn, struct kg_err *err) _must_check_;
void txn_fini(struct txn *txn);

/* A package that comes. One that cannot be read, or is there already, is no error. */
int txn_add_archive(struct txn *txn, const char *path, struct kg_err *err) _must_check_;
/* One that goes, by its number in the database. */
int txn_add_installed(struct txn *txn, unsigned int number,
		      struct kg_err *err) _must_check_;
/* One that goes, by name: NAME-VERSION-RELEASE.ARCH. */
int txn_add_installed_name(struct txn *txn, const char *nvra,
			   struct kg_err *err) _must_check_;

/* Bits of what @pkg has for @release. */
unsigned int package_bits(const struct package *pkg, const char *release);
/* The installed package that owns @path (absolute), as a package that neither comes nor goes. */
int txn_owner_of(struct txn *txn, const char *path, struct kg_package *ret,
		 struct arena *arena);

static inline bool package_comes(const struct package *pkg)
{
	return pkg->path != NULL && !pkg->is_fetched;
}
/* What @pkg does to its own name: enters, or changes when another version of it goes. */
enum kg_change package_change(const struct txn *txn, const struct package *pkg);
