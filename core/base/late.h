/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Libraries that are opened when they are needed, for what starts often and seldom needs them. */
#include <pthread.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/str.h"

struct late_call {
	const char *name;
	void *slot; /* of a function pointer; POSIX has those as large as a void pointer */
};

/* Opens it and fills all slots. On failure @ret_err says why; for late_result(). */
void late_load(const char *soname, const struct late_call *calls, size_t n,
	       struct kg_err *ret_err);
/* 0, or what late_load() left, once more; @err NULL: said as a warning, as nobody else will. */
int late_result(const struct kg_err *load_err, struct kg_err *err);

/* LIBRARY_load() of the array "calls": opens it at the first call, whichever thread makes it. */
#define LATE_LOADER(library, soname) \
	static struct kg_err load_err; \
	static void load_once(void) \
	{ \
		late_load(soname, calls, ARRAY_SIZE(calls), &load_err); \
	} \
	int library##_load(struct kg_err *err) \
	{ \
		static pthread_once_t once = PTHREAD_ONCE_INIT; \
		pthread_once(&once, load_once); \
		return late_result(&load_err, err); \
	}

/*
 * What packaging tools read to learn of a library that is not linked: the ELF note "FDO" (the UAPI group's
 * package metadata for dlopen).
 */
#define LATE_NOTE(feature, description, soname) \
	static const struct { \
		unsigned int name_size; \
		unsigned int text_size; \
		unsigned int type; \
		char name[4]; \
		_Alignas(unsigned int) char text[sizeof( \
			LATE_NOTE_TEXT(feature, description, soname))]; \
	} late_note __attribute__((used, section(".note.dlopen"), aligned(4))) = { \
		4, sizeof(LATE_NOTE_TEXT(feature, description, soname)), 0x407c0c0a, \
		"FDO", LATE_NOTE_TEXT(feature, description, soname) \
	}
#define LATE_NOTE_TEXT(feature, description, soname) \
	"[{\"feature\":\"" feature "\",\"description\":\"" description "\"," \
	"\"priority\":\"required\",\"soname\":[\"" soname "\"]}]"
