// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/module.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/libkmod.h"
#include "core/seal/unpack.h"

/* libkmod would print to stderr, which may be the package manager's. */
__attribute__((format(printf, 6, 0))) static void ignore_log(void *data, int priority,
							     const char *file, int line,
							     const char *fn,
							     const char *format,
							     va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

/* @path itself, or its unpacked content. */
static int open_content(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int unpacked_fd;

	if (fd < 0)
		return -errno;
	unpacked_fd = unpack_fd(fd);
	return unpacked_fd == -ENOTSUP ? TAKE_FD(fd) : unpacked_fd;
}

static int open_kmod(struct module *module)
{
	const char *no_config = NULL;
	char path[32];
	int r = libkmod_load(NULL);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", module->fd);
	module->ctx = kmod_new("/", &no_config);
	if (module->ctx == NULL)
		return -ENOMEM;
	kmod_set_log_fn(module->ctx, ignore_log, NULL);
	return kmod_module_new_from_path(module->ctx, path, &module->kmod);
}

int module_open(struct module *module, const char *path)
{
	int r;

	*module = (struct module){ .fd = open_content(path) };
	r = module->fd < 0 ? module->fd : open_kmod(module);
	if (r < 0)
		module_close(module);
	return r;
}

void module_close(struct module *module)
{
	kmod_module_unref(module->kmod);
	kmod_unref(module->ctx);
	closep(&module->fd);
	*module = (struct module)MODULE_INIT;
}

int module_info(const struct module *module, const char *field, struct arena *arena,
		const char **ret_value)
{
	const char *value = NULL;
	struct kmod_list *list = NULL;
	struct kmod_list *item;
	int r = kmod_module_get_info(module->kmod, &list);

	if (r < 0)
		return r;
	kmod_list_foreach(item, list)
	{
		if (strcmp(kmod_module_info_get_key(item), field) != 0)
			continue;
		value = arena_strdup(arena, kmod_module_info_get_value(item));
		r = value != NULL ? 0 : -ENOMEM;
		break;
	}
	kmod_module_info_free_list(list);
	if (r < 0)
		return r;
	*ret_value = value;
	return 0;
}

int module_each_export(const struct module *module, module_symbol_fn *fn, void *data)
{
	struct kmod_list *list = NULL;
	struct kmod_list *item;
	int r = kmod_module_get_symbols(module->kmod, &list);

	if (r == -ENODATA || r == -ENOENT)
		return 0; /* exports nothing */
	if (r < 0)
		return r;
	r = 0;
	kmod_list_foreach(item, list)
	{
		const struct module_symbol symbol = {
			.name = kmod_module_symbol_get_symbol(item),
			.crc = kmod_module_symbol_get_crc(item),
		};

		r = fn(&symbol, data);
		if (r != 0)
			break;
	}
	kmod_module_symbols_free_list(list);
	return r;
}

int module_each_import(const struct module *module, module_symbol_fn *fn, void *data)
{
	struct kmod_list *list = NULL;
	struct kmod_list *item;
	int r = kmod_module_get_dependency_symbols(module->kmod, &list);

	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	r = 0;
	kmod_list_foreach(item, list)
	{
		const struct module_symbol symbol = {
			.name = kmod_module_dependency_symbol_get_symbol(item),
			.crc = kmod_module_dependency_symbol_get_crc(item),
			.is_weak = kmod_module_dependency_symbol_get_bind(item) ==
				   KMOD_SYMBOL_WEAK,
		};

		r = fn(&symbol, data);
		if (r != 0)
			break;
	}
	kmod_module_dependency_symbols_free_list(list);
	return r;
}
