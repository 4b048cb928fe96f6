// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/store/folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include "core/base/fd.h"
#include "core/store/listing.h"

#define DRAFT_PREFIX ".new-"
#define GONE_PREFIX ".gone-"

static int check_owner(const struct folder *store)
{
	struct stat st;

	if (fstat(store->fd, &st) < 0)
		return -errno;
	return listing_is_ours(&st) ? 0 : -EPERM;
}

int folder_open(struct folder *store, const struct kg_system *sys)
{
	_cleanup_str_ struct str path = { 0 };
	int r;

	str_addf(&path, "%s/store", sys->cache_dir);
	if (!str_ok(&path))
		return -ENOMEM;
	store->fd = fd_try_open_in(sys->root_fd, path.p, O_RDONLY | O_DIRECTORY);
	if (store->fd < 0)
		return store->fd;
	r = check_owner(store);
	if (r < 0)
		folder_close(store);
	return r;
}

int folder_make(struct folder *store, const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };
	int r;

	str_addf(&path, "%s/store", sys->cache_dir);
	if (!str_ok(&path))
		return -ENOMEM;
	store->fd = fd_make_dir_in(sys->root_fd, path.p, 0755, err);
	if (store->fd < 0)
		return store->fd;
	r = check_owner(store);
	if (r < 0) {
		folder_close(store);
		return kg_fail(err, r,
			       "%s belongs to another user, or others can write to it",
			       path.p);
	}
	return 0;
}

void folder_close(struct folder *store)
{
	closep(&store->fd);
	store->fd = -1;
}

bool folder_is_key(const char *name)
{
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

/* Held for a few system calls only: nobody waits long for it. */
static void lock_folder(const struct folder *store)
{
	int r;

	do
		r = flock(store->fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
}

static void unlock_folder(const struct folder *store)
{
	(void)flock(store->fd, LOCK_UN);
}

static bool is_same(const struct folder *store, const char *name, int fd)
{
	struct stat there;
	struct stat opened;

	return fstatat(store->fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &opened) == 0 && there.st_ino == opened.st_ino &&
	       there.st_dev == opened.st_dev;
}

/* Its writer, or who removes it, holds a lock while alive. */
static void drop_if_stale(const struct folder *store, const char *name)
{
	_cleanup_close_ int fd = fd_open_dir_at(store->fd, name, NULL);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)fd_remove_tree_at(store->fd, name, NULL);
}

/* Out of the way under a name that tells it is rubbish. */
static bool move_aside(const struct folder *store, const char *name, const char *gone,
		       int fd)
{
	bool moved;

	lock_folder(store);
	drop_if_stale(store, gone);
	moved = is_same(store, name, fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		renameat(store->fd, name, store->fd, gone) == 0;
	unlock_folder(store);
	return moved;
}

/*
 * Where a folder cannot be renamed (one of a lower overlay layer: EXDEV) it goes where it is, its
 * manifest first: without that it is nobody's artefact.
 */
static void remove_in_place(const struct folder *store, const char *name, int entry_fd)
{
	lock_folder(store);
	if (is_same(store, name, entry_fd) && flock(entry_fd, LOCK_EX | LOCK_NB) == 0) {
		(void)unlinkat(entry_fd, "manifest.yaml", 0);
		(void)fd_remove_tree_at(store->fd, name, NULL);
	}
	unlock_folder(store);
}

void folder_discard(const struct folder *store, const char *name, int entry_fd)
{
	char gone[sizeof(GONE_PREFIX) + 64];

	if (entry_fd < 0) {
		(void)unlinkat(store->fd, name, 0);
		return;
	}
	snprintf(gone, sizeof(gone), GONE_PREFIX "%.64s", name);
	if (move_aside(store, name, gone, entry_fd))
		(void)fd_remove_tree_at(store->fd, gone, NULL);
	else
		remove_in_place(store, name, entry_fd);
}

static void drop_all_stale(const struct folder *store)
{
	_cleanup_dir_ DIR *dir = fd_list(store->fd);
	const struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (str_starts(entry->d_name, DRAFT_PREFIX) ||
		    str_starts(entry->d_name, GONE_PREFIX))
			drop_if_stale(store, entry->d_name);
}

void folder_drop_stale(const struct folder *store)
{
	lock_folder(store); /* nobody is between making a draft and locking it */
	drop_all_stale(store);
	unlock_folder(store);
}

static int make_draft(const struct folder *store, struct draft *draft)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	snprintf(draft->name, sizeof(draft->name), DRAFT_PREFIX "%016jx",
		 (uintmax_t)number);
	if (mkdirat(store->fd, draft->name, 0700) < 0)
		return -errno;
	draft->store = store;
	draft->fd = fd_open_dir_at(store->fd, draft->name, NULL);
	if (draft->fd < 0)
		return draft->fd;
	return flock(draft->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int folder_begin(const struct folder *store, struct draft *ret_draft, struct kg_err *err)
{
	int r;

	lock_folder(store);
	drop_all_stale(store);
	r = make_draft(store, ret_draft);
	unlock_folder(store);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot make a folder in the store");
}

int folder_publish(struct draft *draft, const char *key, struct kg_err *err)
{
	const struct folder *store = draft->store;
	int r = 0;

	if (fchmod(draft->fd, 0755) < 0 || fsync(draft->fd) < 0)
		return kg_fail_errno(err, -errno, "cannot finish %s in the store",
				     draft->name);
	lock_folder(store);
	/* an empty folder of that name is replaced, anything else stays */
	if (renameat(store->fd, draft->name, store->fd, key) < 0)
		r = errno == ENOTEMPTY ? -EEXIST : -errno;
	unlock_folder(store);
	if (r == -EEXIST)
		return r;
	if (r == 0) {
		draft->store = NULL;
		r = fsync(store->fd) < 0 ? -errno : 0;
	}
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot name an artefact in the store");
}

void folder_drop_draft(struct draft *draft)
{
	if (draft->store != NULL)
		(void)fd_remove_tree_at(draft->store->fd, draft->name, NULL);
	closep(&draft->fd);
	draft->fd = -1;
}
