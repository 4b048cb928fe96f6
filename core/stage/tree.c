// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/tree.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"

#define TREE_MAX_ENTRIES 500000u
#define TREE_MAX_DEPTH 64u
#define TREE_MAX_THREADS 8u
/* Fixed, so that the digest does not depend on how many threads share the work. */
#define TREE_CHUNK 256u
#define TREE_READ_SIZE (128u * 1024)

void tree_fini(struct tree *t)
{
	arena_fini(&t->arena);
	t->entries = NULL;
	t->n = 0;
}

static int tree_walk(struct tree *t, int dir_fd, const char *path, unsigned int depth,
		     struct kg_err *err);

static int tree_add_entry(struct tree *t, int dir_fd, const char *name, const char *path,
			  const struct stat *st)
{
	struct tree_entry *entry = ARENA_ADD(&t->arena, t->entries, t->n);
	_cleanup_free_ char *target = NULL;
	int r = 0;

	if (entry == NULL)
		return -ENOMEM;
	if (t->n > TREE_MAX_ENTRIES)
		return -KGE_LIMIT;
	if (S_ISLNK(st->st_mode))
		r = fd_read_link_at(dir_fd, name, &target);
	if (r < 0)
		return r;
	*entry = (struct tree_entry){
		.path = path,
		.target = target != NULL ? arena_strdup(&t->arena, target) : NULL,
		.mode = st->st_mode,
		.size_bytes = (uint64_t)st->st_size,
		.ino = (uint64_t)st->st_ino,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
	};
	return t->arena.failed ? -ENOMEM : 0;
}

static int tree_add_below(struct tree *t, int dir_fd, const char *name, const char *path,
			  unsigned int depth, struct kg_err *err)
{
	_cleanup_close_ int sub_fd = -1;
	struct stat st;
	int r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = tree_add_entry(t, dir_fd, name, path, &st);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	sub_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_fd < 0)
		return errno == EACCES ? 0 : -errno;
	return tree_walk(t, sub_fd, path, depth + 1, err);
}

static int tree_walk(struct tree *t, int dir_fd, const char *path, unsigned int depth,
		     struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	if (dir == NULL)
		return kg_fail_errno(err, -errno, "cannot list %s", path);
	if (depth > TREE_MAX_DEPTH)
		return kg_fail(err, -KGE_LIMIT, "%s: folders nested too deep", path);
	while ((entry = fd_list_next(dir)) != NULL) {
		char *sub = arena_printf(&t->arena, "%s/%s", path, entry->d_name);
		int r = sub == NULL ? -ENOMEM
				    : tree_add_below(t, dir_fd, entry->d_name, sub, depth,
						     err);

		if (r < 0)
			return kg_fail_errno(err, r, "cannot list %s/%s", path,
					     entry->d_name);
	}
	return 0;
}

int tree_add(struct tree *t, const char *path, struct kg_err *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent =
		slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
	_cleanup_close_ int dir_fd = -1;
	const char *copy = arena_strdup(&t->arena, path);
	int r;

	if (parent == NULL || copy == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot list %s", path);
	dir_fd = fd_try_open_in(t->root_fd, parent, O_PATH | O_DIRECTORY);
	r = dir_fd < 0 ? dir_fd : tree_add_below(t, dir_fd, slash + 1, copy, 0, err);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot list %s", path);
}

static int compare_entries(const void *a, const void *b)
{
	const struct tree_entry *x = a;
	const struct tree_entry *y = b;

	return strcmp(x->path, y->path);
}

void tree_sort(struct tree *t)
{
	if (t->n > 1)
		qsort(t->entries, t->n, sizeof(*t->entries), compare_entries);
}

/*
 * Folders count by name and mode only: the view makes some of them anew each time, and what
 * is in them is listed anyway.
 */
static void add_stat(struct digest *d, const struct tree_entry *e)
{
	uint64_t numbers[8] = { strlen(e->path), e->mode };

	if (!S_ISDIR(e->mode)) {
		numbers[2] = e->size_bytes;
		numbers[3] = e->ino;
		numbers[4] = (uint64_t)e->mtime.tv_sec;
		numbers[5] = (uint64_t)e->mtime.tv_nsec;
		numbers[6] = (uint64_t)e->ctime.tv_sec;
		numbers[7] = (uint64_t)e->ctime.tv_nsec;
	}
	digest_add_raw(d, numbers, sizeof(numbers));
	digest_add_raw(d, e->path, numbers[0]);
}

int tree_digest_stat(const struct tree *t, char ret_hex[DIGEST_HEX_SIZE])
{
	struct digest d;
	int r = digest_init(&d);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++)
		add_stat(&d, &t->entries[i]);
	r = digest_final(&d, ret_hex);
	digest_fini(&d);
	return r;
}

/* One thread's look at the files: the folder read last stays open. */
struct reader {
	int root_fd;
	int dir_fd;
	const char *dir;
	size_t dir_len;
	char *buffer;
};

