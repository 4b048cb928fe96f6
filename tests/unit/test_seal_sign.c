// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "core/base/fd.h"
#include "core/base/spawn.h"
#include "core/seal/seal.h"

static const char module[] = "\177ELF this is a module\0with a NUL";
#define MODULE_LEN (sizeof(module) - 1)
static const char magic[] = "~Module signature appended~\n";

struct dir {
	char path[64];
	int fd;
};

static int setup(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	strcpy(d->path, "/tmp/kg-sign-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(d->fd >= 0);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct dir *d = *state;

	assert_int_equal(fd_empty_dir(d->fd, NULL), 0);
	close(d->fd);
	assert_int_equal(rmdir(d->path), 0);
	free(d);
	return 0;
}

static void make_key(const struct dir *d)
{
	struct kg_err err = { 0 };

	assert_int_equal(seal_make_key(d->fd, "mok.key", "mok.pub", &err), 0);
	assert_int_equal(err.code, 0);
}

/* Making one takes a while; most tests want any. */
static void put_key(const struct dir *d)
{
	static char *key;
	static char *cert;
	static size_t key_len;
	static size_t cert_len;

	if (key == NULL) {
		make_key(d);
		assert_int_equal(
			fd_read_file_in(d->fd, "mok.key", 65536, &key, &key_len, NULL),
			0);
		assert_int_equal(
			fd_read_file_in(d->fd, "mok.pub", 65536, &cert, &cert_len, NULL),
			0);
		return;
	}
	assert_int_equal(fd_replace_at(d->fd, "mok.key", key, key_len, 0600, NULL), 0);
	assert_int_equal(fd_replace_at(d->fd, "mok.pub", cert, cert_len, 0644, NULL), 0);
}

static struct seal_key with_key(const struct dir *d)
{
	return (struct seal_key){ .key_dir_fd = d->fd,
				  .key = "mok.key",
				  .cert_dir_fd = d->fd,
				  .cert = "mok.pub",
				  .hash = "sha256" };
}

static int sign(const struct dir *d, struct str *out, struct kg_err *err)
{
	const struct seal_key with = with_key(d);

	return seal_sign(module, MODULE_LEN, &with, out, err);
}

static void assert_not_signed(const struct dir *d, const char *words)
{
	struct kg_err err = { 0 };
	struct str out = { 0 };

	assert_true(sign(d, &out, &err) < 0);
	assert_null(out.p);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
	assert_int_equal(ERR_peek_error(), 0);
}

static void write_file(const struct dir *d, const char *name, const void *data,
		       size_t len)
{
	assert_int_equal(fd_replace_at(d->fd, name, data, len, 0600, NULL), 0);
}

static X509 *read_cert(const struct dir *d)
{
	char *text = NULL;
	const unsigned char *at;
	size_t len;
	X509 *cert;

	assert_int_equal(fd_read_file_in(d->fd, "mok.pub", 65536, &text, &len, NULL), 0);
	at = (const unsigned char *)text;
	cert = d2i_X509(NULL, &at, (long)len);
	assert_non_null(cert);
	assert_ptr_equal(at, text + len);
	free(text);
	return cert;
}

/* Start and length of the DER between module and trailer. */
static const char *find_signature(const struct str *out, size_t *ret_len)
{
	static const unsigned char head[8] = { 0, 0, 2, 0, 0, 0, 0, 0 };
	const char *end = out->p + out->len - (sizeof(magic) - 1);
	uint32_t len;

	assert_memory_equal(end, magic, sizeof(magic) - 1);
	assert_memory_equal(end - 12, head, sizeof(head));
	memcpy(&len, end - 4, sizeof(len));
	*ret_len = ntohl(len);
	assert_int_equal(out->len, MODULE_LEN + *ret_len + 12 + sizeof(magic) - 1);
	return out->p + MODULE_LEN;
}

static void test_a_module_is_followed_by_a_signature_that_verifies(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str out = { 0 };
	const unsigned char *der;
	CMS_ContentInfo *cms;
	BIO *content;
	STACK_OF(X509) *signers = sk_X509_new_null();
	size_t len;

	put_key(d);
	assert_int_equal(sign(d, &out, &err), 0);
	assert_memory_equal(out.p, module, MODULE_LEN);
	der = (const unsigned char *)find_signature(&out, &len);
	cms = d2i_CMS_ContentInfo(NULL, &der, (long)len);
	assert_non_null(cms);
	assert_null(CMS_get1_certs(cms));
	sk_X509_push(signers, read_cert(d));
	content = BIO_new_mem_buf(module, (int)MODULE_LEN);
	assert_int_equal(
		CMS_verify(cms, signers, NULL, content, NULL,
			   CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN),
		1);
	BIO_free(content);
	CMS_ContentInfo_free(cms);
	sk_X509_pop_free(signers, X509_free);
	str_fini(&out);
}

static int openssl(const struct dir *d, const char *const args[])
{
	const char *argv[20] = { "/usr/bin/openssl" };
	const struct kg_spawn how = {
		.argv = argv, .dir_fd = d->fd, .in_fd = -1, .out_fd = -1, .err_fd = -1
	};
	int status = -1;

	for (size_t i = 0; args[i] != NULL; i++)
		argv[i + 1] = args[i];
	assert_int_equal(spawn_run(&how, 60000, &status, NULL), 0);
	return status;
}

static void test_the_openssl_program_verifies_it(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str out = { 0 };
	const char *der;
	size_t len;
	static const char *const to_pem[] = { "x509",	 "-inform", "DER",     "-in",
					      "mok.pub", "-out",    "mok.pem", NULL };
	static const char *const verify[] = { "cms",	   "-verify",  "-binary",
					      "-inform",   "DER",      "-in",
					      "sig",	   "-content", "mod",
					      "-certfile", "mok.pem",  "-nointern",
					      "-noverify", NULL };

	if (faccessat(AT_FDCWD, "/usr/bin/openssl", X_OK, 0) < 0)
		skip();
	put_key(d);
	assert_int_equal(sign(d, &out, &err), 0);
	der = find_signature(&out, &len);
	write_file(d, "sig", der, len);
	write_file(d, "mod", module, MODULE_LEN);
	assert_int_equal(openssl(d, to_pem), 0);
	assert_int_equal(openssl(d, verify), 0);
	write_file(d, "mod", "another module", 14);
	assert_int_not_equal(openssl(d, verify), 0);
	str_fini(&out);
}

static void test_the_same_module_gets_the_same_signature(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str one = { 0 };
	struct str two = { 0 };

	put_key(d);
	assert_int_equal(sign(d, &one, &err), 0);
	assert_int_equal(sign(d, &two, &err), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.p, two.p, one.len);
	str_fini(&one);
	str_fini(&two);
}

static void test_a_certificate_may_be_pem(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str der = { 0 };
	struct str pem = { 0 };
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert;
	char *text;
	long len;

	put_key(d);
	assert_int_equal(sign(d, &der, &err), 0);
	cert = read_cert(d);
	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	len = BIO_get_mem_data(bio, &text);
	write_file(d, "mok.pub", text, (size_t)len);
	assert_int_equal(sign(d, &pem, &err), 0);
	assert_int_equal(der.len, pem.len);
	assert_memory_equal(der.p, pem.p, der.len);
	X509_free(cert);
	BIO_free(bio);
	str_fini(&der);
	str_fini(&pem);
}

static void test_a_new_key_is_private_and_its_certificate_is_for_code(void **state)
{
	struct dir *d = *state;
	struct stat st;
	X509 *cert;
	char name[64];
	int days;
	int seconds;

	make_key(d);
	assert_int_equal(fstatat(d->fd, "mok.key", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	cert = read_cert(d);
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name,
				  sizeof(name));
	assert_string_equal(name, "DKMS module signing key");
	assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(cert)), 2048);
	assert_int_equal(X509_get_extended_key_usage(cert), XKU_CODE_SIGN);
	assert_int_equal(X509_self_signed(cert, 1), 1);
	assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert),
					X509_get0_notAfter(cert)),
			 1);
	assert_int_equal(days, 36500);
	X509_free(cert);
}

