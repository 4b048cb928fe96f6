/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A .deb's control member and the names in its data member. Nothing is extracted. */
#include "core/base/err.h"
#include "core/base/str.h"

struct deb {
	int fd;
	struct str control;    /* text of the control file */
	struct str md5sums;    /* "" when there is none */
	bool talks_of_modules; /* a maintainer script mentions dkms or /lib/modules */
};
#define DEB_INIT \
	{ \
		.fd = -1 \
	}
#define _cleanup_deb_ __attribute__((cleanup(deb_close)))

int deb_open(const char *path, struct deb *ret, struct kg_err *err) _must_check_;
/* The same of an open file, which is taken over. @path: its name, for messages. */
int deb_open_fd(int fd, const char *path, struct deb *ret,
		struct kg_err *err) _must_check_;
void deb_close(struct deb *deb);
/* Nothing is cut off at its end: a download that was, or a full disk. */
bool deb_is_whole(const struct deb *deb);

/*
 * Each file (no folders) in the archive, from md5sums; from the data member itself when there
 * is no md5sums, or with DEB_EVERY_NAME: md5sums names no symlinks.
 */
enum deb_names { DEB_NAMES, DEB_EVERY_NAME };
typedef void deb_name_fn(const char *name, size_t len, void *data);
int deb_each_name(const struct deb *deb, const char *path, enum deb_names which,
		  deb_name_fn *each, void *data, struct kg_err *err) _must_check_;
/* Value of a field of @control (first stanza), unfolded; NULL absent. Caller frees. */
char *deb_field(const char *control, const char *name);
/* Names in a Depends or Provides field, one at a time: returns where to go on, NULL at the end. */
const char *deb_next_name(const char *field, const char **ret_name, size_t *ret_len);
