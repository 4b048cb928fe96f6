// SPDX-License-Identifier: GPL-2.0-or-later
/* A provider "pkcs11" whose token is the DER file KG_TOKEN; its PIN is 1234. */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
		       const OSSL_DISPATCH **out, void **ret_ctx);

struct session {
	int is_read;
};

static void *store_open(void *ctx, const char *uri)
{
	(void)ctx;
	return strcmp(uri, "pkcs11:object=mok") == 0 ? calloc(1, sizeof(struct session))
						     : NULL;
}

static int store_eof(void *loader)
{
	return ((struct session *)loader)->is_read;
}

static int store_close(void *loader)
{
	free(loader);
	return 1;
}

static int store_set(void *loader, const OSSL_PARAM params[])
{
	(void)loader;
	(void)params;
	return 1;
}

static size_t read_token(unsigned char *buf, size_t size)
{
	const char *path = getenv("KG_TOKEN");
	FILE *f = path != NULL ? fopen(path, "r") : NULL;
	size_t n = f != NULL ? fread(buf, 1, size, f) : 0;

	if (f != NULL)
		fclose(f);
	return n;
}

static int store_load(void *loader, OSSL_CALLBACK *give, void *give_arg,
		      OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg)
{
	static unsigned char der[8192];
	int type = OSSL_OBJECT_PKEY;
	char name[] = "RSA";
	char structure[] = "PrivateKeyInfo";
	char pin[64] = "";
	size_t pin_len = 0;
	OSSL_PARAM object[5];

	((struct session *)loader)->is_read = 1;
	if (ask(pin, sizeof(pin), &pin_len, NULL, ask_arg) != 1 || pin_len != 4 ||
	    memcmp(pin, "1234", 4) != 0)
		return 0;
	object[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type);
	object[1] =
		OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, name, 0);
	object[2] = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE,
						     structure, 0);
	object[3] = OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der,
						      read_token(der, sizeof(der)));
	object[4] = OSSL_PARAM_construct_end();
	return give(object, give_arg);
}

static const OSSL_DISPATCH store_functions[] = {
	{ OSSL_FUNC_STORE_OPEN, (void (*)(void))store_open },
	{ OSSL_FUNC_STORE_SET_CTX_PARAMS, (void (*)(void))store_set },
	{ OSSL_FUNC_STORE_LOAD, (void (*)(void))store_load },
	{ OSSL_FUNC_STORE_EOF, (void (*)(void))store_eof },
	{ OSSL_FUNC_STORE_CLOSE, (void (*)(void))store_close },
	{ 0, NULL },
};
static const OSSL_ALGORITHM stores[] = {
	{ "pkcs11", "provider=pkcs11", store_functions, "a token" },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	return operation == OSSL_OP_STORE ? stores : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
	{ 0, NULL },
};

int OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
		       const OSSL_DISPATCH **out, void **ret_ctx)
{
	static int ctx;

	(void)core;
	(void)in;
	*out = provider_functions;
	*ret_ctx = &ctx;
	return 1;
}
