/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/job.h"
#include "core/sandbox/sandbox.h"

/*
 * The header tree of @release as it is in @view: source_dir, config, Module.symvers, signature
 * hash, compression, identity. -KGE_NO_HEADERS when there is none. @source_dir overrides
 * /lib/modules/R/build (NULL: that). The identity covers every file of the tree and of the trees
 * it includes or links to (Debian's -common and linux-kbuild); an unstaged tree's is
 * remembered below sys->cache_dir by the stat data of all its files.
 */
int headers_find(const struct kg_system *sys, const struct sandbox *view,
		 const char *release, const char *source_dir, struct arena *arena,
		 struct kg_headers *ret_headers, struct kg_err *err) _must_check_;
