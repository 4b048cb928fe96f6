/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What only libapt-pkg can say. The one place with C++; its ABI changes with each release of
 * apt, so this lives in a program of its own (apt-fetch) that may fail to start.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "core/base/err.h"

/* apt's configuration and package lists; takes no lock. */
int shim_open(struct kg_err *err) _must_check_;
void shim_close(void);

/* A package file that is on disk now. */
struct shim_archive {
	const char *name;
	const char *version;
	const char *path;
};
typedef void shim_archive_fn(const struct shim_archive *archive, void *data);

struct shim_headers {
	const char *package; /* linux-headers-R */
	const char *version; /* of the image */
	const char *const
		*present; /* names that the running transaction brings, NULL-terminated */
	const char *kept_dir; /* what was downloaded before for this very version */
	bool may_download;    /* into @kept_dir, which is there then */
};
/*
 * The package and what it depends on that is neither installed nor present: found in apt's
 * archive cache or in @kept_dir, whether apt's lists still know it or not, else downloaded.
 * -KGE_NO_HEADERS: not to be had.
 */
int shim_find_headers(const struct shim_headers *what, shim_archive_fn *each, void *data,
		      struct kg_err *err) _must_check_;

struct shim_version {
	const char *name;
	const char *version;
};
typedef void shim_version_fn(const char *name, const char *version, void *data);
/*
 * Versions of other packages that cannot be installed without one of @held, where apt has
 * another version to fall back on: meta packages.
 */
void shim_each_dependent(const struct shim_version *held, size_t n, shim_version_fn *each,
			 void *data);
/* apt could install this version today. */
bool shim_is_offered(const struct shim_version *version);

#ifdef __cplusplus
}
#endif
