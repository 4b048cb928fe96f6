/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One version of a module after the other becomes lines of `dkms status`. */
#include "core/registry/regtree.h"

/* What is read of the tree, and what it is read with. */
struct entries {
	const struct kg_system *sys;
	const struct reg_filter *filter;
	bool is_compared;
	struct comparer *comparer; /* when compared */
	const struct strv *overrides;
	int tree_fd;
	struct reg_list list;
};

/* Adds those of @path, "M/V". What is not registered, or cannot be read, adds nothing. */
int entries_add(struct entries *r, const char *path) _must_check_;
