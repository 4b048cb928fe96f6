/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Holds: package versions that apt must not install, as an apt preferences file. A person's own
 * holds (apt-mark, other preferences) are never touched.
 */
#include "core/base/arena.h"
#include "core/base/err.h"

struct hold_pin {
	const char *package;
	const char *version;
};

/* What is held back because of one kernel. */
struct hold {
	const char *release;
	struct hold_pin *pins;
	size_t n_pins;
};

struct hold_list {
	struct arena arena;
	const char *reason; /* hold_reason() when they were set */
	struct hold *holds;
	size_t n;
};

/* No file is an empty list; what is not understood in it is dropped. */
int hold_read(int dir_fd, struct hold_list *ret, struct kg_err *err) _must_check_;
/* Replaces the file atomically; removes it when nothing is held. */
int hold_write(int dir_fd, const struct hold_list *list, struct kg_err *err) _must_check_;
void hold_fini(struct hold_list *list);

/* The hold on @release, new when there is none; NULL without memory. */
struct hold *hold_of(struct hold_list *list, const char *release);
void hold_add_pin(struct hold_list *list, struct hold *hold, const char *package,
		  const char *version);
void hold_drop(struct hold_list *list, const char *release);

#define HOLD_DIR "/etc/apt/preferences.d"
#define HOLD_FILE "00kmodgate-hold.pref"
