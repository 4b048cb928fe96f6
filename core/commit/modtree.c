// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/commit/modtree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"

int modtree_try_modules(const struct kg_system *sys)
{
	return fd_try_open_in(sys->root_fd, sys->install_tree, O_RDONLY | O_DIRECTORY);
}

static int try_below_modules(const struct kg_system *sys, const char *name)
{
	_cleanup_close_ int modules_fd = modtree_try_modules(sys);
	int fd;

	if (modules_fd < 0)
		return modules_fd;
	fd = openat(modules_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int modtree_try_work(const struct kg_system *sys)
{
	return try_below_modules(sys, MODTREE_WORK);
}

int modtree_try_release(const struct kg_system *sys, const char *release)
{
	return try_below_modules(sys, release);
}

int modtree_make_dir_at(int dir_fd, const char *name, struct kg_err *err)
{
	if (mkdirat(dir_fd, name, 0755) == 0)
		(void)!fchmodat(dir_fd, name, 0755, 0);
	else if (errno != EEXIST)
		return kg_fail_errno(err, -errno, "cannot make directory %s", name);
	return fd_open_dir_at(dir_fd, name, err);
}

static int make_modules(const struct kg_system *sys, bool *ret_is_ours,
			struct kg_err *err)
{
	int fd = modtree_try_modules(sys);

	*ret_is_ours = fd == -ENOENT;
	if (fd == -ENOENT)
		return fd_make_dir_in(sys->root_fd, sys->install_tree, 0755, err);
	return fd >= 0 ? fd : kg_fail_errno(err, fd, "cannot open %s", sys->install_tree);
}

int modtree_make_work(const struct kg_system *sys, struct kg_err *err)
{
	bool is_ours = false;
	_cleanup_close_ int modules_fd = make_modules(sys, &is_ours, err);
	_cleanup_close_ int work_fd = -1;

	if (modules_fd < 0)
		return modules_fd;
	work_fd = modtree_make_dir_at(modules_fd, MODTREE_WORK, err);
	if (work_fd < 0)
		return work_fd;
	if (is_ours) {
		_cleanup_close_ int fd = openat(work_fd, MODTREE_MADE,
						O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return kg_fail_errno(err, -errno, "cannot write %s/%s",
					     MODTREE_WORK, MODTREE_MADE);
	}
	if (fsync(work_fd) < 0 || fsync(modules_fd) < 0)
		return kg_fail_errno(err, -errno, "cannot sync %s", sys->install_tree);
	return TAKE_FD(work_fd);
}

static bool has_other_than(int dir_fd, const char *name)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	if (dir == NULL)
		return true;
	while ((entry = fd_list_next(dir)) != NULL)
		if (strcmp(entry->d_name, name) != 0)
			return true;
	return false;
}

void modtree_drop_work(const struct kg_system *sys)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);
	_cleanup_close_ int modules_fd = modtree_try_modules(sys);
	_cleanup_close_ int parent_fd = -1;
	const char *slash = strrchr(sys->install_tree, '/');
	bool is_ours;

	if (work_fd < 0 || modules_fd < 0)
		return;
	unlinkat(work_fd, MODTREE_SWITCH, AT_REMOVEDIR);
	if (has_other_than(work_fd, MODTREE_MADE))
		return;
	is_ours = unlinkat(work_fd, MODTREE_MADE, 0) == 0;
	unlinkat(modules_fd, MODTREE_WORK, AT_REMOVEDIR);
	if (!is_ours)
		return;
	parent_fd = openat(modules_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd >= 0)
		unlinkat(parent_fd, slash != NULL ? slash + 1 : sys->install_tree,
			 AT_REMOVEDIR);
}

int modtree_open_parent(const struct kg_system *sys, const char *release,
			const char *path, const char **ret_name)
{
	_cleanup_str_ struct str s = { 0 };
	const char *slash = strrchr(path, '/');

	str_addf(&s, "%s", sys->install_tree);
	if (strcmp(path, ".") != 0)
		str_addf(&s, "/%s", release);
	if (slash != NULL)
		str_addf(&s, "/%.*s", (int)(slash - path), path);
	if (!str_ok(&s))
		return -ENOMEM;
	*ret_name = slash != NULL ? slash + 1 : path;
	if (strcmp(path, ".") == 0)
		*ret_name = release;
	return fd_try_open_in(sys->root_fd, str_get(&s), O_RDONLY | O_DIRECTORY);
}

