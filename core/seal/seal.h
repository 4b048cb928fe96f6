/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The product, not the exit code: check, then sign and compress as the kernel's own modules. */
#include "core/job.h"
#include "core/sandbox/sandbox.h"

struct seal_check_request {
	const struct kg_system *sys;
	const struct kg_recipe *recipe;
	const struct kg_headers *headers;
	const char *release;
	int out_fd;	       /* build_run()'s out/ */
	const int *depend_fds; /* BUILD_DEPENDS: K/A folders (module/, Module.symvers) */
	size_t n_depend_fds;
	const struct sandbox *view;
};

/* What is no reason to refuse modules. { 0 } is empty. */
struct seal_findings {
	struct arena arena;
	struct strv
		depends; /* modules, siblings left out, that provide symbols to ours */
	const char *
		*lacks; /* of each module of the recipe: as in struct kg_recipe_module */
};
void seal_findings_fini(struct seal_findings *findings);

/*
 * Inside the sandbox, by libkmod: every declared file is there, a relocatable ELF for the
 * target's machine, vermagic is the target's (that of the kernel's own modules where the view
 * has them, else of the release and the config), every undefined symbol that the headers'
 * Module.symvers, a sibling or a BUILD_DEPENDS has is there with the same CRC. -KGE_CHECK says
 * which: one reason for each module that does not fit. A symbol that nobody has is a finding:
 * modpost refuses it, unless the module's makefile says that another will bring it.
 * The build user must be able to read @out_fd. @ret_findings is the caller's to finish in any
 * case.
 */
int seal_check(const struct seal_check_request *req, struct seal_findings *ret_findings,
	       struct kg_err *err) _must_check_;

/* What a module says of itself; "" where it says nothing. */
struct seal_version {
	const char *version; /* MODULE_VERSION, its first word */
	const char *srcversion;
};
/* Of a module file of any compression; in @arena. */
int seal_read_version(int file_fd, struct arena *arena, struct seal_version *ret_version,
		      struct kg_err *err) _must_check_;
/*
 * @a against @b by their versions, some being newer than none. SEAL_OTHER: of one version, but
 * not of one source, or neither says anything.
 */
enum seal_order { SEAL_OLDER, SEAL_SAME, SEAL_OTHER, SEAL_NEWER };
enum seal_order seal_compare_versions(const struct seal_version *a,
				      const struct seal_version *b);

/*
 * Makes key (0600) and certificate (DER) when missing: RSA 2048, self-signed, codeSigning. What
 * is there stays; a certificate without its key is -KGE_SIGN.
 */
int seal_make_key(int dir_fd, const char *key_name, const char *cert_name,
		  struct kg_err *err) _must_check_;
/* Which key signs, and how. seal_key_fini() closes the folders. */
struct seal_key {
	int key_dir_fd;
	const char *key; /* a name in the folder, or "pkcs11:..." (no folder) */
	int cert_dir_fd;
	const char *cert;
	const char *hash; /* CONFIG_MODULE_SIG_HASH */
};
#define SEAL_KEY_INIT \
	{ \
		.key_dir_fd = -1, .cert_dir_fd = -1 \
	}
void seal_key_fini(struct seal_key *key);
/* Kept in a token: never made, never read from a file. */
bool seal_is_token(const char *key);
/*
 * A key file is refused when others can read or write it. One in a token comes through
 * libcrypto's provider "pkcs11"; its PIN from KBUILD_SIGN_PIN, never by a prompt.
 * Appends the kernel's module signature (CMS, detached, no attributes, 12-byte trailer, magic;
 * kernel scripts/sign-file.c, include/linux/module_signature.h): same bytes as sign-file.
 */
int seal_sign(const void *module, size_t len, const struct seal_key *with,
	      struct str *ret_signed, struct kg_err *err) _must_check_;
/* @text ends as a signed module does, whoever signed it. */
bool seal_is_signed(const void *text, size_t len);
/*
 * @suffix "", ".gz", ".xz" (CRC32, as the kernel's decoder wants), ".zst". The same input gives
 * the same bytes; @ret_data must be empty.
 */
int seal_compress(const void *data, size_t len, const char *suffix, struct str *ret_data,
		  struct kg_err *err) _must_check_;
/*
 * The same with options of gzip, xz or zstd (NULL: none): level and dictionary count, "-9e",
 * "--lzma2=dict=4MiB", as there. The others do not change what a kernel can read, or would.
 */
int seal_compress_with(const void *data, size_t len, const char *suffix,
		       const char *options, struct str *ret_data,
		       struct kg_err *err) _must_check_;
