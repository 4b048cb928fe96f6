/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The part of headers_find() that runs inside the view, where absolute links and includes
 * lead where a build would find them. Needs no privilege, writes nothing but its answer.
 */
#include "core/base/digest.h"
#include "core/base/str.h"

/* What an earlier look at the same files (by their stat digest) came to. */
struct scan_known {
	char stat_hex[DIGEST_HEX_SIZE];
	char identity[DIGEST_HEX_SIZE];
};

struct scan_ask {
	const char *release;
	const char *source_dir; /* absolute */
	const struct scan_known *known;
	size_t n_known;
};

#define SCAN_NO_SUFFIX "?" /* the kernel's modules are not there */

struct scan_answer {
	char *config; /* owned; "" when there is none */
	size_t config_len;
	char suffix
		[16]; /* of the kernel's own modules: "", ".xz"; "?" when none is there */
	struct scan_known found;
};

void scan_answer_fini(struct scan_answer *answer);
/* What may follow ".ko". */
bool scan_is_suffix(const char *text);

/* Below @root_fd. Changes the working directory: meant for a child process. */
int scan_headers(int root_fd, const struct scan_ask *ask, struct scan_answer *ret_answer,
		 struct kg_err *err) _must_check_;

/* Answer or error as text for the pipe, and back; the reader trusts nothing. */
int scan_write(const struct scan_answer *answer, int code, const struct kg_err *failure,
	       struct str *out) _must_check_;
int scan_read(const char *text, size_t len, struct scan_answer *ret_answer,
	      struct kg_err *err) _must_check_;
