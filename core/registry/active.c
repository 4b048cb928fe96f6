// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/registry/regtree.h"

static int link_name(const char *release, const char *arch, char ret_name[NAME_MAX + 1])
{
	return snprintf(ret_name, NAME_MAX + 1, "kernel-%s-%s", release, arch) > NAME_MAX
		       ? -ENAMETOOLONG
		       : 0;
}

/* V of "V/R/A", or of an absolute path that ends so; NULL for anything else. */
static const char *parse_target(char *target, const char *release, const char *arch)
{
	_cleanup_free_ char *tail = regtree_text("/%s/%s", release, arch);
	char *version;

	if (tail == NULL || !str_ends(target, tail))
		return NULL;
	target[strlen(target) - strlen(tail)] = '\0';
	version = strrchr(target, '/');
	if (version != NULL && target[0] != '/')
		return NULL;
	version = version != NULL ? version + 1 : target;
	return name_is_plain(version) ? version : NULL;
}

int reg_active_version(const struct kg_system *sys, const char *name, const char *release,
		       const char *arch, struct arena *arena, const char **ret_version,
		       struct kg_err *err)
{
	_cleanup_close_ int name_fd = regtree_open_dir(sys, "%s", name);
	_cleanup_free_ char *target = NULL;
	char link[NAME_MAX + 1];
	const char *version = NULL;
	int r = link_name(release, arch, link);

	*ret_version = NULL;
	if (r < 0)
		return kg_fail_errno(err, r, "%s", name);
	if (name_fd == -ENOENT || name_fd == -ENOTDIR)
		return 0;
	r = name_fd < 0 ? name_fd : fd_read_link_at(name_fd, link, &target);
	if (r == -ENOENT)
		return 0;
	if (r == -EINVAL ||
	    (r == 0 && (version = parse_target(target, release, arch)) == NULL)) {
		kg_debug("/%s/%s/%s is not the link of an active version", sys->dkms_tree,
			 name, link);
		return 0;
	}
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read /%s/%s/%s", sys->dkms_tree,
				     name, link);
	*ret_version = arena_strdup(arena, version);
	return *ret_version != NULL ? 0 : kg_fail_errno(err, -ENOMEM, "%s", name);
}

int reg_set_active(const struct kg_system *sys, const struct kg_source *source,
		   const char *release, const char *arch, struct kg_err *err)
{
	_cleanup_close_ int name_fd = -1;
	_cleanup_free_ char *target = NULL;
	char link[NAME_MAX + 1];
	int r = regtree_check_names(source->name, source->version, release, arch, err);

	if (r == 0)
		r = link_name(release, arch, link);
	if (r < 0)
		return kg_fail_errno(err, r, "%s", source->name);
	target = regtree_text("%s/%s/%s", source->version, release, arch);
	if (target == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s", source->name);
	name_fd = regtree_open_dir(sys, "%s", source->name);
	if (name_fd < 0)
		return kg_fail_errno(err, name_fd, "cannot open /%s/%s", sys->dkms_tree,
				     source->name);
	return fd_replace_link_at(name_fd, link, target, err);
}

int reg_clear_active(const struct kg_system *sys, const char *name, const char *release,
		     const char *arch, struct kg_err *err)
{
	_cleanup_close_ int name_fd = -1;
	char link[NAME_MAX + 1];
	int r = regtree_check_names(name, "0", release, arch, err);

	if (r == 0)
		r = link_name(release, arch, link);
	if (r < 0)
		return kg_fail_errno(err, r, "%s", name);
	name_fd = regtree_open_dir(sys, "%s", name);
	if (name_fd < 0)
		r = name_fd;
	else if (unlinkat(name_fd, link, 0) < 0 || fsync(name_fd) < 0)
		r = -errno;
	if (r == 0 || r == -ENOENT)
		return 0;
	return kg_fail_errno(err, r, "cannot remove /%s/%s/%s", sys->dkms_tree, name,
			     link);
}
