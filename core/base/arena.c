// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_SIZE 4096u

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) unsigned char data[];
};

void arena_fini(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	a->failed = false;
}

void arena_adopt(struct arena *a, struct arena *from)
{
	struct arena_block **end = &a->blocks;

	/* Behind ours: the first one is that with room. */
	while (*end != NULL)
		end = &(*end)->next;
	*end = from->blocks;
	a->failed = a->failed || from->failed;
	*from = (struct arena){ 0 };
}

static struct arena_block *arena_new_block(struct arena *a, size_t size)
{
	size_t room = size > ARENA_BLOCK_SIZE ? size : ARENA_BLOCK_SIZE;
	struct arena_block *b = calloc(1, sizeof(*b) + room);

	if (b == NULL)
		return NULL;
	b->size = room;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *b = a->blocks;
	void *p;

	if (a->failed || size > SIZE_MAX / 2) {
		a->failed = true;
		return NULL;
	}
	size = (size + align - 1) / align * align;
	if (b == NULL || b->size - b->used < size)
		b = arena_new_block(a, size);
	if (b == NULL) {
		a->failed = true;
		return NULL;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		a->failed = true;
		return NULL;
	}
	return arena_alloc(a, bytes);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p != NULL)
		memcpy(p, text, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_strndup(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p == NULL) {
		a->failed = true;
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void *arena_grow(struct arena *a, void **items, size_t *n, size_t size)
{
	bool is_full =
		(*n & (*n - 1)) == 0; /* 0, 1, 2, 4, 8 ... elements fill the room */
	unsigned char *base = *items;

	if (is_full) {
		unsigned char *wider = arena_array(a, *n > 0 ? *n * 2 : 1, size);

		if (wider == NULL)
			return NULL;
		if (*n > 0)
			memcpy(wider, base, *n * size);
		*items = wider;
		base = wider;
	}
	return base + (*n)++ * size;
}
