/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Data only: what the stages hand on. The stages never include each other; they meet in
 * run*.c through these structures. Pointers live in the arena of whoever filled them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"
#include "core/plan/plan.h"

/* Where things are. Relative paths are below root_fd. */
struct kg_system {
	int root_fd;
	const char *root;	     /* "/" unless --root */
	const char *running;	     /* uname -r */
	const char *arch;	     /* uname -m */
	const char *dkms_tree;	     /* "var/lib/dkms", no leading '/' */
	const char *source_tree;     /* "usr/src" */
	const char *install_tree;    /* "lib/modules" */
	const char *state_dir;	     /* "var/lib/kmodgate" */
	const char *cache_dir;	     /* "var/cache/kmodgate" */
	const char *log_dir;	     /* "var/log/kmodgate" */
	bool is_verbose;	     /* framework.conf says so */
	const char *module_location; /* below lib/modules/R; NULL: "updates/dkms" */
	bool goes_as_given; /* no such place on this distribution: where dkms.conf says */
	uid_t build_uid;    /* 0: kg_build_ids() looks it up */
	gid_t build_gid;
};

struct kg_ids {
	uid_t uid;
	gid_t gid;
};

/* The unprivileged user of builds. Looked up at the first need: most commands build nothing. */
struct kg_ids kg_build_ids(const struct kg_system *sys);

/* One registered (or arriving) module source. */
struct kg_source {
	const char *name;
	const char *version;
	const char *
		path; /* of the folder with dkms.conf, relative to the root: "usr/src/M-V" */
	enum kg_change change; /* in the plan at hand; STAYS without one */
};

/* One module of a recipe, defaults filled in. */
struct kg_recipe_module {
	const char *built_name;	    /* BUILT_MODULE_NAME, no suffix */
	const char *built_location; /* relative to the build folder, "" or "dir/" */
	const char *dest_name;	    /* DEST_MODULE_NAME */
	const char *
		dest_location; /* as dkms.conf says: "/updates/dkms"; overridden per distribution */
	bool strip;
	bool is_excluded; /* BUILD_EXCLUSIVE_*[i] of this module alone */
	/* once built: symbols it needs that nobody has, as a sentence; NULL none */
	const char *lacks;
};

/* dkms.conf for one release and architecture, overrides and directives applied. */
struct kg_recipe {
	struct arena arena;
	const char *name;
	const char *version;
	struct kg_recipe_module *modules;
	size_t n_modules;
	const char *make; /* the command for this release; NULL: the default command */
	const char *const
		*patches; /* file names that match this release, NULL-terminated */
	const char *pre_build;
	const char *post_build;
	const char *post_add;
	const char *pre_install;
	const char *post_install;
	const char *post_remove;	  /* script and arguments; NULL none */
	const char *const *build_depends; /* NULL-terminated */
	const char *const *build_depends_rebuild;
	const char *obsolete_by;
	bool autoinstall;
	bool no_weak_modules;
	bool is_excluded; /* for this release; excluded_why says by which directive */
	const char *excluded_why;
	const char *const
		*warnings; /* deprecated directives and the like, NULL-terminated */
	/* all that was evaluated, the text of all files read: goes into the artefact's key */
	const char *identity;
};

/* The headers a job is built with, as seen inside its view. */
struct kg_headers {
	const char
		*source_dir;  /* absolute: "/lib/modules/R/build" or --kernelsourcedir */
	const char *identity; /* digest of the trees it reaches */
	const char *config;   /* text of .config; "" when there is none */
	const char *symvers;  /* absolute path of Module.symvers, NULL none */
	const char *sig_hash; /* CONFIG_MODULE_SIG_HASH, NULL: unsigned */
	const char *
		compression; /* suffix of the kernel's own modules: "", ".xz", ".gz", ".zst" */
};

