/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A bounded queue of byte blocks from one thread to another: the decompressor runs ahead of
 * the thread that writes files, by at most FEED_SLOTS blocks.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

#define FEED_SLOTS 16u
#define FEED_SLOT_SIZE (256u * 1024)

struct feed {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned char *slots;
	size_t lengths[FEED_SLOTS];
	size_t n_put;	/* slots filled so far */
	size_t n_taken; /* slots given back by the reader */
	size_t pending; /* bytes in the slot being filled; the writer's own */
	bool is_ended;	/* the writer has no more */
	bool is_closed; /* the reader wants no more */
	bool is_held;	/* the reader still looks at slot n_taken */
};

int feed_init(struct feed *f) _must_check_;
void feed_fini(struct feed *f);

/* Writer's side: where to put the next bytes, and how many of them at most (never 0). */
void *feed_room(struct feed *f, size_t *ret_len);
/* @len bytes are there; false once the reader has gone. */
bool feed_filled(struct feed *f, size_t len) _must_check_;
/* Copies @data; false as above. */
bool feed_put(struct feed *f, const void *data, size_t len) _must_check_;
/* Flushes what is pending; the reader then sees the end. */
void feed_end(struct feed *f);

/* Reader's side: the next block, valid until the next call; 0 at the end. */
size_t feed_get(struct feed *f, const void **ret_data);
void feed_close(struct feed *f);
