// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/recipe/place.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/fd.h"

static int place_out_of_memory(struct kg_err *err)
{
	return kg_fail_errno(err, -ENOMEM, "cannot show dkms.conf to bash");
}

int place_init(struct place *pl, const struct kg_system *sys,
	       const struct sandbox *template, struct kg_err *err)
{
	const struct sandbox plain = SANDBOX_INIT;
	const struct kg_ids ids = kg_build_ids(sys);
	size_t n_masks = 0;
	const char **masks;

	*pl = (struct place){ .sys = sys,
			      .copies_fd = -1,
			      .view = template != NULL ? *template : plain };
	if (template == NULL) {
		pl->view.root_fd = sys->root_fd;
		pl->view.uid = ids.uid;
		pl->view.gid = ids.gid;
	}
	while (pl->view.masks != NULL && pl->view.masks[n_masks] != NULL)
		n_masks++;
	masks = arena_array(&pl->arena, n_masks + 2, sizeof(*masks));
	if (masks == NULL)
		return place_out_of_memory(err);
	for (size_t i = 0; i < n_masks; i++)
		masks[i] = pl->view.masks[i];
	masks[n_masks] = arena_printf(&pl->arena, "/%s", sys->dkms_tree);
	pl->view.masks = masks;
	for (size_t i = 0; i < pl->view.n_binds && !pl->arena.failed; i++) {
		struct sandbox_bind *b = ARENA_ADD(&pl->arena, pl->binds, pl->n_binds);

		if (b != NULL)
			*b = pl->view.binds[i];
	}
	return pl->arena.failed ? place_out_of_memory(err) : 0;
}

void place_fini(struct place *pl)
{
	_cleanup_close_ int state_fd = -1;

	for (size_t i = 0; i < pl->n_own_fds; i++)
		close(pl->own_fds[i]);
	closep(&pl->copies_fd);
	if (pl->copies_name != NULL) {
		state_fd = fd_open_dir_in(pl->sys->root_fd, pl->sys->state_dir, NULL);
		if (state_fd >= 0)
			(void)fd_remove_tree_at(state_fd, pl->copies_name, NULL);
	}
	arena_fini(&pl->arena);
	*pl = (struct place){ .copies_fd = -1 };
}

void place_finish(struct place *pl)
{
	pl->view.binds = pl->binds;
	pl->view.n_binds = pl->n_binds;
}

/* @fd -1: a symlink to @target. @at and @target are copied. */
static int place_bind(struct place *pl, const char *at, int fd, const char *target)
{
	struct sandbox_bind *b = ARENA_ADD(&pl->arena, pl->binds, pl->n_binds);

	if (b == NULL)
		return -ENOMEM;
	b->at = arena_strdup(&pl->arena, at);
	b->fd = fd;
	b->target = target != NULL ? arena_strdup(&pl->arena, target) : NULL;
	return pl->arena.failed ? -ENOMEM : 0;
}

/* @fd is closed by place_fini(), also when this fails. */
static int place_own(struct place *pl, int fd)
{
	int *slot = ARENA_ADD(&pl->arena, pl->own_fds, pl->n_own_fds);

	if (slot != NULL) {
		*slot = fd;
		return 0;
	}
	close(fd);
	return -ENOMEM;
}

/* ---- where the source is ---- */

/* What of @path is below the folder @dir_fd; NULL when it is not. */
static const char *path_below(int dir_fd, const char *path)
{
	_cleanup_free_ char *dir = NULL;
	char link[32];
	size_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	if (dir_fd < 0 || fd_read_link_at(AT_FDCWD, link, &dir) < 0)
		return NULL;
	len = strlen(dir);
	if (strcmp(dir, "/") == 0)
		return path + 1;
	return str_starts(path, dir) && path[len] == '/' ? path + len + 1 : NULL;
}

int place_find(const struct kg_system *sys, const struct sandbox *template, int source_fd,
	       struct arena *arena, const char **ret_path)
{
	_cleanup_free_ char *path = NULL;
	const char *below = NULL;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", source_fd);
	if (fd_read_link_at(AT_FDCWD, link, &path) == 0 && path != NULL) {
		if (template != NULL)
			below = path_below(template->stage_fd, path);
		if (below == NULL)
			below = path_below(sys->root_fd, path);
	}
	*ret_path = arena_strdup(arena, below != NULL ? below : "");
	return *ret_path != NULL ? 0 : -ENOMEM;
}