static void test_a_key_that_is_there_is_kept(void **state)
{
	struct dir *d = *state;
	char *before = NULL;
	char *after = NULL;
	size_t len;

	put_key(d);
	assert_int_equal(fd_read_file_in(d->fd, "mok.key", 65536, &before, &len, NULL),
			 0);
	make_key(d);
	/* also when only the certificate got lost: it is made again for the same key */
	assert_int_equal(unlinkat(d->fd, "mok.pub", 0), 0);
	make_key(d);
	assert_int_equal(fd_read_file_in(d->fd, "mok.key", 65536, &after, &len, NULL), 0);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void test_a_certificate_without_its_key_is_not_replaced(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct stat st;

	write_file(d, "mok.pub", "somebody's", 10);
	assert_int_equal(seal_make_key(d->fd, "mok.key", "mok.pub", &err), -KGE_SIGN);
	assert_non_null(strstr(err.text, "mok.key"));
	assert_int_equal(fstatat(d->fd, "mok.key", &st, 0), -1);
}

static void test_a_dangling_link_is_not_written_through(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct stat st;

	assert_int_equal(symlinkat("elsewhere", d->fd, "mok.key"), 0);
	assert_true(seal_make_key(d->fd, "mok.key", "mok.pub", &err) < 0);
	assert_int_equal(fstatat(d->fd, "elsewhere", &st, 0), -1);
}

static void test_no_temporary_file_stays(void **state)
{
	struct dir *d = *state;
	DIR *dir;
	int n = 0;

	write_file(d, ".mok.key.kmodgate-new", "left by a killed one", 20);
	make_key(d);
	dir = fd_list(d->fd);
	while (fd_list_next(dir) != NULL)
		n++;
	closedir(dir);
	assert_int_equal(n, 2);
}

static void test_a_key_that_others_can_read_is_refused(void **state)
{
	struct dir *d = *state;

	put_key(d);
	assert_int_equal(fchmodat(d->fd, "mok.key", 0640, 0), 0);
	assert_not_signed(d, "mode 0640");
	assert_int_equal(fchmodat(d->fd, "mok.key", 0602, 0), 0);
	assert_not_signed(d, "mode 0602");
}

static void test_a_linked_key_is_refused(void **state)
{
	struct dir *d = *state;

	put_key(d);
	assert_int_equal(renameat(d->fd, "mok.key", d->fd, "real"), 0);
	assert_int_equal(symlinkat("real", d->fd, "mok.key"), 0);
	assert_not_signed(d, "mok.key");
}

static void test_a_fifo_does_not_block(void **state)
{
	struct dir *d = *state;

	put_key(d);
	assert_int_equal(unlinkat(d->fd, "mok.pub", 0), 0);
	assert_int_equal(mkfifoat(d->fd, "mok.pub", 0600), 0);
	assert_not_signed(d, "not a regular file");
}

static void test_what_is_no_key_is_named(void **state)
{
	struct dir *d = *state;

	put_key(d);
	write_file(d, "mok.key", "-----BEGIN NONSENSE-----\n", 25);
	assert_not_signed(d, "mok.key");
	write_file(d, "mok.key", "", 0);
	assert_not_signed(d, "mok.key");
}

static void test_what_is_no_certificate_is_named(void **state)
{
	struct dir *d = *state;

	put_key(d);
	write_file(d, "mok.pub", "0\202\377\377", 4);
	assert_not_signed(d, "mok.pub");
	write_file(d, "mok.pub", "", 0);
	assert_not_signed(d, "mok.pub");
}

static void test_a_certificate_of_another_key_is_refused(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };

	put_key(d);
	assert_int_equal(seal_make_key(d->fd, "other.key", "other.pub", &err), 0);
	assert_int_equal(renameat(d->fd, "other.pub", d->fd, "mok.pub"), 0);
	assert_not_signed(d, "does not belong");
}

