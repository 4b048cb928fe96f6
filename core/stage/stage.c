// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/stage.h"

#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "core/base/fd.h"
#include "core/base/spawn.h"
#include "core/stage/member.h"
#include "core/stage/merge.h"
#include "core/stage/package.h"
#include "core/stage/writer.h"

#define STAGE_MAX_ENTRIES 400000u
#define STAGE_MAX_BYTES (4ull << 30)
#define STAGE_MAX_THREADS 16u

/* Each archive gets a folder of its own in the stage, which is merged at the end. */
#define STAGE_PART_SIZE 32

struct stage_part {
	const struct stage_item *item;
	off_t packed_bytes;
	char name[STAGE_PART_SIZE];
	int fd;
};

struct stage_work {
	struct stage_part
		*parts; /* in the caller's order, which decides who replaces whom */
	struct stage_part **by_size;
	size_t n_parts;
	atomic_size_t next;
	atomic_bool is_stopped;
	struct stage_limits limits;
	pthread_mutex_t lock;
	int result; /* the first failure; under @lock */
	struct kg_err *err;
};

static struct stage_limits stage_fill_limits(const struct stage_limits *limits)
{
	struct stage_limits full = { 0 };

	if (limits != NULL)
		full = *limits;
	if (full.max_entries == 0)
		full.max_entries = STAGE_MAX_ENTRIES;
	if (full.max_bytes == 0)
		full.max_bytes = STAGE_MAX_BYTES;
	return full;
}

/*
 * ext4 puts a new folder near its parent, and does not reuse the inodes of files deleted
 * minutes ago but scans past each of them: a second stage after a removed first one took
 * 15 s instead of 1. A folder marked as "top" spreads its subfolders over the disk by their
 * names, so random names do what is wanted. Other file systems ignore or refuse the mark.
 */
static void stage_spread(int stage_fd)
{
	int flags = 0;

	if (ioctl(stage_fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= FS_TOPDIR_FL;
	(void)ioctl(stage_fd, FS_IOC_SETFLAGS, &flags);
}

static int stage_make_part(int stage_fd, struct stage_part *part, struct kg_err *err)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) < 0)
		return kg_fail_errno(err, -errno, "cannot name a folder of the stage");
	snprintf(part->name, sizeof(part->name), ".part-%016llx",
		 (unsigned long long)number);
	if (mkdirat(stage_fd, part->name, 0777) < 0)
		return kg_fail_errno(err, -errno, "cannot make a folder in the stage");
	part->fd = fd_open_dir_at(stage_fd, part->name, err);
	return part->fd < 0 ? part->fd : 0;
}

static const struct {
	const char *name;
	const char *target;
} stage_links[] = {
	{ "bin", "usr/bin" },
	{ "lib", "usr/lib" },
	{ "lib64", "usr/lib64" },
	{ "sbin", "usr/sbin" },
};

int stage_prepare(int stage_fd, struct kg_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(stage_links); i++)
		if (symlinkat(stage_links[i].target, stage_fd, stage_links[i].name) < 0)
			return kg_fail_errno(err, -errno, "cannot prepare the stage");
	if (mkdirat(stage_fd, "usr", 0755) < 0)
		return kg_fail_errno(err, -errno, "cannot prepare the stage");
	return 0;
}

static bool is_wanted(const struct stage_filter *filter, const char *path)
{
	return filter->want == NULL || filter->want(path, filter->data);
}

static int stage_fail_member(const struct writer *w, int code, const char *raw)
{
	char shown[MEMBER_SHOW_SIZE];

	return kg_fail_errno(w->err, code, "%s: member %s", w->archive,
			     member_show(raw, shown));
}

