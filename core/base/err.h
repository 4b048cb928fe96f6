/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One error idiom for the whole tree: int, 0 or negative. Negative is -errno, or -KGE_* for
 * outcomes errno cannot say. The lowest function that knows the object's name describes it
 * once in a struct kg_err; callers just return the code. The first report wins.
 */
#include <errno.h>
#include <stdbool.h>

#define KG_ERRORS(X) \
	X(KGE_NO_HEADERS, 1024, "no headers for this kernel") \
	X(KGE_BUILD, 1025, "module build failed") \
	X(KGE_CHECK, 1026, "built module does not fit the kernel") \
	X(KGE_SIGN, 1027, "module signing failed") \
	X(KGE_EXCLUDED, 1028, "not for this kernel") \
	X(KGE_FORMAT, 1029, "malformed input") \
	X(KGE_TIMEOUT, 1030, "time limit reached") \
	X(KGE_HOSTILE, 1031, "refused: would leave its root") \
	X(KGE_STOPPED, 1032, "transaction stopped") \
	X(KGE_CANCELLED, 1033, "interrupted") \
	X(KGE_RECIPE, 1034, "invalid dkms.conf") \
	X(KGE_PATCH, 1035, "patch does not apply") \
	X(KGE_SCRIPT, 1036, "script failed") \
	X(KGE_DEPMOD, 1037, "depmod failed") \
	X(KGE_LIVE, 1038, "belongs to a running transaction") \
	X(KGE_SANDBOX, 1039, "cannot set up the build sandbox") \
	X(KGE_DEPENDS, 1040, "a module it depends on is not there") \
	X(KGE_LIMIT, 1041, "input exceeds a limit") \
	X(KGE_NOT_ADDED, 1042, "not in the dkms tree") \
	X(KGE_BROKEN, 1043, "broken entry in the dkms tree") \
	X(KGE_EXISTS, 1044, "already there") \
	X(KGE_OLDER, 1045, "not newer than what the kernel has") \
	X(KGE_PLACE, 1046, "modules cannot be put in place")

enum kg_errno {
#define X(name, value, text) name = value,
	KG_ERRORS(X)
#undef X
};

/* What failed, in words a user can act on. Fixed size: reporting must not allocate. */
struct kg_err {
	int code;   /* negative, 0 while unset */
	int status; /* exit code of the program whose failure it is, 0 none */
	char text[768];
};

/* Static text for a negative code; never NULL. */
const char *kg_strerror(int code);

/* Record the first failure in @err (may be NULL) and return @code. */
int kg_fail(struct kg_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As kg_fail(), and ": <kg_strerror(code)>" follows the text. */
int kg_fail_errno(struct kg_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The text, or the code's name when nobody described it. */
const char *kg_err_text(const struct kg_err *err, int code);

#define _must_check_ __attribute__((warn_unused_result))