static void test_an_unknown_hash_is_refused(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str out = { 0 };
	struct seal_key with = with_key(d);

	put_key(d);
	with.hash = "crc32";
	assert_int_equal(seal_sign(module, MODULE_LEN, &with, &out, &err), -KGE_SIGN);
	assert_non_null(strstr(err.text, "crc32"));
}

static void test_key_and_certificate_may_be_in_two_folders(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str together = { 0 };
	struct str apart = { 0 };
	struct seal_key with = with_key(d);

	put_key(d);
	assert_int_equal(sign(d, &together, &err), 0);
	with.cert_dir_fd = fd_make_dir_in(d->fd, "certs", 0755, &err);
	assert_true(with.cert_dir_fd >= 0);
	with.cert = "c.der";
	assert_int_equal(
		fd_copy_file_at(d->fd, "mok.pub", with.cert_dir_fd, "c.der", 0644, &err),
		0);
	assert_int_equal(unlinkat(d->fd, "mok.pub", 0), 0);
	assert_int_equal(seal_sign(module, MODULE_LEN, &with, &apart, &err), 0);
	assert_int_equal(together.len, apart.len);
	assert_memory_equal(together.p, apart.p, together.len);
	assert_true(seal_is_signed(apart.p, apart.len));
	assert_false(seal_is_signed(module, MODULE_LEN));
	close(with.cert_dir_fd);
	str_fini(&together);
	str_fini(&apart);
}

