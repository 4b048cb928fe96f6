// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include "core/base/name.h"

/* /etc/dkms/M/patches wins over the source's own; the caller owns the fd. */
static int open_patch(const struct build *b, const char *name)
{
	_cleanup_str_ struct str path = { 0 };
	int fd;

	if (!name_is_path(name))
		return kg_fail(b->err, -KGE_PATCH, "'%s' is no name of a patch", name);
	str_addf(&path, "etc/dkms/%s/patches/%s", b->req->source->name, name);
	fd = fd_try_open_in(b->req->sys->root_fd, str_get(&path), O_RDONLY | O_NOCTTY);
	if (fd >= 0 || !str_ok(&path))
		return fd;
	str_clear(&path);
	str_addf(&path, "patches/%s", name);
	fd = fd_try_open_in(b->req->source_fd, str_get(&path), O_RDONLY | O_NOCTTY);
	if (fd >= 0)
		return fd;
	return kg_fail(b->err, -KGE_PATCH, "patch %s: not in the source's patches/",
		       name);
}

static int apply_patch(struct build *b, const char *name)
{
	static const char *const argv[] = { "/usr/bin/env", "patch", "-p1", NULL };
	_cleanup_close_ int fd = open_patch(b, name);
	_cleanup_str_ struct str what = { 0 };
	off_t start = step_log_end(b);
	int status = 0;
	int r;

	if (fd < 0)
		return fd;
	str_addf(&what, "patch %s", name);
	step_log(b, "$ patch -p1 < %s\n", name);
	r = step_run(b, str_get(&what), argv, fd, &status);
	if (r < 0 || status == 0)
		return r;
	return step_fail(b, -KGE_PATCH, str_get(&what), status, start);
}

int patch_apply_all(struct build *b)
{
	const char *const *patches = b->req->recipe->patches;
	int r = 0;

	for (; r == 0 && patches != NULL && *patches != NULL; patches++)
		r = apply_patch(b, *patches);
	return r;
}
