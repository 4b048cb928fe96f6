// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/deb_pool.h"

#include <errno.h>
#include <string.h>

#include "core/base/fd.h"
#include "plugins/apt/deb.h"

void deb_pool_fini(struct deb_pool *pool)
{
	strv_fini(&pool->files);
	strv_fini(&pool->seen);
}

/* Of @type, root's own, and nobody else may write to it. */
static bool is_trusted(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

void deb_pool_add(struct deb_pool *pool, const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *list = fd >= 0 && is_trusted(fd, S_IFDIR) ? fd_list(fd) : NULL;
	struct dirent *entry;

	while (list != NULL && (entry = fd_list_next(list)) != NULL)
		if (str_ends(entry->d_name, ".deb"))
			strv_addf(&pool->files, "%s/%s", dir, entry->d_name);
}

/* As apt names the file of a package: the epoch's colon is quoted. */
static bool is_named_after(const char *file, const char *control)
{
	_cleanup_free_ char *name = deb_field(control, "Package");
	_cleanup_free_ char *version = deb_field(control, "Version");
	_cleanup_free_ char *arch = deb_field(control, "Architecture");
	_cleanup_str_ struct str expected = { 0 };

	if (name == NULL || version == NULL || arch == NULL)
		return false;
	str_addf(&expected, "%s_", name);
	for (const char *p = version; *p != '\0'; p++) {
		if (*p == ':')
			str_add(&expected, "%3a");
		else
			str_addc(&expected, *p);
	}
	str_addf(&expected, "_%s.deb", arch);
	return str_ok(&expected) && strcmp(str_get(&expected), file) == 0;
}

static bool is_usable(const char *path, struct deb *ret_deb)
{
	_cleanup_deb_ struct deb deb = DEB_INIT;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (!is_trusted(fd, S_IFREG)) {
		close(fd);
		return false;
	}
	if (deb_open_fd(fd, path, &deb, NULL) < 0 || !deb_is_whole(&deb) ||
	    !is_named_after(strrchr(path, '/') + 1, str_get(&deb.control)))
		return false;
	*ret_deb = deb;
	deb = (struct deb)DEB_INIT;
	return true;
}

static void want_dependencies(struct deb_pool *pool, const struct deb *deb)
{
	static const char *const fields[] = { "Pre-Depends", "Depends" };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		_cleanup_free_ char *value = deb_field(str_get(&deb->control), fields[i]);
		const char *p = value;
		const char *word;
		size_t len;

		while (p != NULL && (p = deb_next_name(p, &word, &len)) != NULL) {
			_cleanup_str_ struct str name = { 0 };

			str_addn(&name, word, len);
			if (!strv_has(&pool->seen, str_get(&name)))
				strv_add(&pool->seen, str_get(&name));
		}
	}
}

static bool is_of_package(const char *path, const char *name)
{
	const char *file = strrchr(path, '/') + 1;
	size_t len = strlen(name);

	return strncmp(file, name, len) == 0 && file[len] == '_';
}

static void take_package(struct deb_pool *pool, const char *name, struct strv *paths)
{
	for (size_t i = 0; i < pool->files.n; i++) {
		_cleanup_deb_ struct deb deb = DEB_INIT;
		const char *path = pool->files.v[i];

		if (!is_of_package(path, name) || !is_usable(path, &deb))
			continue;
		strv_add(paths, path);
		want_dependencies(pool, &deb);
	}
}

int deb_pool_find(struct deb_pool *pool, const char *name, struct strv *ret_paths)
{
	strv_add(&pool->seen, name);
	for (size_t i = 0; i < pool->seen.n; i++)
		take_package(pool, pool->seen.v[i], ret_paths);
	return strv_ok(&pool->files) && strv_ok(&pool->seen) && strv_ok(ret_paths)
		       ? 0
		       : -ENOMEM;
}
