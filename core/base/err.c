// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *kg_strerror(int code)
{
	switch (-code) {
#define X(name, value, text) \
	case name: \
		return text;
		KG_ERRORS(X)
#undef X
	default:
		return strerror(-code);
	}
}

__attribute__((format(printf, 3, 0))) static void err_record(struct kg_err *err, int code,
							     const char *fmt, va_list ap)
{
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int kg_fail(struct kg_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL || err->code != 0)
		return code;
	va_start(ap, fmt);
	err_record(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int kg_fail_errno(struct kg_err *err, int code, const char *fmt, ...)
{
	size_t used;
	va_list ap;

	if (err == NULL || err->code != 0)
		return code;
	va_start(ap, fmt);
	err_record(err, code, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", kg_strerror(code));
	return code;
}

const char *kg_err_text(const struct kg_err *err, int code)
{
	if (err != NULL && err->text[0] != '\0')
		return err->text;
	return kg_strerror(code);
}
