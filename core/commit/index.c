// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/commit/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/commit/modtree.h"

#define INDEX_TIMEOUT_MS (10 * 60 * 1000)
#define INDEX_MAX_BYTES (256u << 20)
#define INDEX_LOG "depmod.log"

const char *const index_depmod_paths[] = { "/sbin/depmod", "/usr/sbin/depmod",
					   "/usr/bin/depmod", NULL };

/* What depmod reads beside the modules; all other modules.* are what it writes. */
static const char *const index_inputs[] = { "modules.order", "modules.builtin",
					    "modules.builtin.modinfo" };

/* ---- the stage ---- */

/* The real path of an open folder; a --root's own links are behind us then. */
static int true_path(int fd, struct str *out)
{
	_cleanup_free_ char *path = NULL;
	char proc[40];
	int r;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	r = fd_read_link_at(AT_FDCWD, proc, &path);
	if (r == 0)
		str_add(out, path);
	return r < 0 ? r : str_ok(out) ? 0 : -ENOMEM;
}

/* index/lib/modules/RELEASE of @swap, the layout that depmod -b wants. */
static int open_stage(const struct swap *s, struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };

	str_addf(&path, "index/lib/modules/%s", s->release);
	if (!str_ok(&path))
		return kg_fail_errno(err, -ENOMEM, "%s", s->release);
	return fd_make_dir_in(s->dir_fd, str_get(&path), 0755, err);
}

/* A depmod that was built for /usr/lib/modules looks for the same below usr/. */
static int add_usr(int index_fd, struct kg_err *err)
{
	_cleanup_close_ int usr_fd = fd_make_dir_in(index_fd, "usr", 0755, err);

	if (usr_fd < 0)
		return usr_fd;
	if (symlinkat("../lib", usr_fd, "lib") < 0)
		return kg_fail_errno(err, -errno, "cannot link usr/lib for depmod");
	return 0;
}

static bool is_input(const char *name)
{
	if (!str_starts(name, "modules."))
		return strcmp(name, "build") != 0 && strcmp(name, "source") != 0;
	for (size_t i = 0; i < ARRAY_SIZE(index_inputs); i++)
		if (strcmp(name, index_inputs[i]) == 0)
			return true;
	return false;
}

static int link_inputs(int live_fd, int stage_fd, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(live_fd);
	_cleanup_str_ struct str base = { 0 };
	struct dirent *entry;
	int r = dir == NULL ? -errno : true_path(live_fd, &base);

	if (r < 0)
		return kg_fail_errno(err, r, "cannot list the kernel's modules");
	while ((entry = fd_list_next(dir)) != NULL) {
		_cleanup_str_ struct str target = { 0 };

		if (!is_input(entry->d_name))
			continue;
		str_addf(&target, "%s/%s", str_get(&base), entry->d_name);
		if (!str_ok(&target) ||
		    symlinkat(str_get(&target), stage_fd, entry->d_name) < 0)
			return kg_fail_errno(err, str_ok(&target) ? -errno : -ENOMEM,
					     "cannot link %s for depmod", entry->d_name);
	}
	return 0;
}

/* ---- the run ---- */

static const char *find_depmod(const char *const *paths)
{
	for (; *paths != NULL; paths++) {
		_cleanup_close_ int fd = open(*paths, O_PATH | O_CLOEXEC);

		if (fd >= 0)
			return *paths;
	}
	return NULL;
}

/* Of another root depmod must read that root's configuration, not this machine's. */
static int add_config(const struct swap *s, struct strv *argv)
{
	static const char *const dirs[] = { "run/depmod.d", "etc/depmod.d",
					    "usr/local/lib/depmod.d", "usr/lib/depmod.d",
					    "lib/depmod.d" };
	bool has_one = false;

	if (strcmp(s->sys->root, "/") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int fd =
			fd_try_open_in(s->sys->root_fd, dirs[i], O_RDONLY | O_DIRECTORY);
		_cleanup_str_ struct str path = { 0 };

		if (fd < 0)
			continue;
		if (true_path(fd, &path) < 0)
			return -EIO;
		strv_add(argv, "-C");
		strv_add(argv, str_get(&path));
		has_one = true;
	}
	if (!has_one) {
		strv_add(argv, "-C");
		strv_add(argv, "/nonexistent");
	}
	return 0;
}