static bool is_same_folder(int fd, int root_fd, const char *path)
{
	_cleanup_close_ int other_fd = -1;
	struct stat a;
	struct stat b;

	if (root_fd < 0)
		return false;
	other_fd = fd_try_open_in(root_fd, path, O_PATH | O_DIRECTORY);
	return other_fd >= 0 && fstat(fd, &a) == 0 && fstat(other_fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Does the view, which hides people's folders, have @source_fd at @path? */
static bool is_shown(const struct place *pl, int source_fd, const char *path)
{
	size_t len = strlen(pl->sys->source_tree);

	if (!str_starts(path, "usr/") &&
	    !(str_starts(path, pl->sys->source_tree) && path[len] == '/'))
		return false;
	return is_same_folder(source_fd, pl->view.stage_fd, path) ||
	       is_same_folder(source_fd, pl->view.root_fd, path);
}

/* ---- copies ---- */

/* A folder of ours with nobody else's name, made when the first copy needs it. */
static int open_copies(struct place *pl, struct kg_err *err)
{
	_cleanup_close_ int state_fd = -1;
	uint64_t n;

	if (pl->copies_fd >= 0)
		return 0;
	state_fd = fd_make_dir_in(pl->sys->root_fd, pl->sys->state_dir, 0755, err);
	if (state_fd < 0)
		return state_fd;
	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return kg_fail_errno(err, -errno, "cannot copy dkms.conf");
	pl->copies_name =
		arena_printf(&pl->arena, "recipe-%016llx", (unsigned long long)n);
	if (pl->copies_name == NULL)
		return place_out_of_memory(err);
	if (mkdirat(state_fd, pl->copies_name, 0700) < 0)
		return kg_fail_errno(err, -errno, "cannot make %s/%s", pl->sys->state_dir,
				     pl->copies_name);
	pl->copies_fd = fd_open_dir_at(state_fd, pl->copies_name, err);
	return pl->copies_fd < 0 ? pl->copies_fd : 0;
}

/* It must keep its name while it is shown: what is unlinked cannot be mounted. */
static int copy_file(struct place *pl, const struct place_file *file, struct kg_err *err)
{
	_cleanup_close_ int fd = -1;
	char name[32];
	int r = open_copies(pl, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%zu", pl->n_own_fds);
	fd = openat(pl->copies_fd, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return kg_fail_errno(err, -errno, "cannot copy dkms.conf");
	r = fd_write_all(fd, file->text, file->len);
	if (r == 0 && fchmod(fd, 0444) < 0)
		r = -errno;
	return r < 0 ? kg_fail_errno(err, r, "cannot copy dkms.conf") : TAKE_FD(fd);
}

static int bind_file(struct place *pl, const char *at, const struct place_file *file,
		     struct kg_err *err)
{
	int fd = copy_file(pl, file, err);

	if (fd < 0)
		return fd;
	if (place_own(pl, fd) < 0 || place_bind(pl, at, fd, NULL) < 0)
		return place_out_of_memory(err);
	return 0;
}

/* The whole folder, given to the build user. The place owns the returned fd. */
static int copy_folder(struct place *pl, int source_fd, struct kg_err *err)
{
	int fd = -1;
	int r = open_copies(pl, err);

	if (r == 0 && mkdirat(pl->copies_fd, "source", 0755) < 0)
		r = -errno;
	if (r == 0) {
		fd = fd_open_dir_at(pl->copies_fd, "source", err);
		r = fd < 0 ? fd : place_own(pl, fd);
	}
	if (r == 0 && fchmod(fd, 0755) < 0)
		r = -errno;
	if (r == 0)
		r = fd_copy_tree(source_fd, fd, FD_COPY_TO_OWNER, pl->view.uid,
				 pl->view.gid, err);
	return r < 0 ? kg_fail_errno(err, r, "cannot copy the module source") : fd;
}

/* A folder also has to let one in. Access lists are left out: a copy too many does no harm. */
static bool is_open_to_all(int fd, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, *name == '\0' ? AT_EMPTY_PATH : 0) < 0)
		return false;
	return S_ISDIR(st.st_mode) ? (st.st_mode & 05) == 05 : (st.st_mode & 04) == 04;
}

/* ---- what is shown ---- */

/* Where a folder goes that is neither known to DKMS nor where the view has it. */
static const char *spare_place(struct place *pl, const char *path)
{
	const char *slash = strrchr(path, '/');

	return arena_printf(&pl->arena, "/%s/%s", pl->sys->dkms_tree,
			    slash != NULL && slash[1] != '\0' ? slash + 1 : "source");
}

/* Shows the folder, or a copy that can be read, at @ret_real. */
static int show_folder(struct place *pl, const struct place_source *source,
		       const char **ret_real, int *ret_fd, struct kg_err *err)
{
	bool is_there = is_shown(pl, source->fd, source->path);
	int fd = source->fd;

	if (is_there)
		*ret_real = arena_printf(&pl->arena, "/%s", source->path);
	else
		*ret_real = source->link != NULL ? source->link
						 : spare_place(pl, source->path);
	if (*ret_real == NULL)
		return place_out_of_memory(err);
	if (!is_open_to_all(fd, "")) {
		fd = copy_folder(pl, fd, err);
		if (fd < 0)
			return fd;
	}
	*ret_fd = fd;
	if (is_there && fd == source->fd)
		return 0;
	return place_bind(pl, *ret_real, fd, NULL) < 0 ? place_out_of_memory(err) : 0;
}

int place_source(struct place *pl, const struct place_source *source,
		 const char **ret_dir, struct kg_err *err)
{
	const char *real;
	const char *conf;
	int fd = -1;
	int r = show_folder(pl, source, &real, &fd, err);

	if (r < 0)
		return r;
	*ret_dir = source->link != NULL ? source->link : real;
	if (strcmp(*ret_dir, real) != 0 && place_bind(pl, *ret_dir, -1, real) < 0)
		return place_out_of_memory(err);
	if (!source->conf.is_altered &&
	    (fd != source->fd || is_open_to_all(source->fd, "dkms.conf")))
		return 0;
	conf = arena_printf(&pl->arena, "%s/dkms.conf", real);
	return conf == NULL ? place_out_of_memory(err)
			    : bind_file(pl, conf, &source->conf, err);
}

int place_override(struct place *pl, const char *path, const struct place_file *file,
		   struct kg_err *err)
{
	_cleanup_close_ int fd = fd_try_open_in(pl->sys->root_fd, path, O_PATH);
	_cleanup_free_ char *at = NULL;

	if (!file->is_altered && fd >= 0 && is_open_to_all(fd, ""))
		return 0;
	if (asprintf(&at, "/%s", path) < 0)
		return place_out_of_memory(err);
	return bind_file(pl, at, file, err);
}
