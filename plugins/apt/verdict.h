/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What is in an archive or in an installed package's file list, remembered by the identity of
 * that file (device, inode, size, times), so that a transaction which has nothing for us is
 * known as such without opening one of them. libc only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/base/err.h"

#define VERDICT_DIR "/var/cache/kmodgate"
#define VERDICT_FILE "apt-verdicts"

struct verdict {
	uint64_t id[2];
	uint32_t day;		/* of the last use when written, since 1970 */
	uint32_t bits;		/* content_bits */
	uint64_t installed_kib; /* of an archive: its Installed-Size */
};

struct verdict_cache {
	struct verdict *known; /* sorted by id */
	size_t n_known;
	struct verdict *fresh; /* learned in this run */
	size_t n_fresh;
	char *data;
};

/* Never fails: a file that is not there, damaged or not root's alone is an empty cache. */
void verdict_open(struct verdict_cache *cache, const char *dir);
void verdict_close(struct verdict_cache *cache);
/* NULL: not known. */
const struct verdict *verdict_find(const struct verdict_cache *cache,
				   const struct stat *st);
/* Remembers for this run and for verdict_save(). Quietly does nothing without memory. */
void verdict_learn(struct verdict_cache *cache, const struct stat *st, unsigned int bits,
		   uint64_t installed_kib);
/* Known and fresh ones, the newest VERDICT_MAX, replaced atomically; silent. */
int verdict_save(const struct verdict_cache *cache, const char *dir);
#define VERDICT_MAX 16384

/* The file list of an installed package below /var/lib/dpkg/info; 0 or -errno. */
int verdict_stat_list(const char *name, const char *arch, const char *multi_arch,
		      struct stat *ret_stat, char *ret_path, size_t path_size);
