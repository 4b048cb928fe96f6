// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/registry/regtree.h"

int reg_open_built(const struct kg_system *sys, const char *name, const char *version,
		   const char *release, const char *arch, struct kg_err *err)
{
	int r = regtree_check_names(name, version, release, arch, err);

	if (r < 0)
		return r;
	if (!regtree_has_dir(sys, "%s/%s/%s/%s/module", name, version, release, arch))
		return kg_fail(err, -ENOENT, "%s/%s is not built for %s (%s)", name,
			       version, release, arch);
	r = regtree_open_dir(sys, "%s/%s/%s/%s", name, version, release, arch);
	return r >= 0 ? r
		      : kg_fail_errno(err, r, "%s/%s: cannot open what was built for %s",
				      name, version, release);
}

/* Names of the two temporary folders beside V/R/@arch. */
struct temp_names {
	char part[NAME_MAX + 1];
	char fresh[NAME_MAX + 1];
};

static int temp_names_init(struct temp_names *t, const char *arch)
{
	if (snprintf(t->part, sizeof(t->part), TREE_PART "%s", arch) >=
		    (int)sizeof(t->part) ||
	    snprintf(t->fresh, sizeof(t->fresh), TREE_NEW "%s", arch) >=
		    (int)sizeof(t->fresh))
		return -ENAMETOOLONG;
	return 0;
}

static int copy_to_part(int release_fd, const char *part, int dir_fd, struct kg_err *err)
{
	_cleanup_close_ int part_fd = -1;
	int r = fd_remove_tree_at(release_fd, part, err);

	if (r < 0)
		return r;
	if (mkdirat(release_fd, part, 0755) < 0)
		return kg_fail_errno(err, -errno, "cannot make directory %s", part);
	part_fd = fd_open_dir_at(release_fd, part, err);
	if (part_fd < 0)
		return part_fd;
	r = fd_copy_tree(dir_fd, part_fd, FD_COPY_TO_OWNER, geteuid(), getegid(), err);
	return r < 0 ? r : fd_sync_tree(part_fd, err);
}

/*
 * The exchange leaves the old folder under the name of the rubbish. Where folders can't be
 * exchanged (a lower layer of overlayfs: EXDEV) the complete one waits under its own name
 * while the old one is removed; recovering finishes that.
 */
static int switch_to_part(int release_fd, const struct temp_names *t, const char *arch)
{
	int r;

	if (renameat2(release_fd, t->part, release_fd, arch, RENAME_NOREPLACE) == 0)
		return fsync(release_fd) < 0 ? -errno : 0;
	if (errno == EEXIST &&
	    renameat2(release_fd, t->part, release_fd, arch, RENAME_EXCHANGE) == 0)
		return fsync(release_fd) < 0
			       ? -errno
			       : fd_remove_tree_at(release_fd, t->part, NULL);
	if (errno != EXDEV && errno != EINVAL && errno != ENOSYS)
		return -errno;
	r = fd_remove_tree_at(release_fd, t->fresh, NULL);
	if (r == 0 && renameat(release_fd, t->part, release_fd, t->fresh) < 0)
		r = -errno;
	if (r == 0 && fsync(release_fd) < 0)
		r = -errno;
	if (r == 0)
		r = fd_remove_tree_at(release_fd, arch, NULL);
	if (r == 0 && renameat(release_fd, t->fresh, release_fd, arch) < 0)
		r = -errno;
	if (r == 0 && fsync(release_fd) < 0)
		r = -errno;
	return r;
}

int reg_put_built(const struct kg_system *sys, const struct kg_source *source,
		  const char *release, const char *arch, int dir_fd, struct kg_err *err)
{
	_cleanup_close_ int release_fd = -1;
	struct temp_names t;
	int r = regtree_check_names(source->name, source->version, release, arch, err);

	if (r == 0)
		r = temp_names_init(&t, arch);
	if (r < 0)
		return kg_fail_errno(err, r, "%s/%s", source->name, source->version);
	if (!regtree_has_dir(sys, "%s/%s", source->name, source->version))
		return kg_fail(err, -KGE_NOT_ADDED, "%s/%s is not in the dkms tree",
			       source->name, source->version);
	release_fd = regtree_make_dir(sys, err, "%s/%s/%s", source->name, source->version,
				      release);
	if (release_fd < 0)
		return release_fd;
	r = copy_to_part(release_fd, t.part, dir_fd, err);
	if (r == 0)
		r = switch_to_part(release_fd, &t, arch);
	if (r == 0)
		return 0;
	fd_remove_tree_at(release_fd, t.part, NULL);
	return kg_fail_errno(err, r, "cannot register what was built of %s/%s for %s",
			     source->name, source->version, release);
}

/* DKMS drops the kernel's folder once no folder is left in it, whatever files are. */
static int prune_release(int version_fd, const char *release, struct kg_err *err)
{
	_cleanup_close_ int release_fd = fd_open_dir_at(version_fd, release, NULL);
	_cleanup_strv_ struct strv left = { 0 };
	int r;

	if (release_fd < 0)
		return 0;
	r = regtree_list_dirs(release_fd, NULL, &left);
	for (size_t i = 0; r == 0 && i < left.n; i++) {
		struct stat st;

		if (fstatat(release_fd, left.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			return 0;
	}
	return r < 0 ? r : fd_remove_tree_at(version_fd, release, err);
}

int reg_remove_built(const struct kg_system *sys, const char *name, const char *version,
		     const char *release, const char *arch, struct kg_err *err)
{
	_cleanup_close_ int version_fd = -1;
	_cleanup_close_ int release_fd = -1;
	struct temp_names t;
	const char *doomed = t.part;
	int r = regtree_check_names(name, version, release, arch, err);

	if (r == 0)
		r = temp_names_init(&t, arch);
	if (r < 0)
		return kg_fail_errno(err, r, "%s/%s", name, version);
	version_fd = regtree_open_dir(sys, "%s/%s", name, version);
	release_fd = regtree_open_dir(sys, "%s/%s/%s", name, version, release);
	if (version_fd < 0 || release_fd < 0)
		return 0;
	r = fd_remove_tree_at(release_fd, t.part, err);
	/* Renamed first: half of it must not pass for something built. */
	if (r == 0 && renameat(release_fd, arch, release_fd, t.part) < 0) {
		if (errno == EXDEV)
			doomed = arch;
		else if (errno != ENOENT)
			r = -errno;
	}
	if (r == 0)
		r = fd_remove_tree_at(release_fd, doomed, err);
	if (r == 0 && fsync(release_fd) < 0)
		r = -errno;
	if (r == 0)
		r = prune_release(version_fd, release, err);
	return r == 0 ? 0
		      : kg_fail_errno(err, r,
				      "cannot remove what was built of %s/%s for %s",
				      name, version, release);
}
