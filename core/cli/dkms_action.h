/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What each action of dkms wants, does and answers with. */
#include "core/cli/dkms_args.h"
#include "core/kmodgate.h"

/* One command at work. */
struct dkms_call {
	const struct dkms_args *args;
	const struct dkms_action *action;
	struct kg_system sys;
	struct arena arena;
	const char *name;
	const char *version;
	struct strv releases; /* never empty but with --all */
	struct strv arches;   /* one for each */
	bool is_added;	      /* came with an archive, and is registered */
	int exit; /* of DKMS, when it is not in the action's table; 0: look there */
	struct kg_err err;
};

/* A negative result and the exit code it has in DKMS. */
struct dkms_exit {
	int code; /* errno or KGE_* */
	int exit;
};

enum dkms_needs {
	DKMS_NEEDS_MODULE = 1 << 0, /* M and V */
	DKMS_NEEDS_TREE = 1 << 1,   /* a tree we may write to */
	DKMS_NEEDS_ROOT = 1 << 2,
	DKMS_NEEDS_REGISTERED = 1 << 3, /* M/V is in the tree and not broken */
	DKMS_NEEDS_ONE_KERNEL = 1 << 4,
	DKMS_ALL_REFUSED = 1 << 5,
	DKMS_NEEDS_GIVEN_KERNEL = 1 << 6, /* exactly one -k */
	DKMS_CHAINS_ADD = 1 << 7,	  /* adds what is not added */
	DKMS_ENDS_TRANSACTION = 1 << 8,	  /* post_transaction follows */
};

struct dkms_action {
	const char *name;
	int (*run)(struct dkms_call *call);
	unsigned int needs;	       /* enum dkms_needs */
	const struct dkms_exit *exits; /* ends with code 0; before the ones all share */
	int exit_otherwise;
};

/* NULL when @word is no action. */
const struct dkms_action *dkms_action_find(const char *word);
/* DKMS's exit code for @r (0 or negative) of @action. */
int dkms_action_exit(const struct dkms_action *action, const struct kg_err *err, int r);

/* What the words say about its @i-th kernel. */
struct kg_target dkms_target(const struct dkms_call *call, size_t i);
/* --all: the kernels it is built for. */
int dkms_list_built(struct dkms_call *call);

/* dkms_source.c: what is given as a path becomes M/V in the source tree. */
int dkms_take_source(struct dkms_call *call);
/* Adds M/V: 0, or -KGE_EXISTS when it is there. */
/* The dkms.conf of the folder @path, or that of -c, is there; else DKMS's code for that. */
int dkms_check_conf(struct dkms_call *call, const char *path) _must_check_;
int dkms_add_source(struct dkms_call *call);

/* status.c */
int dkms_run_status(struct dkms_call *call);
/* dkms_archive.c */
int dkms_run_mktarball(struct dkms_call *call);
int dkms_run_ldtarball(struct dkms_call *call);
/* dkms_kernel.c */
int dkms_run_autoinstall(struct dkms_call *call);
int dkms_run_match(struct dkms_call *call);
int dkms_run_kernel_preinst(struct dkms_call *call);
int dkms_run_kernel_postinst(struct dkms_call *call);
int dkms_run_kernel_prerm(struct dkms_call *call);
int dkms_run_generate_mok(struct dkms_call *call);
