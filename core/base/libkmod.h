/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * libkmod, opened when the first module is looked into: it brings libcrypto along (libcrypto.h). After
 * libkmod_load() its calls are made as ever; one that is not listed fails to link.
 */
#include <libkmod.h>

#include "core/base/err.h"

/* -EOPNOTSUPP: the library is not there or lacks a call. Any thread may call it, any time. */
int libkmod_load(struct kg_err *err) _must_check_;

#define LIBKMOD_CALLS(X) \
	X(kmod_list_next) \
	X(kmod_module_dependency_symbol_get_bind) \
	X(kmod_module_dependency_symbol_get_crc) \
	X(kmod_module_dependency_symbol_get_symbol) \
	X(kmod_module_dependency_symbols_free_list) \
	X(kmod_module_get_dependency_symbols) \
	X(kmod_module_get_info) \
	X(kmod_module_get_symbols) \
	X(kmod_module_info_free_list) \
	X(kmod_module_info_get_key) \
	X(kmod_module_info_get_value) \
	X(kmod_module_new_from_path) \
	X(kmod_module_symbol_get_crc) \
	X(kmod_module_symbol_get_symbol) \
	X(kmod_module_symbols_free_list) \
	X(kmod_module_unref) \
	X(kmod_new) \
	X(kmod_set_log_fn) \
	X(kmod_unref)

/* In the types of the header that is there, whatever its version. */
#define X(name) extern __typeof__(name) *late_##name;
LIBKMOD_CALLS(X)
#undef X

#ifndef LIBKMOD_ITSELF
#define kmod_list_next (*late_kmod_list_next)
#define kmod_module_dependency_symbol_get_bind \
	(*late_kmod_module_dependency_symbol_get_bind)
#define kmod_module_dependency_symbol_get_crc \
	(*late_kmod_module_dependency_symbol_get_crc)
#define kmod_module_dependency_symbol_get_symbol \
	(*late_kmod_module_dependency_symbol_get_symbol)
#define kmod_module_dependency_symbols_free_list \
	(*late_kmod_module_dependency_symbols_free_list)
#define kmod_module_get_dependency_symbols (*late_kmod_module_get_dependency_symbols)
#define kmod_module_get_info (*late_kmod_module_get_info)
#define kmod_module_get_symbols (*late_kmod_module_get_symbols)
#define kmod_module_info_free_list (*late_kmod_module_info_free_list)
#define kmod_module_info_get_key (*late_kmod_module_info_get_key)
#define kmod_module_info_get_value (*late_kmod_module_info_get_value)
#define kmod_module_new_from_path (*late_kmod_module_new_from_path)
#define kmod_module_symbol_get_crc (*late_kmod_module_symbol_get_crc)
#define kmod_module_symbol_get_symbol (*late_kmod_module_symbol_get_symbol)
#define kmod_module_symbols_free_list (*late_kmod_module_symbols_free_list)
#define kmod_module_unref (*late_kmod_module_unref)
#define kmod_new (*late_kmod_new)
#define kmod_set_log_fn (*late_kmod_set_log_fn)
#define kmod_unref (*late_kmod_unref)
#endif
