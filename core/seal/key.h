/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to seal/: the signing key and its certificate, read from files. */
#include "core/base/err.h"
#include "core/base/libcrypto.h"

static inline void free_bio(BIO **bio)
{
	if (*bio != NULL)
		BIO_free(*bio);
}
static inline void free_key(EVP_PKEY **key)
{
	if (*key != NULL)
		EVP_PKEY_free(*key);
}
static inline void free_cert(X509 **cert)
{
	if (*cert != NULL)
		X509_free(*cert);
}
static inline void free_cms(CMS_ContentInfo **cms)
{
	if (*cms != NULL)
		CMS_ContentInfo_free(*cms);
}
static inline void unload_provider(OSSL_PROVIDER **provider)
{
	if (*provider != NULL)
		OSSL_PROVIDER_unload(*provider);
}
#define _cleanup_provider_ __attribute__((cleanup(unload_provider)))
#define _cleanup_bio_ __attribute__((cleanup(free_bio)))
#define _cleanup_key_ __attribute__((cleanup(free_key)))
#define _cleanup_cert_ __attribute__((cleanup(free_cert)))
#define _cleanup_cms_ __attribute__((cleanup(free_cms)))

/* -KGE_SIGN with libcrypto's reason: "@what @name: reason". Empties its error queue. */
int key_fail(struct kg_err *err, const char *what, const char *name);
/* As sign-file: a passphrase or PIN comes by the environment, never by a prompt. */
int key_answer_passphrase(char *buf, int size, int is_writing, void *data);
/* PEM; refused when it is a link, or others can read or write it. The caller frees the key. */
int key_read(int dir_fd, const char *name, EVP_PKEY **ret_key,
	     struct kg_err *err) _must_check_;
/*
 * @uri "pkcs11:...", by libcrypto's provider of that name. The key works as long as the provider is
 * loaded: the caller frees the key, then unloads the provider, which is given on failure too.
 */
int key_read_token(const char *uri, OSSL_PROVIDER **ret_provider, EVP_PKEY **ret_key,
		   struct kg_err *err) _must_check_;
/* DER or PEM. The caller frees the certificate. */
int key_read_cert(int dir_fd, const char *name, X509 **ret_cert,
		  struct kg_err *err) _must_check_;
