/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The packages of one transaction, and what each brings and takes as far as we care. */
#include "core/base/arena.h"
#include "core/base/err.h"
#include "plugins/apt/dpkgdb.h"
#include "plugins/apt/stream.h"
#include "plugins/apt/verdict.h"

/* What a package version has of one release. */
struct txn_part {
	const char *release;
	unsigned int bits; /* content_bits */
};

struct txn_contents {
	struct txn_part *parts;
	size_t n_parts;
	const char **sources; /* usr/src/X/dkms.conf */
	size_t n_sources;
};

struct txn_package {
	const char *name; /* "name", or "name:arch" of a foreign architecture */
	const char *plain_name;
	const char *arch;
	const char *old_version; /* NULL: not there now */
	const char *old_arch;
	const char *old_multi_arch;
	const char *new_version; /* NULL: removed */
	const char *path;	 /* archive, absolute; NULL: removed */
	unsigned int old_bits;
	unsigned int new_bits;
	uint64_t installed_kib;
	const char *depends; /* Pre-Depends and Depends of the new version */
	const char *provides;
	struct txn_contents before;
	struct txn_contents after;
	bool is_fetched; /* not part of the transaction: headers fetched for the gate */
	bool is_wanted;	 /* its archive goes into the plan */
	bool is_passed_over; /* headers that fit no kernel: builds see what is there */
};

struct txn {
	struct arena arena;
	struct txn_package *packages;
	size_t n;
	struct db db;
	const char *native_arch;
};

/* What every op touches, from @cache where known, else looked into and learned. */
int txn_scan(struct txn *txn, const struct stream *s, struct verdict_cache *cache,
	     struct kg_err *err) _must_check_;
bool txn_matters(const struct txn *txn);
/* For one that matters: names, dependencies, contents. Opens the database. */
int txn_load(struct txn *txn, const struct stream *s, struct kg_err *err) _must_check_;
void txn_fini(struct txn *txn);

/* One more archive that is not in the stream: headers fetched for the gate. */
int txn_add_fetched(struct txn *txn, const char *path, struct kg_err *err) _must_check_;
/* The package that brings @name, itself or by Provides, with an archive; from @start. */
struct txn_package *txn_find_new(const struct txn *txn, const char *name, size_t len,
				 size_t start);

/* content_bits of @release in @c. */
unsigned int txn_bits_of(const struct txn_contents *c, const char *release);
bool txn_has_source(const struct txn_contents *c, const char *path);
/* Kernel arch ("x86_64") of a Debian architecture. */
const char *txn_kernel_arch(const char *debian_arch);
