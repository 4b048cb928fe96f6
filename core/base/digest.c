// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/libcrypto.h"

int digest_ready(struct kg_err *err)
{
	return libcrypto_load(err);
}

int digest_init(struct digest *d)
{
	EVP_MD_CTX *ctx;
	int r = libcrypto_load(NULL);

	*d = (struct digest){ 0 };
	if (r < 0)
		return r;
	ctx = EVP_MD_CTX_new();
	d->ctx = ctx;
	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1)
		return 0;
	digest_fini(d);
	return -ENOMEM;
}

void digest_fini(struct digest *d)
{
	if (d->ctx != NULL)
		EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

void digest_add_raw(struct digest *d, const void *data, size_t len)
{
	if (EVP_DigestUpdate(d->ctx, data, len) != 1)
		d->failed = true;
}

static void add_sized(struct digest *d, const char *text, size_t len)
{
	char size[24];
	int n = snprintf(size, sizeof(size), "%zu:", len);

	digest_add_raw(d, size, (size_t)n);
	digest_add_raw(d, text, len);
}

void digest_add_field(struct digest *d, const char *name, const char *value)
{
	add_sized(d, name, strlen(name));
	if (value == NULL)
		digest_add_raw(d, "-", 1);
	else
		add_sized(d, value, strlen(value));
}

int digest_add_fd(struct digest *d, int fd)
{
	char buf[65536];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		digest_add_raw(d, buf, (size_t)n);
		at += n;
	}
}

static int add_regular(struct digest *d, int dir_fd, const char *name,
		       const struct stat *st)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char head[64];

	if (fd < 0)
		return -errno;
	snprintf(head, sizeof(head), "f %o %" PRIu64, st->st_mode & 0777,
		 (uint64_t)st->st_size);
	digest_add_field(d, head, NULL);
	return digest_add_fd(d, fd);
}

static int add_link(struct digest *d, int dir_fd, const char *name)
{
	_cleanup_free_ char *target = NULL;
	int r = fd_read_link_at(dir_fd, name, &target);

	if (r == 0)
		digest_add_field(d, "l", target);
	return r;
}

static int add_dir(struct digest *d, int dir_fd, const char *name, struct kg_err *err)
{
	_cleanup_close_ int fd = fd_open_dir_at(dir_fd, name, err);

	if (fd < 0)
		return fd;
	digest_add_field(d, "d", NULL);
	return digest_add_tree(d, fd, err);
}

static int add_entry(struct digest *d, int dir_fd, const char *name, struct kg_err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	digest_add_field(d, "entry", name);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return add_regular(d, dir_fd, name, &st);
	case S_IFLNK:
		return add_link(d, dir_fd, name);
	case S_IFDIR:
		return add_dir(d, dir_fd, name, err);
	default:
		digest_add_field(d, "other", NULL);
		return 0;
	}
}

int digest_add_tree(struct digest *d, int dir_fd, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	_cleanup_strv_ struct strv names = { 0 };
	struct dirent *entry;

	if (dir == NULL)
		return kg_fail_errno(err, -errno, "cannot list a directory");
	while ((entry = fd_list_next(dir)) != NULL)
		strv_add(&names, entry->d_name);
	if (!strv_ok(&names))
		return kg_fail_errno(err, -ENOMEM, "cannot list a directory");
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		int r = add_entry(d, dir_fd, names.v[i], err);

		if (r < 0)
			return kg_fail_errno(err, r, "cannot read %s", names.v[i]);
	}
	digest_add_field(d, "end", NULL);
	return 0;
}

int digest_final(struct digest *d, char ret_hex[DIGEST_HEX_SIZE])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (d->failed || EVP_DigestFinal_ex(d->ctx, raw, &len) != 1 || len != 32)
		return -ENOMEM;
	for (unsigned int i = 0; i < len; i++)
		snprintf(ret_hex + (size_t)2 * i, 3, "%02x", raw[i]);
	return 0;
}

int digest_hex(const void *data, size_t len, char ret_hex[DIGEST_HEX_SIZE])
{
	struct digest d;
	int r = digest_init(&d);

	if (r < 0)
		return r;
	digest_add_raw(&d, data, len);
	r = digest_final(&d, ret_hex);
	digest_fini(&d);
	return r;
}