static int add_system_map(const struct swap *s, struct strv *argv)
{
	_cleanup_str_ struct str name = { 0 };
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int fd = -1;
	struct stat st;

	str_addf(&name, "boot/System.map-%s", s->release);
	fd = fd_try_open_in(s->sys->root_fd, str_get(&name),
			    O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	if (true_path(fd, &path) < 0)
		return -EIO;
	strv_add(argv, "-F");
	strv_add(argv, str_get(&path));
	return 0;
}

static int make_arguments(const struct swap *s, int index_fd, const char *depmod,
			  struct strv *argv)
{
	_cleanup_str_ struct str base = { 0 };
	int r = true_path(index_fd, &base);

	strv_add(argv, depmod);
	strv_add(argv, "-a");
	strv_add(argv, "-b");
	strv_add(argv, str_get(&base));
	if (r == 0)
		r = add_config(s, argv);
	if (r == 0)
		r = add_system_map(s, argv);
	strv_add(argv, s->release);
	return r == 0 && !strv_ok(argv) ? -ENOMEM : r;
}

/* The first line of what depmod said. */
static void first_line(int log_fd, char *text, size_t size)
{
	ssize_t n = pread(log_fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static int run_depmod(const struct swap *s, const char *depmod, int index_fd,
		      struct kg_err *err)
{
	_cleanup_strv_ struct strv argv = { 0 };
	_cleanup_close_ int log_fd =
		openat(index_fd, INDEX_LOG, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct kg_spawn how = {
		.dir_fd = -1, .in_fd = -1, .out_fd = log_fd, .err_fd = -1
	};
	int r = make_arguments(s, index_fd, depmod, &argv);
	char said[256];
	int status;

	if (log_fd < 0 || r < 0)
		return kg_fail_errno(err, r < 0 ? r : -EIO, "%s: cannot prepare depmod",
				     s->release);
	how.argv = (const char *const *)argv.v;
	r = spawn_run(&how, INDEX_TIMEOUT_MS, &status, err);
	if (r < 0)
		return r;
	first_line(log_fd, said, sizeof(said));
	if (status != 0)
		return kg_fail(err, -KGE_DEPMOD, "%s: depmod failed (exit %d)%s%s",
			       s->release, status, said[0] != '\0' ? ": " : "", said);
	if (said[0] != '\0')
		kg_debug("%s: depmod: %s", s->release, said);
	return 0;
}

/* ---- looking at it ---- */

/*
 * depmod can exit 0 having written nothing or half: a temporary it could not open is skipped.
 * An index of a trie begins with magic, version and the place of its root (kmod 30: at the end).
 */
static bool is_whole(const char *name, const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t root;

	if (!str_ends(name, ".bin"))
		return len == 0 || data[len - 1] == '\n';
	/* nothing at all is what it makes of a kernel without modules.builtin[.modinfo] */
	if (len == 0)
		return str_starts(name, "modules.builtin.");
	if (len < 12 || memcmp(p, "\xb0\x07\xf4\x57", 4) != 0)
		return false;
	root = (size_t)(p[8] & 0x0f) << 24 | (size_t)p[9] << 16 | (size_t)p[10] << 8 |
	       p[11];
	return root <= len; /* equal: an index of nothing */
}

static int check_index(const struct swap *s, int stage_fd, const char *name,
		       struct kg_err *err)
{
	_cleanup_close_ int fd =
		openat(stage_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t len = 0;
	int r = fd < 0 ? -errno : fd_read_all(fd, INDEX_MAX_BYTES, &data, &len);

	if (r < 0)
		return kg_fail_errno(err, r, "%s: cannot read %s", s->release, name);
	if (!is_whole(name, data, len))
		return kg_fail(err, -KGE_DEPMOD, "%s: depmod left a damaged %s",
			       s->release, name);
	/* Under somebody's umask of 077 nobody else could run modprobe -n. */
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		return kg_fail_errno(err, -errno, "%s: cannot sync %s", s->release, name);
	return 0;
}

static bool is_generated(int stage_fd, const char *name)
{
	struct stat st;

	return str_starts(name, "modules.") &&
	       fstatat(stage_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

static int list_generated(int stage_fd, struct strv *ret_names)
{
	_cleanup_dir_ DIR *dir = fd_list(stage_fd);
	struct dirent *entry;

	if (dir == NULL)
		return -errno;
	while ((entry = fd_list_next(dir)) != NULL)
		if (is_generated(stage_fd, entry->d_name))
			strv_add(ret_names, entry->d_name);
	return strv_ok(ret_names) ? 0 : -ENOMEM;
}

static int check_indexes(const struct swap *s, int live_fd, int stage_fd,
			 struct kg_err *err)
{
	static const struct {
		const char *name;
		const char *when; /* only when the kernel has this */
	} wanted[] = {
		{ "modules.dep", "." },
		{ "modules.dep.bin", "." },
		{ "modules.alias", "." },
		{ "modules.alias.bin", "." },
		{ "modules.symbols", "." },
		{ "modules.symbols.bin", "." },
		{ "modules.softdep", "." },
		{ "modules.devname", "." },
		{ "modules.builtin.bin", "modules.builtin" },
		{ "modules.builtin.alias.bin", "modules.builtin.alias.bin" },
	};
	_cleanup_strv_ struct strv names = { 0 };
	int r = list_generated(stage_fd, &names);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(wanted); i++)
		if (!strv_has(&names, wanted[i].name) &&
		    faccessat(live_fd, wanted[i].when, F_OK, 0) == 0)
			return kg_fail(err, -KGE_DEPMOD, "%s: depmod made no %s",
				       s->release, wanted[i].name);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = check_index(s, stage_fd, names.v[i], err);
	return r < 0 ? kg_fail_errno(err, r, "%s: cannot check its indexes", s->release)
		     : 0;
}

/* A line of modules.dep is "PATH: PATH...". */
static bool is_listed(const char *dep, const char *path)
{
	size_t len = strlen(path);

	for (const char *p = dep; *p != '\0';
	     p += strcspn(p, "\n"), p += *p == '\n' ? 1 : 0)
		if (strncmp(p, path, len) == 0 && p[len] == ':')
			return true;
	return false;
}

static int check_listed(const struct swap *s, int stage_fd, const char *const *files,
			struct kg_err *err)
{
	_cleanup_free_ char *dep = NULL;
	int r = fd_read_file_in(stage_fd, "modules.dep", INDEX_MAX_BYTES, &dep, NULL,
				err);

	for (; r == 0 && files != NULL && *files != NULL; files++)
		if (!is_listed(dep, *files))
			return kg_fail(
				err, -KGE_DEPMOD,
				"%s: depmod did not list %s (another module of that name "
				"may come first, see depmod.d(5))",
				s->release, *files);
	return r;
}

int index_build(struct swap *swap, const char *const *depmod_paths,
		const char *const *files, struct kg_err *err)
{
	const char *depmod = find_depmod(depmod_paths);
	_cleanup_close_ int live_fd = modtree_try_release(swap->sys, swap->release);
	_cleanup_close_ int stage_fd = -1;
	_cleanup_close_ int index_fd = -1;
	int r;

	if (depmod == NULL)
		return kg_fail(err, -KGE_DEPMOD,
			       "%s: depmod is not installed (package kmod)",
			       swap->release);
	if (live_fd < 0)
		return kg_fail_errno(err, live_fd, "cannot open %s/%s",
				     swap->sys->install_tree, swap->release);
	r = fd_remove_tree_at(swap->dir_fd, "index", err);
	stage_fd = r < 0 ? r : open_stage(swap, err);
	if (stage_fd < 0)
		return stage_fd;
	index_fd = fd_open_dir_at(swap->dir_fd, "index", err);
	r = index_fd < 0 ? index_fd : add_usr(index_fd, err);
	if (r == 0)
		r = link_inputs(live_fd, stage_fd, err);
	if (r == 0)
		r = run_depmod(swap, depmod, index_fd, err);
	if (r == 0)
		r = check_indexes(swap, live_fd, stage_fd, err);
	if (r == 0)
		r = check_listed(swap, stage_fd, files, err);
	if (r == 0 && (fsync(stage_fd) < 0 || fsync(index_fd) < 0))
		r = kg_fail_errno(err, -errno, "%s: cannot sync the indexes",
				  swap->release);
	return r;
}

int index_forward(struct swap *swap, struct kg_err *err)
{
	_cleanup_close_ int live_fd = modtree_try_release(swap->sys, swap->release);
	_cleanup_close_ int stage_fd = -1;
	_cleanup_strv_ struct strv names = { 0 };
	int r;

	if (live_fd == -ENOENT) /* the kernel went in between */
		return 0;
	stage_fd = live_fd < 0 ? live_fd : open_stage(swap, err);
	r = stage_fd < 0 ? stage_fd : list_generated(stage_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		modtree_drop_temp(live_fd, names.v[i]);
		r = modtree_move(stage_fd, names.v[i], live_fd, names.v[i]);
	}
	if (r == 0 && fsync(live_fd) < 0)
		r = -errno;
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "%s: cannot switch its indexes",
				      swap->release);
}
