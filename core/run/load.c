// SPDX-License-Identifier: GPL-2.0-or-later
/* Sources that come from outside of the source tree: a folder, a tarball, an rpm. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/command.h"
#include "core/tarball/tarball.h"

#define MAIN_TREE "dkms_main_tree"
#define SOURCE_TREE "dkms_source_tree"
#define BINARIES "dkms_binaries_only"

struct loading {
	struct run *run;
	const struct kg_load *load;
	int tree_fd;	 /* what was unpacked */
	int source_fd;	 /* the folder with dkms.conf in it */
	bool has_source; /* false: built modules and their dkms.conf, no more */
	struct kg_loaded found;
	struct kg_err *err;
};

/* ---- a folder ---- */

int run_read_identity(const struct run *run, const char *release, int source_fd,
		      struct arena *arena, struct kg_loaded *ret, struct kg_err *err)
{
	struct kg_system sys = *run->sys;

	sys.running = release ?: sys.running;
	return recipe_read_identity(&sys, source_fd, &run->view, arena, &ret->name,
				    &ret->version, err);
}

int kg_dkms_import(const struct kg_system *sys, const struct kg_load *load,
		   struct kg_loaded *ret_loaded, struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	_cleanup_close_ int source_fd = -1;
	struct kg_source known;
	int r;

	source_fd = open(load->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source_fd < 0)
		return kg_fail_errno(err, -errno, "cannot open %s", load->path);
	r = run_command_begin(&c, sys, err);
	if (r == 0)
		r = run_read_identity(&c.run, load->release, source_fd, load->arena,
				      ret_loaded, err);
	if (r < 0)
		return r;
	/* What is registered is not overwritten by an add that will be refused. */
	if (load->force == KG_NO_FORCE &&
	    reg_find_source(sys, ret_loaded->name, ret_loaded->version, &c.run.arena,
			    &known, NULL) == 0)
		return 0;
	return reg_import_source(sys, source_fd, ret_loaded->name, ret_loaded->version,
				 err);
}

/* ---- an archive: what is in it ---- */

static int open_archive_file(const char *path, struct kg_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kg_fail_errno(err, -errno, "cannot open the archive %s", path);
	if (!S_ISREG(st.st_mode))
		return kg_fail(err, -ENOENT, "%s is not a file", path);
	return TAKE_FD(fd);
}

static bool has_conf(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, "dkms.conf", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* What mktarball made. */
static int open_parts(struct loading *l)
{
	static const char *const places[] = { SOURCE_TREE, BINARIES };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_close_ int fd = fd_open_dir_at(l->tree_fd, places[i], NULL);

		if (fd < 0 || !has_conf(fd))
			continue;
		l->has_source = i == 0;
		l->source_fd = TAKE_FD(fd);
		return 0;
	}
	return kg_fail(l->err, -KGE_CHECK,
		       "%s: neither " SOURCE_TREE " nor " BINARIES
		       " in it has a dkms.conf",
		       l->load->path);
}

static bool looks_like_archive(const char *name)
{
	return strstr(name, ".tar.") != NULL || str_ends(name, ".tar") ||
	       str_ends(name, ".tgz");
}

