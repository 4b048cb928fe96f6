/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* set_take_back() for callers that have no struct txn, only what is kept under its id. */
#include "core/commit/commit.h"

/* Leaves the swap open for depmod_run() when the release has a kernel and files changed. */
int take_back_release(const struct kg_system *sys, const char *txn_id,
		      const char *release, struct kg_err *err) _must_check_;
/* Every release, each with its depmod where one is due. */
int take_back_all_releases(const struct kg_system *sys, const char *txn_id,
			   struct kg_err *err) _must_check_;
