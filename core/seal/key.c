// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/key.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/fd.h"

#define KEY_FILE_MAX (1U << 20)

/* libcrypto keeps its reasons in a queue of the thread, which may be a host's: leave it empty. */
int key_fail(struct kg_err *err, const char *what, const char *name)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return kg_fail(err, -KGE_SIGN, "%s %s: %s", what, name,
		       reason != NULL ? reason : "unknown reason");
}

/* Opens the file a signature depends on; no link, and nothing that could block. */
static int open_file(int dir_fd, const char *name, struct stat *ret_stat,
		     struct kg_err *err)
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return kg_fail_errno(err, -errno, "cannot open %s", name);
	if (fstat(fd, ret_stat) < 0)
		return kg_fail_errno(err, -errno, "cannot look at %s", name);
	if (!S_ISREG(ret_stat->st_mode))
		return kg_fail(err, -KGE_SIGN, "%s is not a regular file", name);
	return TAKE_FD(fd);
}

/* Who else can read or change the key can sign whatever this machine will load. */
static int check_key_is_private(const char *name, const struct stat *st,
				struct kg_err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return kg_fail(err, -KGE_SIGN,
			       "signing key %s belongs to user %u, not root", name,
			       st->st_uid);
	if ((st->st_mode & 077) != 0)
		return kg_fail(
			err, -KGE_SIGN,
			"signing key %s is open to other users (mode %04o, needs 0600)",
			name, st->st_mode & 07777);
	return 0;
}

int key_answer_passphrase(char *buf, int size, int is_writing, void *data)
{
	const char *pin = getenv("KBUILD_SIGN_PIN");
	int len;

	(void)is_writing;
	(void)data;
	if (pin == NULL || size <= 0)
		return -1;
	len = snprintf(buf, (size_t)size, "%s", pin);
	return len > 0 && len < size ? len : -1;
}

int key_read(int dir_fd, const char *name, EVP_PKEY **ret_key, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	_cleanup_bio_ BIO *bio = NULL;
	struct stat st = { 0 };
	size_t len;
	int r;

	r = libcrypto_load(err);
	if (r < 0)
		return r;
	fd = open_file(dir_fd, name, &st, err);
	if (fd < 0)
		return fd;
	r = check_key_is_private(name, &st, err);
	if (r < 0)
		return r;
	r = fd_read_all(fd, KEY_FILE_MAX, &text, &len);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read %s", name);
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio != NULL)
		*ret_key =
			PEM_read_bio_PrivateKey(bio, NULL, key_answer_passphrase, NULL);
	OPENSSL_cleanse(text, len);
	return *ret_key != NULL ? 0 : key_fail(err, "cannot use signing key", name);
}

/* DER, which begins with a SEQUENCE tag, or PEM. */
int key_read_cert(int dir_fd, const char *name, X509 **ret_cert, struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	_cleanup_bio_ BIO *bio = NULL;
	struct stat st = { 0 };
	size_t len;
	int r;

	r = libcrypto_load(err);
	if (r < 0)
		return r;
	fd = open_file(dir_fd, name, &st, err);
	if (fd < 0)
		return fd;
	r = fd_read_all(fd, KEY_FILE_MAX, &text, &len);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read %s", name);
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio != NULL && text[0] == 0x30)
		*ret_cert = d2i_X509_bio(bio, NULL);
	else if (bio != NULL)
		*ret_cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	return *ret_cert != NULL ? 0 : key_fail(err, "cannot use certificate", name);
}
