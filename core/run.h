/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to core/run*.c, the only files that see all stages. run_job.c makes one job's
 * artefact; run_plan.c says which jobs there are; run_set.c turns an artefact into signed files
 * and registers them; run.c is the gate; run_settle.c what follows it; run_dkms.c the commands.
 */
#include "core/commit/commit.h"
#include "core/job.h"
#include "core/kmodgate.h"
#include "core/registry/framework.h"
#include "core/registry/registry.h"
#include "core/sandbox/sandbox.h"

/* Everything one command or gate works with. */
struct run {
	const struct kg_system *sys;
	struct arena arena;
	struct kg_policy policy;
	struct kg_framework framework;
	struct sandbox view; /* template for every job */
	int stage_fd;	     /* -1: no stage */
	int work_fd;	     /* folder for work trees, ours alone */
	char *log_dir;	     /* absolute: /var/log/kmodgate/ID */
	int log_dir_fd;
	struct kg_job *jobs;
	size_t n_jobs;
	struct run_release *releases; /* headers found so far, by release */
	size_t n_releases;
	struct txn *txn;	       /* NULL outside a transaction */
	const char *kernel_source_dir; /* --kernelsourcedir, NULL */
	const char *const *directives; /* --directive, NULL */
};

struct run_release {
	const char *release;
	int result; /* of headers_find(); 0: @headers is valid */
	struct kg_err err;
	struct kg_headers headers;
	const char *toolchain;
};

/* Policy, framework, view; stage and work are opened by the caller. */
int run_init(struct run *run, const struct kg_system *sys,
	     struct kg_err *err) _must_check_;
void run_fini(struct run *run);
/* /var/log/kmodgate/@id, state_dir/@work_path; both made. */
int run_open_folders(struct run *run, const char *id, const char *work_path,
		     struct kg_err *err) _must_check_;

/* ---- run_job.c ---- */
/* Fills @job's outcome, phase, err, artefact, log. Jobs it depends on are made first. */
void run_make_job(struct run *run, struct kg_job *job);
/* The headers of @release in the run's view, found once. Never NULL but for lack of memory. */
struct run_release *run_find_release(struct run *run, const char *release);
/* The folder of @source, in the stage if it enters with the transaction. Caller owns it. */
int run_open_source(const struct run *run, const struct kg_source *source,
		    struct kg_err *err) _must_check_;
/* dkms.conf of @source for @release; without headers the config is empty. */
int run_read_recipe(struct run *run, const struct kg_source *source, int source_fd,
		    const struct run_release *release, struct kg_recipe *ret_recipe,
		    struct kg_err *err) _must_check_;

/* ---- run_plan.c ---- */
/* Fills run->jobs from the plan: which source for which kernel, which are required. */
int run_jobs_from_plan(struct run *run, const struct kg_plan *plan,
		       struct kg_err *err) _must_check_;
/* Releases with a folder of modules, oldest first. */
int run_list_releases(const struct kg_system *sys, struct strv *ret_releases,
		      struct kg_err *err) _must_check_;
/* "amd64", "cloud-amd64", "" when the release has no such tail. */
const char *run_flavour(const char *release);
/* Remembered at settle: @name worked on @flavour; forgotten when a person removes it. */
bool run_worked_before(const struct kg_system *sys, const char *name,
		       const char *flavour);
int run_remember_working(const struct kg_system *sys, const char *name,
			 const char *flavour, struct kg_err *err) _must_check_;
int run_forget_working(const struct kg_system *sys, const char *name,
		       struct kg_err *err) _must_check_;

/* ---- run_verdict.c ---- */
/* run_make_job() for a job of a plan: without headers, or excluded though it works here, it fails. */
void run_make_plan_job(struct run *run, struct kg_job *job);
/* This job's failure stops the transaction. */
bool run_stops(const struct run *run, const struct kg_job *job);
bool run_must_stop(const struct run *run);
/* Sets the hold the policy asks for, then says what happened, on stderr. */
void run_report_stop(struct run *run);
void run_report_pass(struct run *run);

/* ---- run_set.c ---- */
/* A job's files as they will be installed. */
struct run_set {
	struct set set; /* its sealed_fd is owned here */
	struct kg_source source;
	const char *arch;
	int built_fd; /* the K/A folder's content: module/, log/, extras */
};
void run_set_fini(struct run_set *rs);
/*
 * Signs and compresses @job's artefact as @release's modules are and makes the K/A folder at
 * @at (relative to the state folder's root, made here).
 */
