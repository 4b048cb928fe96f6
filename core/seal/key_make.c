// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine's own signing key, with the certificate that "mokutil --import" takes. */
#include "core/seal/seal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/seal/key.h"

#define KEY_BITS 2048
#define SERIAL_BITS 159 /* positive and within the 20 bytes of RFC 5280 */
#define VALID_DAYS 36500
#define SUBJECT "DKMS module signing key" /* what people look for in MokManager */

/*
 * The extensions of "openssl req -x509 -addext extendedKeyUsage=codeSigning". A CA, as those
 * are: some kernels take only CAs of the firmware's list into their module keyring.
 */
static const struct {
	int nid;
	const char *value;
} extensions[] = {
	{ NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" }, /* needs the one before */
	{ NID_basic_constraints, "critical,CA:TRUE" },
	{ NID_ext_key_usage, "codeSigning" },
};

static bool add_extensions(X509 *cert)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, extensions[i].nid,
							  extensions[i].value);
		bool added = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

		X509_EXTENSION_free(ext);
		if (!added)
			return false;
	}
	return true;
}

static bool set_serial(X509 *cert)
{
	BIGNUM *number = BN_new();
	bool ok =
		number != NULL &&
		BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
		BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;

	BN_free(number);
	return ok;
}

static bool set_subject(X509 *cert)
{
	X509_NAME *name = X509_NAME_new();
	bool ok = name != NULL &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					     (const unsigned char *)SUBJECT, -1, -1,
					     0) == 1 &&
		  X509_set_subject_name(cert, name) == 1 &&
		  X509_set_issuer_name(cert, name) == 1;

	X509_NAME_free(name);
	return ok;
}

/* Self-signed, or NULL. */
static X509 *make_cert(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
	    set_serial(cert) &&
	    X509_time_adj_ex(X509_getm_notBefore(cert), 0, 0, NULL) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) != NULL &&
	    set_subject(cert) && X509_set_pubkey(cert, key) == 1 &&
	    add_extensions(cert) && X509_sign(cert, key, EVP_sha256()) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

/*
 * The whole file or none, and never in the place of one that is there: a link instead of a
 * rename, since RENAME_NOREPLACE is not known to every file system.
 */
static int create_file(int dir_fd, const char *name, BIO *content, mode_t mode)
{
	char tmp[NAME_MAX + 1];
	_cleanup_close_ int fd = -1;
	char *data;
	long len = BIO_get_mem_data(content, &data);
	int r;

	if (snprintf(tmp, sizeof(tmp), ".%s.kmodgate-new", name) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	unlinkat(dir_fd, tmp, 0);
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, (size_t)len);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0 && linkat(dir_fd, tmp, dir_fd, name, 0) < 0)
		r = -errno;
	unlinkat(dir_fd, tmp, 0);
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	return r;
}

static int save_key(int dir_fd, const char *name, EVP_PKEY *key, struct kg_err *err)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_secmem());
	int r = -ENOMEM;

	if (bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
		r = create_file(dir_fd, name, bio, 0600);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot make signing key %s", name);
}

static int save_cert(int dir_fd, const char *name, X509 *cert, struct kg_err *err)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
	int r = -ENOMEM;

	if (bio != NULL && i2d_X509_bio(bio, cert) == 1)
		r = create_file(dir_fd, name, bio, 0644);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot make certificate %s", name);
}

static bool has_file(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int save_new_cert(int dir_fd, const char *name, EVP_PKEY *key, struct kg_err *err)
{
	_cleanup_cert_ X509 *cert = make_cert(key);

	if (cert == NULL)
		return key_fail(err, "cannot make certificate", name);
	return save_cert(dir_fd, name, cert, err);
}

/* A certificate alone says whose key was lost: nothing of ours may take its name. */
int seal_make_key(int dir_fd, const char *key_name, const char *cert_name,
		  struct kg_err *err)
{
	_cleanup_key_ EVP_PKEY *key = NULL;
	bool has_key = has_file(dir_fd, key_name);
	bool has_cert = has_file(dir_fd, cert_name);
	int r;

	if (has_key && has_cert)
		return 0;
	r = libcrypto_load(err);
	if (r < 0)
		return r;
	if (has_cert)
		return kg_fail(err, -KGE_SIGN,
			       "certificate %s is there, but not its key %s", cert_name,
			       key_name);
	if (has_key) {
		r = key_read(dir_fd, key_name, &key, err);
	} else {
		key = EVP_RSA_gen(KEY_BITS);
		if (key == NULL)
			return key_fail(err, "cannot make signing key", key_name);
		r = save_key(dir_fd, key_name, key, err);
	}
	return r < 0 ? r : save_new_cert(dir_fd, cert_name, key, err);
}
