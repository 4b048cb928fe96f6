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
/* Removes V/R/A and empty parents. Absent is fine. */
int reg_remove_built(const struct kg_system *sys, const char *name, const char *version,
		     const char *release, const char *arch,
		     struct kg_err *err) _must_check_;
/* Opens M/V/R/A, -ENOENT when not built. Caller owns the fd. */
int reg_open_built(const struct kg_system *sys, const char *name, const char *version,
		   const char *release, const char *arch,
		   struct kg_err *err) _must_check_;

/*
 * Copies @file (path below install_tree/R) to original_module/R/A with NAME.origin, then removes
 * it; a second file of that name goes to collisions/. Safe to repeat after a crash.
 */
int reg_archive_original(const struct kg_system *sys, const char *name,
			 const char *release, const char *arch, const char *file,
			 struct kg_err *err) _must_check_;
/*
 * Puts every archived original of (name, release, arch) back where it came from and drops the
 * archive. A file that is there again (the kernel's package came anew) is left; one whose place
 * nobody knows stays archived, with a warning.
 */
int reg_restore_originals(const struct kg_system *sys, const char *name,
			  const char *release, const char *arch,
			  struct kg_err *err) _must_check_;

/*
 * The tree @from_fd as /usr/src/NAME-VERSION, root-owned, in one step; what was there goes. Nothing
 * to do when it is that folder, or M/V/build.
 */
int reg_import_source(const struct kg_system *sys, int from_fd, const char *name,
		      const char *version, struct kg_err *err) _must_check_;

/*
 * PACKAGE_NAME and PACKAGE_VERSION of @source_fd's dkms.conf where they are plain words, in @arena.
 * -KGE_RECIPE where a shell would be needed to know them.
 */
int reg_read_identity(int source_fd, struct arena *arena, const char **ret_name,
		      const char **ret_version, struct kg_err *err) _must_check_;

/*
 * Finishes or drops what a killed process left (see above), and puts original modules back where no
 * version is active. Idempotent. The lock is held. To be run before the indexes are made good.
 */
int reg_recover(const struct kg_system *sys, struct kg_err *err) _must_check_;

const char *reg_state_text(enum reg_state state);
