/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of a package say about kernels and module sources. Each plugin reads its own paths. */

enum content_bits {
	CONTENT_IMAGE = 1,   /* a kernel image: its release enters, changes or leaves */
	CONTENT_MODULES = 2, /* anything else below lib/modules/R */
	CONTENT_SOURCE = 4,  /* usr/src/X/dkms.conf */
	CONTENT_HEADERS = 8, /* a header tree, or lib/modules/R/build */
};
/* What is of a kernel itself; headers may depend on it, and nothing is built with it. */
#define CONTENT_KERNEL (CONTENT_IMAGE | CONTENT_MODULES)
/* Headers alone change no kernel and no module source. */
#define CONTENT_MATTERS (CONTENT_KERNEL | CONTENT_SOURCE)
