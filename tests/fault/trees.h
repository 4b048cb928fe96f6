/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The folders of the bench, and what a root looks like. Whatever goes wrong here ends the driver. */
#include "core/base/digest.h"
#include "core/job.h"

struct bench {
	const char *base;
	enum { IS_COPY, IS_OVERLAY, IS_MOUNTED } kind;
	int base_fd;
	unsigned int step;
	unsigned int trials;
	unsigned int failures;
};
extern struct bench bench;

enum look { LOOK_KERNELS, LOOK_ALL };

struct digest_text {
	char hex[DIGEST_HEX_SIZE];
};

_Noreturn void die(const char *what);
/* BASE/NAME */
void path_of(char out[512], const char *name);
void open_system(struct kg_system *sys);
void make_empty(const char *name);
void copy_tree(const char *from, const char *to);
/* root becomes what the tree @from is. */
void reset(const char *from);
/* The tree @to becomes what root is. */
void save(const char *to);
/* Of lib/modules; LOOK_KERNELS leaves out what we keep in it. */
struct digest_text look(const struct kg_system *sys, enum look which);
bool is_same(const struct digest_text *a, const struct digest_text *b);
