// SPDX-License-Identifier: GPL-2.0-or-later
/* Which key signs modules, where it is, and making it. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/run/command.h"
#include "core/seal/seal.h"

#define UBUNTU_KEYS "/var/lib/shim-signed/mok"
#define KEY_MAX_BYTES (1u << 20)
#define NEW_CERT ".kmodgate-new.mok.pub"

static bool is_ubuntu(const struct kg_system *sys)
{
	_cleanup_free_ char *text = NULL;

	return fd_read_file_in(sys->root_fd, "etc/os-release", 65536, &text, NULL,
			       NULL) == 0 &&
	       (str_starts(text, "ID=ubuntu\n") || strstr(text, "\nID=ubuntu\n") != NULL);
}

/* How much of @text's beginning stands for the release. */
static size_t form_length(const char *text)
{
	static const char *const forms[] = { "${kernelver}", "$kernelver" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (str_starts(text, forms[i]))
			return strlen(forms[i]);
	return 0;
}

const char *run_expand_release(struct arena *arena, const char *path, const char *release)
{
	_cleanup_str_ struct str text = { 0 };

	while (path != NULL && *path != '\0') {
		size_t n = form_length(path);

		if (n > 0)
			str_addf(&text, "%s", release);
		else
			str_addc(&text, *path);
		path += n > 0 ? n : 1;
	}
	return path != NULL && str_ok(&text) ? arena_strdup(arena, str_get(&text)) : NULL;
}

int run_mok_paths(struct run *run, const char *release, struct run_mok *ret_mok,
		  struct kg_err *err)
{
	const struct kg_framework *fw = &run->framework;

	*ret_mok = (struct run_mok){ .is_default = fw->mok_signing_key == NULL &&
						   fw->mok_certificate == NULL };
	if (fw->mok_signing_key != NULL)
		ret_mok->key =
			run_expand_release(&run->arena, fw->mok_signing_key, release);
	else if (is_ubuntu(run->sys))
		ret_mok->key = UBUNTU_KEYS "/MOK.priv";
	else
		ret_mok->key =
			arena_printf(&run->arena, "/%s/mok.key", run->sys->dkms_tree);
	if (fw->mok_certificate != NULL)
		ret_mok->cert =
			run_expand_release(&run->arena, fw->mok_certificate, release);
	else if (fw->mok_signing_key == NULL && is_ubuntu(run->sys))
		ret_mok->cert = UBUNTU_KEYS "/MOK.der";
	else
		ret_mok->cert =
			arena_printf(&run->arena, "/%s/mok.pub", run->sys->dkms_tree);
	if (ret_mok->key == NULL || ret_mok->cert == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot name the signing key");
	return 0;
}

/* The folder of the absolute @path, made where it is missing; its name in it. */
static int open_folder(struct run *run, const char *path, const char **ret_name,
		       struct kg_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *dir;

	if (path[0] != '/' || slash[1] == '\0')
		return kg_fail(err, -KGE_SIGN,
			       "framework.conf: not the path of a key: %s", path);
	*ret_name = slash + 1;
	dir = arena_strndup(&run->arena, path, (size_t)(slash - path));
	return dir == NULL ? kg_fail_errno(err, -ENOMEM, "%s", path)
			   : fd_make_dir_in(run->sys->root_fd, dir[0] != '\0' ? dir : ".",
					    0755, err);
}

static bool has_file(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool same_file(int a_fd, const char *a, int b_fd, const char *b)
{
	_cleanup_free_ char *a_text = NULL;
	_cleanup_free_ char *b_text = NULL;
	size_t n = 0;
	size_t m = 0;

	return fd_read_file_in(a_fd, a, KEY_MAX_BYTES, &a_text, &n, NULL) == 0 &&
	       fd_read_file_in(b_fd, b, KEY_MAX_BYTES, &b_text, &m, NULL) == 0 &&
	       n == m && memcmp(a_text, b_text, n) == 0;
}

int run_mok_place(int from_fd, const char *from, int to_fd, const char *to,
		  struct kg_err *err)
{
	char tmp[NAME_MAX + 1];
	struct stat st;
	int r;

	if (snprintf(tmp, sizeof(tmp), ".%s.kmodgate-new", to) >= (int)sizeof(tmp))
		return kg_fail_errno(err, -ENAMETOOLONG, "cannot make %s", to);
	if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return kg_fail_errno(err, -errno, "cannot copy %s", from);
	(void)unlinkat(to_fd, tmp, 0); /* of one that was killed here */
	r = fd_copy_file_at(from_fd, from, to_fd, tmp, st.st_mode & 0777, err);
	if (r < 0) {
		(void)unlinkat(to_fd, tmp, 0);
		return r;
	}
	r = linkat(to_fd, tmp, to_fd, to, 0) < 0 ? -errno : 0;
	if (r == -EEXIST && same_file(to_fd, tmp, to_fd, to))
		r = 0;
	(void)unlinkat(to_fd, tmp, 0);
	if (r == 0 && fsync(to_fd) < 0)
		r = -errno;
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot make %s", to);
}

/* libcrypto's part makes both in one folder: the certificate moves on from there. */
static int make_apart(int key_fd, const char *key, int cert_fd, const char *cert,
		      struct kg_err *err)
{
	int r;

	if (has_file(cert_fd, cert))
		return has_file(key_fd, key)
			       ? 0
			       : kg_fail(err, -KGE_SIGN,
					 "certificate %s is there, but not its key %s",
					 cert, key);
	(void)unlinkat(key_fd, NEW_CERT, 0);
	r = seal_make_key(key_fd, key, NEW_CERT, err);
	if (r == 0)
		r = run_mok_place(key_fd, NEW_CERT, cert_fd, cert, err);
	(void)unlinkat(key_fd, NEW_CERT, 0);
	return r;
}

int run_mok_open(struct run *run, const struct run_mok *mok, struct seal_key *ret_key,
		 struct kg_err *err)
{
	struct seal_key key = SEAL_KEY_INIT;
	int r = 0;

	if (seal_is_token(mok->key))
		key.key = mok->key;
	else
		r = key.key_dir_fd = open_folder(run, mok->key, &key.key, err);
	if (r >= 0)
		r = key.cert_dir_fd = open_folder(run, mok->cert, &key.cert, err);
	if (r < 0) {
		seal_key_fini(&key);
		return r;
	}
	*ret_key = key;
	return 0;
}

int run_mok_make(const struct seal_key *key, struct kg_err *err)
{
	struct stat a;
	struct stat b;

	if (seal_is_token(key->key))
		return 0;
	if (fstat(key->key_dir_fd, &a) == 0 && fstat(key->cert_dir_fd, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return seal_make_key(key->key_dir_fd, key->key, key->cert, err);
	return make_apart(key->key_dir_fd, key->key, key->cert_dir_fd, key->cert, err);
}

int kg_dkms_generate_mok(const struct kg_system *sys, const char *release,
			 struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	struct seal_key key = SEAL_KEY_INIT;
	struct run_mok mok;
	int r = run_command_begin(&c, sys, err);

	if (r == 0)
		r = run_mok_paths(&c.run, release, &mok, err);
	if (r < 0)
		return r;
	if (seal_is_token(mok.key)) {
		kg_info("the signing key is %s: nothing is made for it", mok.key);
		return 0;
	}
	r = run_mok_open(&c.run, &mok, &key, err);
	if (r == 0)
		r = run_mok_make(&key, err);
	seal_key_fini(&key);
	if (r < 0)
		return r;
	kg_info("signing key: %s", mok.key);
	kg_info("certificate: %s (mokutil --import takes it)", mok.cert);
	return 0;
}
