/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Headers that a gate used and nobody installed: KEPT_DIR/RELEASE/VERSION, with what they depend
 * on. They serve module sources that come later, until their kernel goes or is another version,
 * or the headers are installed. The hooks of Debian's kernel packages know the path, too.
 */
#include <stdbool.h>

#define KEPT_DIR "/var/cache/kmodgate/archives"

/* For exactly this version of the kernel's package. */
bool kept_has(const char *release, const char *version);
