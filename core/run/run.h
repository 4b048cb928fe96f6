/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to core/run, the only files that see all stages. job.c makes one job's
 * artefact; plan.c says which jobs there are; set.c turns an artefact into sealed files,
 * sign.c signs them; install.c installs them, remove.c takes them off; gate.c is the
 * gate; settle.c what follows it; dkms.c the commands.
 */
#include "core/commit/commit.h"
#include "core/job.h"
#include "core/kmodgate.h"
#include "core/registry/framework.h"
#include "core/registry/registry.h"
#include "core/sandbox/sandbox.h"
#include "core/seal/seal.h"

/* Everything one command or gate works with. */
struct run {
	const struct kg_system *sys;
	struct arena arena;
	struct kg_policy policy;
	struct kg_framework framework;
	struct sandbox view; /* template for every job */
	int stage_fd;	     /* -1: no stage */
	int work_fd;	     /* folder for work trees, ours alone */
	const char *work;    /* its path, relative to the root */
	bool is_uncached;    /* the store failed: artefacts are kept in the work folder */
	bool has_stored;     /* the store has grown */
	bool keeps_failed;   /* a failed build's tree goes to DKMS_TREE/M/V/build */
	char *log_dir;	     /* absolute: /var/log/kmodgate/ID */
	int log_dir_fd;
	struct kg_job *jobs;
	size_t n_jobs;
	struct run_release *releases; /* headers found so far, by release */
	size_t n_releases;
	struct run_shipped
		*shipped; /* names of modules in package archives read so far */
	size_t n_shipped;
	struct txn *txn;	       /* NULL outside a transaction */
	bool is_test;		       /* a verdict is wanted, nothing is placed */
	const char *kernel_source_dir; /* --kernelsourcedir, NULL */
	const char *const *directives; /* --directive, NULL */
	const char *conf;	       /* -c, NULL */
	const char *kernel_config;     /* --config, NULL */
	const struct kg_plan *coming;  /* cleaning up before the gate of this; NULL */
	const struct kg_target
		*target; /* what the user asked for; NULL in gate and hooks */
};

struct run_release {
	const char *release;
	int result; /* of headers_find(); 0: @headers is valid */
	struct kg_err err;
	struct kg_headers headers;
	const char *toolchain;
};

struct run_shipped {
	const char *archive;
	const char **names;
	size_t n;
};

/* Policy, framework, view; stage and work are opened by the caller. */
int run_init(struct run *run, const struct kg_system *sys,
	     struct kg_err *err) _must_check_;
void run_fini(struct run *run);
/* /var/log/kmodgate/@id, state_dir/@work_path; both made. */
int run_open_folders(struct run *run, const char *id, const char *work_path,
		     struct kg_err *err) _must_check_;

/* ---- config.c ---- */
/* --config: another file is the .config of this kernel. */
int run_take_config(struct run *run, struct run_release *release) _must_check_;

/* ---- job.c ---- */
/* Fills @job's outcome, phase, err, artefact, log. Jobs it depends on are made first. */
void run_make_job(struct run *run, struct kg_job *job);
/* Removes the artefacts that the store could not keep. */
void run_drop_kept(const struct run *run);
/* The headers of @release in the run's view, found once. Never NULL but for lack of memory. */
struct run_release *run_find_release(struct run *run, const char *release);
/* The folder of @source, in the stage if it enters with the transaction. Caller owns it. */
int run_open_source(const struct run *run, const struct kg_source *source,
		    struct kg_err *err) _must_check_;
/* What -a says, else the machine's. */
const char *run_arch(const struct run *run);
/* dkms.conf of @source for @release; without headers the config is empty. */
int run_read_recipe(struct run *run, const struct kg_source *source, int source_fd,
		    const struct run_release *release, struct kg_recipe *ret_recipe,
		    struct kg_err *err) _must_check_;

/* ---- plan.c ---- */
/* Fills run->jobs from the plan: which source for which kernel, which are required. */
int run_jobs_from_plan(struct run *run, const struct kg_plan *plan,
		       struct kg_err *err) _must_check_;
/* Something is registered, be it broken: or it cannot be told. */
bool run_has_sources(struct run *run);
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

/* ---- verdict.c ---- */
/* run_make_job() for a job of a plan: without headers, or excluded though it works here, it fails. */
void run_make_plan_job(struct run *run, struct kg_job *job);
/* This job's failure stops the transaction. */
bool run_stops(const struct run *run, const struct kg_job *job);
bool run_must_stop(const struct run *run);
/* Sets the hold the policy asks for, then says what happened, on stderr. */
void run_report_stop(struct run *run);
void run_report_pass(struct run *run);

