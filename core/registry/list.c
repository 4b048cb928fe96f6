// SPDX-License-Identifier: GPL-2.0-or-later
#include <pthread.h>
#include <sched.h>

#include "core/base/fd.h"
#include "core/registry/entries.h"

const char *reg_state_text(enum reg_state state)
{
	switch (state) {
	case REG_ADDED:
		return "added";
	case REG_BROKEN:
		return "broken";
	case REG_BUILT:
		return "built";
	case REG_INSTALLED:
		return "installed";
	case REG_INSTALLED_WEAK:
		return "installed-weak";
	}
	return "unknown";
}

void reg_list_fini(struct reg_list *list)
{
	arena_fini(&list->arena);
	*list = (struct reg_list){ 0 };
}

/*
 * Nearly all the time goes into the kernel's opening of files, which several processors do at once:
 * each thread reads a run of the versions into a list of its own.
 */
#define READERS_MAX 4
#define READER_MIN 16 /* versions that are worth a thread */

struct reader {
	struct entries entries;
	const char *const *paths;
	size_t n;
	int result;
	pthread_t thread;
};

static void *read_run(void *data)
{
	struct reader *one = data;

	for (size_t i = 0; one->result == 0 && i < one->n; i++)
		one->result = entries_add(&one->entries, one->paths[i]);
	return NULL;
}

static size_t count_readers(size_t n_paths)
{
	cpu_set_t cpus;
	size_t n = n_paths / READER_MIN;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	if (n > (size_t)CPU_COUNT(&cpus))
		n = (size_t)CPU_COUNT(&cpus);
	return n < 1 ? 1 : n < READERS_MAX ? n : READERS_MAX;
}

static int reader_init(struct reader *one, const struct entries *like)
{
	one->entries = *like;
	if (like->is_compared)
		one->entries.comparer = comparer_new(like->sys);
	return like->is_compared && one->entries.comparer == NULL ? -ENOMEM : 0;
}

/* Its entries come after those that @list has. */
static int reader_fini(struct reader *one, struct reg_list *list)
{
	struct reg_list *own = &one->entries.list;

	comparer_free(one->entries.comparer);
	for (size_t i = 0; one->result == 0 && i < own->n; i++) {
		struct reg_entry *e = ARENA_ADD(&list->arena, list->entries, list->n);

		if (e == NULL)
			one->result = -ENOMEM;
		else
			*e = own->entries[i];
	}
	arena_adopt(&list->arena, &own->arena);
	return one->result;
}

/* Where there is no thread to be had, the caller's does its work. */
static void run_readers(struct reader *readers, size_t n)
{
	bool is_started[READERS_MAX] = { false };

	for (size_t i = 1; i < n; i++)
		is_started[i] = pthread_create(&readers[i].thread, NULL, read_run,
					       &readers[i]) == 0;
	for (size_t i = 0; i < n; i++)
		if (!is_started[i])
			read_run(&readers[i]);
	for (size_t i = 1; i < n; i++)
		if (is_started[i])
			pthread_join(readers[i].thread, NULL);
}

static int read_paths(const struct entries *like, const struct strv *paths,
		      struct reg_list *list)
{
	struct reader readers[READERS_MAX] = { 0 };
	const size_t n = count_readers(paths->n);
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		const size_t first = paths->n * i / n;

		readers[i].paths = (const char *const *)paths->v + first;
		readers[i].n = paths->n * (i + 1) / n - first;
		readers[i].result = reader_init(&readers[i], like);
	}
	run_readers(readers, n);
	for (size_t i = 0; i < n; i++) {
		int r = reader_fini(&readers[i], list);

		ret = ret < 0 ? ret : r;
	}
	return ret;
}

int reg_list_read(const struct kg_system *sys, const struct reg_filter *filter,
		  enum reg_compare compare, struct reg_list *ret_list, struct kg_err *err)
{
	struct entries like = { .sys = sys,
				.filter = filter,
				.is_compared = compare == REG_COMPARE };
	_cleanup_strv_ struct strv overrides = { 0 };
	_cleanup_strv_ struct strv paths = { 0 };
	int ret = 0;

	*ret_list = (struct reg_list){ 0 };
	like.tree_fd = regtree_open_dir(sys, ".");
	if (like.tree_fd == -ENOENT)
		return 0;
	if (like.tree_fd < 0)
		ret = like.tree_fd;
	if (ret == 0 && like.is_compared)
		ret = regtree_list_overrides(sys, &overrides);
	like.overrides = &overrides;
	if (ret == 0)
		ret = regtree_list_versions(sys, filter, &paths, err);
	if (ret == 0)
		ret = read_paths(&like, &paths, ret_list);
	closep(&like.tree_fd);
	if (ret < 0) {
		reg_list_fini(ret_list);
		return kg_fail_errno(err, ret, "cannot read /%s", sys->dkms_tree);
	}
	return 0;
}
