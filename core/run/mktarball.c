// SPDX-License-Identifier: GPL-2.0-or-later
/* What is in the tree of one module source, as an archive for other machines. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/registry/registry.h"
#include "core/run/command.h"
#include "core/tarball/tarball.h"

#define LOCK_WAIT_MS (30 * 60 * 1000)
#define MAX_KERNELS_LEN 199 /* of the file's name, as DKMS */

struct making {
	const struct kg_system *sys;
	const struct kg_mktarball *how;
	struct arena arena;
	struct kg_source source;
	struct kg_err *err;
};

/* ---- where to ---- */

/* "kernelK-A-kernelK-A", as DKMS names its archives. */
static const char *name_kernels(struct making *m)
{
	_cleanup_str_ struct str text = { 0 };

	if (m->how->contents == KG_TARBALL_SOURCE)
		return "source-only";
	for (size_t i = 0; m->how->releases[i] != NULL; i++)
		str_addf(&text, "%skernel%s-%s", i > 0 ? "-" : "", m->how->releases[i],
			 m->how->arches[i]);
	if (text.len > MAX_KERNELS_LEN)
		return "manykernels";
	return str_ok(&text) ? arena_strdup(&m->arena, str_get(&text)) : NULL;
}

static int make_host_dirs(const char *path, struct kg_err *err)
{
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int here_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_str_ struct str absolute = { 0 };
	_cleanup_free_ char *here = NULL;
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : kg_fail_errno(err, -errno, "cannot open %s", path);
	if (path[0] == '/')
		return fd_make_dir_in(root_fd, path + 1, 0755, err);
	/* Opens every folder above: only where ".." would lead back beneath our own. */
	if (strstr(path, "..") == NULL)
		return fd_make_dir_in(here_fd, path, 0755, err);
	here = getcwd(NULL, 0);
	if (here == NULL || here[0] != '/')
		return kg_fail_errno(err, here == NULL ? -errno : -ENOENT,
				     "cannot open %s", path);
	str_addf(&absolute, "%s%s%s", here + 1, here[1] != '\0' ? "/" : "", path);
	return str_ok(&absolute) ? fd_make_dir_in(root_fd, str_get(&absolute), 0755, err)
				 : kg_fail_errno(err, -ENOMEM, "cannot open %s", path);
}

/* --archive with a folder is a path of the caller's; all else is in M/V/tarball. */
static int open_folder(struct making *m, const char **ret_name)
{
	const char *archive = m->how->archive;
	const char *slash = archive != NULL ? strrchr(archive, '/') : NULL;
	const char *kernels = name_kernels(m);
	const char *dir;

	if (slash != NULL) {
		*ret_name = slash + 1;
		dir = arena_strndup(&m->arena, archive, (size_t)(slash - archive));
		if (dir != NULL)
			return make_host_dirs(dir[0] != '\0' ? dir : "/", m->err);
	}
	*ret_name = archive;
	if (archive == NULL && kernels != NULL)
		*ret_name = arena_printf(&m->arena, "%s-%s-%s.dkms.tar.gz",
					 m->source.name, m->source.version, kernels);
	dir = arena_printf(&m->arena, "%s/%s/%s/tarball", m->sys->dkms_tree,
			   m->source.name, m->source.version);
	if (dir == NULL || *ret_name == NULL)
		return kg_fail_errno(m->err, -ENOMEM, "cannot name the archive");
	return fd_make_dir_in(m->sys->root_fd, dir, 0755, m->err);
}

/* ---- what ---- */

static int add_built(struct making *m, struct tarball *t)
{
	const struct kg_mktarball *how = m->how;
	int r = tarball_add_folder(t, "dkms_main_tree", m->err);

	for (size_t i = 0; r == 0 && how->releases[i] != NULL; i++) {
		_cleanup_close_ int fd = -1;
		const char *path =
			arena_printf(&m->arena, "dkms_main_tree/%s", how->releases[i]);

		if (how->contents == KG_TARBALL_SOURCE)
			break;
		fd = reg_open_built(m->sys, m->source.name, m->source.version,
				    how->releases[i], how->arches[i], m->err);
		r = fd < 0 ? fd : path == NULL ? -ENOMEM : 0;
		if (r == 0 &&
		    (i == 0 || strcmp(how->releases[i], how->releases[i - 1]) != 0))
			r = tarball_add_folder(t, path, m->err);
		path = arena_printf(&m->arena, "dkms_main_tree/%s/%s", how->releases[i],
				    how->arches[i]);
		if (r == 0)
			r = tarball_add_folder(t, path ?: "", m->err);
		if (r == 0)
			r = tarball_add_tree(t, path ?: "", fd, m->err);
	}
	return r;
}

