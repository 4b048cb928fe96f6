// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Entries appear and disappear by a rename of the whole folder, under a lock on the store's
 * folder; their content is written and removed under names that no key can have.
 */
#include "core/store/store.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/store/folder.h"
#include "core/store/manifest.h"

static int check_key(const char *key, struct kg_err *err)
{
	return folder_is_key(key)
		       ? 0
		       : kg_fail(err, -EINVAL, "not an artefact's key: '%s'", key);
}

/* ---- get ---- */

/* The entry is what its manifest says, and of this key. */
static int verify_entry(int entry_fd, const char *key, struct arena *arena,
			struct manifest *ret_manifest, struct kg_err *err)
{
	struct listing found = { 0 };
	struct stat st;
	int r;

	if (fstat(entry_fd, &st) < 0)
		return -errno;
	if (!listing_is_ours(&st))
		return kg_fail(err, -KGE_HOSTILE, "others could have changed it");
	r = manifest_read(entry_fd, arena, ret_manifest, err);
	if (r < 0)
		return r;
	if (strcmp(ret_manifest->key, key) != 0)
		return kg_fail(err, -KGE_BROKEN, "its manifest is of another key");
	r = manifest_check_modules(ret_manifest, arena, err);
	if (r == 0)
		r = listing_scan(entry_fd, arena, &found, err);
	return r == 0 ? listing_compare(&ret_manifest->listing, &found, err) : r;
}

/* What cannot get better by trying again; out of memory or of descriptors can. */
static bool is_damage(int code)
{
	return code <= -KGE_NO_HEADERS || code == -ENOENT || code == -ELOOP ||
	       code == -ENOTDIR;
}

static int fill_artefact(const struct kg_system *sys, const struct manifest *manifest,
			 struct arena *arena, struct kg_artefact *ret_artefact)
{
	struct kg_artefact artefact = {
		.key = manifest->key,
		.dir = arena_printf(arena, "%s/store/%s", sys->cache_dir, manifest->key),
		.modules = manifest->modules,
		.n_modules = manifest->n_modules,
	};

	if (artefact.dir == NULL || artefact.key == NULL)
		return -ENOMEM;
	*ret_artefact = artefact;
	return 0;
}

static int get_from(const struct folder *store, const char *key, struct arena *arena,
		    struct manifest *ret_manifest)
{
	struct kg_err why = { 0 };
	_cleanup_close_ int entry_fd = fd_open_dir_at(store->fd, key, &why);
	int r = entry_fd;

	if (r == -ENOENT)
		return r;
	if (r >= 0)
		r = verify_entry(entry_fd, key, arena, ret_manifest, &why);
	if (r < 0) {
		kg_warning("artefact %.12s is not used: %s", key, kg_err_text(&why, r));
		if (is_damage(r))
			folder_discard(store, key, entry_fd);
		return r == -ENOMEM ? r : -ENOENT;
	}
	(void)futimens(entry_fd,
		       NULL); /* when it was last of use; a read-only store serves too */
	return 0;
}

int store_get(const struct kg_system *sys, const char *key, struct arena *arena,
	      struct kg_artefact *ret_artefact, struct kg_err *err)
{
	_cleanup_folder_ struct folder store = FOLDER_INIT;
	struct manifest manifest = { 0 };
	int r = check_key(key, err);

	if (r < 0)
		return r;
	if (folder_open(&store, sys) < 0)
		return -ENOENT;
	r = get_from(&store, key, arena, &manifest);
	return r == 0 ? fill_artefact(sys, &manifest, arena, ret_artefact) : r;
}

/* ---- put ---- */

struct put {
	const char *key;
	const struct kg_recipe *recipe;
	int out_fd;
	int log_fd;
	struct arena *arena;
	struct manifest manifest;
	struct kg_err *err;
};

