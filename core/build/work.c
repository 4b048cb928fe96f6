// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The work folder before and after: what the build gets, and what is taken of what it
 * left.
 */
#include "core/build/internal.h"
#include "core/build/path.h"
#include "core/base/name.h"

#include <stdio.h>
#include <string.h>

#define ENVIRONMENT_MAX 64
#define BUILD_FILE_LIMIT ((size_t)4 << 30) /* largest file a build may write */

/* A folder of the build user's; the caller owns the fd. */
static int make_folder(const struct build *b, int dir_fd, const char *name)
{
	const struct kg_ids ids = kg_build_ids(b->req->sys);
	int fd;

	if (mkdirat(dir_fd, name, 0755) < 0)
		return kg_fail_errno(b->err, -errno, "cannot make the work folder %s",
				     name);
	fd = fd_open_dir_at(dir_fd, name, b->err);
	if (fd < 0)
		return fd;
	if (fchown(fd, ids.uid, ids.gid) < 0) {
		int r = -errno;

		close(fd);
		return kg_fail_errno(b->err, r, "cannot give %s to the build user", name);
	}
	return fd;
}

/* A copy of the source that is the build user's; the caller owns the fd. */
static int copy_source(const struct build *b, const char *name)
{
	const struct kg_ids ids = kg_build_ids(b->req->sys);
	int fd = make_folder(b, b->req->work_fd, name);
	int r;

	if (fd < 0)
		return fd;
	r = fd_copy_tree(b->req->source_fd, fd, FD_COPY_TO_OWNER, ids.uid, ids.gid,
			 b->err);
	if (r == 0)
		return fd;
	close(fd);
	return kg_fail_errno(b->err, r, "cannot copy /%s", b->req->source->path);
}

static bool has_text(const char *text, const char *part)
{
	return text != NULL && strstr(text, part) != NULL;
}

/* No link on the way: a bind ends on none. */
static bool has_folder(int root_fd, const char *path)
{
	_cleanup_close_ int fd = -1;

	if (root_fd >= 0)
		fd = fd_try_open_plain(root_fd, path, O_PATH | O_DIRECTORY);
	return fd >= 0;
}

/*
 * Does the recipe name the source's own folder? Under DKMS, as root, it may build there and
 * then move the modules over.
 */
static bool is_built_at_source(const struct build_request *req)
{
	const struct kg_recipe *recipe = req->recipe;
	const char *path = req->source->path;
	const char *tree = req->sys->source_tree;
	size_t len = strlen(tree);

	if (strncmp(path, tree, len) != 0 || path[len] != '/')
		return false;
	if (!has_text(recipe->make, path) && !has_text(recipe->pre_build, path) &&
	    !has_text(recipe->post_build, path))
		return false;
	return has_folder(req->view->root_fd, tree) &&
	       (has_folder(req->view->stage_fd, path) ||
		has_folder(req->view->root_fd, path));
}

