/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to store/: what is in an entry's folder, apart from its manifest. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "core/base/arena.h"
#include "core/base/digest.h"
#include "core/base/err.h"

#define LISTING_MANIFEST "manifest.yaml"
#define LISTING_MAX_ENTRIES 20000

enum listing_kind { LISTING_FILE, LISTING_DIR, LISTING_LINK };

struct listing_entry {
	enum listing_kind kind;
	const char *path;	      /* relative, plain components */
	mode_t mode;		      /* permission bits; 0 for a link */
	uint64_t size;		      /* of a file */
	char digest[DIGEST_HEX_SIZE]; /* of a file's content; "" otherwise */
	const char *target;	      /* of a link; NULL otherwise */
};

struct listing {
	struct listing_entry *entries; /* a folder before what is in it, names sorted */
	size_t n;
};

/*
 * Everything below @dir_fd but its own LISTING_MANIFEST, strings in @arena. -KGE_HOSTILE for a
 * name that is no listing_is_path(), a device, an entry of another user or one that others can write.
 */
int listing_scan(int dir_fd, struct arena *arena, struct listing *ret_listing,
		 struct kg_err *err) _must_check_;
/* -KGE_BROKEN naming the first entry that differs. */
int listing_compare(const struct listing *expected, const struct listing *found,
		    struct kg_err *err) _must_check_;
/*
 * As name_is_path(), but a component may begin with a dot: a build may leave such files in its
 * K/A, and nothing here is ever made hidden or special by that.
 */
bool listing_is_path(const char *path);
bool listing_has_file(const struct listing *listing, const char *path);
/* Belongs to this user, and nobody else can write to it. */
bool listing_is_ours(const struct stat *st);