/* ---- lacking.c: modules that need symbols nobody has ---- */
void run_warn_lacking(const struct kg_job *job);
/*
 * A module that lacks symbols now and did not before fails a required @job, so does one of a
 * source that is always required; the others are warned of.
 */
void run_judge_lacking(struct run *run, struct kg_job *job);

/* ---- set.c ---- */
/* A job's files as they will be installed. */
struct run_set {
	struct set set; /* its sealed_fd is owned here */
	struct kg_source source;
	const char *arch;
	int built_fd; /* the K/A folder's content: module/, log/, extras */
};
void run_set_fini(struct run_set *rs);
/* In K/A, of a module with BUILD_DEPENDS_REBUILD: ".dep_NAME" holds the version built against. */
#define RUN_DEPEND_FILE ".dep_"
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
/* Where modules go below lib/modules/R on this distribution, if it has a place for them. */
const char *run_module_location(const struct run *run);

/* ---- hooks.c: what acts on the system, as root ---- */
/* PRE_INSTALL, POST_INSTALL, POST_ADD, POST_REMOVE: from the source's folder. */
int run_script(struct run *run, const struct kg_source *source, const char *command,
	       const char *release, struct kg_err *err) _must_check_;
enum run_hook { RUN_PRE_INSTALL, RUN_POST_INSTALL, RUN_POST_REMOVE };
/* What is odd about @recipe, said to whoever adds, builds or installs this very source. */
void run_show_warnings(const struct run *run, const struct kg_source *source,
		       const struct kg_recipe *recipe);
/* The one that the source's dkms.conf names for @release; none: 0. */
int run_hook(struct run *run, const struct kg_source *source, const char *release,
	     enum run_hook hook, struct kg_err *err) _must_check_;
/* modprobe_on_install: drivers of the hardware that is there, when @release runs. */
void run_load_drivers(const struct run *run, const char *release);

/* ---- record.c: txn/ID/jobs, what the gate decided, for arrive and settle ---- */
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

/* ---- skip.c ---- */
/* The gate is switched off for @plan: KMODGATE=off, or skip-once (used up, but by a
 * test). Says so on stderr. */
bool run_is_skipped(const struct run *run, const struct kg_plan *plan);

/* ---- load.c ---- */
/* Who the source in @source_fd says it is, to @release; NULL: the running kernel's. In @arena. */
int run_read_identity(const struct run *run, const char *release, int source_fd,
		      struct arena *arena, struct kg_loaded *ret,
		      struct kg_err *err) _must_check_;

/* ---- dkms.c ---- */
/* Registers @source, whose folder is in place, after a look at its dkms.conf. */
int run_add_source(struct run *run, const struct kg_source *source,
		   struct kg_err *err) _must_check_;
int run_install_source(struct run *run, const struct kg_source *source,
		       const char *release, const char *arch, enum kg_force force,
		       struct kg_err *err) _must_check_;
/* A set of this very name, version and release that the live transaction placed and installed. */
bool run_is_placed_by_txn(const struct run *run, const char *name, const char *version,
			  const char *release);
/* NULL without memory. Earlier jobs may move: hold no pointer to one across this. */
struct kg_job *run_add_job(struct run *run, const struct kg_source *source,
			   const char *release, const char *arch);
/* @job made, signed and compressed, as a K/A folder below the work folder. */
int run_make_set(struct run *run, struct kg_job *job, struct run_set *ret_set,
		 struct kg_err *err) _must_check_;
void run_drop_made(struct run *run, const struct kg_job *job, struct run_set *rs);
/* Every AUTOINSTALL source for @release that @skip does not name. */
int run_autoinstall(struct run *run, const char *release, const struct strv *skip,
		    struct kg_err *err) _must_check_;
/* Registered K/A as a set; -ENOENT when it is not built. Silent. */
int run_open_registered(struct run *run, const struct kg_source *source,
			const char *release, const char *arch, struct run_set *ret_set);
/* What its dkms.conf says: 1, 0, or an error. */
int run_wants_autoinstall(struct run *run, const struct reg_entry *e, struct kg_err *err);
bool run_is_installed(struct run *run, const struct kg_source *source,
		      const char *release, const char *arch);

/* ---- depends.c ---- */
/*
 * @source was installed for @release: what was built there against another version of it, and
 * asked for it by BUILD_DEPENDS_REBUILD, is built and installed again. Failures are warnings.
 */