int modtree_check_names(const char *release, const char *const *files, struct kg_err *err)
{
	if (!name_is_word(release))
		return kg_fail(err, -KGE_HOSTILE, "not a kernel release: '%s'", release);
	for (; files != NULL && *files != NULL; files++)
		if (!name_is_path(*files))
			return kg_fail(err, -KGE_HOSTILE, "%s: not a module's path: '%s'",
				       release, *files);
	return 0;
}

bool modtree_has_kernel(const struct kg_system *sys, const char *release)
{
	static const char *const marks[] = { "modules.dep", "modules.order", "kernel" };
	_cleanup_close_ int fd = modtree_try_release(sys, release);

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(marks); i++)
		if (faccessat(fd, marks[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

int modtree_has_file(const struct kg_system *sys, const char *release, const char *path)
{
	const char *name;
	_cleanup_close_ int fd = modtree_open_parent(sys, release, path, &name);
	struct stat st;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISDIR(st.st_mode) ? -EISDIR : 1;
}

int modtree_digest_at(int dir_fd, const char *name, char ret_hex[DIGEST_HEX_SIZE])
{
	_cleanup_close_ int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct digest d;
	struct stat st;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : errno == ELOOP ? -KGE_EXISTS : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -KGE_EXISTS;
	r = digest_init(&d);
	if (r < 0)
		return r;
	r = digest_add_fd(&d, fd);
	if (r == 0)
		r = digest_final(&d, ret_hex);
	digest_fini(&d);
	return r;
}

int modtree_digest_in(const struct kg_system *sys, const char *release, const char *path,
		      char ret_hex[DIGEST_HEX_SIZE])
{
	const char *name;
	_cleanup_close_ int parent_fd = modtree_open_parent(sys, release, path, &name);

	return parent_fd < 0 ? parent_fd : modtree_digest_at(parent_fd, name, ret_hex);
}

/* Without ".ko" in its name: nobody's depmod may list it. */
static void temp_name(const char *name, char ret_tmp[64])
{
	char hex[DIGEST_HEX_SIZE] = "x";

	(void)!digest_hex(name, strlen(name), hex);
	snprintf(ret_tmp, 64, ".kmodgate-%.16s", hex);
}

void modtree_drop_temp(int dir_fd, const char *name)
{
	char tmp[64];

	temp_name(name, tmp);
	unlinkat(dir_fd, tmp, 0);
}

/* A file or symlink @from_name over @to_name: whole and on disk, or not at all. */
static int copy_entry(int from_fd, const char *from_name, int to_fd, const char *to_name)
{
	_cleanup_free_ char *target = NULL;
	char tmp[64];
	int r = fd_read_link_at(from_fd, from_name, &target);

	temp_name(to_name, tmp);
	unlinkat(to_fd, tmp, 0);
	if (r == 0)
		r = symlinkat(target, to_fd, tmp) < 0 ? -errno : 0;
	else if (r == -EINVAL) /* not a link */
		r = fd_copy_file_at(from_fd, from_name, to_fd, tmp, 0644, NULL);
	if (r == 0 && renameat(to_fd, tmp, to_fd, to_name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(to_fd, tmp, 0);
	return r;
}

int modtree_move(int from_fd, const char *from_name, int to_fd, const char *to_name)
{
	int r;

	if (renameat(from_fd, from_name, to_fd, to_name) == 0)
		return 0;
	if (errno != EXDEV)
		return -errno;
	r = copy_entry(from_fd, from_name, to_fd, to_name);
	/* The old name going is the sign that it was moved: not before it is on disk. */
	if (r == 0 && fsync(to_fd) < 0)
		r = -errno;
	if (r == 0 && unlinkat(from_fd, from_name, 0) < 0)
		r = -errno;
	return r;
}

int modtree_link(int from_fd, const char *from_name, int to_fd, const char *to_name)
{
	if (linkat(from_fd, from_name, to_fd, to_name, 0) == 0)
		return 0;
	if (errno != EXDEV && errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
		return -errno;
	return copy_entry(from_fd, from_name, to_fd, to_name);
}
