/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Messages while working. The library only calls back; the command line decides what is shown. */
enum kg_level { KG_DEBUG, KG_INFO, KG_WARNING, KG_ERROR };

typedef void kg_log_fn(enum kg_level level, const char *text, void *data);

void kg_log_set(kg_log_fn *fn, void *data);
void kg_log(enum kg_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define kg_debug(...) kg_log(KG_DEBUG, __VA_ARGS__)
#define kg_info(...) kg_log(KG_INFO, __VA_ARGS__)
#define kg_warning(...) kg_log(KG_WARNING, __VA_ARGS__)
#define kg_error(...) kg_log(KG_ERROR, __VA_ARGS__)
