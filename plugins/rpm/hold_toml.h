/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* dnf5's versionlock.toml, and the same text with our holds as blocks of lines "NAME EVR" (hold.h). */
#include "core/base/err.h"
#include "core/base/str.h"

/* A file that is not understood has no holds of ours. */
void hold_toml_split(const char *text, struct str *out);
/* Negative: the file is not one in which they could be set without breaking it. */
int hold_toml_join(const char *text, struct str *out) _must_check_;
