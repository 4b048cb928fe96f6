// SPDX-License-Identifier: GPL-2.0-or-later
/* What is hidden from the build, and what is bound in there. */
#include "core/sandbox/internal.h"

#include <string.h>
#include <sys/mount.h>

#include "core/base/name.h"

#define MASKS_MAX 32
#define LINKS_MAX 40

/* Secrets, people's files, sockets of services: nothing a module is built from. */
static const char *const standard_masks[] = {
	"root",
	"home",
	"run",
	"srv",
	"mnt",
	"media",
	"lost+found",
	"var/lib/dkms",
	"var/lib/shim-signed",
	"var/lib/kmodgate",
	"var/cache/kmodgate",
};

struct mask_set {
	int view_fd;
	int fds[MASKS_MAX]; /* mounts that become read-only when all is in place */
	size_t n;
};

/* Adds the text of the link @path; nothing when it is none. */
static void add_link_text(int view_fd, const char *path, struct str *out)
{
	_cleanup_close_ int fd = fd_try_open_in(view_fd, path, O_PATH | O_NOFOLLOW);
	_cleanup_free_ char *target = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode) &&
	    fd_read_link_at(fd, "", &target) == 0)
		str_add(out, target);
}

/* A path on its way: what is resolved, as text, and what is left to go. */
struct walk {
	int view_fd;
	struct str done;
	struct str rest;
	unsigned int links;
};

/* Takes one component off the rest; a link's text takes its place. */
static int walk_step(struct walk *w)
{
	_cleanup_str_ struct str rest = { 0 };
	const char *name = w->rest.p + strspn(w->rest.p, "/");
	size_t len = strcspn(name, "/");
	size_t before = w->done.len;

	str_addf(&w->done, "/%.*s", (int)len, name);
	if (!str_ok(&w->done))
		return -ENOMEM;
	add_link_text(w->view_fd, w->done.p + 1, &rest);
	if (rest.len > 0) {
		if (++w->links > LINKS_MAX)
			return -ELOOP;
		w->done.len = rest.p[0] == '/' ? 0 : before;
		w->done.p[w->done.len] = '\0';
	}
	str_add(&rest, name + len);
	if (!str_ok(&rest))
		return -ENOMEM;
	str_clear(&w->rest);
	str_add(&w->rest, str_get(&rest));
	return str_ok(&w->rest) ? 0 : -ENOMEM;
}

/* Links whose targets are still to be made cannot be left to the kernel. */
static int walk_making(struct walk *w)
{
	int r = 0;

	while (r == 0 && w->rest.p[strspn(w->rest.p, "/")] != '\0') {
		int fd = -1;

		r = walk_step(w);
		if (r < 0 || w->done.len == 0)
			continue;
		fd = fd_make_dir_in(w->view_fd, w->done.p + 1, 0755, NULL);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return r;
}

int view_make_dir(int view_fd, const char *path, struct kg_err *err)
{
	struct walk w = { .view_fd = view_fd };
	int fd = fd_try_open_in(view_fd, path, O_PATH | O_DIRECTORY);
	int r;

	if (fd >= 0)
		return fd;
	str_addf(&w.rest, "/%s", path);
	r = str_ok(&w.rest) ? walk_making(&w) : -ENOMEM;
	if (r == 0)
		r = fd_try_open_in(view_fd, str_get(&w.done), O_PATH | O_DIRECTORY);
	str_fini(&w.done);
	str_fini(&w.rest);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot make %s in the build's view", path);
	return r;
}

/* An empty folder over @dir_fd, still to be filled. */
static int add_mask(struct mask_set *set, int dir_fd)
{
	int fd =
		set->n < MASKS_MAX ? mount_tmpfs("0755", "1m", MOUNT_ATTR_NODEV) : -E2BIG;

	if (fd < 0)
		return fd;
	set->fds[set->n++] = fd;
	return mount_attach(fd, dir_fd, "");
}

static int add_standard_masks(struct mask_set *set)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(standard_masks); i++) {
		_cleanup_close_ int fd = fd_try_open_in(set->view_fd, standard_masks[i],
							O_PATH | O_DIRECTORY);

		if (fd >= 0)
			r = add_mask(set, fd);
	}
	return r;
}

