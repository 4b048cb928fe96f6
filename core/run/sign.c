// SPDX-License-Identifier: GPL-2.0-or-later
/* Signing: when, with which key, and by libcrypto or by the administrator's program. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/run/run.h"

#define MODULE_MAX_BYTES (512u << 20)
#define PROGRAM_MS (2 * 60 * 1000) /* a token may be slow */
#define PROGRAM_SAYS_MAX (256u << 10)
#define PROGRAM_WORK "sign"
/* A gate's first key, in the transaction's folder. */
#define NEW_DIR "key"
#define NEW_KEY "mok.key"
#define NEW_CERT "mok.pub"

/* ---- when ---- */

/* Our / is not pid 1's: an image is being built, and its keys are nobody's to make here. */
static bool is_in_chroot(int root_fd)
{
	struct stat here;
	struct stat init;

	if (fstat(root_fd, &here) < 0 || stat("/proc/1/root", &init) < 0)
		return false;
	return here.st_dev != init.st_dev || here.st_ino != init.st_ino;
}

static bool wants_signature(const struct run *run, const struct kg_headers *headers)
{
	const char *when = run->framework.try_sign_modules;

	if (headers->sig_hash == NULL)
		return false;
	if (when != NULL && strcmp(when, "false") == 0)
		return false;
	if (when != NULL && strcmp(when, "true") == 0)
		return true;
	return !is_in_chroot(run->sys->root_fd);
}

/* ---- which key ---- */

static bool is_there(const struct run *run, const char *path)
{
	struct stat st;

	return seal_is_token(path) || fd_lstat_in(run->sys->root_fd, path, &st) == 0;
}

/* What the machine keeps is not for a gate to make: its transaction may yet be stopped. */
static int open_new_key(struct run *run, struct seal_key *ret_key, struct kg_err *err)
{
	ret_key->key = NEW_KEY;
	ret_key->cert = NEW_CERT;
	ret_key->key_dir_fd = fd_make_dir_in(run->txn->dir_fd, NEW_DIR, 0700, err);
	if (ret_key->key_dir_fd < 0)
		return ret_key->key_dir_fd;
	ret_key->cert_dir_fd = fd_open_dir_in(run->txn->dir_fd, NEW_DIR, err);
	return ret_key->cert_dir_fd < 0 ? ret_key->cert_dir_fd : 0;
}

static int find_key(struct run *run, const struct run_mok *mok, struct seal_key *ret_key,
		    struct kg_err *err)
{
	bool is_gate = run->txn != NULL && run->txn->state != TXN_PASSED;
	bool has_key = is_there(run, mok->key);
	bool has_cert = is_there(run, mok->cert);

	if (is_gate && mok->is_default && !has_key && !has_cert)
		return open_new_key(run, ret_key, err);
	if (seal_is_token(mok->key) && !has_cert)
		return kg_fail(err, -KGE_SIGN,
			       "certificate %s of signing key %s is missing", mok->cert,
			       mok->key);
	if (is_gate && mok->is_default && has_key && !has_cert)
		return kg_fail(err, -KGE_SIGN,
			       "certificate %s of signing key %s is missing: "
			       "run dkms generate_mok",
			       mok->cert, mok->key);
	if (is_gate && !mok->is_default && (!has_key || !has_cert))
		return kg_fail(
			err, -KGE_SIGN,
			"framework.conf's %s %s is missing: dkms generate_mok makes it",
			has_key ? "certificate" : "signing key",
			has_key ? mok->cert : mok->key);
	return run_mok_open(run, mok, ret_key, err);
}

static int open_key(struct run *run, const char *release, struct seal_key *ret_key,
		    struct kg_err *err)
{
	struct run_mok mok;
	int r = run_mok_paths(run, release, &mok, err);

	/* A command of a maintainer script: the gate's key may not have arrived yet. */
	if (r == 0 && run->txn != NULL && run->txn->state == TXN_PASSED)
		r = run_take_key(run, run->txn, err);
	if (r == 0)
		r = find_key(run, &mok, ret_key, err);
	return r < 0 ? r : run_mok_make(ret_key, err);
}

