// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/registry/regtree.h"

#define ORIGIN ".origin"
#define MODULES_ORDER_MAX_BYTES (16u << 20)
#define COLLISIONS_DEPTH 16

/* The folder of @file below lib/modules/R, relative to the root. Caller frees. */
static char *module_dir(const struct kg_system *sys, const char *release,
			const char *file)
{
	const char *slash = strrchr(file, '/');

	if (slash == NULL)
		return regtree_text("%s/%s", sys->install_tree, release);
	return regtree_text("%s/%s/%.*s", sys->install_tree, release, (int)(slash - file),
			    file);
}

static const char *base_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash != NULL ? slash + 1 : file;
}

/* Regular file @from_name to new file @to_name with its mode and mtime, synced. */
static int copy_module(int from_dir_fd, const char *from_name, int to_dir_fd,
		       const char *to_name, struct kg_err *err)
{
	_cleanup_close_ int to_fd = -1;
	struct timespec times[2];
	struct stat st;
	int r;

	if (unlinkat(to_dir_fd, to_name, 0) < 0 && errno != ENOENT)
		return kg_fail_errno(err, -errno, "cannot remove %s", to_name);
	if (fstatat(from_dir_fd, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return kg_fail_errno(err, -errno, "cannot copy %s", from_name);
	r = fd_copy_file_at(from_dir_fd, from_name, to_dir_fd, to_name, st.st_mode & 0777,
			    err);
	if (r < 0)
		return r;
	to_fd = openat(to_dir_fd, to_name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (to_fd < 0 || futimens(to_fd, times) < 0 || fsync(to_fd) < 0)
		return kg_fail_errno(err, -errno, "cannot copy %s", from_name);
	return 0;
}

/* A second module of that name goes to collisions/, in the folders it had. */
static int open_archive_for(const struct kg_system *sys, const char *archive,
			    const char *file, const char *origin, struct kg_err *err)
{
	_cleanup_close_ int dir_fd = regtree_make_dir(sys, err, "%s", archive);
	_cleanup_free_ char *known = NULL;
	_cleanup_free_ char *name = regtree_text("%s" ORIGIN, base_name(file));
	const char *base = base_name(file);
	struct stat st;

	if (dir_fd < 0 || fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return TAKE_FD(dir_fd);
	if (name == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s", base);
	if (fd_read_file_in(dir_fd, name, PATH_MAX, &known, NULL, NULL) == 0 &&
	    strcmp(known, origin) == 0)
		return TAKE_FD(dir_fd);
	return regtree_make_dir(sys, err, "%s/collisions/%.*s", archive,
				base > file ? (int)(base - 1 - file) : 0, file);
}

static int archive_file(int from_fd, int to_fd, const char *base,
			const struct str *origin, struct kg_err *err)
{
	char part[NAME_MAX + 1];
	char name[NAME_MAX + 1];
	int r;

	if (snprintf(part, sizeof(part), TREE_PART "%s", base) >= (int)sizeof(part) ||
	    snprintf(name, sizeof(name), "%s" ORIGIN, base) >= (int)sizeof(name))
		return kg_fail_errno(err, -ENAMETOOLONG, "%s", base);
	r = copy_module(from_fd, base, to_fd, part, err);
	if (r == 0)
		r = fd_replace_at(to_fd, name, origin->p, origin->len, 0644, err);
	if (r == 0 && renameat(to_fd, part, to_fd, base) < 0)
		r = -errno;
	if (r == 0 && fsync(to_fd) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(to_fd, part, 0);
	return r;
}

int reg_archive_original(const struct kg_system *sys, const char *name,
			 const char *release, const char *arch, const char *file,
			 struct kg_err *err)
{
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;
	_cleanup_free_ char *archive =
		regtree_text("%s/original_module/%s/%s", name, release, arch);
	_cleanup_free_ char *from = module_dir(sys, release, file);
	_cleanup_str_ struct str origin = { 0 };
	int r = regtree_check_names(name, "0", release, arch, err);

	if (r < 0)
		return r;
	if (!name_is_path(file))
		return kg_fail(err, -EINVAL, "%s: not a module file: '%s'", release,
			       file);
	/* Where DKMS and we say the file came from: the text of NAME.origin. */
	str_addf(&origin, "/%s/%s/%s\n", sys->install_tree, release, file);
	if (archive == NULL || from == NULL || !str_ok(&origin))
		return kg_fail_errno(err, -ENOMEM, "%s: cannot archive %s", release,
				     file);
	from_fd = fd_open_dir_in(sys->root_fd, from, err);
	if (from_fd < 0)
		return from_fd;
	to_fd = open_archive_for(sys, archive, file, str_get(&origin), err);
	if (to_fd < 0)
		return to_fd;
	r = archive_file(from_fd, to_fd, base_name(file), &origin, err);
	return r == 0 ? 0 : kg_fail_errno(err, r, "%s: cannot archive %s", release, file);
}

struct listing {
	const struct kg_system *sys;
	const char *release;
	const char *archive; /* below the root */
	struct arena *arena;
	char *modules_order; /* read at the first need */
	struct reg_original *v;
	size_t n;
};

/* The path below lib/modules/R that NAME.origin says; NULL when it says nothing usable. */
static char *origin_path(const struct listing *ctx, int dir_fd, const char *base)
{
	static const char *const merged[] = { "", "/usr" };
	_cleanup_free_ char *text = NULL;
	char name[NAME_MAX + 1];

	if (snprintf(name, sizeof(name), "%s" ORIGIN, base) >= (int)sizeof(name) ||
	    fd_read_file_in(dir_fd, name, PATH_MAX, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
		_cleanup_str_ struct str prefix = { 0 };

		str_addf(&prefix, "%s/%s/%s/", merged[i], ctx->sys->install_tree,
			 ctx->release);
		if (str_ok(&prefix) && str_starts(text, str_get(&prefix)) &&
		    name_is_path(text + prefix.len) &&
		    strcmp(base_name(text + prefix.len), base) == 0)
			return strdup(text + prefix.len);
	}
	return NULL;
}

/* "NAME.ko" of "NAME.ko.xz": the list of the kernel's own modules has no suffixes. */
static size_t bare_length(const char *base)
{
	const char *ko = strstr(base, ".ko");

	return ko != NULL ? (size_t)(ko - base) + strlen(".ko") : strlen(base);
}

/*
 * DKMS 3.0 archives without .origin: a module of the kernel goes back where the kernel's
 * list of its own modules has one of that name. NULL when it has none.
 */
static char *in_tree_path(struct listing *ctx, const char *base)
{
	_cleanup_free_ char *path =
		regtree_text("%s/%s/modules.order", ctx->sys->install_tree, ctx->release);
	_cleanup_str_ struct str result = { 0 };
	size_t len = bare_length(base);

	if (path == NULL ||
	    (ctx->modules_order == NULL &&
	     fd_read_file_in(ctx->sys->root_fd, path, MODULES_ORDER_MAX_BYTES,
			     &ctx->modules_order, NULL, NULL) < 0))
		return NULL;
	for (const char *line = ctx->modules_order; *line != '\0';) {
		size_t n = strcspn(line, "\n");

		if (n > len && line[n - len - 1] == '/' &&
		    memcmp(line + n - len, base, len) == 0) {
			str_addn(&result, line, n - len);
			str_add(&result, base);
			return str_ok(&result) && name_is_path(str_get(&result))
				       ? str_take(&result)
				       : NULL;
		}
		line += n + (line[n] == '\n');
	}
	return NULL;
}

static int list_file(struct listing *ctx, int dir_fd, const char *below, const char *base)
{
	_cleanup_free_ char *file = origin_path(ctx, dir_fd, base);
	struct reg_original *o = ARENA_ADD(ctx->arena, ctx->v, ctx->n);

	if (file == NULL)
		file = in_tree_path(ctx, base);
	if (o == NULL)
		return -ENOMEM;
	*o = (struct reg_original){
		.dir = arena_printf(ctx->arena, "%s%s", ctx->archive, below),
		.base = arena_strdup(ctx->arena, base),
		.file = file != NULL ? arena_strdup(ctx->arena, file) : NULL,
	};
	return ctx->arena->failed ? -ENOMEM : 0;
}

static int list_dir(struct listing *ctx, int dir_fd, const char *below,
		    unsigned int depth);

static int list_entry(struct listing *ctx, int dir_fd, const char *below,
		      const char *name, unsigned int depth)
{
	_cleanup_close_ int sub_fd = -1;
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode))
		return list_file(ctx, dir_fd, below, name);
	if (!S_ISDIR(st.st_mode) || depth == 0)
		return 0;
	sub_fd = fd_open_dir_at(dir_fd, name, NULL);
	path = regtree_text("%s/%s", below, name);
	if (sub_fd < 0 || path == NULL)
		return sub_fd < 0 ? sub_fd : -ENOMEM;
	return list_dir(ctx, sub_fd, path, depth - 1);
}

static int list_dir(struct listing *ctx, int dir_fd, const char *below,
		    unsigned int depth)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	_cleanup_strv_ struct strv names = { 0 };
	struct dirent *entry;
	int r = 0;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (name_is_plain(entry->d_name) && !str_ends(entry->d_name, ORIGIN))
			strv_add(&names, entry->d_name);
	strv_sort(&names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = list_entry(ctx, dir_fd, below, names.v[i], depth);
	return strv_ok(&names) ? r : -ENOMEM;
}

int reg_list_originals(const struct kg_system *sys, const struct reg_archive *archive,
		       struct arena *arena, struct reg_original **ret_originals,
		       size_t *ret_n, struct kg_err *err)
{
	struct listing ctx = { .sys = sys, .release = archive->release, .arena = arena };
	_cleanup_close_ int dir_fd = -1;
	int r = regtree_check_names(archive->name, "0", archive->release, archive->arch,
				    err);

	*ret_n = 0;
	if (r < 0)
		return r;
	ctx.archive = arena_printf(arena, "%s/%s/original_module/%s/%s", sys->dkms_tree,
				   archive->name, archive->release, archive->arch);
	if (ctx.archive == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s", archive->name);
	dir_fd = fd_try_open_in(sys->root_fd, ctx.archive, O_RDONLY | O_DIRECTORY);
	if (dir_fd == -ENOENT)
		return 0;
	r = dir_fd < 0 ? dir_fd : list_dir(&ctx, dir_fd, "", COLLISIONS_DEPTH);
	free(ctx.modules_order);
	if (r < 0)
		return kg_fail_errno(err, r, "%s: cannot read the archive of %s",
				     archive->release, archive->name);
	*ret_originals = ctx.v;
	*ret_n = ctx.n;
	return 0;
}

/* All but the files that nobody knows a place for. */
static int drop_known(const struct kg_system *sys, const struct reg_original *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int dir_fd = -1;
		char origin[NAME_MAX + 1];

		if (v[i].file == NULL)
			continue;
		dir_fd = fd_try_open_in(sys->root_fd, v[i].dir, O_RDONLY | O_DIRECTORY);
		snprintf(origin, sizeof(origin), "%s" ORIGIN, v[i].base);
		if (dir_fd < 0 || (unlinkat(dir_fd, v[i].base, 0) < 0 && errno != ENOENT))
			return dir_fd < 0 ? dir_fd : -errno;
		unlinkat(dir_fd, origin, 0);
	}
	return 0;
}

static int drop_archive(const struct kg_system *sys, const struct reg_archive *a,
			struct kg_err *err)
{
	_cleanup_close_ int release_fd =
		regtree_open_dir(sys, "%s/original_module/%s", a->name, a->release);
	_cleanup_free_ char *keep = regtree_text("%s/%s", sys->dkms_tree, a->name);
	_cleanup_free_ char *path = regtree_text("%s/%s/original_module/%s",
						 sys->dkms_tree, a->name, a->release);
	int r;

	if (release_fd == -ENOENT)
		return 0;
	r = release_fd < 0 ? release_fd : fd_remove_tree_at(release_fd, a->arch, err);
	if (r == 0 && keep != NULL && path != NULL)
		fd_prune_empty_in(sys->root_fd, path, keep);
	return r;
}

int reg_drop_originals(const struct kg_system *sys, const struct reg_archive *archive,
		       struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reg_original *v = NULL;
	size_t n = 0;
	size_t n_kept = 0;
	int r = reg_list_originals(sys, archive, &arena, &v, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		n_kept += v[i].file == NULL;
	if (r == 0)
		r = n_kept > 0 ? drop_known(sys, v, n) : drop_archive(sys, archive, err);
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot remove the archive of %s for %s",
				      archive->name, archive->release);
}

static int add_orphans(const struct kg_system *sys, const char *name, const char *release,
		       struct arena *arena, struct reg_archive **v, size_t *n)
{
	_cleanup_close_ int name_fd = regtree_open_dir(sys, "%s", name);
	_cleanup_close_ int release_fd =
		regtree_open_dir(sys, "%s/original_module/%s", name, release);
	_cleanup_strv_ struct strv arches = { 0 };
	int r = release_fd < 0 ? 0 : regtree_list_dirs(release_fd, NULL, &arches);

	for (size_t i = 0; r == 0 && i < arches.n; i++) {
		_cleanup_free_ char *link =
			regtree_text("kernel-%s-%s", release, arches.v[i]);
		struct reg_archive *a;
		struct stat st;

		if (link == NULL)
			return -ENOMEM;
		if (fstatat(name_fd, link, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		a = ARENA_ADD(arena, *v, *n);
		if (a == NULL)
			return -ENOMEM;
		*a = (struct reg_archive){ .name = arena_strdup(arena, name),
					   .release = arena_strdup(arena, release),
					   .arch = arena_strdup(arena, arches.v[i]) };
	}
	return r == 0 && arena->failed ? -ENOMEM : r;
}

int reg_list_orphans(const struct kg_system *sys, struct arena *arena,
		     struct reg_archive **ret_archives, size_t *ret_n, struct kg_err *err)
{
	_cleanup_close_ int tree_fd =
		fd_try_open_in(sys->root_fd, sys->dkms_tree, O_RDONLY | O_DIRECTORY);
	_cleanup_strv_ struct strv names = { 0 };
	int r = tree_fd < 0 ? 0 : regtree_list_dirs(tree_fd, NULL, &names);

	*ret_archives = NULL;
	*ret_n = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_close_ int dir_fd =
			regtree_open_dir(sys, "%s/original_module", names.v[i]);
		_cleanup_strv_ struct strv releases = { 0 };

		if (dir_fd < 0)
			continue;
		r = regtree_list_dirs(dir_fd, NULL, &releases);
		for (size_t k = 0; r == 0 && k < releases.n; k++)
			r = add_orphans(sys, names.v[i], releases.v[k], arena,
					ret_archives, ret_n);
	}
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot list the archived modules");
}