static int add_asked_masks(struct mask_set *set, const char *const *masks,
			   struct kg_err *err)
{
	for (; masks != NULL && *masks != NULL; masks++) {
		_cleanup_close_ int fd = view_make_dir(set->view_fd, *masks, err);
		int r = fd < 0 ? fd : add_mask(set, fd);

		if (r < 0)
			return kg_fail_errno(err, r, "cannot hide %s from the build",
					     *masks);
	}
	return 0;
}

static int make_point(int parent_fd, const char *name, int mount_fd)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (fstat(mount_fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
	fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : 0;
}

static int add_bind(int view_fd, const struct sandbox_bind *bind, int mount_fd,
		    struct kg_err *err)
{
	const char *slash = strrchr(bind->at, '/');
	_cleanup_close_ int parent_fd = -1;
	_cleanup_str_ struct str dir = { 0 };
	int r;

	if (slash == NULL || slash[1] == '\0')
		return kg_fail(err, -EINVAL, "cannot bind at '%s'", bind->at);
	str_addn(&dir, bind->at, (size_t)(slash + 1 - bind->at));
	if (!str_ok(&dir))
		return kg_fail_errno(err, -ENOMEM, "cannot bind at %s", bind->at);
	parent_fd = view_make_dir(view_fd, str_get(&dir), err);
	if (parent_fd < 0)
		return parent_fd;
	if (mount_fd < 0) {
		r = symlinkat(bind->target, parent_fd, slash + 1) < 0 ? -errno : 0;
	} else {
		r = make_point(parent_fd, slash + 1, mount_fd);
		if (r == 0)
			r = mount_attach(mount_fd, parent_fd, slash + 1);
	}
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot bind at %s of the view", bind->at);
}

/*
 * A kernel somebody built may have its headers in a masked folder, such as that person's
 * home: shown where the kernel's own link says, to builds for that kernel.
 */
static int show_headers(const struct box *box, int view_fd, const char *link)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_free_ char *target = NULL;
	_cleanup_close_ int modules_fd = -1;
	_cleanup_close_ int tree_fd = -1;
	_cleanup_close_ int mount_fd = -1;
	_cleanup_close_ int point_fd = -1;

	str_addf(&path, "lib/modules/%s", box->how->release);
	modules_fd = fd_try_open_in(box->live_fd, str_get(&path), O_PATH | O_DIRECTORY);
	if (modules_fd < 0 || fd_read_link_at(modules_fd, link, &target) < 0 ||
	    *target != '/')
		return 0;
	point_fd = fd_try_open_in(view_fd, target, O_PATH | O_DIRECTORY);
	tree_fd = fd_try_open_in(box->live_fd, target, O_PATH | O_DIRECTORY);
	if (point_fd >= 0 || tree_fd < 0)
		return 0;
	mount_fd = mount_copy(tree_fd, "", MOUNT_TREE);
	if (mount_fd < 0)
		return mount_fd;
	point_fd = view_make_dir(view_fd, target, NULL);
	return point_fd < 0 ? point_fd : mount_attach(mount_fd, point_fd, "");
}

int view_mount_masks(const struct box *box, int view_fd, struct kg_err *err)
{
	struct mask_set set = { .view_fd = view_fd };
	const struct sandbox *how = box->how;
	int r = add_standard_masks(&set);

	if (r == 0)
		r = add_asked_masks(&set, how->masks, err);
	if (r == 0 && how->release != NULL && name_is_plain(how->release)) {
		r = show_headers(box, view_fd, "build");
		if (r == 0)
			r = show_headers(box, view_fd, "source");
	}
	for (size_t i = 0; r == 0 && i < how->n_binds; i++)
		r = add_bind(view_fd, &how->binds[i], box->bind_fds[i], err);
	for (size_t i = 0; i < set.n; i++) {
		if (r == 0)
			r = mount_flags(set.fds[i], MOUNT_ONE, MOUNT_ATTR_RDONLY, 0);
		close(set.fds[i]);
	}
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot hide folders from the build");
}
