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
	/* Only now: the archive is durable. */
	if (r == 0 && (unlinkat(from_fd, base, 0) < 0 || fsync(from_fd) < 0))
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

struct restore {
	const struct kg_system *sys;
	const char *release;
	enum kg_level level; /* at which to speak of files that stay */
	char *modules_order; /* read at the first need */
	size_t n_kept;	     /* files nobody can tell the place of */
	struct kg_err *err;
};

/* The path below lib/modules/R that NAME.origin says; NULL when it says nothing usable. */
static char *origin_path(const struct restore *ctx, int dir_fd, const char *base)
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
static char *in_tree_path(struct restore *ctx, const char *base)
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

/* Ends in no .ko while unfinished, so that depmod never lists it. */
static int move_back(int from_fd, const char *base, int to_fd, struct kg_err *err)
{
	char temp[NAME_MAX + 1];
	int r;

	if (renameat(from_fd, base, to_fd, base) == 0)
		return fsync(to_fd) < 0 ? -errno : 0;
	if (errno != EXDEV)
		return -errno;
	if (snprintf(temp, sizeof(temp), ".%s.kmodgate-new", base) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	r = copy_module(from_fd, base, to_fd, temp, err);
	if (r == 0 && renameat(to_fd, temp, to_fd, base) < 0)
		r = -errno;
	if (r == 0 && fsync(to_fd) < 0)
		r = -errno;
	if (r == 0 && unlinkat(from_fd, base, 0) < 0)
		r = -errno;
	return r;
}

static int put_back(struct restore *ctx, int from_fd, const char *base, const char *file)
{
	_cleanup_free_ char *path = module_dir(ctx->sys, ctx->release, file);
	_cleanup_close_ int to_fd = -1;
	struct stat st;
	int r;

	if (path == NULL)
		return kg_fail_errno(ctx->err, -ENOMEM, "%s", base);
	to_fd = fd_make_dir_in(ctx->sys->root_fd, path, 0755, ctx->err);
	if (to_fd < 0)
		return to_fd;
	/* The kernel's package came again meanwhile: its own file is the better one. */
	if (fstatat(to_fd, base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = move_back(from_fd, base, to_fd, ctx->err);
	return r == 0 ? 0
		      : kg_fail_errno(ctx->err, r, "%s: cannot put %s back", ctx->release,
				      file);
}

static int restore_file(struct restore *ctx, int dir_fd, const char *base)
{
	char *file = origin_path(ctx, dir_fd, base);
	int r = 0;

	if (file == NULL)
		file = in_tree_path(ctx, base);
	if (file != NULL) {
		r = put_back(ctx, dir_fd, base, file);
	} else {
		kg_log(ctx->level,
		       "%s: nothing says where the archived %s came from; it stays archived",
		       ctx->release, base);
		ctx->n_kept++;
	}
	free(file);
	return r;
}

static int restore_dir(struct restore *ctx, int dir_fd, unsigned int depth);

static int restore_entry(struct restore *ctx, int dir_fd, const char *name,
			 unsigned int depth)
{
	_cleanup_close_ int sub_fd = -1;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode))
		return restore_file(ctx, dir_fd, name);
	if (!S_ISDIR(st.st_mode) || depth == 0)
		return 0;
	sub_fd = fd_open_dir_at(dir_fd, name, ctx->err);
	return sub_fd < 0 ? sub_fd : restore_dir(ctx, sub_fd, depth - 1);
}

static int restore_dir(struct restore *ctx, int dir_fd, unsigned int depth)
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
		r = restore_entry(ctx, dir_fd, names.v[i], depth);
	return strv_ok(&names) ? r : -ENOMEM;
}

/* The archive of one kernel, and the folders above it that this empties. */
static int drop_archive(const struct kg_system *sys, const char *name,
			const char *release, const char *arch, struct kg_err *err)
{
	_cleanup_close_ int release_fd =
		regtree_open_dir(sys, "%s/original_module/%s", name, release);
	_cleanup_free_ char *keep = regtree_text("%s/%s", sys->dkms_tree, name);
	_cleanup_free_ char *path =
		regtree_text("%s/%s/original_module/%s", sys->dkms_tree, name, release);
	int r = release_fd < 0 ? release_fd : fd_remove_tree_at(release_fd, arch, err);

	if (r < 0)
		return kg_fail_errno(err, r, "cannot remove the archive of %s for %s",
				     name, release);
	if (keep != NULL && path != NULL)
		fd_prune_empty_in(sys->root_fd, path, keep);
	return 0;
}

static int restore_archive(struct restore *ctx, const char *name, const char *arch)
{
	_cleanup_close_ int dir_fd = regtree_open_dir(
		ctx->sys, "%s/original_module/%s/%s", name, ctx->release, arch);
	int r;

	if (dir_fd == -ENOENT)
		return 0;
	r = dir_fd < 0 ? dir_fd : restore_dir(ctx, dir_fd, COLLISIONS_DEPTH);
	free(ctx->modules_order);
	ctx->modules_order = NULL;
	if (r < 0)
		return kg_fail_errno(ctx->err, r,
				     "%s: cannot put the original modules of %s back",
				     ctx->release, name);
	return ctx->n_kept > 0
		       ? 0
		       : drop_archive(ctx->sys, name, ctx->release, arch, ctx->err);
}

int reg_restore_originals(const struct kg_system *sys, const char *name,
			  const char *release, const char *arch, struct kg_err *err)
{
	struct restore ctx = {
		.sys = sys, .release = release, .level = KG_WARNING, .err = err
	};
	int r = regtree_check_names(name, "0", release, arch, err);

	return r < 0 ? r : restore_archive(&ctx, name, arch);
}

static int restore_orphans_of(const struct kg_system *sys, const char *name, int name_fd,
			      const char *release, struct kg_err *err)
{
	_cleanup_close_ int release_fd =
		regtree_open_dir(sys, "%s/original_module/%s", name, release);
	_cleanup_strv_ struct strv arches = { 0 };
	int r = release_fd < 0 ? 0 : regtree_list_dirs(release_fd, NULL, &arches);

	for (size_t i = 0; r == 0 && i < arches.n; i++) {
		struct restore ctx = {
			.sys = sys, .release = release, .level = KG_DEBUG, .err = err
		};
		_cleanup_free_ char *link =
			regtree_text("kernel-%s-%s", release, arches.v[i]);
		struct stat st;

		if (link == NULL)
			return -ENOMEM;
		if (fstatat(name_fd, link, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = restore_archive(&ctx, name, arches.v[i]);
	}
	return r;
}

int regtree_restore_orphans(const struct kg_system *sys, const char *name,
			    struct kg_err *err)
{
	_cleanup_close_ int dir_fd = regtree_open_dir(sys, "%s/original_module", name);
	_cleanup_close_ int name_fd = -1;
	_cleanup_strv_ struct strv releases = { 0 };
	int r;

	if (dir_fd < 0)
		return 0;
	name_fd = regtree_open_dir(sys, "%s", name);
	r = name_fd < 0 ? name_fd : regtree_list_dirs(dir_fd, NULL, &releases);
	for (size_t i = 0; r == 0 && i < releases.n; i++)
		r = restore_orphans_of(sys, name, name_fd, releases.v[i], err);
	return r;
}
