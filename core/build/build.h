/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One job: fresh copy of the source at /var/lib/dkms/M/V/build of the view, patches,
 * PRE_BUILD, MAKE, POST_BUILD, strip; everything as the build user in the sandbox. A
 * recipe that names the source's own folder sees a second copy in that place. Root only
 * copies in and reads results back with O_NOFOLLOW.
 */
#include "core/job.h"
#include "core/sandbox/sandbox.h"

struct build_depend {
	/* BUILD_DEPENDS: its K/A is shown in the view's DKMS tree, its modules as installed */
	const char *name;
	const char *version;
	int dir_fd; /* its K/A (module/, Module.symvers ...) or artefact (module/, ka/) */
};

struct build_request {
	const struct kg_system *sys;
	const struct kg_source *source;
	const struct kg_recipe *recipe;
	const struct kg_headers *headers;
	const char *release;
	const char *arch;
	int source_fd; /* source folder, wherever it is now (stage or root) */
	int work_fd;   /* empty, root-owned, 0700; build/, ka/ and out/ are made in it */
	int log_fd;    /* opened to read and append; DKMS-like make.log text goes there */
	const struct build_depend *depends;
	size_t n_depends;
	unsigned int jobs;	    /* 0: build_cpu_count() */
	int timeout_ms;		    /* per command */
	const char *environment;    /* NAME=VALUE words for every command; NULL none */
	const struct sandbox *view; /* template: root, stage, removed, uid */
};

struct build_result {
	enum kg_phase phase; /* reached; where it failed */
	int status;	     /* exit code of the failing command, 0 none */
	uint64_t command_ms; /* time inside the module's own commands */
};

/*
 * 0: work_fd/out/module/DEST_NAME.ko for every module not excluded, stripped, unsigned,
 * and work_fd/out/ka/... for what the build left in its K/A, with its Module.symvers;
 * owned by root. Else -KGE_BUILD (a module that is not there: status 0), -KGE_PATCH,
 * -KGE_SCRIPT, -KGE_TIMEOUT, -KGE_EXCLUDED (a script exited 77), -ENOSPC, -ENOMEM (killed
 * for want of memory); err->text has the first real error line of the log where one can
 * be found. A failed build's tree stays in work_fd/build. The build sees its modules in
 * K/A/module from POST_BUILD on.
 */
int build_run(const struct build_request *req, struct build_result *ret_result,
	      struct kg_err *err) _must_check_;

/*
 * First compiler (failing that ld, modpost, script; failing that make) error lines of a
 * log.
 */
int build_first_errors(int log_fd, size_t max, struct strv *ret_lines);
/* CPUs we may really use: affinity and the cgroup's quota. */
unsigned int build_cpu_count(void);
/*
 * Digest of compiler, linker, assembler, pahole ... and their libraries as seen in @view
 * for these headers, by content: the same staged or installed. In @arena. Takes some 40
 * ms.
 */
int build_toolchain_identity(const struct sandbox *view, const struct kg_headers *headers,
			     struct arena *arena, const char **ret_identity,
			     struct kg_err *err) _must_check_;
