/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to store/: manifest.yaml, which says what an entry holds. */
#include "core/job.h"
#include "core/store/listing.h"

struct manifest {
	const char *key;
	const char *source; /* "name/version", for people */
	struct kg_recipe_module *modules;
	size_t n_modules;
	struct listing listing;
};

int manifest_write(int dir_fd, const struct manifest *manifest,
		   struct kg_err *err) _must_check_;
/* Strings in @arena. -KGE_FORMAT for anything manifest_write() does not write. */
int manifest_read(int dir_fd, struct arena *arena, struct manifest *ret_manifest,
		  struct kg_err *err) _must_check_;
/* Each module's file is in the listing. */
int manifest_check_modules(const struct manifest *manifest, struct arena *arena,
			   struct kg_err *err) _must_check_;
