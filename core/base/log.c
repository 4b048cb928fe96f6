// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static kg_log_fn *log_fn;
static void *log_data;

void kg_log_set(kg_log_fn *fn, void *data)
{
	log_fn = fn;
	log_data = data;
}

void kg_log(enum kg_level level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (log_fn == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_fn(level, text, log_data);
}
