/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The words of a dkms command line. Parsing looks at the words alone, but for paths. */
#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"

struct dkms_args {
	struct arena arena;
	const char *action;  /* NULL: none given */
	const char *module;  /* NULL: none given */
	const char *version; /* NULL: none given */
	struct strv releases;
	struct strv arches; /* none, one for all releases, or one for each */
	struct strv directives;
	const char *source_dir; /* PATH-TO-SOURCE-TREE, or the folder of a dkms.conf */
	const char *archive;	/* --archive, TARBALL or FILE.rpm */
	const char *lost_path;	/* a word that can only be a path, where nothing is */
	const char *conf;
	const char *kernel_config;
	const char *template_kernel;
	const char *kernel_source_dir;
	const char *root;
	const char *dkms_tree;
	const char *source_tree;
	const char *install_tree;
	const char *jobs;    /* -j as given */
	unsigned int n_jobs; /* and what it means; 0: not given */
	bool all;
	bool binaries_only;
	bool debug;
	bool force;
	bool force_version_override;
	bool modprobe_on_install;
	bool no_depmod;
	bool obsolete; /* --no-initrd and the like */
	bool quiet;
	bool rpm_safe_upgrade;
	bool source_only;
	bool symlink_modules;
	bool verbose;
	bool wants_help;
	bool wants_version;
	int exit; /* of DKMS, when parsing failed */
};

/* Negative: @args->exit is the exit code. @args is to be freed either way. */
int dkms_args_parse(int argc, char **argv, struct dkms_args *args,
		    struct kg_err *err) _must_check_;
void dkms_args_fini(struct dkms_args *args);