void run_rebuild_dependents(struct run *run, const struct kg_source *source,
			    const char *release, const char *arch);

/* ---- install.c: sets of one release go in together, with one depmod ---- */
struct run_item {
	struct run_set *rs;
	bool is_forced; /* --force: no version sanity, no PRE_INSTALL's refusal */
	int result;	/* 0: installed; -KGE_OLDER: left out */
	struct kg_err err;
	/* run_choose_files() */
	const char *const *files;     /* of rs->set.files, those to be installed */
	const char *const *left_out;  /* the others */
	const char *const *originals; /* modules of these names elsewhere: archived */
	const char *const *replaced;  /* ours, under another suffix */
	const char *const *dropped;   /* of what is active, and not in @rs any more */
};
/*
 * PRE_INSTALL, version sanity, archive, publish, depmod, register, POST_INSTALL; before it
 * POST_REMOVE of one that is forced over itself. One that fails leaves the others alone. 0, or
 * the first failure, which is in @err too.
 */
int run_install_items(struct run *run, const char *release, struct run_item *items,
		      size_t n, struct kg_err *err) _must_check_;
/* K/A alone: @rs is built. */
int run_register_built(struct run *run, const struct run_set *rs,
		       struct kg_err *err) _must_check_;
int run_install_set(struct run *run, struct run_set *rs, struct kg_err *err) _must_check_;

/* ---- sanity.c ---- */
/* Fills @item's lists from what lib/modules/R holds. No file chosen: -KGE_OLDER. */
int run_choose_files(struct run *run, struct run_item *item,
		     struct kg_err *err) _must_check_;
/* Of @rs's files those in lib/modules/R that are its modules, as DKMS tells: by their versions. */
int run_list_ours(struct run *run, const struct run_set *rs,
		  const char *const **ret_files, struct kg_err *err) _must_check_;

/* "dir/NAME.ko.xz" and "NAME.ko" are the same module. */
bool run_is_same_module(const char *file, const char *other);

/* Those of @files that are in lib/modules/R byte for byte: the gate placed them. */
int run_list_placed(struct run *run, const struct run_set *rs, const char *const *files,
		    const char *const **ret_files, struct kg_err *err) _must_check_;

/* ---- original.c: modules of the kernel that ours replace ---- */
int run_archive_originals(struct run *run, const struct run_item *item,
			  struct kg_err *err) _must_check_;
/* The same, but for what is where the packages of DKMS go. */
int run_archive_elsewhere(struct run *run, const struct run_item *item,
			  struct kg_err *err) _must_check_;
/* Into the open swap of the release; the archive stays until reg_drop_originals(). */
int run_return_originals(const struct kg_system *sys, struct txn *txn,
			 const struct reg_archive *archive,
			 struct kg_err *err) _must_check_;
/* Those alone that @item->dropped had replaced; their copies stay in the archive. */
int run_return_dropped(struct run *run, const struct run_item *item,
		       struct kg_err *err) _must_check_;
/* commit_recover(), reg_recover(), and archived modules whose package is not installed go back. */
int run_recover(const struct kg_system *sys, struct kg_err *err) _must_check_;

/* ---- remove.c ---- */
/*
 * Takes those of @entries that are installed for @release off it, with one depmod: files, active
 * link, originals back, POST_REMOVE; K/A stays.
 */
int run_uninstall(struct run *run, const char *release, const struct reg_entry *entries,
		  size_t n, struct kg_err *err) _must_check_;
/* Inside a live transaction what goes is saved first. */
int run_remove_entries(struct run *run, const struct reg_entry *entries, size_t n,
		       struct kg_err *err) _must_check_;

/*
 * Inside a live transaction `dkms remove` of what the plan changes keeps the K/A folder, so that
 * settle can give it back: txn/ID/old/RELEASE/NAME. -ENOENT when nothing was saved.
 */
int run_save_built(struct run *run, const struct reg_entry *entry,
		   struct kg_err *err) _must_check_;
int run_open_saved(struct run *run, const struct txn *txn, const char *name,
		   const char *release, struct run_set *ret_set,
		   struct kg_err *err) _must_check_;

/* ---- arrive.c, settle.c ---- */
/*
 * Installs the placed sets of @release among @recs, each once. @ret_known (may be NULL): the names
 * of those that need nothing more.
 */
int run_arrive_records(struct run *run, struct txn *txn, const char *release,
		       const struct run_records *recs, struct strv *ret_known,
		       struct kg_err *err) _must_check_;
