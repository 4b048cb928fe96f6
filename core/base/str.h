/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Growing strings and string lists. Sticky: after one failed allocation every further add
 * is a no-op, so callers add many times and check once with str_ok()/strv_ok().
 * The valid empty state of each struct is { 0 }.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	char *p; /* NUL-terminated once something was added; NULL while empty */
	size_t len;
	size_t cap;
	bool failed;
};

void str_fini(struct str *s);
void str_clear(struct str *s);
void str_addn(struct str *s, const char *text, size_t len);
void str_add(struct str *s, const char *text);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "" while empty; borrowed. */
const char *str_get(const struct str *s);
/* Moves the buffer out (caller frees); NULL if an add failed. Never NULL otherwise. */
char *str_take(struct str *s);
static inline bool str_ok(const struct str *s)
{
	return !s->failed;
}

struct strv {
	char **v; /* NULL-terminated once something was added */
	size_t n;
	size_t cap;
	bool failed;
};

void strv_fini(struct strv *l);
void strv_add(struct strv *l, const char *text); /* copies */
void strv_addn(struct strv *l, const char *text, size_t len);
void strv_addf(struct strv *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool strv_has(const struct strv *l, const char *text);
void strv_sort(struct strv *l);
static inline bool strv_ok(const struct strv *l)
{
	return !l->failed;
}

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Whole of @s is one decimal number; -EINVAL or -ERANGE otherwise. */
int parse_u64(const char *s, uint64_t *ret_value);
int parse_u64n(const char *s, size_t len, uint64_t *ret_value);

static inline void freep(void *p)
{
	__builtin_free(*(void **)p);
}
#define _cleanup_free_ __attribute__((cleanup(freep)))
#define _cleanup_str_ __attribute__((cleanup(str_fini)))
#define _cleanup_strv_ __attribute__((cleanup(strv_fini)))
#define TAKE_PTR(p) \
	({ \
		__typeof__(p) p__ = (p); \
		(p) = NULL; \
		p__; \
	})
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
