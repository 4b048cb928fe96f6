/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * depmod never writes to lib/modules/RELEASE: it is run on a folder of links to what is there
 * (works with every depmod, also those without -o), and what it wrote is looked at before it
 * is switched. Gives the same bytes as depmod in place.
 */
#include "core/commit/swap.h"

/* Program names tried in this order; a test gives its own. */
extern const char *const index_depmod_paths[];

/*
 * Runs depmod into @swap's index/ and checks: exit 0, every index there and whole, each of
 * @files (may be NULL) listed in modules.dep; then fsyncs them. -KGE_DEPMOD says what was wrong.
 */
int index_build(struct swap *swap, const char *const *depmod_paths,
		const char *const *files, struct kg_err *err) _must_check_;
/* Renames what index_build() left over the live indexes. Idempotent. */
int index_forward(struct swap *swap, struct kg_err *err) _must_check_;