static int reader_open(struct reader *rd, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = (size_t)(slash - path);

	if (rd->dir_fd < 0 || rd->dir_len != len || memcmp(rd->dir, path, len) != 0) {
		_cleanup_free_ char *dir = strndup(path, len);

		closep(&rd->dir_fd);
		rd->dir_fd = -1;
		if (dir == NULL)
			return -ENOMEM;
		rd->dir_fd = fd_try_open_in(rd->root_fd, len > 0 ? dir : "/",
					    O_PATH | O_DIRECTORY);
		if (rd->dir_fd < 0)
			return rd->dir_fd;
		rd->dir = path;
		rd->dir_len = len;
	}
	{
		int fd =
			openat(rd->dir_fd, slash + 1,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
}

static int add_content(struct digest *d, struct reader *rd, int fd, uint64_t *ret_bytes)
{
	ssize_t n;

	do {
		n = read(fd, rd->buffer, TREE_READ_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		digest_add_raw(d, rd->buffer, (size_t)n);
		*ret_bytes += (uint64_t)n;
	} while (n < 0 || n == TREE_READ_SIZE);
	return 0;
}

static int add_file(struct digest *d, struct reader *rd, const struct tree_entry *e)
{
	_cleanup_close_ int fd = reader_open(rd, e->path);
	uint64_t bytes = 0;
	int r;

	if (fd == -EACCES) {
		digest_add_field(d, "unreadable", NULL);
		return 0;
	}
	r = fd < 0 ? fd : add_content(d, rd, fd, &bytes);
	if (r == 0 && bytes != e->size_bytes)
		return -EAGAIN;
	return r;
}

static int add_entry(struct digest *d, struct reader *rd, const struct tree_entry *e)
{
	char head[64];

	snprintf(head, sizeof(head), "%o %" PRIu64, e->mode & (S_IFMT | 0777),
		 S_ISREG(e->mode) ? e->size_bytes : 0);
	digest_add_field(d, e->path, head);
	if (e->target != NULL)
		digest_add_field(d, "target", e->target);
	return S_ISREG(e->mode) ? add_file(d, rd, e) : 0;
}

struct content_work {
	const struct tree *tree;
	char (*hexes)[DIGEST_HEX_SIZE];
	size_t n_chunks;
	atomic_size_t next;
	atomic_int result;
	_Atomic(const char *) failed_path;
};

static int digest_chunk(struct content_work *work, struct reader *rd, size_t chunk)
{
	const struct tree *t = work->tree;
	size_t end = (chunk + 1) * TREE_CHUNK;
	struct digest d;
	int r = digest_init(&d);

	if (r < 0)
		return r;
	for (size_t i = chunk * TREE_CHUNK; r == 0 && i < t->n && i < end; i++) {
		r = add_entry(&d, rd, &t->entries[i]);
		if (r < 0)
			atomic_store(&work->failed_path, t->entries[i].path);
	}
	if (r == 0)
		r = digest_final(&d, work->hexes[chunk]);
	digest_fini(&d);
	return r;
}

static void *digest_chunks(void *data)
{
	struct content_work *work = data;
	_cleanup_free_ char *buffer = malloc(TREE_READ_SIZE);
	struct reader rd = { .root_fd = work->tree->root_fd,
			     .dir_fd = -1,
			     .buffer = buffer };
	int r = buffer == NULL ? -ENOMEM : 0;
	size_t chunk;

	while (r == 0 && atomic_load(&work->result) == 0 &&
	       (chunk = atomic_fetch_add(&work->next, 1)) < work->n_chunks)
		r = digest_chunk(work, &rd, chunk);
	if (r < 0)
		atomic_store(&work->result, r);
	closep(&rd.dir_fd);
	return NULL;
}

static void digest_with_threads(struct content_work *work)
{
	pthread_t threads[TREE_MAX_THREADS];
	size_t n_wanted = 1;
	size_t n = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n_wanted = (size_t)CPU_COUNT(&set);
	if (n_wanted > work->n_chunks)
		n_wanted = work->n_chunks;
	while (n + 1 < n_wanted && n < TREE_MAX_THREADS &&
	       pthread_create(&threads[n], NULL, digest_chunks, work) == 0)
		n++;
	digest_chunks(work);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

int tree_digest_content(const struct tree *t, char ret_hex[DIGEST_HEX_SIZE],
			struct kg_err *err)
{
	struct content_work work = { .tree = t,
				     .n_chunks = (t->n + TREE_CHUNK - 1) / TREE_CHUNK };
	_cleanup_free_ char(*hexes)[DIGEST_HEX_SIZE] =
		calloc(work.n_chunks + 1, sizeof(*hexes));
	int r;

	if (hexes == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot digest the headers");
	work.hexes = hexes;
	digest_with_threads(&work);
	r = atomic_load(&work.result);
	if (r == 0)
		r = digest_hex(hexes, work.n_chunks * sizeof(*hexes), ret_hex);
	if (r < 0) {
		const char *path = atomic_load(&work.failed_path);

		return kg_fail_errno(err, r, "cannot digest %s",
				     path != NULL ? path : "headers");
	}
	return 0;
}
