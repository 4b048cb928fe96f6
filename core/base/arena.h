/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One arena per plan, recipe or job list: everything in it is freed at once. Sticky like
 * struct str: a failed allocation returns NULL and sets @failed; check once at the end.
 */
#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	bool failed;
};

void arena_fini(struct arena *a);
/* What is in @from, which is empty afterwards, lives as long as @a. */
void arena_adopt(struct arena *a, struct arena *from);
/* Zeroed, aligned for any type; NULL on failure. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const char *text, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Append room for one element to the arena-backed array @items of *@n elements of @size
 * bytes; returns the new zeroed element or NULL. Capacity grows at powers of two, old
 * copies stay in the arena.
 */
void *arena_grow(struct arena *a, void **items, size_t *n, size_t size);

#define _cleanup_arena_ __attribute__((cleanup(arena_fini)))
#define ARENA_ADD(a, list, n) \
	((__typeof__(list))arena_grow((a), (void **)&(list), &(n), sizeof(*(list))))
