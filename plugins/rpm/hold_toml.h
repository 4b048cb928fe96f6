/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* dnf5's versionlock.toml, and the same text with our holds as blocks of lines "NAME EVR" (hold.h). */
#include "core/base/str.h"

void hold_toml_split(const char *text, struct str *out);
void hold_toml_join(const char *text, struct str *out);