/* No test machine has one: the empty folder makes sure of it. */
static void test_a_token_needs_a_provider(void **state)
{
	struct dir *d = *state;
	struct kg_err err = { 0 };
	struct str out = { 0 };
	struct seal_key with = with_key(d);

	put_key(d);
	with.key = "pkcs11:object=x";
	assert_int_equal(setenv("OPENSSL_MODULES", d->path, 1), 0);
	assert_int_equal(seal_sign(module, MODULE_LEN, &with, &out, &err), -KGE_SIGN);
	unsetenv("OPENSSL_MODULES");
	assert_non_null(strstr(err.text, "pkcs11-provider"));
	assert_non_null(strstr(err.text, "sign_file"));
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(sign(d, &out, NULL), 0);
	str_fini(&out);
}

static void test_a_protected_key_needs_its_passphrase(void **state)
{
	struct dir *d = *state;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	struct kg_err err = { 0 };
	struct str out = { 0 };
	char *text;
	long len;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, EVP_aes_256_cbc(),
						  (const unsigned char *)"secret", 6,
						  NULL, NULL),
			 1);
	len = BIO_get_mem_data(bio, &text);
	write_file(d, "mok.key", text, (size_t)len);
	unsetenv("KBUILD_SIGN_PIN");
	assert_true(seal_make_key(d->fd, "mok.key", "mok.pub", &err) < 0);
	setenv("KBUILD_SIGN_PIN", "secret", 1);
	make_key(d);
	memset(&err, 0, sizeof(err));
	assert_int_equal(sign(d, &out, &err), 0);
	unsetenv("KBUILD_SIGN_PIN");
	str_fini(&out);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_module_is_followed_by_a_signature_that_verifies),
		TEST(test_the_openssl_program_verifies_it),
		TEST(test_the_same_module_gets_the_same_signature),
		TEST(test_a_certificate_may_be_pem),
		TEST(test_a_new_key_is_private_and_its_certificate_is_for_code),
		TEST(test_a_key_that_is_there_is_kept),
		TEST(test_a_certificate_without_its_key_is_not_replaced),
		TEST(test_a_dangling_link_is_not_written_through),
		TEST(test_no_temporary_file_stays),
		TEST(test_a_key_that_others_can_read_is_refused),
		TEST(test_a_linked_key_is_refused),
		TEST(test_a_fifo_does_not_block),
		TEST(test_what_is_no_key_is_named),
		TEST(test_what_is_no_certificate_is_named),
		TEST(test_a_certificate_of_another_key_is_refused),
		TEST(test_an_unknown_hash_is_refused),
		TEST(test_key_and_certificate_may_be_in_two_folders),
		TEST(test_a_token_needs_a_provider),
		TEST(test_a_protected_key_needs_its_passphrase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
