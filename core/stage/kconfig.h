/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a kernel's .config (as text) says about its modules. */
#include "core/base/arena.h"

/* CONFIG_MODULE_SIG_HASH without its quotes, in @arena; NULL: modules are not signed. */
const char *kconfig_sig_hash(const char *config, struct arena *arena);
/* "", ".gz", ".xz" or ".zst": how modules_install leaves modules. */
const char *kconfig_compression(const char *config);
