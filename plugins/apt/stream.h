/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What apt writes to a DPkg::Pre-Install-Pkgs hook: protocol 3, or 1 (archive paths alone, which
 * is also how dpkg-event hands its files on). libc only; everything points into the text.
 */
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

/* One line: an archive that will be unpacked, or a package that is removed. */
struct stream_op {
	const char *name;	 /* NULL in protocol 1 */
	const char *old_version; /* NULL: not there now */
	const char *old_arch;	 /* "none" when not there */
	const char *old_multi_arch;
	const char *new_version; /* NULL: will not be there */
	const char *new_arch;
	const char *path; /* archive; NULL: removed */
};

struct stream {
	char *text;    /* owned; cut into words */
	char **config; /* "Key=Value" as sent, percent-escaped */
	size_t n_config;
	struct stream_op *ops;
	size_t n_ops;
};

/* Takes @text (@len bytes and a NUL) over, also on failure. */
int stream_parse(char *text, size_t len, struct stream *ret,
		 struct kg_err *err) _must_check_;
void stream_fini(struct stream *s);

/* Value of the config key, "" when absent; borrowed, still percent-escaped. */
const char *stream_config(const struct stream *s, const char *key);
/* Why this transaction is not this machine's business, NULL when it is. */
const char *stream_foreign_root(const struct stream *s);
