/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the parts of a build hand each other; nobody outside core/build includes it. */
#include "core/build/build.h"

#include "core/base/fd.h"

/* The compiler and linker a kernel was built with, for CC, KERNEL_CC, LD, KERNEL_LD. */
struct build_tools {
	const char *cc; /* NULL: whatever make takes */
	const char *ld;
	const char *strip;
	bool is_clang;
};

/* One build_run(). */
struct build {
	const struct build_request *req;
	struct build_result *result;
	struct kg_err *err;
	struct arena arena;
	struct build_tools tools;
	struct sandbox box;    /* the view, ready but for argv or call */
	const char *build_dir; /* absolute, in the view */
	const char *ka_dir;
	const char *installed_dir; /* of modules; NULL without BUILD_DEPENDS */
	int build_fd;		   /* work_fd/build and work_fd/ka */
	int ka_fd;
	int source_fd;	 /* work_fd/source, shown in the source's place; -1 none */
	int *depend_fds; /* what is bound of the BUILD_DEPENDS */
	size_t n_depend_fds;
	uint64_t oom_kills; /* before the last command */
};

/* Copies the source, makes ka/ and fills b->box. */
int work_prepare(struct build *b) _must_check_;
void work_fini(struct build *b);
/* out/module and out/ka from what the build left in ka/. */
int work_collect(struct build *b) _must_check_;

/*
 * Runs @argv in the view with the log as its output; -KGE_TIMEOUT, ... or 0 and its
 * status.
 */
int step_run(struct build *b, const char *what, const char *const *argv, int in_fd,
	     int *ret_status) _must_check_;
void step_log(const struct build *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Why the command that began at @log_start failed: @code, or -ENOSPC and -ENOMEM when
 * that was the reason. Its first error line goes to the text.
 */
int step_fail(struct build *b, int code, const char *what, int status, off_t log_start);
off_t step_log_end(const struct build *b);

int patch_apply_all(struct build *b) _must_check_;
/* PRE_BUILD, POST_BUILD: @script is the directive's value, NULL none. */
int script_run(struct build *b, const char *name, const char *script) _must_check_;
int make_run(struct build *b) _must_check_;
/* The command that MAKE stands for; in @arena. */
const char *make_command(const struct build_request *req, const struct build_tools *tools,
			 const char *build_dir, struct arena *arena);
/* strip -g, then NAME.ko to K/A/module/DEST.ko, by the build user. */
int gather_modules(struct build *b) _must_check_;

enum tools_depth { TOOLS_NAMED, TOOLS_IDENTIFIED };
struct tools_request {
	const struct sandbox *view;
	const struct kg_headers *headers;
	enum tools_depth depth;
};
/*
 * Which compiler and linker: .kernelvariables, or the configuration's, as seen in the
 * view. @ret_said: what was found out there, with TOOLS_IDENTIFIED all that tells them
 * apart.
 */
int tools_find(const struct tools_request *req, struct arena *arena,
	       struct build_tools *ret_tools, struct str *ret_said,
	       struct kg_err *err) _must_check_;
/* Adds what the tools are, one a line. Runs in the view. */
void toolchain_identify(const struct build_tools *tools, bool has_rust, struct str *out);
/*
 * Value of CONFIG_@name in the text of a .config, unquoted, in @arena; NULL when not set.
 */
const char *config_value(const char *config, const char *name, struct arena *arena);

/*
 * What the program or library at @path is, whoever installed it when: its build id where
 * the linker left one, else a digest of the content; and the same of every library it
 * needs.
 */
void elf_identify(const char *path, struct strv *seen, struct str *out);

/*
 * Error lines of a log from @start on, the telling ones first; see build_first_errors().
 */
int errors_find(int log_fd, off_t start, size_t max, struct strv *ret_lines);
bool errors_mention(int log_fd, off_t start, const char *text);

/* build_cpu_count() for the file system below @root_fd. */
unsigned int cpu_count_in(int root_fd, unsigned int affinity);
