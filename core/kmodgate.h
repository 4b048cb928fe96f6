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
/* The same verdict for a transaction that only tries: nothing is placed, a hold may be set. */
int kg_gate_test(const struct kg_system *sys, struct kg_plan *plan,
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
	const char *conf; /* -c: another dkms.conf, of the caller's world; NULL */
	const char *kernel_config;   /* --config: another .config, likewise; NULL */
	unsigned int jobs;	     /* -j, 0: not given */
	bool force_version_override; /* no version sanity, nothing else forced */
	bool no_depmod;
	bool modprobe_on_install;
	bool symlink_modules;
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
/* Every AUTOINSTALL source for target->release; -KGE_BUILD when one failed. */
int kg_dkms_autoinstall(const struct kg_system *sys, const struct kg_target *target,
			struct kg_err *err) _must_check_;
/*
 * framework.conf's post_transaction, once after a command that installed or took off. What goes
 * wrong is a warning; its output is in DKMS_TREE/post_transaction.log.
 */
void kg_dkms_post_transaction(const struct kg_system *sys);

/* ---- the rest of the dkms command line ---- */
/* A source from outside of the source tree. */
struct kg_load {
	const char *path;    /* of the caller's world */
	enum kg_force force; /* also what is registered already */
	struct arena *arena; /* for what is found out */
	const char *release; /* that dkms.conf is read for; NULL: the running kernel's */
};
struct kg_loaded {
	const char *name;
	const char *version;
};
/* The folder becomes /usr/src/M-V; what is registered is left alone without force. */
int kg_dkms_import(const struct kg_system *sys, const struct kg_load *load,
		   struct kg_loaded *ret_loaded, struct kg_err *err) _must_check_;
/*
 * A tarball (ours, DKMS's, or just sources) or an rpm: source, entry and what is built in it.
 * -KGE_EXISTS (with @ret_loaded) when it is registered; -KGE_NOT_ADDED: no dkms.conf in it;
 * -KGE_CHECK: mktarball's folders without one.
 */
int kg_dkms_load(const struct kg_system *sys, const struct kg_load *load,
		 struct kg_loaded *ret_loaded, struct kg_err *err) _must_check_;

enum kg_tarball { KG_TARBALL_ALL, KG_TARBALL_BINARIES, KG_TARBALL_SOURCE };
struct kg_mktarball {
	const char *name;
	const char *version;
	const char *const *releases; /* NULL-terminated */
	const char *const *arches;   /* one for each */
	enum kg_tarball contents;
	const char *archive; /* --archive, NULL */
};
/* -ENOENT: one is not built; -EACCES: the archive cannot be written. */
int kg_dkms_mktarball(const struct kg_system *sys, const struct kg_mktarball *how,
		      struct kg_err *err) _must_check_;
/* Off the kernel, and what was built goes. */
int kg_dkms_unbuild(const struct kg_system *sys, const struct kg_target *target,
		    struct kg_err *err) _must_check_;
/* What is installed on @template_release (of that name, if one is given), on target->release too. */
int kg_dkms_match(const struct kg_system *sys, const struct kg_target *target,
		  const char *template_release, struct kg_err *err) _must_check_;
/* -KGE_BUILD when some module could not be taken off. preinst leaves those that don't come back. */
int kg_dkms_kernel_preinst(const struct kg_system *sys, const struct kg_target *target,
			   struct kg_err *err) _must_check_;
int kg_dkms_kernel_prerm(const struct kg_system *sys, const struct kg_target *target,
			 struct kg_err *err) _must_check_;
/* The signing key of framework.conf and its certificate, where they are missing. */
int kg_dkms_generate_mok(const struct kg_system *sys, const char *release,
			 struct kg_err *err) _must_check_;
/* --rpm_safe_upgrade: add leaves a mark; one of the same rpm process tells remove to do nothing. */
int kg_dkms_rpm_mark(const struct kg_system *sys, const char *name, const char *version,
		     struct kg_err *err) _must_check_;
bool kg_dkms_rpm_take_mark(const struct kg_system *sys, const char *name,
			   const char *version);
