/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A throw-away root with a DKMS tree, for the registry's tests. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/registry/registry.h"

#define K1 "6.1.0-1-amd64"
#define K2 "6.1.0-2-amd64"
#define ARCH "x86_64"
#define TREE "var/lib/dkms"

struct fixture {
	char path[64];
	struct kg_system sys;
	struct arena arena;
	struct kg_err err;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "/tmp/kg-registry-XXXXXX");
	if (mkdtemp(f->path) == NULL)
		return -1;
	f->sys = (struct kg_system){
		.root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.root = f->path,
		.running = K1,
		.arch = ARCH,
		.dkms_tree = TREE,
		.source_tree = "usr/src",
		.install_tree = "lib/modules",
	};
	*state = f;
	return f->sys.root_fd < 0 ? -1 : 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type,
			     struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	close(f->sys.root_fd);
	nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static inline void make_dir(struct fixture *f, const char *path)
{
	int fd = fd_make_dir_in(f->sys.root_fd, path, 0755, &f->err);

	if (fd < 0)
		fail_msg("%s", f->err.text);
	close(fd);
}

static inline void make_parent(struct fixture *f, const char *path)
{
	char *copy = strdup(path);
	char *slash = strrchr(copy, '/');

	if (slash != NULL) {
		*slash = '\0';
		make_dir(f, copy);
	}
	free(copy);
}

static inline void make_file(struct fixture *f, const char *path, const char *text)
{
	int fd;

	make_parent(f, path);
	fd = openat(f->sys.root_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static inline void make_link(struct fixture *f, const char *path, const char *target)
{
	make_parent(f, path);
	assert_int_equal(symlinkat(target, f->sys.root_fd, path), 0);
}

static inline bool is_there(struct fixture *f, const char *path)
{
	struct stat st;

	return fstatat(f->sys.root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void assert_content(struct fixture *f, const char *path, const char *text)
{
	char *data = NULL;

	assert_int_equal(
		fd_read_file_in(f->sys.root_fd, path, 1 << 20, &data, NULL, NULL), 0);
	assert_string_equal(data, text);
	free(data);
}

/* Names of M, V of a source whose folder is usr/src/M-V, with a plain dkms.conf of one module. */
static inline void make_source(struct fixture *f, const char *name, const char *version)
{
	char path[256];
	char text[512];

	snprintf(path, sizeof(path), "usr/src/%s-%s/dkms.conf", name, version);
	snprintf(
		text, sizeof(text),
		"PACKAGE_NAME=\"%s\"\nPACKAGE_VERSION=\"%s\"\nBUILT_MODULE_NAME[0]=\"%s\"\n"
		"DEST_MODULE_LOCATION[0]=\"/updates\"\nAUTOINSTALL=\"yes\"\n",
		name, version, name);
	make_file(f, path, text);
}

static inline void make_added(struct fixture *f, const char *name, const char *version)
{
	char path[256];
	char target[256];

	make_source(f, name, version);
	snprintf(path, sizeof(path), TREE "/%s/%s/source", name, version);
	snprintf(target, sizeof(target), "/usr/src/%s-%s", name, version);
	make_link(f, path, target);
}

static inline void make_built(struct fixture *f, const char *name, const char *version,
			      const char *release)
{
	char path[256];

	snprintf(path, sizeof(path), TREE "/%s/%s/%s/" ARCH "/module/%s.ko", name,
		 version, release, name);
	make_file(f, path, version);
}

static inline void make_active(struct fixture *f, const char *name, const char *version,
			       const char *release)
{
	char path[256];
	char target[256];

	snprintf(path, sizeof(path), TREE "/%s/kernel-%s-" ARCH, name, release);
	snprintf(target, sizeof(target), "%s/%s/" ARCH, version, release);
	make_link(f, path, target);
}

static inline void make_installed(struct fixture *f, const char *name,
				  const char *version, const char *release)
{
	char path[256];

	make_built(f, name, version, release);
	make_active(f, name, version, release);
	snprintf(path, sizeof(path), "lib/modules/%s/updates/dkms/%s.ko", release, name);
	make_file(f, path, version);
}

/* "M/V: state" or "M/V, K, A: state" of every entry, with the notes' first letters, one a line. */
static inline void list_text(struct fixture *f, const struct reg_filter *filter,
			     struct str *out)
{
	struct reg_list list;

	if (reg_list_read(&f->sys, filter, REG_COMPARE, &list, &f->err) < 0)
		fail_msg("%s", f->err.text);
	str_clear(out);
	for (size_t i = 0; i < list.n; i++) {
		const struct reg_entry *e = &list.entries[i];

		str_addf(out, "%s/%s", e->name, e->version);
		if (e->release != NULL)
			str_addf(out, ", %s, %s", e->release, e->arch);
		str_addf(out, ": %s%s%s%s\n", reg_state_text(e->state),
			 e->has_original ? " O" : "", e->misses_installed ? " B" : "",
			 e->differs_installed ? " D" : "");
	}
	reg_list_fini(&list);
}

static inline void assert_list(struct fixture *f, struct reg_filter filter,
			       const char *expected)
{
	struct str out = { 0 };

	list_text(f, &filter, &out);
	assert_string_equal(str_get(&out), expected);
	str_fini(&out);
}

#define ALL ((struct reg_filter){ 0 })
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