/* out/NAME to the new entry, owned by us; a part that the build did not leave is no error. */
static int copy_part(const struct put *put, int entry_fd, const char *name)
{
	_cleanup_close_ int from_fd = openat(
		put->out_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int to_fd = -1;

	if (from_fd < 0)
		return errno == ENOENT
			       ? 0
			       : kg_fail_errno(put->err, -errno, "cannot open %s", name);
	if (mkdirat(entry_fd, name, 0755) < 0)
		return kg_fail_errno(put->err, -errno, "cannot make %s in the store",
				     name);
	to_fd = fd_open_dir_at(entry_fd, name, put->err);
	if (to_fd < 0)
		return to_fd;
	return fd_copy_tree(from_fd, to_fd, FD_COPY_TO_OWNER, geteuid(), getegid(),
			    put->err);
}

static int tidy_modes(int dir_fd, struct kg_err *err);

/* Two modes only: everybody reads, nobody but us writes, no set-user-id from a build. */
static mode_t tidy_mode(const struct stat *st)
{
	return S_ISDIR(st->st_mode) || (st->st_mode & 0100) != 0 ? 0755 : 0644;
}

static int tidy_entry(int dir_fd, const char *name, struct kg_err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return 0;
	if (fchmodat(dir_fd, name, tidy_mode(&st), 0) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = fd_open_dir_at(dir_fd, name, err);
	return fd < 0 ? fd : tidy_modes(fd, err);
}

static int tidy_modes(int dir_fd, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	const struct dirent *entry;

	if (dir == NULL)
		return kg_fail_errno(err, -errno, "cannot list an artefact");
	while ((entry = fd_list_next(dir)) != NULL) {
		int r = tidy_entry(dir_fd, entry->d_name, err);

		if (r < 0)
			return kg_fail_errno(err, r, "cannot set the mode of %s",
					     entry->d_name);
	}
	return 0;
}

static int copy_log(const struct put *put, int entry_fd)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (put->log_fd < 0)
		return 0;
	fd = openat(entry_fd, "make.log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return kg_fail_errno(put->err, -errno,
				     "cannot make make.log in the store");
	r = fd_copy_data(put->log_fd, fd);
	return r == 0 ? 0
		      : kg_fail_errno(put->err, r, "cannot copy the log to the store");
}

/* The modules that were built: those excluded alone have no file. */
static int describe_modules(struct put *put)
{
	const struct kg_recipe *recipe = put->recipe;
	struct manifest *manifest = &put->manifest;

	for (size_t i = 0; i < recipe->n_modules; i++) {
		const struct kg_recipe_module *from = &recipe->modules[i];
		struct kg_recipe_module *m;

		if (from->is_excluded)
			continue;
		m = ARENA_ADD(put->arena, manifest->modules, manifest->n_modules);
		if (m == NULL)
			return -ENOMEM;
		*m = (struct kg_recipe_module){
			.built_name = arena_strdup(put->arena, from->built_name),
			.built_location = arena_strdup(put->arena, from->built_location),
			.dest_name = arena_strdup(put->arena, from->dest_name),
			.dest_location = arena_strdup(put->arena, from->dest_location),
			.strip = from->strip,
			.lacks = from->lacks != NULL
					 ? arena_strdup(put->arena, from->lacks)
					 : NULL,
		};
	}
	manifest->key = arena_strdup(put->arena, put->key);
	manifest->source =
		arena_printf(put->arena, "%s/%s", recipe->name, recipe->version);
	return put->arena->failed ? -ENOMEM : 0;
}

static int write_entry(struct put *put, int entry_fd)
{
	int r = copy_part(put, entry_fd, "module");

	if (r == 0)
		r = copy_part(put, entry_fd, "ka");
	if (r == 0)
		r = copy_log(put, entry_fd);
	if (r == 0)
		r = tidy_modes(entry_fd, put->err);
	if (r == 0)
		r = listing_scan(entry_fd, put->arena, &put->manifest.listing, put->err);
	if (r == 0)
		r = describe_modules(put);
	if (r == 0)
		r = manifest_check_modules(&put->manifest, put->arena, put->err);
	if (r == 0)
		r = fd_sync_tree(entry_fd, put->err);
	return r == 0 ? manifest_write(entry_fd, &put->manifest, put->err) : r;
}

static int put_into(const struct folder *store, struct put *put)
{
	_cleanup_draft_ struct draft draft = DRAFT_INIT;
	int r = folder_begin(store, &draft, put->err);

	if (r == 0)
		r = write_entry(put, draft.fd);
	return r == 0 ? folder_publish(&draft, put->key, put->err) : r;
}

int store_put(const struct kg_system *sys, const char *key,
	      const struct kg_recipe *recipe, int out_fd, int log_fd, struct arena *arena,
	      struct kg_artefact *ret_artefact, struct kg_err *err)
{
	_cleanup_folder_ struct folder store = FOLDER_INIT;
	struct put put = { .key = key,
			   .recipe = recipe,
			   .out_fd = out_fd,
			   .log_fd = log_fd,
			   .arena = arena,
			   .err = err };
	int r = check_key(key, err);

	if (r == 0)
		r = folder_make(&store, sys, err);
	if (r < 0)
		return r;
	r = get_from(&store, key, arena, &put.manifest);
	if (r == -ENOENT) {
		put.manifest = (struct manifest){ 0 };
		r = put_into(&store, &put);
	}
	/* another process was faster: its entry counts, if it is whole */
	if (r == -EEXIST)
		r = get_from(&store, key, arena, &put.manifest);
	if (r == 0)
		r = fill_artefact(sys, &put.manifest, arena, ret_artefact);
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot keep the artefact of %s/%s",
				      recipe->name, recipe->version);
}
