/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Content-addressed artefacts below sys->cache_dir/store; may be deleted at any time. */
#include "core/job.h"

struct store_inputs {
	const struct kg_source *source;
	int source_fd;
	const struct kg_recipe *recipe;
	const struct kg_headers *headers;
	const char *release;
	const char *arch;
	const char *toolchain;		/* build_toolchain_identity() */
	const char *const *depend_keys; /* of BUILD_DEPENDS, NULL-terminated; NULL none */
};

/* Digest of everything that can change the result; not time, not uname. */
int store_key(const struct kg_system *sys, const struct store_inputs *in,
	      char ret_key[65], struct kg_err *err) _must_check_;
/*
 * 0 and artefact filled (strings in @arena) when @key is there and whole: its manifest lists every
 * file with its digest and all agree; a damaged entry is removed. -ENOENT otherwise, with @err
 * left alone. Excluded modules are not among the artefact's.
 */
int store_get(const struct kg_system *sys, const char *key, struct arena *arena,
	      struct kg_artefact *ret_artefact, struct kg_err *err) _must_check_;
/*
 * Copies @out_fd (module/, ka/, as build_run() leaves them) and the log into the store under @key:
 * written aside, fsynced, renamed. An entry that is already there wins. @log_fd must be
 * readable; -1: no log.
 */
int store_put(const struct kg_system *sys, const char *key,
	      const struct kg_recipe *recipe, int out_fd, int log_fd, struct arena *arena,
	      struct kg_artefact *ret_artefact, struct kg_err *err) _must_check_;
/* Removes least recently used entries until the store is below @max_bytes. */
int store_evict(const struct kg_system *sys, uint64_t max_bytes,
		struct kg_err *err) _must_check_;