int run_seal_job(struct run *run, const struct kg_job *job, int parent_fd,
		 const char *name, struct run_set *ret_set,
		 struct kg_err *err) _must_check_;
/* Reads a K/A folder (sealed, saved or registered) back as a set. @dir_fd is moved in. */
int run_open_set(struct run *run, const struct kg_source *source, const char *release,
		 const char *arch, int dir_fd, struct run_set *ret_set,
		 struct kg_err *err) _must_check_;
/* Adds the source if needed, puts K/A in place, makes it active. Files are placed already. */
int run_register_set(struct run *run, const struct run_set *rs,
		     struct kg_err *err) _must_check_;
/* Where modules go below lib/modules/R on this distribution, for @recipe's module. */
const char *run_module_location(const struct run *run);
/* PRE_INSTALL, POST_INSTALL, POST_ADD, POST_REMOVE: as root, from the source's folder. */
int run_script(struct run *run, const struct kg_source *source, const char *command,
	       const char *release, struct kg_err *err) _must_check_;

/* ---- run_record.c: txn/ID/jobs, what the gate decided, for arrive and settle ---- */
struct run_record {
	const char *name;
	const char *version;
	const char *path; /* source folder */
	const char *release;
	const char *arch;
	enum kg_outcome outcome;
	bool is_required;
	bool is_placed; /* sealed/RELEASE/NAME-VERSION exists */
};
struct run_records {
	struct arena arena;
	struct run_record *v;
	size_t n;
};
int run_records_write(struct run *run, struct kg_err *err) _must_check_;
int run_records_read(const struct txn *txn, struct run_records *ret_records,
		     struct kg_err *err) _must_check_;
void run_records_fini(struct run_records *records);

/* ---- run_skip.c ---- */
/* The gate is switched off for @plan: KMODGATE=off, or skip-once (used up). Says so on stderr. */
bool run_is_skipped(const struct kg_system *sys, const struct kg_plan *plan);

/* ---- run_dkms.c ---- */
int run_install_source(struct run *run, const struct kg_source *source,
		       const char *release, const char *arch, enum kg_force force,
		       struct kg_err *err) _must_check_;
/* Takes @name/@version off @release: files, active link, originals back; K/A stays. */
int run_uninstall(struct run *run, const char *name, const char *version,
		  const char *release, const char *arch, struct kg_err *err) _must_check_;
/* A set of this very name, version and release that the live transaction placed and installed. */
bool run_is_placed_by_txn(const struct run *run, const char *name, const char *version,
			  const char *release);
/* Every AUTOINSTALL source for @release that @skip does not name. */
int run_autoinstall(struct run *run, const char *release, const struct strv *skip,
		    struct kg_err *err) _must_check_;
/* Publish @rs, register it, indexes. */
int run_install_set(struct run *run, struct run_set *rs, struct kg_err *err) _must_check_;

/*
 * Inside a live transaction `dkms remove` of what the plan changes keeps the K/A folder, so that
 * settle can give it back: txn/ID/old/RELEASE/NAME. -ENOENT when nothing was saved.
 */
int run_save_built(struct run *run, const struct reg_entry *entry,
		   struct kg_err *err) _must_check_;
int run_open_saved(struct run *run, const struct txn *txn, const char *name,
		   const char *release, struct run_set *ret_set,
		   struct kg_err *err) _must_check_;

/* ---- run_arrive.c, run_settle.c ---- */
/* Installs one placed set, once. */
int run_arrive_record(struct run *run, struct txn *txn, const struct run_record *rec,
		      struct kg_err *err) _must_check_;
/* The live transaction of which this process is a child, if any: 1, 0, or an error. */
int run_join_live(const struct kg_system *sys, struct txn *ret_txn,
		  struct kg_err *err) _must_check_;
/*
 * Recover, then settle every transaction that is not live or that @owner_pid owns (0: none).
 * What goes wrong is a warning: it must not stop the command at hand. The lock is held.
 */
void run_clean_up(const struct kg_system *sys, pid_t owner_pid);
/* The sealed set of one record. */
int run_open_sealed(struct run *run, const struct txn *txn, const struct run_record *rec,
		    struct run_set *ret_set, struct kg_err *err) _must_check_;
