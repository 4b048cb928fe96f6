// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fault/trees.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "core/base/fd.h"
#include "core/commit/modtree.h"
#include "tests/fault/actions.h"
#include "tests/lib/system.h"

struct bench bench;

_Noreturn void die(const char *what)
{
	fprintf(stderr, "driver: %s: %s\n", what, strerror(errno));
	exit(2);
}

void path_of(char out[512], const char *name)
{
	if (snprintf(out, 512, "%s/%s", bench.base, name) >= 512)
		die(name);
}

void open_system(struct kg_system *sys)
{
	static char root[512];

	path_of(root, "root");
	*sys = (struct kg_system){
		.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.root = root,
		.running = HERE,
		TEST_SYSTEM_PLACES,
	};
	if (sys->root_fd < 0)
		die(root);
}

void make_empty(const char *name)
{
	if (fd_remove_tree_at(bench.base_fd, name, NULL) < 0 ||
	    mkdirat(bench.base_fd, name, 0755) < 0)
		die(name);
}

void copy_tree(const char *from, const char *to)
{
	struct kg_err err = { 0 };
	_cleanup_close_ int from_fd = fd_open_dir_in(bench.base_fd, from, NULL);
	_cleanup_close_ int to_fd = fd_open_dir_in(bench.base_fd, to, NULL);

	if (from_fd < 0 || to_fd < 0 ||
	    fd_copy_tree(from_fd, to_fd, FD_COPY_KEEP_OWNER, 0, 0, &err) < 0)
		die(err.text);
}

static void mount_overlay(const char *lower)
{
	char options[2048];
	char root[512];

	path_of(root, "root");
	umount2(root, MNT_DETACH);
	make_empty("upper");
	make_empty("work");
	snprintf(options, sizeof(options),
		 "volatile,lowerdir=%s/%s,upperdir=%s/upper,workdir=%s/work", bench.base,
		 lower, bench.base, bench.base);
	if (mount("overlay", root, "overlay", 0, options) < 0)
		die("mount overlay");
}

static void mount_kernel(const char *from)
{
	char source[512];
	char path[1024];

	snprintf(source, sizeof(source), "%s/lib/modules/" HERE, from);
	snprintf(path, sizeof(path), "%s/root/lib/modules/" HERE, bench.base);
	if (mount("tmpfs", path, "tmpfs", 0, "mode=755") < 0)
		die("mount tmpfs");
	copy_tree(source, "root/lib/modules/" HERE);
}

static void copy_root(const char *from)
{
	_cleanup_close_ int root_fd = fd_open_dir_at(bench.base_fd, "root", NULL);
	char path[1024];

	snprintf(path, sizeof(path), "%s/root/lib/modules/" HERE, bench.base);
	if (bench.kind == IS_MOUNTED)
		umount2(path, MNT_DETACH);
	if (root_fd < 0 || fd_empty_dir(root_fd, NULL) < 0)
		die("root");
	copy_tree(from, "root");
	if (bench.kind == IS_MOUNTED)
		mount_kernel(from);
}

void reset(const char *from)
{
	if (bench.kind == IS_OVERLAY)
		mount_overlay(from);
	else
		copy_root(from);
}

void save(const char *to)
{
	make_empty(to);
	copy_tree("root", to);
}

static void add_tree(struct digest *d, int dir_fd, const char *name)
{
	_cleanup_close_ int fd = fd_open_dir_at(dir_fd, name, NULL);

	digest_add_field(d, "tree", name);
	if (fd < 0 || digest_add_tree(d, fd, NULL) < 0)
		die(name);
}

struct digest_text look(const struct kg_system *sys, enum look which)
{
	_cleanup_close_ int fd = modtree_try_modules(sys);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fd_list(fd) : NULL;
	_cleanup_strv_ struct strv names = { 0 };
	struct digest_text result;
	struct dirent *entry;
	struct digest d;

	if (dir == NULL || digest_init(&d) < 0)
		die("lib/modules");
	while ((entry = fd_list_next(dir)) != NULL)
		if (which == LOOK_ALL || strcmp(entry->d_name, MODTREE_WORK) != 0)
			strv_add(&names, entry->d_name);
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		add_tree(&d, fd, names.v[i]);
	if (digest_final(&d, result.hex) < 0)
		die("digest");
	digest_fini(&d);
	return result;
}

bool is_same(const struct digest_text *a, const struct digest_text *b)
{
	return strcmp(a->hex, b->hex) == 0;
}