/* The same for @rec alone. */
int run_arrive_record(struct run *run, struct txn *txn, const struct run_record *rec,
		      struct kg_err *err) _must_check_;
/* @rec was registered by @txn, or left out as the kernel has its own. */
bool run_has_arrived(const struct txn *txn, const struct run_record *rec);
/* The live transaction of which this process is a child, if any: 1, 0, or an error. */
int run_join_live(const struct kg_system *sys, struct txn *ret_txn,
		  struct kg_err *err) _must_check_;
/*
 * Recover, then settle every transaction that is not live or that @owner_pid owns (0: none).
 * What goes wrong is a warning: it must not stop the command at hand. The lock is held.
 */
void run_clean_up(const struct kg_system *sys, pid_t owner_pid);
/* The same before the gate of @plan: what that brings again is taken back without a word. */
void run_clean_up_for(const struct kg_system *sys, const struct kg_plan *plan);
/* The sealed set of one record. */
int run_open_sealed(struct run *run, const struct txn *txn, const struct run_record *rec,
		    struct run_set *ret_set, struct kg_err *err) _must_check_;
/* The live transaction we are a child of brings this very kernel. */
bool run_is_coming_back(const struct kg_system *sys, const char *release);
/* Empty folders of modules, up to the kernel's own. */
void run_prune_release(const struct run *run, const char *release);

/* ---- failed.c ---- */
/* @work_fd/build of @job, if it failed: the tree, and then its log. */
void run_keep_failed_tree(const struct run *run, const struct kg_job *job, int work_fd);
void run_keep_failed_log(const struct run *run, const struct kg_job *job);

/* ---- apport.c ---- */
/* Tells apport, where it is, of a build that failed. */
void run_report_to_apport(const struct run *run, const struct kg_job *job);

/* ---- weak.c ---- */
enum run_weak { RUN_WEAK_ADD, RUN_WEAK_REMOVE };
/*
 * Tells weak-modules, where it is (RHEL, SUSE), of @files (below install_tree/R), unless dkms.conf
 * says NO_WEAK_MODULES. What goes wrong is a warning.
 */
void run_weak_modules(struct run *run, enum run_weak what, const struct kg_source *source,
		      const char *release, const char *const *files);
/* It has linked all modules of @source into @release. */
bool run_is_weak_installed(const struct run *run, const struct kg_source *source,
			   const char *release);

/* ---- mok.c ---- */
/* Absolute, below the root; the key may also be "pkcs11:...". */
struct run_mok {
	const char *key;
	const char *cert;
	bool is_default; /* neither is the administrator's choice */
};
int run_mok_paths(struct run *run, const char *release, struct run_mok *ret_mok,
		  struct kg_err *err) _must_check_;
/* framework.conf's $kernelver in @path filled in; NULL: none, or no memory. */
const char *run_expand_release(struct arena *arena, const char *path,
			       const char *release);
/* Opens the folders, made where they are missing. The caller calls seal_key_fini(). */
int run_mok_open(struct run *run, const struct run_mok *mok, struct seal_key *ret_key,
		 struct kg_err *err) _must_check_;
/* Makes what is missing; a key in a token is left alone. */
int run_mok_make(const struct seal_key *key, struct kg_err *err) _must_check_;

/* A whole copy, or none, and never in the place of another file: one that is the same is left. */
int run_mok_place(int from_fd, const char *from, int to_fd, const char *to,
		  struct kg_err *err) _must_check_;

/* ---- sign.c: whether and how modules of one release are signed ---- */
struct run_signer {
	bool is_on;
	struct seal_key key;
	const char *program; /* framework.conf's sign_file; NULL: libcrypto */
};
int run_signer_open(struct run *run, const struct kg_headers *headers,
		    const char *release, struct run_signer *ret_signer,
		    struct kg_err *err) _must_check_;
void run_signer_fini(struct run_signer *signer);
/* The module NAME.ko as it is installed but for compression: a copy when nothing is signed. */
struct run_module {
	const char *name;
	const char *data;
	size_t len;
};
int run_sign(struct run *run, const struct run_signer *signer,
	     const struct run_module *module, struct str *ret_signed,
	     struct kg_err *err) _must_check_;
/*
 * A first signing key was made in the gate of @txn: it becomes the machine's, unless one came
 * meanwhile.
 */
int run_take_key(struct run *run, const struct txn *txn, struct kg_err *err) _must_check_;