static int make_folders(struct build *b)
{
	static const char *const names[] = { "module", "log" };

	b->build_fd = copy_source(b, "build");
	if (b->build_fd < 0)
		return b->build_fd;
	if (is_built_at_source(b->req)) {
		b->source_fd = copy_source(b, "source");
		if (b->source_fd < 0)
			return b->source_fd;
	}
	b->ka_fd = make_folder(b, b->req->work_fd, "ka");
	if (b->ka_fd < 0)
		return b->ka_fd;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = make_folder(b, b->ka_fd, names[i]);

		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

/* ---- the view ---- */

struct bind_list {
	struct sandbox_bind *v;
	size_t n;
};

static void add_bind(struct build *b, struct bind_list *list, const char *at, int fd,
		     bool is_writable)
{
	struct sandbox_bind *bind = ARENA_ADD(&b->arena, list->v, list->n);

	if (bind != NULL)
		*bind = (struct sandbox_bind){ .at = at,
					       .fd = fd,
					       .is_writable = is_writable };
}

static void add_link(struct build *b, struct bind_list *list, const char *at,
		     const char *target)
{
	struct sandbox_bind *bind = ARENA_ADD(&b->arena, list->v, list->n);

	if (bind != NULL)
		*bind = (struct sandbox_bind){ .at = at, .fd = -1, .target = target };
}

static bool keep_fd(struct build *b, int fd)
{
	int *slot = ARENA_ADD(&b->arena, b->depend_fds, b->n_depend_fds);

	if (slot == NULL) {
		close(fd);
		return false;
	}
	*slot = fd;
	return true;
}

static int open_folder(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The entry @name of @dir_fd below @at, if it is a folder or a file. */
static void bind_entry(struct build *b, struct bind_list *list, int dir_fd,
		       const char *at, const char *name)
{
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || !keep_fd(b, fd))
		return;
	if (fstat(fd, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
		add_bind(b, list, arena_printf(&b->arena, "%s/%s", at, name), fd, false);
}

/* Each entry of @dir_fd below @at, but not @but and @nor. */
static void bind_entries(struct build *b, struct bind_list *list, int dir_fd,
			 const char *at, const char *but, const char *nor)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (strcmp(entry->d_name, but) != 0 && strcmp(entry->d_name, nor) != 0)
			bind_entry(b, list, dir_fd, at, entry->d_name);
}

/*
 * A BUILD_DEPENDS as DKMS shows it once it is built: its K/A, the link to that, its
 * source.
 */
static void bind_depend(struct build *b, struct bind_list *list,
			const struct build_depend *d)
{
	const struct build_request *req = b->req;
	struct arena *a = &b->arena;
	const char *base = arena_printf(a, "/%s/%s", req->sys->dkms_tree, d->name);
	const char *ka =
		arena_printf(a, "%s/%s/%s/%s", base, d->version, req->release, req->arch);
	const char *module = arena_printf(a, "%s/module", ka);
	_cleanup_close_ int ka_fd = open_folder(d->dir_fd, "ka");
	_cleanup_close_ int module_fd = open_folder(d->dir_fd, "module");
	_cleanup_close_ int extra_fd = ka_fd < 0 ? -1 : open_folder(ka_fd, "module");

	/* an artefact of the store keeps what is not a module in ka/ */
	bind_entries(b, list, d->dir_fd, ka, ka_fd >= 0 ? "ka" : "", "module");
	if (ka_fd >= 0)
		bind_entries(b, list, ka_fd, ka, "", "module");
	if (module_fd >= 0)
		bind_entries(b, list, module_fd, module, "", "");
	if (extra_fd >= 0)
		bind_entries(b, list, extra_fd, module, "", "");
	add_link(b, list,
		 arena_printf(a, "%s/kernel-%s-%s", base, req->release, req->arch),
		 arena_printf(a, "%s/%s/%s", d->version, req->release, req->arch));
	add_link(
		b, list, arena_printf(a, "%s/%s/source", base, d->version),
		arena_printf(a, "/%s/%s-%s", req->sys->source_tree, d->name, d->version));
}

static bool has_module(int dir_fd, const char *file)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (name_is_same_module(entry->d_name, file))
			return true;
	return false;
}

static bool is_of_depend(const struct build *b, const char *file)
{
	for (size_t i = 0; i < b->req->n_depends; i++) {
		_cleanup_close_ int fd = open_folder(b->req->depends[i].dir_fd, "module");

		if (fd >= 0 && has_module(fd, file))
			return true;
	}
	return false;
}

/*
 * The modules of a BUILD_DEPENDS where they will be installed: some makefiles look there
 * (nvidia-fs reads symbols of nvidia's). What else is installed stays.
 */
static void bind_installed(struct build *b, struct bind_list *list)
{
	const struct build_request *req = b->req;
	_cleanup_close_ int live_fd = fd_try_open_in(
		req->view->root_fd, b->installed_dir + 1, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = live_fd >= 0 ? fd_list(live_fd) : NULL;
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (!is_of_depend(b, entry->d_name))
			bind_entry(b, list, live_fd, b->installed_dir, entry->d_name);
	for (size_t i = 0; i < req->n_depends; i++) {
		_cleanup_close_ int fd = open_folder(req->depends[i].dir_fd, "module");

		if (fd >= 0)
			bind_entries(b, list, fd, b->installed_dir, "Module.symvers", "");
	}
}

static void fill_binds(struct build *b)
{
	const struct build_request *req = b->req;
	struct bind_list list = { 0 };
	struct arena *a = &b->arena;
	const char *base = arena_printf(a, "/%s/%s/%s", req->sys->dkms_tree,
					req->source->name, req->source->version);

	b->build_dir = arena_printf(a, "%s/build", base);
	b->ka_dir = arena_printf(a, "%s/%s/%s", base, req->release, req->arch);
	for (size_t i = 0; i < req->view->n_binds; i++) {
		struct sandbox_bind *bind = ARENA_ADD(a, list.v, list.n);

		if (bind != NULL)
			*bind = req->view->binds[i];
	}
	add_bind(b, &list, b->build_dir, b->build_fd, true);
	add_bind(b, &list, b->ka_dir, b->ka_fd, true);
	if (b->source_fd >= 0)
		add_bind(b, &list, arena_printf(a, "/%s", req->source->path),
			 b->source_fd, true);
	add_link(b, &list, arena_printf(a, "%s/source", base),
		 arena_printf(a, "/%s", req->source->path));
	for (size_t i = 0; i < req->n_depends; i++)
		bind_depend(b, &list, &req->depends[i]);
	if (req->n_depends > 0)
		b->installed_dir =
			arena_printf(a, "/%s/%s/%s", req->sys->install_tree, req->release,
				     req->sys->module_location ?: "updates/dkms");
	if (b->installed_dir != NULL)
		bind_installed(b, &list);
	b->box.binds = list.v;
	b->box.n_binds = list.n;
}

static void fill_masks(struct build *b)
{
	const char *const *old = b->req->view->masks;
	const char **masks;
	size_t n = 0;

	while (old != NULL && old[n] != NULL)
		n++;
	masks = arena_array(&b->arena, n + 3, sizeof(*masks));
	if (masks == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		masks[i] = old[i];
	masks[n++] = arena_printf(&b->arena, "/%s", b->req->sys->dkms_tree);
	masks[n] = b->installed_dir;
	b->box.masks = masks;
}

/* A word that is no assignment would be the name of nothing: left out. */
static size_t add_environment(struct build *b, const char **env)
{
	const char *p = b->req->environment ?: "";
	size_t n = 0;

	for (p += strspn(p, " \t"); *p != '\0'; p += strspn(p, " \t")) {
		size_t len = strcspn(p, " \t");

		if (memchr(p, '=', len) != NULL && *p != '=' && n < ENVIRONMENT_MAX)
			env[n++] = arena_strndup(&b->arena, p, len);
		p += len;
	}
	return n;
}

/*
 * What DKMS exports to a build: its PATH, what is built for what, the kernel's compiler.
 */
static void fill_env(struct build *b)
{
	const struct build_request *req = b->req;
	const struct build_tools *tools = &b->tools;
	const char **env = arena_array(&b->arena, 16 + ENVIRONMENT_MAX, sizeof(*env));
	struct arena *a = &b->arena;
	size_t n = 0;

	if (env == NULL)
		return;
	for (; path_env[n] != NULL; n++)
		env[n] = path_env[n];
	if (tools->is_clang) /* for a make that is not the command's first word */
		env[n++] = "LLVM=1";
	n += add_environment(b, env + n);
	env[n++] = arena_printf(a, "kernelver=%s", req->release);
	env[n++] = arena_printf(a, "arch=%s", req->arch);
	env[n++] = arena_printf(a, "module=%s", req->source->name);
	env[n++] = arena_printf(a, "module_version=%s", req->source->version);
	if (tools->cc != NULL) {
		env[n++] = arena_printf(a, "CC=%s", tools->cc);
		env[n++] = arena_printf(a, "KERNEL_CC=%s", tools->cc);
	}
	if (tools->ld != NULL) {
		env[n++] = arena_printf(a, "LD=%s", tools->ld);
		env[n++] = arena_printf(a, "KERNEL_LD=%s", tools->ld);
	}
	b->box.env = env;
}

int work_prepare(struct build *b)
{
	const struct build_request *req = b->req;
	const struct tools_request look = { .view = req->view, .headers = req->headers };
	_cleanup_str_ struct str said = { 0 };
	const struct kg_ids ids = kg_build_ids(b->req->sys);
	int r = make_folders(b);

	if (r == 0)
		r = tools_find(&look, &b->arena, &b->tools, &said, b->err);
	if (r < 0)
		return r;
	b->box = *req->view;
	b->box.uid = ids.uid;
	b->box.gid = ids.gid;
	b->box.release = req->release;
	b->box.in_fd = -1;
	b->box.out_fd = req->log_fd;
	b->box.err_fd = req->log_fd;
	if (b->box.file_limit_bytes == 0)
		b->box.file_limit_bytes = BUILD_FILE_LIMIT;
	fill_binds(b);
	fill_masks(b);
	fill_env(b);
	b->box.cwd = b->build_dir;
	return b->arena.failed
		       ? kg_fail_errno(b->err, -ENOMEM, "cannot prepare the build")
		       : 0;
}

void work_fini(struct build *b)
{
	for (size_t i = 0; i < b->n_depend_fds; i++)
		close(b->depend_fds[i]);
	if (b->build_fd >= 0)
		close(b->build_fd);
	if (b->source_fd >= 0)
		close(b->source_fd);
	if (b->ka_fd >= 0)
		close(b->ka_fd);
}

/* ---- what it left ---- */

static int collect_module(struct build *b, int from_fd, int to_fd,
			  const struct kg_recipe_module *module)
{
	_cleanup_str_ struct str name = { 0 };

	str_addf(&name, "%s.ko", module->dest_name);
	if (!str_ok(&name))
		return kg_fail_errno(b->err, -ENOMEM, "cannot take %s.ko",
				     module->dest_name);
	if (renameat(from_fd, str_get(&name), to_fd, str_get(&name)) < 0)
		return kg_fail(b->err, -KGE_BUILD, "POST_BUILD left no %s in %s/module",
			       str_get(&name), b->ka_dir);
	return 0;
}

/*
 * Nothing of the build runs any more, so what is checked stays as it is; the copy takes
 * regular files, folders and links, and follows none.
 */
int work_collect(struct build *b)
{
	_cleanup_close_ int out_fd = fd_make_dir_in(b->req->work_fd, "out", 0755, b->err);
	_cleanup_close_ int to_fd = -1;
	_cleanup_close_ int ka_fd = -1;
	_cleanup_close_ int from_fd = -1;
	const struct kg_recipe *recipe = b->req->recipe;
	int r;

	if (out_fd < 0)
		return out_fd;
	to_fd = fd_make_dir_in(out_fd, "module", 0755, b->err);
	ka_fd = to_fd < 0 ? -1 : fd_make_dir_in(out_fd, "ka", 0755, b->err);
	if (ka_fd < 0)
		return b->err->code;
	r = fd_copy_tree(b->ka_fd, ka_fd, FD_COPY_TO_OWNER, 0, 0, b->err);
	if (r < 0)
		return r;
	from_fd = fd_open_dir_at(ka_fd, "module", b->err);
	if (from_fd < 0)
		return from_fd;
	for (size_t i = 0; r == 0 && i < recipe->n_modules; i++)
		if (!recipe->modules[i].is_excluded)
			r = collect_module(b, from_fd, to_fd, &recipe->modules[i]);
	unlinkat(ka_fd, "module", AT_REMOVEDIR);
	unlinkat(ka_fd, "log", AT_REMOVEDIR);
	return r;
}