int run_take_key(struct run *run, const struct txn *txn, struct kg_err *err)
{
	_cleanup_close_ int from_fd =
		fd_try_open_in(txn->dir_fd, NEW_DIR, O_RDONLY | O_DIRECTORY);
	struct seal_key to = SEAL_KEY_INIT;
	struct run_mok mok;
	int r;

	if (from_fd < 0)
		return 0;
	r = run_mok_paths(run, "", &mok,
			  err); /* without a release in them, or not default */
	if (r < 0 || !mok.is_default || is_there(run, mok.key))
		return r;
	r = run_mok_open(run, &mok, &to, err);
	if (r == 0)
		r = run_mok_place(from_fd, NEW_CERT, to.cert_dir_fd, to.cert, err);
	/* the key last: where it is, nothing more is to be done */
	if (r == 0)
		r = run_mok_place(from_fd, NEW_KEY, to.key_dir_fd, to.key, err);
	seal_key_fini(&to);
	return r;
}

/* ---- the administrator's program ---- */

/* Absolute, without links: what an open file or folder is called now. */
static const char *path_of(struct arena *arena, int fd)
{
	_cleanup_free_ char *path = NULL;
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return fd_read_link_at(AT_FDCWD, link, &path) == 0 ? arena_strdup(arena, path)
							   : NULL;
}

static const char *path_in(struct arena *arena, int dir_fd, const char *name)
{
	const char *dir = dir_fd >= 0 ? path_of(arena, dir_fd) : NULL;

	return dir != NULL ? arena_printf(arena, "%s/%s", dir, name) : NULL;
}

/*
 * The kernel's own sign-file comes with its headers, which a gate has in the stage only: libcrypto
 * gives the same bytes.
 */
static int replace_program(const char *path, const char **ret_program, struct kg_err *err)
{
	if (strcmp(strrchr(path, '/'), "/sign-file") != 0)
		return kg_fail(err, -KGE_SIGN, "framework.conf: no sign_file %s", path);
	kg_debug("%s is not there: signed without it", path);
	*ret_program = NULL;
	return 0;
}

/* It runs as root with the key: nobody else may have a say in what it does. */
static int open_program(struct run *run, const char *release, const char **ret_program,
			struct kg_err *err)
{
	const char *path =
		run_expand_release(&run->arena, run->framework.sign_file, release);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (path == NULL)
		return kg_fail_errno(err, -ENOMEM, "sign_file");
	if (path[0] != '/')
		return kg_fail(err, -KGE_SIGN,
			       "framework.conf: sign_file is not an absolute path: %s",
			       path);
	fd = fd_try_open_in(run->sys->root_fd, path, O_PATH);
	if (fd == -ENOENT)
		return replace_program(path, ret_program, err);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kg_fail_errno(err, fd < 0 ? fd : -errno, "sign_file %s", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0100) == 0)
		return kg_fail(err, -KGE_SIGN,
			       "framework.conf: sign_file %s is not a program", path);
	if (st.st_uid != 0 || (st.st_mode & 022) != 0)
		return kg_fail(err, -KGE_SIGN,
			       "framework.conf: sign_file %s can be changed by others "
			       "than root",
			       path);
	*ret_program = path_of(&run->arena, fd);
	return *ret_program != NULL ? 0 : kg_fail_errno(err, -ENOMEM, "%s", path);
}

