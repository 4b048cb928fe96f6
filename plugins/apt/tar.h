/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Reading a tar stream: ustar, GNU long names, pax paths. Nothing is ever extracted. */
#include <stddef.h>

#include "core/base/str.h"
#include "plugins/apt/unzip.h"

struct tar {
	struct unzip *z; /* the caller's */
	struct str name; /* of the entry at hand */
	char type;	 /* '0' file, '5' folder, '2' symlink ... */
	uint64_t size;
	uint64_t left;	  /* of the entry's content and padding */
	uint64_t n_bytes; /* read so far: against bombs */
	size_t n_entries;
};

void tar_init(struct tar *t, struct unzip *z);
void tar_fini(struct tar *t);
/* 1: an entry; 0: the end; negative: damaged, or over the limits. */
int tar_next(struct tar *t) _must_check_;
/* Content of the entry at hand, at most @max bytes; appended to @out. */
int tar_read(struct tar *t, size_t max, struct str *out) _must_check_;