/* A source rpm's only archive is unpacked where it lies. */
static int unpack_inner(struct loading *l)
{
	_cleanup_dir_ DIR *dir = fd_list(l->tree_fd);
	_cleanup_close_ int fd = -1;
	char name[NAME_MAX + 1] = "";
	struct dirent *e;

	while (dir != NULL && (e = fd_list_next(dir)) != NULL) {
		if (!looks_like_archive(e->d_name))
			continue;
		if (name[0] != '\0')
			return -ENOENT;
		snprintf(name, sizeof(name), "%s", e->d_name);
	}
	if (name[0] == '\0')
		return -ENOENT;
	fd = openat(l->tree_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : tarball_unpack(fd, name, l->tree_fd, l->err);
}

/* Any other archive: the least deep dkms.conf counts. */
static int find_source(struct loading *l)
{
	_cleanup_str_ struct str path = { 0 };
	int r = tarball_find_folder(l->tree_fd, "dkms.conf", &path);

	if (r == -ENOENT) {
		r = unpack_inner(l);
		if (r == 0)
			r = tarball_find_folder(l->tree_fd, "dkms.conf", &path);
	}
	if (r == -ENOENT)
		return kg_fail(l->err, -KGE_NOT_ADDED, "%s: no dkms.conf in it",
			       l->load->path);
	if (r < 0)
		return kg_fail_errno(l->err, r, "%s", l->load->path);
	l->has_source = true;
	l->source_fd = fd_open_dir_in(l->tree_fd, str_get(&path), l->err);
	return l->source_fd < 0 ? l->source_fd : 0;
}

static int look_into(struct loading *l, struct arena *arena)
{
	struct stat st;
	int r;

	if (fstatat(l->tree_fd, MAIN_TREE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		r = open_parts(l);
	else
		r = find_source(l);
	if (r == 0)
		r = tarball_check_links(l->source_fd, l->load->path, l->err);
	if (r == 0)
		r = run_read_identity(l->run, l->load->release, l->source_fd, arena,
				      &l->found, l->err);
	return r;
}

/* ---- an archive: what becomes of it ---- */

static bool has_source_folder(const struct kg_system *sys, const char *path)
{
	_cleanup_close_ int fd = fd_try_open_in(sys->root_fd, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

/* Its source as /usr/src/M-V; without one, its dkms.conf alone is in the DKMS tree. */
static int register_source(struct loading *l)
{
	const struct kg_system *sys = l->run->sys;
	struct kg_source source = { .name = l->found.name, .version = l->found.version };
	struct kg_source known;
	bool is_known = reg_find_source(sys, l->found.name, l->found.version,
					&l->run->arena, &known, NULL) == 0;
	int r = 0;

	if (is_known && l->load->force == KG_NO_FORCE)
		return kg_fail(l->err, -KGE_EXISTS, "%s/%s is already in the dkms tree",
			       l->found.name, l->found.version);
	source.path = arena_printf(&l->run->arena, "%s/%s-%s", sys->source_tree,
				   l->found.name, l->found.version);
	if (source.path == NULL)
		return kg_fail_errno(l->err, -ENOMEM, "%s", l->load->path);
	if (l->has_source)
		r = reg_import_source(sys, l->source_fd, l->found.name, l->found.version,
				      l->err);
	if (r < 0 || is_known)
		return r;
	if (!l->has_source && !has_source_folder(sys, source.path))
		return reg_add_stub(sys, l->found.name, l->found.version, l->source_fd,
				    l->err);
	return run_add_source(l->run, &source, l->err);
}

static int put_built(struct loading *l, int release_fd, const char *release,
		     const char *arch)
{
	const struct kg_source source = { .name = l->found.name,
					  .version = l->found.version };
	_cleanup_close_ int there_fd = -1;
	_cleanup_close_ int fd = fd_open_dir_at(release_fd, arch, l->err);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (!name_is_word(release) || !name_is_word(arch) ||
	    fstatat(fd, "module", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
		kg_warning("%s: a folder of it holds no modules of a kernel, left out",
			   l->load->path);
		return 0;
	}
	there_fd = reg_open_built(l->run->sys, l->found.name, l->found.version, release,
				  arch, NULL);
	if (there_fd >= 0 && l->load->force == KG_NO_FORCE) {
		kg_warning("%s: %s/%s is built already, left as it is", release,
			   l->found.name, l->found.version);
		return 0;
	}
	r = tarball_check_links(fd, l->load->path, l->err);
	if (r == 0)
		r = reg_put_built(l->run->sys, &source, release, arch, fd, l->err);
	if (r == 0)
		kg_info("%s: %s/%s is built (%s)", release, l->found.name,
			l->found.version, arch);
	return r;
}

/* dkms_main_tree/K/A; files in it (dkms_dbversion of old) are of no use to us. */
static int put_all_built(struct loading *l)
{
	_cleanup_close_ int main_fd = fd_open_dir_at(l->tree_fd, MAIN_TREE, NULL);
	_cleanup_strv_ struct strv releases = { 0 };
	int r = main_fd < 0 ? 0 : fd_list_folders(main_fd, &releases);

	for (size_t i = 0; r == 0 && i < releases.n; i++) {
		_cleanup_close_ int fd = fd_open_dir_at(main_fd, releases.v[i], l->err);
		_cleanup_strv_ struct strv arches = { 0 };

		r = fd < 0 ? fd : fd_list_folders(fd, &arches);
		for (size_t j = 0; r == 0 && j < arches.n; j++)
			r = put_built(l, fd, releases.v[i], arches.v[j]);
	}
	return r < 0 ? kg_fail_errno(l->err, r, "%s", l->load->path) : 0;
}

static int load_archive(struct loading *l, int archive_fd, struct arena *arena)
{
	int r = tarball_unpack(archive_fd, l->load->path, l->tree_fd, l->err);

	if (r == 0)
		r = look_into(l, arena);
	if (r == 0)
		r = register_source(l);
	if (r == 0)
		r = put_all_built(l);
	if (r == 0)
		kg_info("%s/%s is added, from %s", l->found.name, l->found.version,
			l->load->path);
	closep(&l->source_fd);
	return r;
}

int kg_dkms_load(const struct kg_system *sys, const struct kg_load *load,
		 struct kg_loaded *ret_loaded, struct kg_err *err)
{
	_cleanup_run_command_ struct run_command c = RUN_COMMAND_INIT;
	_cleanup_close_ int archive_fd = open_archive_file(load->path, err);
	_cleanup_close_ int tree_fd = -1;
	struct loading l = { .run = &c.run, .load = load, .source_fd = -1, .err = err };
	char scratch[64];
	int r;

	if (archive_fd < 0)
		return archive_fd;
	r = run_command_begin(&c, sys, err);
	if (r < 0)
		return r;
	snprintf(scratch, sizeof(scratch), "archive-%d", getpid());
	if (fd_remove_tree_at(c.run.work_fd, scratch, NULL) < 0 ||
	    mkdirat(c.run.work_fd, scratch, 0700) < 0)
		return kg_fail_errno(err, -errno, "cannot make a work folder");
	l.tree_fd = tree_fd = fd_open_dir_at(c.run.work_fd, scratch, err);
	r = tree_fd < 0 ? tree_fd : load_archive(&l, archive_fd, load->arena);
	(void)fd_remove_tree_at(c.run.work_fd, scratch, NULL);
	*ret_loaded = l.found;
	return r;
}