/* 1: go on; 0: nothing wanted can follow. */
static int stage_take_member(struct writer *w, struct package *package,
			     struct archive_entry *entry,
			     const struct stage_filter *filter)
{
	const char *raw = package_entry_path(entry);
	char path[PATH_MAX];
	int r;

	if (raw == NULL)
		return stage_fail_member(w, -EILSEQ, "?");
	r = member_clean_path(raw, path);
	if (r < 0)
		return stage_fail_member(w, r, raw);
	if (path[0] != '\0' && is_wanted(filter, path))
		r = writer_add(w, package, entry, path);
	if (r < 0)
		return r;
	return filter->is_done == NULL || !filter->is_done(path, filter->data);
}

static int stage_too_many(const char *archive, size_t max, struct kg_err *err)
{
	return kg_fail(err, -KGE_LIMIT, "%s: more than %zu members", archive, max);
}

static int stage_take_members(struct stage_work *work, struct writer *w,
			      struct package *package, const struct stage_filter *filter)
{
	struct archive_entry *entry;
	size_t n = 0;
	int r;

	while ((r = package_next(package, &entry, w->err)) > 0) {
		if (++n > w->limits->max_entries)
			return stage_too_many(w->archive, w->limits->max_entries, w->err);
		if (atomic_load_explicit(&work->is_stopped, memory_order_relaxed))
			return -KGE_CANCELLED;
		r = cancel_check(w->err);
		if (r == 0)
			r = stage_take_member(w, package, entry, filter);
		if (r <= 0)
			return r;
	}
	return r < 0 ? r : package_finish(package, w->err);
}

static int stage_fill_part(struct stage_work *work, struct stage_part *part,
			   struct kg_err *err)
{
	struct writer w = { .archive = part->item->path,
			    .limits = &work->limits,
			    .err = err };
	struct package *package = NULL;
	int r = writer_init(&w, part->fd);

	if (r == 0)
		r = package_open(part->item->path, &work->limits, &package, err);
	if (r == 0)
		r = stage_take_members(work, &w, package, &part->item->filter);
	if (r == 0)
		r = writer_finish(&w);
	package_free(package);
	writer_fini(&w);
	return r;
}

static void stage_note_failure(struct stage_work *work, int code,
			       const struct kg_err *err)
{
	pthread_mutex_lock(&work->lock);
	if (work->result == 0) {
		work->result = code;
		kg_fail(work->err, code, "%s", kg_err_text(err, code));
	}
	pthread_mutex_unlock(&work->lock);
	atomic_store(&work->is_stopped, true);
}

static void *stage_run_worker(void *data)
{
	struct stage_work *work = data;
	size_t i;

	while ((i = atomic_fetch_add(&work->next, 1)) < work->n_parts &&
	       !atomic_load(&work->is_stopped)) {
		struct kg_err err = { 0 };
		int r = stage_fill_part(work, work->by_size[i], &err);

		if (r < 0)
			stage_note_failure(work, r, &err);
	}
	return NULL;
}

static size_t stage_count_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (size_t)CPU_COUNT(&set);
}

