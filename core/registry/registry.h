/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The DKMS tree (/var/lib/dkms), read and written. Layout and meaning: docs/registry.md; the
 * reference is DKMS 3.4.3. Knows nothing of building; every function is beneath sys->root_fd.
 *
 * Temporary names, all hidden from status: ".kmodgate-part.NAME" (unfinished or on its way out:
 * drop it) in M, M/V/R, original_module/R/A and the source tree; ".kmodgate-new.NAME" (a whole
 * folder about to take NAME's place: move it there; an empty one: both go) in the same places; ".NAME.kmodgate-new" (fd_replace_*:
 * drop it). Callers hold the lock. reg_recover() knows what to do with each.
 */
#include "core/job.h"

enum reg_state { REG_ADDED, REG_BROKEN, REG_BUILT, REG_INSTALLED, REG_INSTALLED_WEAK };

/* One line of `dkms status`. release and arch are NULL for added and broken. */
struct reg_entry {
	const char *name;
	const char *version;
	const char *release;
	const char *arch;
	const char *weak_from; /* REG_INSTALLED_WEAK */
	enum reg_state state;
	bool has_original; /* "(Original modules exist)" */
	/*
	 * "(Built modules are missing in the kernel modules folder)": what DKMS means is that K/A's
	 * module folder lacks one. A file lib/modules lacks is a difference.
	 */
	bool misses_installed;
	bool differs_installed; /* "(Differences between built and installed modules)" */
};

struct reg_list {
	struct arena arena;
	struct reg_entry
		*entries; /* sorted as DKMS prints them: bytes of "M/V", then of "K/A" */
	size_t n;
};

/* NULL fields match everything; others may be patterns of the shell, as DKMS takes them. */
struct reg_filter {
	const char *name;
	const char *version;
	const char *release;
	const char *arch;
};

void reg_list_fini(struct reg_list *list);
/*
 * Every entry that fits. A broken or foreign entry is listed as broken (or left out when it is
 * no entry at all); it never hides the others. As DKMS: a source with nothing built that fits
 * release and arch is listed as added. Compares built and installed files only when @compare
 * says so. No fork, no lock.
 */
enum reg_compare { REG_NO_COMPARE, REG_COMPARE };
int reg_list_read(const struct kg_system *sys, const struct reg_filter *filter,
		  enum reg_compare compare, struct reg_list *ret_list,
		  struct kg_err *err) _must_check_;
/* What weak-modules has linked into other kernels, as REG_INSTALLED_WEAK; kernels sorted. */
int reg_list_weak(const struct kg_system *sys, const struct reg_filter *filter,
		  struct reg_list *ret_list, struct kg_err *err) _must_check_;
/* Registered sources: (name, version, path of the source link's target). In @arena. */
int reg_sources(const struct kg_system *sys, struct arena *arena,
		struct kg_source **ret_sources, size_t *ret_n,
		struct kg_err *err) _must_check_;
/* -KGE_NOT_ADDED, -KGE_BROKEN, or 0 with the source's path in @arena. */
int reg_find_source(const struct kg_system *sys, const char *name, const char *version,
		    struct arena *arena, struct kg_source *ret_source,
		    struct kg_err *err) _must_check_;
/*
 * Makes M/V/build and M/V/source -> /usr/src/M-V; a link that is gone or dangles is made anew.
 * -KGE_EXISTS when it is there, -ENOENT without the folder source->path.
 */
int reg_add(const struct kg_system *sys, const struct kg_source *source,
	    struct kg_err *err) _must_check_;
/*
 * As reg_add() for built modules whose source is not at hand: M/V/source is a folder with nothing in
 * it but the dkms.conf of @conf_dir_fd.
 */
int reg_add_stub(const struct kg_system *sys, const char *name, const char *version,
		 int conf_dir_fd, struct kg_err *err) _must_check_;
/*
 * Removes M/V and, with its last version, M. Refuses (-EBUSY) while a K/A is left. Folders in it
 * that are nobody's are warned about and stay; the source is off the register all the same.
 */
