/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * libcrypto, opened when the first digest or signature is: to load it takes longer than the rest of most
 * commands. After libcrypto_load() its calls are made as ever; one that is not listed fails to link.
 */
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "core/base/err.h"

/* -EOPNOTSUPP: the library is not there or lacks a call. Any thread may call it, any time. */
int libcrypto_load(struct kg_err *err) _must_check_;

#define LIBCRYPTO_CALLS(X) \
	X(BIO_ctrl) \
	X(BIO_free) \
	X(BIO_new) \
	X(BIO_new_mem_buf) \
	X(BIO_s_mem) \
	X(BIO_s_secmem) \
	X(BN_free) \
	X(BN_new) \
	X(BN_rand) \
	X(BN_to_ASN1_INTEGER) \
	X(CMS_ContentInfo_free) \
	X(CMS_add1_signer) \
	X(CMS_final) \
	X(CMS_sign) \
	X(CRYPTO_free) \
	X(ERR_clear_error) \
	X(ERR_peek_last_error) \
	X(ERR_reason_error_string) \
	X(EVP_DigestFinal_ex) \
	X(EVP_DigestInit_ex) \
	X(EVP_DigestUpdate) \
	X(EVP_MD_CTX_free) \
	X(EVP_MD_CTX_new) \
	X(EVP_PKEY_Q_keygen) \
	X(EVP_PKEY_free) \
	X(EVP_get_digestbyname) \
	X(EVP_sha256) \
	X(OPENSSL_cleanse) \
	X(OSSL_PROVIDER_try_load) \
	X(OSSL_PROVIDER_unload) \
	X(OSSL_STORE_INFO_free) \
	X(OSSL_STORE_INFO_get1_PKEY) \
	X(OSSL_STORE_close) \
	X(OSSL_STORE_eof) \
	X(OSSL_STORE_error) \
	X(OSSL_STORE_expect) \
	X(OSSL_STORE_load) \
	X(OSSL_STORE_open) \
	X(PEM_read_bio_PrivateKey) \
	X(PEM_read_bio_X509) \
	X(PEM_write_bio_PrivateKey) \
	X(UI_UTIL_wrap_read_pem_callback) \
	X(UI_destroy_method) \
	X(X509_EXTENSION_free) \
	X(X509_NAME_add_entry_by_txt) \
	X(X509_NAME_free) \
	X(X509_NAME_new) \
	X(X509_add_ext) \
	X(X509V3_EXT_conf_nid) \
	X(X509V3_set_ctx) \
	X(X509_check_private_key) \
	X(X509_free) \
	X(X509_get_serialNumber) \
	X(X509_getm_notAfter) \
	X(X509_getm_notBefore) \
	X(X509_new) \
	X(X509_set_issuer_name) \
	X(X509_set_pubkey) \
	X(X509_set_subject_name) \
	X(X509_set_version) \
	X(X509_sign) \
	X(X509_time_adj_ex) \
	X(d2i_X509_bio) \
	X(i2d_CMS_ContentInfo) \
	X(i2d_X509_bio)

/* In the types of the header that is there, whatever its version. */
#define X(name) extern __typeof__(name) *late_##name;
LIBCRYPTO_CALLS(X)
#undef X

