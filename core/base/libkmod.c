// SPDX-License-Identifier: GPL-2.0-or-later
#define LIBKMOD_ITSELF /* the calls under their own names */
#include "core/base/libkmod.h"

#include "core/base/late.h"

#define SONAME "libkmod.so.2"

LATE_NOTE("kmod", "kernel modules", SONAME);

#define X(name) __typeof__(name) *late_##name;
LIBKMOD_CALLS(X)
#undef X

static const struct late_call calls[] = {
#define X(name) { #name, &late_##name },
	LIBKMOD_CALLS(X)
#undef X
};

LATE_LOADER(libkmod, SONAME)
