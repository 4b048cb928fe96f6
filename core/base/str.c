// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_fini(struct str *s)
{
	free(s->p);
	*s = (struct str){ 0 };
}

void str_clear(struct str *s)
{
	s->len = 0;
	if (s->p != NULL)
		s->p[0] = '\0';
}

/* Room for @more bytes and the NUL. */
static bool str_reserve(struct str *s, size_t more)
{
	size_t cap = s->cap > 0 ? s->cap : 64;
	char *p;

	if (s->failed)
		return false;
	if (more >= SIZE_MAX / 4 - s->len) {
		s->failed = true;
		return false;
	}
	while (cap < s->len + more + 1)
		cap *= 2;
	if (cap == s->cap)
		return true;
	p = realloc(s->p, cap);
	if (p == NULL) {
		s->failed = true;
		return false;
	}
	s->p = p;
	s->cap = cap;
	return true;
}

void str_addn(struct str *s, const char *text, size_t len)
{
	if (!str_reserve(s, len))
		return;
	if (len > 0)
		memcpy(s->p + s->len, text, len);
	s->len += len;
	s->p[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

__attribute__((format(printf, 2, 0))) static void str_vaddf(struct str *s,
							    const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		s->failed = true;
	else if (str_reserve(s, (size_t)n)) {
		vsnprintf(s->p + s->len, (size_t)n + 1, fmt, again);
		s->len += (size_t)n;
	}
	va_end(again);
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

const char *str_get(const struct str *s)
{
	return s->p != NULL ? s->p : "";
}

char *str_take(struct str *s)
{
	char *p;

	str_addn(s, "", 0);
	if (s->failed) {
		str_fini(s);
		return NULL;
	}
	p = s->p;
	*s = (struct str){ 0 };
	return p;
}

void strv_fini(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv){ 0 };
}

static bool strv_reserve(struct strv *l)
{
	size_t cap = l->cap > 0 ? l->cap * 2 : 8;
	char **v;

	if (l->failed)
		return false;
	if (l->n + 1 < l->cap)
		return true;
	v = reallocarray(l->v, cap, sizeof(*v));
	if (v == NULL) {
		l->failed = true;
		return false;
	}
	l->v = v;
	l->cap = cap;
	return true;
}

/* Takes ownership of @text, which may be NULL after a failed allocation. */
static void strv_take(struct strv *l, char *text)
{
	if (text == NULL)
		l->failed = true;
	if (!strv_reserve(l)) {
		free(text);
		return;
	}
	l->v[l->n++] = text;
	l->v[l->n] = NULL;
}

void strv_addn(struct strv *l, const char *text, size_t len)
{
	strv_take(l, strndup(text, len));
}

void strv_add(struct strv *l, const char *text)
{
	strv_take(l, strdup(text));
}

void strv_addf(struct strv *l, const char *fmt, ...)
{
	struct str s = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	strv_take(l, str_take(&s));
}

bool strv_has(const struct strv *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], text) == 0)
			return true;
	return false;
}

static int strv_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), strv_compare);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s);
	size_t m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int parse_u64n(const char *s, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

int parse_u64(const char *s, uint64_t *ret_value)
{
	return parse_u64n(s, strlen(s), ret_value);
}
