/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * dpkg's database, read as files: /var/lib/dpkg/status and info/NAME.list. Only opened once a
 * transaction is known to matter.
 */
#include "core/base/err.h"
#include "core/base/str.h"

struct db_package {
	const char *name;
	const char *arch;
	const char *version;
	const char *multi_arch; /* "" when not said */
	const char *depends;	/* Pre-Depends and Depends; "" none */
	const char *pre_depends;
	const char *provides;
	uint64_t installed_kib;
};

/* Packages whose files are on disk. */
struct db {
	char *text; /* owned; cut into fields */
	struct db_package *packages;
	size_t n;
};

int db_open(struct db *db, struct kg_err *err) _must_check_;
void db_close(struct db *db);
/* @arch NULL: any, the machine's own first in the file. NULL: not installed. */
const struct db_package *db_find(const struct db *db, const char *name, const char *arch);

/* Each line of a file list, until @each returns false. -errno silently. */
typedef bool db_line_fn(const char *path, size_t len, void *data);
int db_each_file(const char *list_path, db_line_fn *each, void *data);
/* The file list of an installed package. */
int db_each_file_of(const struct db_package *p, db_line_fn *each, void *data);
/* The package that owns a path (with leading '/'), by searching all lists. NULL: none. */
const struct db_package *db_owner(const struct db *db, const char *path);