/* The caller's thread works too, and alone where no other can be had. */
static void stage_run_workers(struct stage_work *work)
{
	pthread_t threads[STAGE_MAX_THREADS];
	size_t n_wanted = stage_count_cpus();
	size_t n = 0;
	sigset_t all;
	sigset_t saved;

	if (n_wanted > work->n_parts)
		n_wanted = work->n_parts;
	if (n_wanted > STAGE_MAX_THREADS)
		n_wanted = STAGE_MAX_THREADS;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	while (n + 1 < n_wanted &&
	       pthread_create(&threads[n], NULL, stage_run_worker, work) == 0)
		n++;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	stage_run_worker(work);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

static int compare_parts(const void *a, const void *b)
{
	const struct stage_part *x = *(struct stage_part *const *)a;
	const struct stage_part *y = *(struct stage_part *const *)b;

	return (x->packed_bytes < y->packed_bytes) - (x->packed_bytes > y->packed_bytes);
}

/* Longest first: the last one to end decides how long all take. */
static void stage_sort_parts(struct stage_work *work)
{
	for (size_t i = 0; i < work->n_parts; i++) {
		struct stat st = { 0 };

		(void)stat(work->parts[i].item->path, &st); /* opening it will tell */
		work->parts[i].packed_bytes = st.st_size;
		work->by_size[i] = &work->parts[i];
	}
	qsort(work->by_size, work->n_parts, sizeof(struct stage_part *), compare_parts);
}

static int stage_merge_parts(struct stage_work *work, int stage_fd)
{
	for (size_t i = 0; i < work->n_parts; i++) {
		const struct stage_part *part = &work->parts[i];
		int r = merge_into_stage(stage_fd, part->fd, part->item->path, work->err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int stage_run(struct stage_work *work, int stage_fd)
{
	stage_spread(stage_fd);
	for (size_t i = 0; i < work->n_parts; i++) {
		int r = stage_make_part(stage_fd, &work->parts[i], work->err);

		if (r < 0)
			return r;
	}
	stage_sort_parts(work);
	stage_run_workers(work);
	return work->result < 0 ? work->result : stage_merge_parts(work, stage_fd);
}

static void stage_drop_parts(struct stage_work *work, int stage_fd)
{
	for (size_t i = 0; i < work->n_parts; i++) {
		closep(&work->parts[i].fd);
		if (work->parts[i].name[0] != '\0')
			fd_remove_tree_at(stage_fd, work->parts[i].name, NULL);
	}
}

int stage_unpack_all(const struct stage_item *items, size_t n, int stage_fd,
		     const struct stage_limits *limits, struct kg_err *err)
{
	_cleanup_free_ struct stage_part *parts = calloc(n + 1, sizeof(*parts));
	_cleanup_free_ struct stage_part **by_size =
		calloc(n + 1, sizeof(struct stage_part *));
	struct stage_work work = { .parts = parts,
				   .by_size = by_size,
				   .n_parts = n,
				   .limits = stage_fill_limits(limits),
				   .lock = PTHREAD_MUTEX_INITIALIZER,
				   .err = err };
	int r;

	if (parts == NULL || by_size == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot unpack %zu packages", n);
	for (size_t i = 0; i < n; i++) {
		parts[i].item = &items[i];
		parts[i].fd = -1;
	}
	r = stage_run(&work, stage_fd);
	stage_drop_parts(&work, stage_fd);
	return r;
}

int stage_unpack(const char *archive_path, int stage_fd,
		 const struct stage_limits *limits, const struct stage_filter *filter,
		 struct kg_err *err)
{
	struct stage_item item = { .path = archive_path };

	if (filter != NULL)
		item.filter = *filter;
	return stage_unpack_all(&item, 1, stage_fd, limits, err);
}

static int stage_list_member(const char *archive, struct archive_entry *entry,
			     struct strv *paths, struct kg_err *err)
{
	const char *raw = package_entry_path(entry);
	char path[PATH_MAX];
	char shown[MEMBER_SHOW_SIZE];
	int r = raw != NULL ? member_clean_path(raw, path) : -EILSEQ;

	if (r < 0)
		return kg_fail_errno(err, r, "%s: member %s", archive,
				     member_show(raw != NULL ? raw : "?", shown));
	if (path[0] != '\0')
		strv_add(paths, path);
	return strv_ok(paths) ? 0 : kg_fail_errno(err, -ENOMEM, "%s", archive);
}

int stage_list(const char *archive_path, const struct stage_limits *limits,
	       struct strv *ret_paths, struct kg_err *err)
{
	const struct stage_limits full = stage_fill_limits(limits);
	_cleanup_strv_ struct strv paths = { 0 };
	struct package *package = NULL;
	struct archive_entry *entry;
	size_t n = 0;
	int r = package_open(archive_path, &full, &package, err);

	if (r < 0)
		return r;
	while ((r = package_next(package, &entry, err)) > 0) {
		if (++n > full.max_entries)
			r = stage_too_many(archive_path, full.max_entries, err);
		else
			r = stage_list_member(archive_path, entry, &paths, err);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = package_finish(package, err);
	package_free(package);
	if (r < 0)
		return r;
	*ret_paths = paths;
	paths = (struct strv){ 0 };
	return 0;
}
