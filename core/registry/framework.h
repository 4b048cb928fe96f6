/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * /etc/dkms/framework.conf, then /etc/dkms/framework.conf.d/ *.conf in name order; a later
 * assignment wins. Plain KEY=value, KEY="value" and KEY='value' lines only: values are kept as
 * written ($kernelver stays for whoever knows the kernel), a line that needs a shell is skipped
 * with a warning. Absent and empty mean NULL.
 */
#include "core/base/arena.h"
#include "core/base/err.h"

struct kg_framework {
	struct arena arena;
	const char *source_tree; /* absolute paths, as written */
	const char *dkms_tree;
	const char *install_tree;
	const char *tmp_location;
	const char *verbose;
	const char *symlink_modules;	     /* any text: on */
	const char *autoinstall_all_kernels; /* any text: on */
	const char *sign_file;
	const char *try_sign_modules; /* "true", "false", "not_in_chroot" (NULL too) */
	const char *mok_signing_key;  /* may hold $kernelver, or be "pkcs11:..." */
	const char *mok_certificate;
	const char *modprobe_on_install; /* any text: on */
	const char *parallel_jobs;
	const char *compress_gzip_opts;
	const char *compress_xz_opts;
	const char *compress_zstd_opts;
	const char *build_environment; /* NAME=VALUE words, for builds */
	const char *post_transaction;  /* a shell command */
	const char *continue_on_error; /* any text: on */
};

/* Absent files are no error; one that can't be read is. */
int framework_read(int root_fd, struct kg_framework *ret_framework,
		   struct kg_err *err) _must_check_;
void framework_fini(struct kg_framework *framework);
/* What the one of @suffix (".gz", ".xz", ".zst") is to be given; NULL nothing. */
const char *framework_compress_options(const struct kg_framework *framework,
				       const char *suffix);
/* make's -j: what parallel_jobs says ("0": no limit), 0 when it says nothing. */
#define FRAMEWORK_NO_LIMIT 1000u /* make's jobserver has to hold a token for each */
unsigned int framework_jobs(const struct kg_framework *framework);