static int add_binaries_only(struct making *m, struct tarball *t, int source_fd)
{
	const char *name = arena_printf(&m->arena, "%s\n", m->source.name);
	const char *version = arena_printf(&m->arena, "%s\n", m->source.version);
	int r = tarball_add_folder(t, "dkms_binaries_only", m->err);

	if (name == NULL || version == NULL)
		return kg_fail_errno(m->err, -ENOMEM, "cannot write the archive");
	if (r == 0)
		r = tarball_add_text(t, "dkms_binaries_only/PACKAGE_NAME", name, m->err);
	if (r == 0)
		r = tarball_add_text(t, "dkms_binaries_only/PACKAGE_VERSION", version,
				     m->err);
	if (r == 0)
		r = tarball_add_file(t, "dkms_binaries_only/dkms.conf", source_fd,
				     "dkms.conf", m->err);
	return r;
}

static int add_source_tree(struct making *m, struct tarball *t, int source_fd)
{
	struct kg_err hostile = { 0 };
	int r = tarball_add_folder(t, "dkms_source_tree", m->err);

	if (tarball_check_links(source_fd, m->source.path, &hostile) < 0)
		kg_warning("%s; ldtarball will refuse this archive", hostile.text);
	return r < 0 ? r : tarball_add_tree(t, "dkms_source_tree", source_fd, m->err);
}

static int write_archive(struct making *m, int fd, const char *name)
{
	_cleanup_close_ int source_fd =
		fd_open_dir_in(m->sys->root_fd, m->source.path, m->err);
	struct tarball *t = NULL;
	int r = source_fd < 0 ? source_fd : tarball_create(fd, name, &t, m->err);

	if (r == 0)
		r = tarball_add_folder(t, "", m->err);
	if (r == 0)
		r = add_built(m, t);
	if (r == 0)
		r = m->how->contents == KG_TARBALL_BINARIES
			    ? add_binaries_only(m, t, source_fd)
			    : add_source_tree(m, t, source_fd);
	if (r == 0)
		r = tarball_finish(t, m->err);
	tarball_free(t);
	return r;
}

/* Under another name until it is whole. */
static int write_file(struct making *m, int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	char part[NAME_MAX + 1];
	int r;

	if (name[0] == '\0' || strlen(name) > NAME_MAX - 20)
		return kg_fail(m->err, -EINVAL, "not a file name for an archive: '%s'",
			       name);
	snprintf(part, sizeof(part), ".kmodgate-part.%.*s", NAME_MAX - 20, name);
	(void)unlinkat(dir_fd, part, 0);
	fd = openat(dir_fd, part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0)
		return kg_fail_errno(m->err, -EACCES, "cannot write %s", name);
	r = write_archive(m, fd, name);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, part, dir_fd, name) < 0))
		r = kg_fail_errno(m->err, -EACCES, "cannot write %s", name);
	if (r < 0)
		(void)unlinkat(dir_fd, part, 0);
	return r;
}

/* Nothing is begun for an archive that can't be made whole. */
static int check_built(struct making *m)
{
	const struct kg_mktarball *how = m->how;

	if (how->contents == KG_TARBALL_SOURCE)
		return 0;
	if (how->releases[0] == NULL)
		return kg_fail(m->err, -ENOENT, "%s/%s is not built for any kernel",
			       m->source.name, m->source.version);
	for (size_t i = 0; how->releases[i] != NULL; i++) {
		_cleanup_close_ int fd =
			reg_open_built(m->sys, m->source.name, m->source.version,
				       how->releases[i], how->arches[i], m->err);

		if (fd < 0)
			return fd;
	}
	return 0;
}

static int make_tarball(struct making *m)
{
	_cleanup_close_ int dir_fd = -1;
	const char *name = NULL;
	int r = reg_find_source(m->sys, m->how->name, m->how->version, &m->arena,
				&m->source, m->err);

	if (r == 0)
		r = check_built(m);
	if (r < 0)
		return r;
	dir_fd = open_folder(m, &name);
	if (dir_fd < 0)
		return kg_fail(m->err, -EACCES, "cannot open the archive's folder");
	r = write_file(m, dir_fd, name);
	if (r == 0 && m->how->archive != NULL && strchr(m->how->archive, '/') != NULL)
		kg_info("%s is written", m->how->archive);
	else if (r == 0)
		kg_info("/%s/%s/%s/tarball/%s is written", m->sys->dkms_tree,
			m->source.name, m->source.version, name);
	return r;
}

int kg_dkms_mktarball(const struct kg_system *sys, const struct kg_mktarball *how,
		      struct kg_err *err)
{
	struct making m = { .sys = sys, .how = how, .err = err };
	_cleanup_close_ int lock_fd = -1;
	int r;

	/* It changes nothing of ours: whoever may read the tree and can't lock makes one, too. */
	lock_fd = geteuid() == 0 ? lock_take(sys->root_fd, LOCK_WAIT_MS, err) : -1;
	if (geteuid() == 0 && lock_fd < 0)
		return lock_fd;
	r = make_tarball(&m);
	arena_fini(&m.arena);
	return r;
}
