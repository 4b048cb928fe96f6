/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to seal/: one module file through libkmod, whatever its compression. */
#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"

struct kmod_ctx;
struct kmod_module;

struct module {
	struct kmod_ctx
		*ctx; /* one each: libkmod refuses two files of one name in a context */
	struct kmod_module *kmod;
	int fd; /* the file, unpacked; owned */
};
#define MODULE_INIT \
	{ \
		.fd = -1 \
	}

/* Silent: -errno of libkmod, or of unpacking. */
int module_open(struct module *module, const char *path) _must_check_;
void module_close(struct module *module);
#define _cleanup_module_ __attribute__((cleanup(module_close)))

/* *@ret_value in @arena; NULL when there is no such field in its modinfo. */
int module_info(const struct module *module, const char *field, struct arena *arena,
		const char **ret_value) _must_check_;

struct module_symbol {
	const char *name; /* valid during the call */
	uint64_t crc;
	bool is_weak;
};
typedef int module_symbol_fn(const struct module_symbol *symbol, void *data);
/* Calls @fn for each symbol until it returns other than 0. */
int module_each_export(const struct module *module, module_symbol_fn *fn,
		       void *data) _must_check_;
int module_each_import(const struct module *module, module_symbol_fn *fn,
		       void *data) _must_check_;
