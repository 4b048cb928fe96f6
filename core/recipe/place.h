/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Shows the files of a recipe in the view bash runs in, at the paths a conf may ask for:
 * dkms.conf at DKMS_TREE/M/V/source/dkms.conf ($BASH_SOURCE there), which is a link to the source's
 * own folder wherever the view has that, overrides at /etc/dkms. A file that the build user
 * cannot read, or whose line ends are not bash's, is shown as a copy.
 */
#include "core/base/arena.h"
#include "core/job.h"
#include "core/sandbox/sandbox.h"

struct place {
	const struct kg_system *sys;
	struct arena arena;
	struct sandbox view; /* to run bash in; complete after the calls below */
	struct sandbox_bind *binds;
	size_t n_binds;
	int *own_fds; /* closed at the end */
	size_t n_own_fds;
	char *copies_name; /* folder of copies below sys->state_dir; NULL while there are none */
	int copies_fd;
};

/* @template NULL: the machine as it is. */
int place_init(struct place *pl, const struct kg_system *sys,
	       const struct sandbox *template, struct kg_err *err) _must_check_;
void place_fini(struct place *pl);

/* What is shown: the file's text, and whether the one on disk will do. */
struct place_file {
	const char *text;
	size_t len;
	bool is_altered; /* line ends are not those on disk */
};

/*
 * Where @source_fd is on the machine, relative to the root ("usr/src/M-V"), in @arena: @known
 * if that is not NULL, else by its descriptor; "" when it is nowhere below.
 */
int place_find(const struct kg_system *sys, const struct sandbox *template, int source_fd,
	       struct arena *arena, const char **ret_path) _must_check_;
/* The folder with dkms.conf. */
struct place_source {
	int fd;
	const char *path; /* where it is, or "", see above */
	const char *link; /* its absolute place in the DKMS tree, NULL none */
	struct place_file conf;
};
/* @ret_dir: absolute path of the folder in the view. */
int place_source(struct place *pl, const struct place_source *source,
		 const char **ret_dir, struct kg_err *err) _must_check_;
/* An override, found at @path below the root. */
int place_override(struct place *pl, const char *path, const struct place_file *file,
		   struct kg_err *err) _must_check_;
/* Call after the last of them. */
void place_finish(struct place *pl);
