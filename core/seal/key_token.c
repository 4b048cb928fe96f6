// SPDX-License-Identifier: GPL-2.0-or-later
/* A key that stays in its token: libcrypto's store, by whatever provider "pkcs11" the machine has. */

#include "core/seal/key.h"

static EVP_PKEY *find_key(OSSL_STORE_CTX *store)
{
	EVP_PKEY *key = NULL;

	while (key == NULL && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL && OSSL_STORE_error(store))
			break;
		key = info != NULL ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
		OSSL_STORE_INFO_free(info);
	}
	return key;
}

static EVP_PKEY *open_key(const char *uri)
{
	UI_METHOD *answers = UI_UTIL_wrap_read_pem_callback(key_answer_passphrase, 0);
	OSSL_STORE_CTX *store =
		answers != NULL ? OSSL_STORE_open(uri, answers, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = NULL;

	if (store != NULL && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) == 1)
		key = find_key(store);
	OSSL_STORE_close(store);
	UI_destroy_method(answers);
	return key;
}

int key_read_token(const char *uri, OSSL_PROVIDER **ret_provider, EVP_PKEY **ret_key,
		   struct kg_err *err)
{
	int r = libcrypto_load(err);

	if (r < 0)
		return r;
	*ret_provider = OSSL_PROVIDER_try_load(NULL, "pkcs11", 1);
	if (*ret_provider == NULL) {
		ERR_clear_error();
		return kg_fail(
			err, -KGE_SIGN,
			"signing key %s: OpenSSL has no provider \"pkcs11\" here: install "
			"the package pkcs11-provider, or let framework.conf's sign_file name "
			"a program that can use the token",
			uri);
	}
	*ret_key = open_key(uri);
	return *ret_key != NULL ? 0 : key_fail(err, "cannot use signing key", uri);
}
