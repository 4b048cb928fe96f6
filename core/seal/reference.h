/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to seal/: what a kernel's own modules tell, for comparison. */
#include "core/base/arena.h"

/*
 * vermagic of a module below /lib/modules/@release/kernel that says it is of the tree, and for
 * this release; in @arena. NULL when there is none to be read.
 */
const char *reference_vermagic(const char *release, struct arena *arena);
