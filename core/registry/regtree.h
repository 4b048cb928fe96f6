/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the registry: paths below the DKMS tree, all resolved beneath sys->root_fd. */
#include <limits.h>

#include "core/registry/registry.h"

/*
 * Temporary names: "part" is incomplete or rubbish and may go at any time; "new" is a complete,
 * synced folder whose final name may already be gone, so recovering puts it there.
 */
#define TREE_PART ".kmodgate-part."
#define TREE_NEW ".kmodgate-new."

/* Content of @from_fd as the folder @name of @dir_fd, owned by us; what was there goes. */
int regdir_replace(int dir_fd, const char *name, int from_fd,
		   struct kg_err *err) _must_check_;
/* Absent is fine. */
int regdir_remove(int dir_fd, const char *name, struct kg_err *err) _must_check_;
/* Finishes what a kill left under the temporary name @temp; other names are left alone. */
int regdir_recover(int dir_fd, const char *temp, struct kg_err *err) _must_check_;

enum regtree_source { TREE_NO_SOURCE, TREE_ADDED, TREE_BROKEN };

/* open(2) below the DKMS tree; silent, -errno. Caller owns the fd. */
int regtree_open(const struct kg_system *sys, int flags, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int regtree_open_dir(const struct kg_system *sys, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * The same for @sub of the folder that @dir_fd is and @dir names in the tree: a shorter way, but
 * where links are on it, which are resolved in the root.
 */
int regtree_open_sub(const struct kg_system *sys, int dir_fd, const char *dir,
		     const char *sub, int flags);
bool regtree_has_dir(const struct kg_system *sys, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* mkdir -p below the DKMS tree, 0755. Caller owns the fd. */
int regtree_make_dir(const struct kg_system *sys, struct kg_err *err, const char *fmt,
		     ...) __attribute__((format(printf, 3, 4))) _must_check_;

/* A formatted string, NULL without memory. Caller frees. */
char *regtree_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How @version_fd's source link looks: DKMS 3.2 and later tell broken from added by it alone. */
enum regtree_source regtree_source_state(const struct kg_system *sys, int version_fd,
					 const char *name, const char *version);

/* "M/V" of every folder that may be a source and fits, in byte order. */
int regtree_list_versions(const struct kg_system *sys, const struct reg_filter *filter,
			  struct strv *ret_paths, struct kg_err *err) _must_check_;
/*
 * "R/A" in M/V that hold a module folder and fit, in byte order. Nothing there is no error. Like
 * the next, reads @version_fd from where it stands: give a fresh one.
 */
int regtree_list_built(int version_fd, const struct reg_filter *filter,
		       struct strv *ret_paths) _must_check_;
/* The name of a folder in M/V that somebody else put there; "" none. Give a fresh fd. */
int regtree_find_foreign(int version_fd, char ret_name[NAME_MAX + 1]) _must_check_;
/* Names of the folders in @dir_fd that fit @pattern (NULL: all), unsorted. */
int regtree_list_dirs(int dir_fd, const char *pattern,
		      struct strv *ret_names) _must_check_;

/* /etc/dkms/NAME*.conf by name: they may change what a dkms.conf declares. */
int regtree_list_overrides(const struct kg_system *sys,
			   struct strv *ret_names) _must_check_;
/* Modules that @name's dkms.conf, open at @conf_fd, declares; -EAGAIN when only a shell could tell. */
int regtree_declared(int conf_fd, const char *name, const struct strv *overrides,
		     struct strv *ret_names) _must_check_;

/*
 * Compares entries one after the other; what is open for a release serves the next one too.
 * @version_fd: M/V. @names: what the source declares; NULL: not known, whatever is there.
 */
struct comparer;
struct comparer *comparer_new(const struct kg_system *sys);
void comparer_free(struct comparer *c);
int comparer_compare(struct comparer *c, struct reg_entry *entry, int version_fd,
		     const char *const *names) _must_check_;

/* -EINVAL naming the first that may not become a path component. @release, @arch may be NULL. */
int regtree_check_names(const char *name, const char *version, const char *release,
			const char *arch, struct kg_err *err) _must_check_;
