// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/seal.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/seal/key.h"

/* The kernel's include/linux/module_signature.h: all but type and length are 0 for PKCS#7. */
struct trailer {
	uint8_t algo;
	uint8_t hash;
	uint8_t id_type;
	uint8_t signer_len;
	uint8_t key_id_len;
	uint8_t pad[3];
	uint32_t sig_len; /* big endian */
};
#define TRAILER_PKCS7 2
_Static_assert(sizeof(struct trailer) == 12, "the kernel reads 12 bytes");

static const char signature_magic[] = "~Module signature appended~\n";

struct signer {
	X509 *cert;
	EVP_PKEY *key;
	const EVP_MD *hash;
};

/* scripts/sign-file.c: detached, signer by issuer and serial, no certificate, no attributes. */
static CMS_ContentInfo *make_cms(const struct signer *by, const void *module, size_t len)
{
	_cleanup_bio_ BIO *content = BIO_new_mem_buf(module, (int)len);
	_cleanup_cms_ CMS_ContentInfo *cms = NULL;

	if (content == NULL)
		return NULL;
	cms = CMS_sign(NULL, NULL, NULL, NULL,
		       CMS_NOCERTS | CMS_PARTIAL | CMS_BINARY | CMS_DETACHED |
			       CMS_STREAM);
	if (cms == NULL)
		return NULL;
	if (CMS_add1_signer(cms, by->cert, by->key, by->hash,
			    CMS_NOCERTS | CMS_BINARY | CMS_NOSMIMECAP | CMS_NOATTR) ==
	    NULL)
		return NULL;
	if (CMS_final(cms, content, NULL, CMS_NOCERTS | CMS_BINARY) != 1)
		return NULL;
	return TAKE_PTR(cms);
}

static int add_signature(struct str *out, CMS_ContentInfo *cms)
{
	unsigned char *der = NULL;
	int der_len = i2d_CMS_ContentInfo(cms, &der);
	struct trailer trailer = { .id_type = TRAILER_PKCS7 };

	if (der_len <= 0)
		return -KGE_SIGN;
	trailer.sig_len = htonl((uint32_t)der_len);
	str_addn(out, (const char *)der, (size_t)der_len);
	str_addn(out, (const char *)&trailer, sizeof(trailer));
	str_addn(out, signature_magic, sizeof(signature_magic) - 1);
	OPENSSL_free(der);
	return str_ok(out) ? 0 : -ENOMEM;
}

static int sign_as(const struct signer *by, const void *module, size_t len,
		   struct str *ret_signed, struct kg_err *err)
{
	_cleanup_cms_ CMS_ContentInfo *cms = make_cms(by, module, len);
	_cleanup_str_ struct str out = { 0 };
	int r;

	if (cms == NULL)
		return key_fail(err, "cannot sign", "a module");
	str_addn(&out, module, len);
	r = add_signature(&out, cms);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot append the signature of a module");
	*ret_signed = out;
	out = (struct str){ 0 };
	return 0;
}

void seal_key_fini(struct seal_key *key)
{
	closep(&key->key_dir_fd);
	closep(&key->cert_dir_fd);
	*key = (struct seal_key)SEAL_KEY_INIT;
}

bool seal_is_token(const char *key)
{
	return str_starts(key, "pkcs11:");
}

bool seal_is_signed(const void *text, size_t len)
{
	const size_t n = sizeof(signature_magic) - 1;

	return len >= n && memcmp((const char *)text + len - n, signature_magic, n) == 0;
}

int seal_sign(const void *module, size_t len, const struct seal_key *with,
	      struct str *ret_signed, struct kg_err *err)
{
	_cleanup_provider_ OSSL_PROVIDER *provider = NULL; /* outlives its key */
	_cleanup_key_ EVP_PKEY *key = NULL;
	_cleanup_cert_ X509 *cert = NULL;
	struct signer by = { 0 };
	int r = libcrypto_load(err);

	if (r < 0)
		return r;
	by.hash = EVP_get_digestbyname(with->hash);
	if (by.hash == NULL)
		return kg_fail(err, -KGE_SIGN, "unknown signature hash '%s'", with->hash);
	if (len > INT32_MAX)
		return kg_fail(err, -KGE_LIMIT, "a module of %zu bytes cannot be signed",
			       len);
	r = key_read_cert(with->cert_dir_fd, with->cert, &cert, err);
	if (r == 0)
		r = seal_is_token(with->key)
			    ? key_read_token(with->key, &provider, &key, err)
			    : key_read(with->key_dir_fd, with->key, &key, err);
	if (r < 0)
		return r;
	if (X509_check_private_key(cert, key) != 1)
		return key_fail(err, "the signing key does not belong to", with->cert);
	by.cert = cert;
	by.key = key;
	return sign_as(&by, module, len, ret_signed, err);
}
