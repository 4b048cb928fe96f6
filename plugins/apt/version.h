/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Debian versions built from one source version: equal but for a rebuild's suffix. */
bool version_same_source(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
