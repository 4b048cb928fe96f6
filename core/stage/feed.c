// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/feed.h"

#include <stdlib.h>
#include <string.h>

int feed_init(struct feed *f)
{
	*f = (struct feed){ 0 };
	f->slots = malloc((size_t)FEED_SLOTS * FEED_SLOT_SIZE);
	if (f->slots == NULL)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	return 0;
}

void feed_fini(struct feed *f)
{
	if (f->slots == NULL)
		return;
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f->slots);
	f->slots = NULL;
}

static unsigned char *feed_slot(struct feed *f, size_t number)
{
	return f->slots + (number % FEED_SLOTS) * FEED_SLOT_SIZE;
}

/* Hands the filled slot over, and waits until the next one is free. */
static bool feed_pass_slot(struct feed *f)
{
	bool is_open;

	pthread_mutex_lock(&f->lock);
	f->lengths[f->n_put % FEED_SLOTS] = f->pending;
	f->n_put++;
	f->pending = 0;
	pthread_cond_signal(&f->changed);
	while (!f->is_closed && f->n_put - f->n_taken >= FEED_SLOTS)
		pthread_cond_wait(&f->changed, &f->lock);
	is_open = !f->is_closed;
	pthread_mutex_unlock(&f->lock);
	return is_open;
}

void *feed_room(struct feed *f, size_t *ret_len)
{
	*ret_len = FEED_SLOT_SIZE - f->pending;
	return feed_slot(f, f->n_put) + f->pending;
}

bool feed_filled(struct feed *f, size_t len)
{
	f->pending += len;
	return f->pending < FEED_SLOT_SIZE || feed_pass_slot(f);
}

bool feed_put(struct feed *f, const void *data, size_t len)
{
	const unsigned char *from = data;

	while (len > 0) {
		size_t room;
		void *to = feed_room(f, &room);
		size_t n = len < room ? len : room;

		memcpy(to, from, n);
		if (!feed_filled(f, n))
			return false;
		from += n;
		len -= n;
	}
	return true;
}

void feed_end(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	if (f->pending > 0) {
		f->lengths[f->n_put % FEED_SLOTS] = f->pending;
		f->n_put++;
		f->pending = 0;
	}
	f->is_ended = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

size_t feed_get(struct feed *f, const void **ret_data)
{
	size_t len = 0;

	pthread_mutex_lock(&f->lock);
	if (f->is_held) {
		f->n_taken++;
		f->is_held = false;
		pthread_cond_signal(&f->changed);
	}
	while (f->n_put == f->n_taken && !f->is_ended)
		pthread_cond_wait(&f->changed, &f->lock);
	if (f->n_put != f->n_taken) {
		*ret_data = feed_slot(f, f->n_taken);
		len = f->lengths[f->n_taken % FEED_SLOTS];
		f->is_held = true;
	}
	pthread_mutex_unlock(&f->lock);
	return len;
}

void feed_close(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->is_closed = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}
