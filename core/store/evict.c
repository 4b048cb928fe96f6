// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/store/folder.h"

#define MAX_DEPTH 64

struct entry {
	const char *key;
	struct timespec used; /* store_get() sets it */
	uint64_t bytes;
};

struct entries {
	struct entry *v;
	size_t n;
	uint64_t bytes;
};

/* Blocks on disk of everything below; what cannot be read counts nothing. */
static uint64_t tree_bytes(int dir_fd, unsigned int depth)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	const struct dirent *entry;
	uint64_t bytes = 0;

	while (dir != NULL && depth < MAX_DEPTH && (entry = fd_list_next(dir)) != NULL) {
		_cleanup_close_ int sub_fd = -1;
		struct stat st;

		if (fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += (uint64_t)st.st_blocks * 512;
		if (!S_ISDIR(st.st_mode))
			continue;
		sub_fd = fd_open_dir_at(dir_fd, entry->d_name, NULL);
		if (sub_fd >= 0)
			bytes += tree_bytes(sub_fd, depth + 1);
	}
	return bytes;
}

static int add_entry(const struct folder *store, const char *name, struct arena *arena,
		     struct entries *list)
{
	_cleanup_close_ int fd = fd_open_dir_at(store->fd, name, NULL);
	struct entry *entry;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd < 0)
			folder_discard(store, name, -1);
		return 0;
	}
	entry = ARENA_ADD(arena, list->v, list->n);
	if (entry == NULL)
		return -ENOMEM;
	*entry = (struct entry){
		.key = arena_strdup(arena, name),
		.used = st.st_mtim,
		.bytes = tree_bytes(fd, 0) + (uint64_t)st.st_blocks * 512,
	};
	list->bytes += entry->bytes;
	return entry->key != NULL ? 0 : -ENOMEM;
}

static int list_entries(const struct folder *store, struct arena *arena,
			struct entries *list)
{
	_cleanup_dir_ DIR *dir = fd_list(store->fd);
	const struct dirent *entry;
	int r = 0;

	if (dir == NULL)
		return -errno;
	while (r == 0 && (entry = fd_list_next(dir)) != NULL)
		if (folder_is_key(entry->d_name))
			r = add_entry(store, entry->d_name, arena, list);
	return r;
}

static int compare_age(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
	if (x->used.tv_nsec != y->used.tv_nsec)
		return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
	return strcmp(x->key, y->key);
}

static void remove_oldest(const struct folder *store, struct entries *list,
			  uint64_t max_bytes)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), compare_age);
	for (size_t i = 0; i < list->n && list->bytes > max_bytes; i++) {
		_cleanup_close_ int fd = fd_open_dir_at(store->fd, list->v[i].key, NULL);

		if (fd >= 0)
			folder_discard(store, list->v[i].key, fd);
		list->bytes -= list->v[i].bytes;
	}
}

int store_evict(const struct kg_system *sys, uint64_t max_bytes, struct kg_err *err)
{
	_cleanup_folder_ struct folder store = FOLDER_INIT;
	_cleanup_arena_ struct arena arena = { 0 };
	struct entries list = { 0 };
	int r = folder_open(&store, sys);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return kg_fail_errno(err, r, "cannot open %s/store", sys->cache_dir);
	folder_drop_stale(&store);
	r = list_entries(&store, &arena, &list);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot list %s/store", sys->cache_dir);
	remove_oldest(&store, &list, max_bytes);
	return 0;
}