#ifndef LIBCRYPTO_ITSELF
#define BIO_ctrl (*late_BIO_ctrl)
#define BIO_free (*late_BIO_free)
#define BIO_new (*late_BIO_new)
#define BIO_new_mem_buf (*late_BIO_new_mem_buf)
#define BIO_s_mem (*late_BIO_s_mem)
#define BIO_s_secmem (*late_BIO_s_secmem)
#define BN_free (*late_BN_free)
#define BN_new (*late_BN_new)
#define BN_rand (*late_BN_rand)
#define BN_to_ASN1_INTEGER (*late_BN_to_ASN1_INTEGER)
#define CMS_ContentInfo_free (*late_CMS_ContentInfo_free)
#define CMS_add1_signer (*late_CMS_add1_signer)
#define CMS_final (*late_CMS_final)
#define CMS_sign (*late_CMS_sign)
#define CRYPTO_free (*late_CRYPTO_free)
#define ERR_clear_error (*late_ERR_clear_error)
#define ERR_peek_last_error (*late_ERR_peek_last_error)
#define ERR_reason_error_string (*late_ERR_reason_error_string)
#define EVP_DigestFinal_ex (*late_EVP_DigestFinal_ex)
#define EVP_DigestInit_ex (*late_EVP_DigestInit_ex)
#define EVP_DigestUpdate (*late_EVP_DigestUpdate)
#define EVP_MD_CTX_free (*late_EVP_MD_CTX_free)
#define EVP_MD_CTX_new (*late_EVP_MD_CTX_new)
#define EVP_PKEY_Q_keygen (*late_EVP_PKEY_Q_keygen)
#define EVP_PKEY_free (*late_EVP_PKEY_free)
#define EVP_get_digestbyname (*late_EVP_get_digestbyname)
#define EVP_sha256 (*late_EVP_sha256)
#define OPENSSL_cleanse (*late_OPENSSL_cleanse)
#define OSSL_PROVIDER_try_load (*late_OSSL_PROVIDER_try_load)
#define OSSL_PROVIDER_unload (*late_OSSL_PROVIDER_unload)
#define OSSL_STORE_INFO_free (*late_OSSL_STORE_INFO_free)
#define OSSL_STORE_INFO_get1_PKEY (*late_OSSL_STORE_INFO_get1_PKEY)
#define OSSL_STORE_close (*late_OSSL_STORE_close)
#define OSSL_STORE_eof (*late_OSSL_STORE_eof)
#define OSSL_STORE_error (*late_OSSL_STORE_error)
#define OSSL_STORE_expect (*late_OSSL_STORE_expect)
#define OSSL_STORE_load (*late_OSSL_STORE_load)
#define OSSL_STORE_open (*late_OSSL_STORE_open)
#define PEM_read_bio_PrivateKey (*late_PEM_read_bio_PrivateKey)
#define PEM_read_bio_X509 (*late_PEM_read_bio_X509)
#define PEM_write_bio_PrivateKey (*late_PEM_write_bio_PrivateKey)
#define UI_UTIL_wrap_read_pem_callback (*late_UI_UTIL_wrap_read_pem_callback)
#define UI_destroy_method (*late_UI_destroy_method)
#define X509_EXTENSION_free (*late_X509_EXTENSION_free)
#define X509_NAME_add_entry_by_txt (*late_X509_NAME_add_entry_by_txt)
#define X509_NAME_free (*late_X509_NAME_free)
#define X509_NAME_new (*late_X509_NAME_new)
#define X509_add_ext (*late_X509_add_ext)
#define X509V3_EXT_conf_nid (*late_X509V3_EXT_conf_nid)
#define X509V3_set_ctx (*late_X509V3_set_ctx)
#define X509_check_private_key (*late_X509_check_private_key)
#define X509_free (*late_X509_free)
#define X509_get_serialNumber (*late_X509_get_serialNumber)
#define X509_getm_notAfter (*late_X509_getm_notAfter)
#define X509_getm_notBefore (*late_X509_getm_notBefore)
#define X509_new (*late_X509_new)
#define X509_set_issuer_name (*late_X509_set_issuer_name)
#define X509_set_pubkey (*late_X509_set_pubkey)
#define X509_set_subject_name (*late_X509_set_subject_name)
#define X509_set_version (*late_X509_set_version)
#define X509_sign (*late_X509_sign)
#define X509_time_adj_ex (*late_X509_time_adj_ex)
#define d2i_X509_bio (*late_d2i_X509_bio)
#define i2d_CMS_ContentInfo (*late_i2d_CMS_ContentInfo)
#define i2d_X509_bio (*late_i2d_X509_bio)
#endif
