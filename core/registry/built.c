// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/fd.h"
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

/* Replaced by itself, it would be gone for whoever has it open. */
static bool is_itself(int release_fd, const char *arch, int dir_fd)
{
	struct stat there;
	struct stat given;

	return fstatat(release_fd, arch, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(dir_fd, &given) == 0 && there.st_dev == given.st_dev &&
	       there.st_ino == given.st_ino;
}

int reg_put_built(const struct kg_system *sys, const struct kg_source *source,
		  const char *release, const char *arch, int dir_fd, struct kg_err *err)
{
	_cleanup_close_ int version_fd = -1;
	_cleanup_close_ int release_fd = -1;
	int r = regtree_check_names(source->name, source->version, release, arch, err);

	if (r < 0)
		return r;
	if (!regtree_has_dir(sys, "%s/%s", source->name, source->version))
		return kg_fail(err, -KGE_NOT_ADDED, "%s/%s is not in the dkms tree",
			       source->name, source->version);
	release_fd = regtree_make_dir(sys, err, "%s/%s/%s", source->name, source->version,
				      release);
	if (release_fd < 0)
		return release_fd;
	r = is_itself(release_fd, arch, dir_fd)
		    ? 0
		    : regdir_replace(release_fd, arch, dir_fd, err);
	if (r < 0)
		return kg_fail_errno(err, r,
				     "cannot register what was built of %s/%s for %s",
				     source->name, source->version, release);
	/* As DKMS: the work tree, with the log of a failed build, goes once one succeeds. */
	version_fd = regtree_open_dir(sys, "%s/%s", source->name, source->version);
	if (version_fd >= 0)
		(void)fd_remove_tree_at(version_fd, "build", NULL);
	return 0;
}

int reg_empty_build(const struct kg_system *sys, const struct kg_source *source,
		    struct kg_err *err)
{
	_cleanup_close_ int version_fd =
		regtree_open_dir(sys, "%s/%s", source->name, source->version);
	int r = version_fd < 0 ? version_fd : fd_remove_tree_at(version_fd, "build", err);

	if (r == 0)
		r = fd_make_dir_in(version_fd, "build", 0755, err);
	return r >= 0 ? r
		      : kg_fail_errno(err, r, "%s/%s: no build folder", source->name,
				      source->version);
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
	int r = regtree_check_names(name, version, release, arch, err);

	if (r < 0)
		return r;
	version_fd = regtree_open_dir(sys, "%s/%s", name, version);
	release_fd = regtree_open_dir(sys, "%s/%s/%s", name, version, release);
	if (version_fd < 0 || release_fd < 0)
		return 0;
	r = regdir_remove(release_fd, arch, err);
	if (r == 0)
		r = prune_release(version_fd, release, err);
	return r == 0 ? 0
		      : kg_fail_errno(err, r,
				      "cannot remove what was built of %s/%s for %s",
				      name, version, release);
}