int reg_remove_source(const struct kg_system *sys, const char *name, const char *version,
		      struct kg_err *err) _must_check_;

/* Version active for (name, release, arch): target of kernel-R-A; NULL in *ret when none. */
int reg_active_version(const struct kg_system *sys, const char *name, const char *release,
		       const char *arch, struct arena *arena, const char **ret_version,
		       struct kg_err *err) _must_check_;
/* kernel-R-A -> V/R/A, atomically. */
int reg_set_active(const struct kg_system *sys, const struct kg_source *source,
		   const char *release, const char *arch,
		   struct kg_err *err) _must_check_;
int reg_clear_active(const struct kg_system *sys, const char *name, const char *release,
		     const char *arch, struct kg_err *err) _must_check_;
/*
 * Puts a finished K/A folder in place: @dir_fd holds module/, log/ and whatever the build
 * left; its content becomes M/V/R/A (an older one is replaced, by rename). M/V/build goes.
 */
int reg_put_built(const struct kg_system *sys, const struct kg_source *source,
		  const char *release, const char *arch, int dir_fd,
		  struct kg_err *err) _must_check_;
/* M/V/build, emptied, for the work tree of a build that failed. The caller owns the fd. */
int reg_empty_build(const struct kg_system *sys, const struct kg_source *source,
		    struct kg_err *err) _must_check_;
/* Removes V/R/A and empty parents. Absent is fine. */
int reg_remove_built(const struct kg_system *sys, const char *name, const char *version,
		     const char *release, const char *arch,
		     struct kg_err *err) _must_check_;
/* Opens M/V/R/A, -ENOENT when not built. Caller owns the fd. */
int reg_open_built(const struct kg_system *sys, const char *name, const char *version,
		   const char *release, const char *arch,
		   struct kg_err *err) _must_check_;

/*
 * Copies @file (path below install_tree/R) to original_module/R/A with NAME.origin; a second file
 * of that name goes to collisions/. lib/modules is not changed. Safe to repeat after a crash.
 */
int reg_archive_original(const struct kg_system *sys, const char *name,
			 const char *release, const char *arch, const char *file,
			 struct kg_err *err) _must_check_;

/* original_module/R/A of one package. */
struct reg_archive {
	const char *name;
	const char *release;
	const char *arch;
};
struct reg_original {
	const char *dir;  /* of the archive, below the root */
	const char *base; /* the file's name in it */
	const char *file; /* where it belongs, below install_tree/R; NULL: nothing says */
};
/* What is in @archive, in @arena. No archive: nothing. */
int reg_list_originals(const struct kg_system *sys, const struct reg_archive *archive,
		       struct arena *arena, struct reg_original **ret_originals,
		       size_t *ret_n, struct kg_err *err) _must_check_;
/* The archive goes, but for the files whose place nobody knows. Absent is fine. */
int reg_drop_originals(const struct kg_system *sys, const struct reg_archive *archive,
		       struct kg_err *err) _must_check_;
/*
 * Archives of kernels where no version is active: an install that was killed had archived, an
 * uninstall that was killed had not yet dropped it.
 */
int reg_list_orphans(const struct kg_system *sys, struct arena *arena,
		     struct reg_archive **ret_archives, size_t *ret_n,
		     struct kg_err *err) _must_check_;

/*
 * The tree @from_fd as /usr/src/NAME-VERSION, root-owned, in one step; what was there goes. Nothing
 * to do when it is that folder, or M/V/build.
 */
int reg_import_source(const struct kg_system *sys, int from_fd, const char *name,
		      const char *version, struct kg_err *err) _must_check_;

/*
 * Finishes or drops what a killed process left (see above). Idempotent. The lock is held. Original
 * modules without an owner: reg_list_orphans().
 */
int reg_recover(const struct kg_system *sys, struct kg_err *err) _must_check_;

const char *reg_state_text(enum reg_state state);
