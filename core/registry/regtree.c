// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/registry/regtree.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"

__attribute__((format(printf, 1, 0))) static char *vtext(const char *fmt, va_list ap)
{
	char *text = NULL;

	return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

char *regtree_text(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vtext(fmt, ap);
	va_end(ap);
	return text;
}

__attribute__((format(printf, 2, 0))) static char *regtree_path(
	const struct kg_system *sys, const char *fmt, va_list ap)
{
	_cleanup_free_ char *tail = vtext(fmt, ap);

	return tail != NULL ? regtree_text("%s/%s", sys->dkms_tree, tail) : NULL;
}

__attribute__((format(printf, 3, 0))) static int regtree_vopen(
	const struct kg_system *sys, int flags, const char *fmt, va_list ap)
{
	_cleanup_free_ char *path = regtree_path(sys, fmt, ap);

	return path == NULL ? -ENOMEM : fd_try_open_in(sys->root_fd, path, flags);
}

int regtree_open(const struct kg_system *sys, int flags, const char *fmt, ...)
{
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = regtree_vopen(sys, flags, fmt, ap);
	va_end(ap);
	return fd;
}

int regtree_open_dir(const struct kg_system *sys, const char *fmt, ...)
{
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = regtree_vopen(sys, O_RDONLY | O_DIRECTORY, fmt, ap);
	va_end(ap);
	return fd;
}

int regtree_open_sub(const struct kg_system *sys, int dir_fd, const char *dir,
		     const char *sub, int flags)
{
	int fd = fd_try_open_plain(dir_fd, sub, flags);

	return fd != -ELOOP ? fd : regtree_open(sys, flags, "%s/%s", dir, sub);
}

bool regtree_has_dir(const struct kg_system *sys, const char *fmt, ...)
{
	_cleanup_close_ int fd = -1;
	va_list ap;

	va_start(ap, fmt);
	fd = regtree_vopen(sys, O_PATH | O_DIRECTORY, fmt, ap);
	va_end(ap);
	return fd >= 0;
}

int regtree_make_dir(const struct kg_system *sys, struct kg_err *err, const char *fmt,
		     ...)
{
	_cleanup_free_ char *path = NULL;
	va_list ap;

	va_start(ap, fmt);
	path = regtree_path(sys, fmt, ap);
	va_end(ap);
	if (path == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot make a folder in /%s",
				     sys->dkms_tree);
	return fd_make_dir_in(sys->root_fd, path, 0755, err);
}

/* Folders that are the registry's own and go with M/V. */
static bool is_own_folder(const char *name)
{
	static const char *const own[] = { "build", "source", "tarball", "driver_disk",
					   "rpm",   "deb",    "dsc",	 "bmdeb" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return name[0] == '.';
}

int regtree_find_foreign(int version_fd, char ret_name[NAME_MAX + 1])
{
	_cleanup_strv_ struct strv names = { 0 };
	int r = regtree_list_dirs(version_fd, NULL, &names);

	ret_name[0] = '\0';
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct stat st;

		if (is_own_folder(names.v[i]) ||
		    fstatat(version_fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		/* An empty or half-written kernel folder is rubbish, not foreign. */
		if (names.v[i][0] >= '0' && names.v[i][0] <= '9')
			continue;
		snprintf(ret_name, NAME_MAX + 1, "%s", names.v[i]);
	}
	return r;
}

/* An entry was taken off, but for a folder that is somebody else's. */
static bool is_leftover(int version_fd)
{
	const struct reg_filter all = { 0 };
	_cleanup_strv_ struct strv built = { 0 };
	_cleanup_close_ int fd = -1;
	_cleanup_close_ int again_fd = -1;
	char foreign[NAME_MAX + 1];
	struct stat st;

	if (fstatat(version_fd, "build", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	fd = fd_open_dir_at(version_fd, ".", NULL);
	again_fd = fd_open_dir_at(version_fd, ".", NULL);
	return fd >= 0 && again_fd >= 0 && regtree_find_foreign(fd, foreign) == 0 &&
	       foreign[0] != '\0' && regtree_list_built(again_fd, &all, &built) == 0 &&
	       built.n == 0;
}

enum regtree_source regtree_source_state(const struct kg_system *sys, int version_fd,
					 const char *name, const char *version)
{
	_cleanup_close_ int source_fd = -1;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	char target[1];

	if (readlinkat(version_fd, "source", target, sizeof(target)) > 0) {
		source_fd = regtree_open(sys, O_PATH | O_DIRECTORY, "%s/%s/source", name,
					 version);
		return source_fd >= 0 ? TREE_ADDED : TREE_BROKEN;
	}
	/* no link but a folder: reg_add_stub() */
	if (fstatat(version_fd, "source/dkms.conf", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return TREE_ADDED;
	path = regtree_text("%s/%s-%s", sys->source_tree, name, version);
	if (path != NULL)
		source_fd = fd_try_open_in(sys->root_fd, path, O_PATH | O_DIRECTORY);
	return path == NULL || (source_fd >= 0 && !is_leftover(version_fd))
		       ? TREE_BROKEN
		       : TREE_NO_SOURCE;
}

/* The shell globs the filters of `dkms status`, extended patterns included; so do we. */
static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL || strstr(text, "(") != NULL;
}

static bool fits(const struct dirent64 *entry, const char *pattern)
{
	if (entry->d_type != DT_DIR && entry->d_type != DT_LNK &&
	    entry->d_type != DT_UNKNOWN)
		return false;
	return name_is_plain(entry->d_name) &&
	       (pattern == NULL ||
		fnmatch(pattern, entry->d_name, FNM_PERIOD | FNM_EXTMATCH) == 0);
}

/* Not readdir: its five extra calls a folder are a third of what `status` costs. */
int regtree_list_dirs(int dir_fd, const char *pattern, struct strv *ret_names)
{
	_Alignas(struct dirent64) char buf[16384];

	if (pattern != NULL && !is_pattern(pattern)) {
		if (name_is_plain(pattern))
			strv_add(ret_names, pattern);
		return strv_ok(ret_names) ? 0 : -ENOMEM;
	}
	for (;;) {
		ssize_t n = getdents64(dir_fd, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		if (n == 0)
			return strv_ok(ret_names) ? 0 : -ENOMEM;
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(buf + at);

			if (fits(entry, pattern))
				strv_add(ret_names, entry->d_name);
			at += entry->d_reclen;
		}
	}
}

/* A version may not look like the link of an active one: kernel-R-A. */
static bool is_kernel_link(const char *name)
{
	return str_starts(name, "kernel-") &&
	       strchr(name + strlen("kernel-"), '-') != NULL;
}

static int list_versions_of(const struct kg_system *sys, int tree_fd, const char *name,
			    const char *pattern, struct strv *ret_paths)
{
	_cleanup_strv_ struct strv versions = { 0 };
	_cleanup_close_ int dir_fd =
		regtree_open_sub(sys, tree_fd, ".", name, O_RDONLY | O_DIRECTORY);
	int r = dir_fd < 0 ? dir_fd : regtree_list_dirs(dir_fd, pattern, &versions);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		kg_debug("/%s/%s: not a module's folder (%s)", sys->dkms_tree, name,
			 kg_strerror(r));
		return 0;
	}
	for (size_t i = 0; i < versions.n; i++)
		if (!is_kernel_link(versions.v[i]))
			strv_addf(ret_paths, "%s/%s", name, versions.v[i]);
	return strv_ok(ret_paths) ? 0 : -ENOMEM;
}

int regtree_list_versions(const struct kg_system *sys, const struct reg_filter *filter,
			  struct strv *ret_paths, struct kg_err *err)
{
	_cleanup_close_ int tree_fd =
		fd_try_open_in(sys->root_fd, sys->dkms_tree, O_RDONLY | O_DIRECTORY);
	_cleanup_strv_ struct strv names = { 0 };
	int r;

	if (tree_fd == -ENOENT)
		return 0;
	r = tree_fd < 0 ? tree_fd : regtree_list_dirs(tree_fd, filter->name, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = list_versions_of(sys, tree_fd, names.v[i], filter->version,
				     ret_paths);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot list /%s", sys->dkms_tree);
	/* The order of a shell's glob over M/V: of whole paths, so a-b/1 comes before a/1. */
	strv_sort(ret_paths);
	return 0;
}

/* Digits and a dot: what is a kernel's folder beside build, tarball and the like. */
static bool looks_like_release(const char *name)
{
	const char *p = name;

	while (isdigit((unsigned char)*p))
		p++;
	return p > name && *p == '.';
}

static int list_built_for(int version_fd, const char *release, const char *pattern,
			  struct strv *ret_paths)
{
	_cleanup_close_ int dir_fd = openat(
		version_fd, release, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_strv_ struct strv arches = { 0 };
	int r = dir_fd < 0 ? 0 : regtree_list_dirs(dir_fd, pattern, &arches);

	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; i < arches.n; i++) {
		char path[NAME_MAX + sizeof("/module")];
		struct stat st;

		snprintf(path, sizeof(path), "%s/module", arches.v[i]);
		if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			strv_addf(ret_paths, "%s/%s", release, arches.v[i]);
	}
	return strv_ok(ret_paths) ? 0 : -ENOMEM;
}

int regtree_list_built(int version_fd, const struct reg_filter *filter,
		       struct strv *ret_paths)
{
	_cleanup_strv_ struct strv releases = { 0 };
	int r = regtree_list_dirs(version_fd, filter->release, &releases);

	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; i < releases.n; i++) {
		if (filter->release == NULL && !looks_like_release(releases.v[i]))
			continue;
		r = list_built_for(version_fd, releases.v[i], filter->arch, ret_paths);
		if (r < 0)
			return r;
	}
	strv_sort(ret_paths);
	return 0;
}

int regtree_check_names(const char *name, const char *version, const char *release,
			const char *arch, struct kg_err *err)
{
	if (!name_is_word(name))
		return kg_fail(err, -EINVAL, "not a module name: '%s'", name);
	if (!name_is_word(version))
		return kg_fail(err, -EINVAL, "%s: not a module version: '%s'", name,
			       version);
	if (release != NULL && !name_is_word(release))
		return kg_fail(err, -EINVAL, "not a kernel release: '%s'", release);
	if (arch != NULL && !name_is_word(arch))
		return kg_fail(err, -EINVAL, "not an architecture: '%s'", arch);
	return 0;
}
