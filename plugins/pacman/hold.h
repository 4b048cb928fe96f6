/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The hold of pacman: a file that pacman.conf includes below [options], all of it ours. pacman knows
 * packages to be ignored, not versions of them.
 */
#include "core/base/err.h"
#include "core/base/str.h"

#define HOLD_DIR "/etc/pacman.d"
#define HOLD_FILE "kmodgate-hold.conf"

struct hold {
	char *release;
	struct strv packages;
};

struct hold_list {
	char *reason; /* hold_reason() when they were set; NULL: nothing is held */
	struct hold *v;
	size_t n;
};

void hold_fini(struct hold_list *list);
int hold_parse(const char *text, struct hold_list *ret) _must_check_;
int hold_print(const struct hold_list *list, struct str *out) _must_check_;

/* The hold on @release, emptied; a new one when there is none. NULL without memory. */
struct hold *hold_take(struct hold_list *list, const char *release);
void hold_drop(struct hold_list *list, const char *release);
