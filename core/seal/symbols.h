/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to seal/: who provides which symbol, with which CRC. */
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"

struct symbol {
	const char *name;
	const char *module; /* file name without suffix; "vmlinux"; NULL: a sibling */
	uint64_t crc;	    /* 0: none was made for it */
};

/* { 0 } is empty. Add all, sort once, then look up. */
struct symbols {
	struct arena arena;
	struct symbol *v;
	size_t n;
};

void symbols_fini(struct symbols *table);
/* Copies @name; @module must live as long as the table. -ENOMEM only. */
int symbols_add(struct symbols *table, const char *name, uint64_t crc,
		const char *module) _must_check_;
/* Every line of a Module.symvers. -KGE_FORMAT names @path and the line. */
int symbols_add_symvers(struct symbols *table, const char *text, size_t len,
			const char *path, struct kg_err *err) _must_check_;
void symbols_sort(struct symbols *table);
/* First of *@ret_n providers of @name; NULL when there is none. */
const struct symbol *symbols_find(const struct symbols *table, const char *name,
				  size_t *ret_n);
