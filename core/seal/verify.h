/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to seal/: the part of the check that opens the modules, run inside the sandbox. What
 * it finds goes to @report_fd, a line each, as it goes:
 *   "M file"  looks at this one now     "D name"  it needs that module
 *   "F text"  what is wrong             "W text"  what could not be checked
 *   "L number text"  symbols nobody has; the number is the module's in the recipe
 */
#include <stddef.h>

#include "core/job.h"

struct verify {
	const struct kg_recipe *recipe;
	const struct kg_headers *headers;
	const char *release;
	const char *arch;
	const char *
		base; /* absolute folder in the view with out/ and depend0/, depend1/ ... */
	size_t n_depends;
	int report_fd;
};

enum verify_status { VERIFY_FITS, VERIFY_FAILS, VERIFY_BROKE /* the check itself */ };

enum verify_status verify_run(const struct verify *v);