/* What opens a protected key or a token, as the kernel's sign-file asks for it. */
static const char *const *program_env(struct arena *arena)
{
	static const char *const passed[] = { "KBUILD_SIGN_PIN", "OPENSSL_CONF",
					      "OPENSSL_MODULES", "PKCS11_MODULE_PATH",
					      "PKCS11_PROVIDER_MODULE" };
	const char **env = NULL;
	size_t n = 0;

	for (size_t i = 0; spawn_clean_env[i] != NULL; i++) {
		const char **slot = ARENA_ADD(arena, env, n);

		if (slot != NULL)
			*slot = spawn_clean_env[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
		const char *value = getenv(passed[i]);
		const char **slot = value != NULL ? ARENA_ADD(arena, env, n) : NULL;

		if (slot != NULL)
			*slot = arena_printf(arena, "%s=%s", passed[i], value);
	}
	(void)ARENA_ADD(arena, env, n); /* the NULL at the end */
	return arena->failed ? NULL : env;
}

static int run_program(struct run *run, const struct run_signer *signer, int dir_fd,
		       const char *name, struct kg_err *err)
{
	struct arena *arena = &run->arena;
	const struct seal_key *key = &signer->key;
	const char *key_path = seal_is_token(key->key)
				       ? key->key
				       : path_in(arena, key->key_dir_fd, key->key);
	const char *cert_path = path_in(arena, key->cert_dir_fd, key->cert);
	const char *file_path = path_in(arena, dir_fd, name);
	const char *const argv[] = { signer->program, key->hash, key_path,
				     cert_path,	      file_path, NULL };
	const struct kg_spawn how = { .argv = argv,
				      .env = program_env(arena),
				      .dir_fd = dir_fd,
				      .in_fd = -1,
				      .out_fd = -1,
				      .err_fd = -1 };
	_cleanup_str_ struct str said = { 0 };
	struct kg_err why = { 0 };
	int status = 0;
	int r;

	if (how.env == NULL || key_path == NULL || cert_path == NULL || file_path == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot sign %s", name);
	r = spawn_capture(&how, PROGRAM_MS, PROGRAM_SAYS_MAX, &said, &status, &why);
	if (r == 0 && status != 0)
		r = kg_fail(&why, -KGE_SIGN, "exit %d: %.*s", status,
			    (int)strcspn(str_get(&said), "\n"), str_get(&said));
	return r < 0 ? kg_fail(err, r, "%s: sign_file %s failed: %s", name,
			       signer->program, kg_err_text(&why, r))
		     : 0;
}

/* Not its exit code alone: the module as it was, and a signature. */
static int read_signed(int dir_fd, const struct run_module *module,
		       struct str *ret_signed, struct kg_err *err)
{
	_cleanup_close_ int fd =
		openat(dir_fd, module->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t len = 0;
	int r = fd < 0 ? -errno : fd_read_all(fd, MODULE_MAX_BYTES, &data, &len);

	if (r < 0)
		return kg_fail_errno(err, r, "cannot read the signed %s", module->name);
	if (len <= module->len || memcmp(data, module->data, module->len) != 0 ||
	    !seal_is_signed(data, len))
		return kg_fail(err, -KGE_SIGN, "sign_file left %s without a signature",
			       module->name);
	str_addn(ret_signed, data, len);
	return 0;
}

static int sign_by_program(struct run *run, const struct run_signer *signer,
			   const struct run_module *module, struct str *ret_signed,
			   struct kg_err *err)
{
	_cleanup_close_ int dir_fd =
		fd_make_dir_in(run->work_fd, PROGRAM_WORK, 0700, err);
	int r = dir_fd < 0 ? dir_fd : fd_empty_dir(dir_fd, err);

	if (r == 0)
		r = fd_replace_at(dir_fd, module->name, module->data, module->len, 0600,
				  err);
	if (r == 0)
		r = run_program(run, signer, dir_fd, module->name, err);
	if (r == 0)
		r = read_signed(dir_fd, module, ret_signed, err);
	fd_remove_tree_at(run->work_fd, PROGRAM_WORK, NULL);
	return r;
}

/* ---- for set.c ---- */

int run_signer_open(struct run *run, const struct kg_headers *headers,
		    const char *release, struct run_signer *ret_signer,
		    struct kg_err *err)
{
	struct run_signer signer = { .key = SEAL_KEY_INIT };
	int r = 0;

	signer.is_on = wants_signature(run, headers);
	if (signer.is_on && run->framework.sign_file != NULL)
		r = open_program(run, release, &signer.program, err);
	if (r == 0 && signer.is_on)
		r = open_key(run, release, &signer.key, err);
	if (r < 0) {
		run_signer_fini(&signer);
		return r;
	}
	signer.key.hash = headers->sig_hash;
	*ret_signer = signer;
	return 0;
}

void run_signer_fini(struct run_signer *signer)
{
	seal_key_fini(&signer->key);
	signer->is_on = false;
}

int run_sign(struct run *run, const struct run_signer *signer,
	     const struct run_module *module, struct str *ret_signed, struct kg_err *err)
{
	if (!signer->is_on) {
		str_addn(ret_signed, module->data, module->len);
		return 0;
	}
	if (signer->program != NULL)
		return sign_by_program(run, signer, module, ret_signed, err);
	return seal_sign(module->data, module->len, &signer->key, ret_signed, err);
}