/* Verified modules of one job, in a folder of the store. */
struct kg_artefact {
	const char *key;
	const char *dir; /* relative to the root: "var/cache/kmodgate/store/KEY" */
	struct kg_recipe_module
		*modules; /* files module/DEST_NAME.ko, unsigned, stripped */
	size_t n_modules;
};

enum kg_outcome {
	KG_OUTCOME_NONE,
	KG_OUTCOME_BUILT,
	KG_OUTCOME_HIT,	    /* found in the store */
	KG_OUTCOME_SKIPPED, /* no AUTOINSTALL, obsolete, shipped by the kernel, deferred */
	KG_OUTCOME_EXCLUDED, /* BUILD_EXCLUSIVE_*, exit 77 */
	KG_OUTCOME_FAILED,
};

enum kg_phase {
	KG_PHASE_HEADERS,
	KG_PHASE_RECIPE,
	KG_PHASE_DEPENDS,
	KG_PHASE_COPY,
	KG_PHASE_PATCH,
	KG_PHASE_PRE_BUILD,
	KG_PHASE_MAKE,
	KG_PHASE_POST_BUILD,
	KG_PHASE_CHECK,
	KG_PHASE_SIGN,
	KG_PHASE_PLACE,
	KG_PHASE_INSTALL,
};
const char *kg_phase_text(enum kg_phase phase);

/* A BUILD_DEPENDS that was built against. */
struct kg_depend {
	const char *name;
	const char *version;
};

/* One module source x one release. */
struct kg_job {
	const struct kg_source *source;
	const char *release;
	const char *arch;
	const struct kg_plan_kernel
		*kernel;      /* NULL: no kernel of the plan (a source job) */
	const char *works_on; /* a release that it is installed for; NULL none */
	bool is_at_stake; /* a source comes, this kernel stays, boots next, and has an older of it */
	bool works_here; /* installed for the running kernel, or newest of this flavour, or last time */
	bool wants_autoinstall; /* only when dkms.conf says AUTOINSTALL */
	bool is_required;	/* a failure stops the transaction */
	bool is_placed;
	enum kg_outcome outcome;
	enum kg_phase phase; /* where it failed */
	struct kg_err err;   /* why it failed or was skipped */
	struct kg_artefact artefact;
	const char *const
		*module_names; /* DEST_MODULE_NAMEs, NULL-terminated; NULL unknown */
	const struct kg_depend
		*rebuild_after; /* with BUILD_DEPENDS_REBUILD; name NULL ends it */
	const char *log;	/* absolute path of its log, NULL none yet */
	uint64_t build_ms;	/* time inside the module's own commands */
};

/* Its artefact is there. */
static inline bool kg_job_is_made(const struct kg_job *job)
{
	return job->outcome == KG_OUTCOME_BUILT || job->outcome == KG_OUTCOME_HIT;
}

enum kg_require { KG_REQUIRE_WHEN_WORKING, KG_REQUIRE_ALWAYS, KG_REQUIRE_NEVER };
enum kg_on_failure { KG_ON_FAILURE_HOLD, KG_ON_FAILURE_STOP };
enum kg_on_missing { KG_MISSING_FETCH, KG_MISSING_FAIL, KG_MISSING_WARN };

struct kg_rule {
	const char *module;  /* fnmatch(3) pattern of the source's name */
	const char *release; /* fnmatch(3) pattern of the release */
	enum kg_require required;
};

/* /etc/kmodgate/kmodgate.yaml and kmodgate.d: the last rule that fits wins. */
struct kg_policy {
	struct arena arena;
	enum kg_require required; /* when no rule fits */
	enum kg_on_failure on_failure;
	enum kg_on_missing headers_missing;
	struct kg_rule *rules;
	size_t n_rules;
	unsigned int build_timeout_s; /* per command of a job; default 3600 */
	unsigned int jobs;	      /* make -j; 0: from the CPUs given to us */
	unsigned int store_mb; /* what the store may take, in 2^20 bytes; default 1024 */
};
enum kg_require kg_policy_require(const struct kg_policy *policy, const char *module,
				  const char *release);
