/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/job.h"

/* Initialisers of struct kg_system: Debian's places, below a root of the test's own. */
#define TEST_SYSTEM_PLACES \
	.arch = "x86_64", .dkms_tree = "var/lib/dkms", .source_tree = "usr/src", \
	.install_tree = "lib/modules", .state_dir = "var/lib/kmodgate", \
	.cache_dir = "var/cache/kmodgate", .log_dir = "var/log/kmodgate"
