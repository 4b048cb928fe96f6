/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The core's one public header: what the command line (and nothing else) calls. Each function
 * takes the lock, recovers what is not live, and reports through @err and the log callback.
 */
#include "core/job.h"

/* Fills defaults and framework.conf's paths; @root "/" or --root. Caller closes with kg_system_fini(). */
int kg_system_init(struct kg_system *sys, const char *root, struct arena *arena,
		   struct kg_err *err) _must_check_;
void kg_system_fini(struct kg_system *sys);

/* ---- the transaction ---- */
/* 0 pass; -KGE_STOPPED: a required job failed, everything said on stderr; other: could not decide. */
int kg_gate(const struct kg_system *sys, struct kg_plan *plan,
	    struct kg_err *err) _must_check_;
/* A kernel's files are on disk (its postinst hook). Never fails a transaction by itself. */
int kg_arrive(const struct kg_system *sys, const char *release,
	      struct kg_err *err) _must_check_;
/* The kernel's files are about to go or gone (prerm, postrm hooks). */
int kg_depart(const struct kg_system *sys, const char *release,
	      struct kg_err *err) _must_check_;
/*
 * Every transaction that is not live, or whose owner is @owner_pid (0: none): compare with what the
 * package database says, keep or roll back, drop the stage.
 */
int kg_settle(const struct kg_system *sys, pid_t owner_pid,
	      struct kg_err *err) _must_check_;
int kg_recover(const struct kg_system *sys, struct kg_err *err) _must_check_;

/* The next transaction that brings a kernel or a module source passes without a check. */
int kg_skip_once(const struct kg_system *sys, struct kg_err *err) _must_check_;

/* One open transaction or hold, for `kmodgate status`. */
struct kg_status_item {
	const char *id;
	const char *
		text; /* "waits for dpkg --configure -a", "held: linux-image-... 6.1.192-2" */
	bool needs_recovery;
};
struct kg_status {
	struct arena arena;
	struct kg_status_item *items;
	size_t n_items;
	bool skips_next;
};
int kg_status_read(const struct kg_system *sys, struct kg_status *ret_status,
		   struct kg_err *err) _must_check_;
void kg_status_fini(struct kg_status *status);

/* ---- the five commands of everyday life ---- */
enum kg_force { KG_NO_FORCE, KG_FORCE };
struct kg_target {
	const char *name;
	const char *version;
	const char *release;
	const char *arch;
	enum kg_force force;
	const char *kernel_source_dir; /* --kernelsourcedir, NULL */
	const char *const *directives; /* --directive, NULL */
};
int kg_dkms_add(const struct kg_system *sys, const struct kg_target *target,
		struct kg_err *err) _must_check_;
int kg_dkms_build(const struct kg_system *sys, const struct kg_target *target,
		  struct kg_err *err) _must_check_;
int kg_dkms_install(const struct kg_system *sys, const struct kg_target *target,
		    struct kg_err *err) _must_check_;
int kg_dkms_uninstall(const struct kg_system *sys, const struct kg_target *target,
		      struct kg_err *err) _must_check_;
/* release NULL: for all kernels, and the source's entry itself goes when no kernel is left. */
int kg_dkms_remove(const struct kg_system *sys, const struct kg_target *target,
		   struct kg_err *err) _must_check_;
/* Every AUTOINSTALL source for @release; -KGE_BUILD when one failed. */
int kg_dkms_autoinstall(const struct kg_system *sys, const char *release,
			struct kg_err *err) _must_check_;
