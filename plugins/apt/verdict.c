// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/verdict.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fd.h"

#define VERDICT_MAGIC "kgverd1"

struct verdict_head {
	char magic[8];
	uint64_t n;
	uint64_t check; /* of the entries: not fsynced, so a crash may leave any bytes */
};

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

static uint64_t checksum(const struct verdict *v, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++) {
		h = mix(h, v[i].id[0]);
		h = mix(h, v[i].id[1]);
		h = mix(h, (uint64_t)v[i].day << 32 | v[i].bits);
		h = mix(h, v[i].installed_kib);
	}
	return h;
}

/* ctime cannot be set: a file whose bytes changed has another identity. */
static void identify(const struct stat *st, uint64_t ret_id[2])
{
	const uint64_t words[] = {
		(uint64_t)st->st_dev,	       (uint64_t)st->st_ino,
		(uint64_t)st->st_size,	       (uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec,
	};
	uint64_t a = 1;
	uint64_t b = 2;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		a = mix(a, words[i]);
		b = mix(b, ~words[i]);
	}
	ret_id[0] = a;
	ret_id[1] = b;
}

static int compare_ids(const void *a, const void *b)
{
	const struct verdict *x = a;
	const struct verdict *y = b;
	int order = (x->id[0] > y->id[0]) - (x->id[0] < y->id[0]);

	return order != 0 ? order : (x->id[1] > y->id[1]) - (x->id[1] < y->id[1]);
}

static bool is_root_only(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_trusted(const char *dir)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (dir_fd < 0 || !is_root_only(dir_fd, S_IFDIR))
		return -EPERM;
	fd = openat(dir_fd, VERDICT_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || !is_root_only(fd, S_IFREG))
		return -EPERM;
	return TAKE_FD(fd);
}

void verdict_open(struct verdict_cache *cache, const char *dir)
{
	_cleanup_close_ int fd = open_trusted(dir);
	_cleanup_free_ char *data = NULL;
	const size_t max =
		sizeof(struct verdict_head) + VERDICT_MAX * sizeof(struct verdict);
	struct verdict_head head;
	size_t len;

	*cache = (struct verdict_cache){ 0 };
	if (fd < 0 || fd_read_all(fd, max, &data, &len) < 0 || len < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	if (memcmp(head.magic, VERDICT_MAGIC, sizeof(head.magic)) != 0 ||
	    head.n > VERDICT_MAX || len != sizeof(head) + head.n * sizeof(struct verdict))
		return;
	cache->known = (struct verdict *)(void *)(data + sizeof(head));
	if (checksum(cache->known, head.n) != head.check) {
		cache->known = NULL;
		return;
	}
	cache->n_known = head.n;
	cache->data = TAKE_PTR(data);
}

void verdict_close(struct verdict_cache *cache)
{
	free(cache->data);
	free(cache->fresh);
	*cache = (struct verdict_cache){ 0 };
}

const struct verdict *verdict_find(const struct verdict_cache *cache,
				   const struct stat *st)
{
	struct verdict key = { 0 };

	identify(st, key.id);
	for (size_t i = 0; i < cache->n_fresh; i++)
		if (compare_ids(&key, &cache->fresh[i]) == 0)
			return &cache->fresh[i];
	if (cache->n_known == 0)
		return NULL;
	return bsearch(&key, cache->known, cache->n_known, sizeof(key), compare_ids);
}

void verdict_learn(struct verdict_cache *cache, const struct stat *st, unsigned int bits,
		   uint64_t installed_kib)
{
	struct verdict *wider =
		reallocarray(cache->fresh, cache->n_fresh + 1, sizeof(*cache->fresh));

	if (wider == NULL)
		return;
	cache->fresh = wider;
	wider[cache->n_fresh] = (struct verdict){
		.day = (uint32_t)(time(NULL) / 86400),
		.bits = bits,
		.installed_kib = installed_kib,
	};
	identify(st, wider[cache->n_fresh++].id);
}

static int compare_days(const void *a, const void *b)
{
	const struct verdict *x = a;
	const struct verdict *y = b;

	return (x->day < y->day) - (x->day > y->day);
}

/* Fresh and known ones, the newest VERDICT_MAX, sorted by id; the caller frees. */
static struct verdict *merge(const struct verdict_cache *cache, size_t *ret_n)
{
	size_t n = cache->n_fresh + cache->n_known;
	struct verdict *all = calloc(n + 1, sizeof(*all));

	if (all == NULL)
		return NULL;
	if (cache->n_fresh > 0)
		memcpy(all, cache->fresh, cache->n_fresh * sizeof(*all));
	if (cache->n_known > 0)
		memcpy(all + cache->n_fresh, cache->known, cache->n_known * sizeof(*all));
	if (n > VERDICT_MAX) {
		qsort(all, n, sizeof(*all), compare_days);
		n = VERDICT_MAX;
	}
	qsort(all, n, sizeof(*all), compare_ids);
	*ret_n = n;
	return all;
}

/* No fsync: the checksum tells a file that a crash left half written. */
static int write_file(int dir_fd, const struct verdict_head *head,
		      const struct verdict *all)
{
	static const char temp[] = "." VERDICT_FILE ".new";
	_cleanup_close_ int fd = -1;
	int r;

	unlinkat(dir_fd, temp, 0);
	fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, head, sizeof(*head));
	if (r == 0)
		r = fd_write_all(fd, all, head->n * sizeof(*all));
	if (r == 0 && renameat(dir_fd, temp, dir_fd, VERDICT_FILE) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, temp, 0);
	return r;
}

int verdict_save(const struct verdict_cache *cache, const char *dir)
{
	_cleanup_close_ int dir_fd = -1;
	_cleanup_free_ struct verdict *all = NULL;
	struct verdict_head head = { .magic = VERDICT_MAGIC };
	size_t n = 0;

	if (cache->n_fresh == 0)
		return 0;
	(void)mkdir(dir, 0755);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	all = merge(cache, &n);
	if (all == NULL)
		return -ENOMEM;
	head.n = n;
	head.check = checksum(all, n);
	return write_file(dir_fd, &head, all);
}

int verdict_stat_list(const char *name, const char *arch, const char *multi_arch,
		      struct stat *ret_stat, char *ret_path, size_t path_size)
{
	static const char info[] = "/var/lib/dpkg/info";
	bool arch_first = strcmp(multi_arch, "same") == 0;

	for (int i = 0; i < 2; i++) {
		bool with_arch = (i == 0) == arch_first;
		int n = with_arch
				? snprintf(ret_path, path_size, "%s/%s:%s.list", info,
					   name, arch)
				: snprintf(ret_path, path_size, "%s/%s.list", info, name);

		if (n > 0 && (size_t)n < path_size && stat(ret_path, ret_stat) == 0)
			return 0;
	}
	return -ENOENT;
}
