// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/commit/record.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/commit/modtree.h"

static int open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int record_try_txn(const struct kg_system *sys, const char *txn_id)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);

	return work_fd < 0 ? work_fd : open_dir(work_fd, txn_id);
}

static int try_release(const struct kg_system *sys, const char *txn_id,
		       const char *release)
{
	_cleanup_close_ int txn_fd = record_try_txn(sys, txn_id);

	return txn_fd < 0 ? txn_fd : open_dir(txn_fd, release);
}

/* Names of plain entries, in no order; a folder that is not there has none. */
static int list_words(int dir_fd, struct strv *ret_names)
{
	_cleanup_dir_ DIR *dir = dir_fd >= 0 ? fd_list(dir_fd) : NULL;
	struct dirent *entry;

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	if (dir == NULL)
		return -errno;
	while ((entry = fd_list_next(dir)) != NULL)
		if (name_is_word(entry->d_name))
			strv_add(ret_names, entry->d_name);
	strv_sort(ret_names);
	return strv_ok(ret_names) ? 0 : -ENOMEM;
}

int record_releases(const struct kg_system *sys, const char *txn_id,
		    struct strv *ret_releases)
{
	_cleanup_close_ int txn_fd = record_try_txn(sys, txn_id);

	return list_words(txn_fd, ret_releases);
}

static int add_versions(int waiting_fd, const char *name, struct strv *sets)
{
	_cleanup_close_ int fd = open_dir(waiting_fd, name);
	_cleanup_strv_ struct strv versions = { 0 };
	int r = list_words(fd, &versions);

	for (size_t i = 0; r == 0 && i < versions.n; i++)
		strv_addf(sets, "%s/%s", name, versions.v[i]);
	return r;
}

int record_waiting(const struct kg_system *sys, const char *txn_id, const char *release,
		   struct strv *ret_sets)
{
	_cleanup_close_ int release_fd = try_release(sys, txn_id, release);
	_cleanup_close_ int fd =
		release_fd < 0 ? release_fd : open_dir(release_fd, RECORD_WAITING);
	_cleanup_strv_ struct strv names = { 0 };
	int r = list_words(fd, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add_versions(fd, names.v[i], ret_sets);
	return r < 0 ? r : strv_ok(ret_sets) ? 0 : -ENOMEM;
}

/* ---- summing up ---- */

void record_fini(struct record *record)
{
	for (size_t i = 0; i < record->n_entries; i++)
		closep(&record->entries[i].before_fd);
	strv_fini(&record->folders);
	strv_fini(&record->sets);
	arena_fini(&record->arena);
}

static struct record_entry *find_entry(const struct record *record, const char *path)
{
	for (size_t i = 0; i < record->n_entries; i++)
		if (strcmp(record->entries[i].path, path) == 0)
			return &record->entries[i];
	return NULL;
}

const struct record_entry *record_find(const struct record *record, const char *path)
{
	return find_entry(record, path);
}

static struct record_entry *add_entry(struct record *rec, const char *path)
{
	struct record_entry *e = ARENA_ADD(&rec->arena, rec->entries, rec->n_entries);

	if (e == NULL)
		return NULL;
	*e = (struct record_entry){ .path = arena_strdup(&rec->arena, path),
				    .before_fd = -1 };
	return e->path != NULL ? e : NULL;
}

static int add_file(struct record *rec, const struct swap *s,
		    const struct swap_step *step)
{
	struct record_entry *e = find_entry(rec, step->path);
	_cleanup_close_ int old_fd = -1;
	char slot[24];
	struct stat st;

	if (e == NULL) {
		snprintf(slot, sizeof(slot), "old/%u", step->slot);
		if (step->kind == SWAP_DROP || step->had) {
			/* not kept: this step was undone, and says nothing */
			if (fstatat(s->dir_fd, slot, &st, AT_SYMLINK_NOFOLLOW) < 0)
				return errno == ENOENT ? 0 : -errno;
			old_fd = open_dir(s->dir_fd, "old");
			if (old_fd < 0)
				return old_fd;
		}
		e = add_entry(rec, step->path);
		if (e == NULL)
			return -ENOMEM;
		e->before = old_fd < 0 ? NULL : arena_strdup(&rec->arena, slot + 4);
		e->before_fd = TAKE_FD(old_fd);
	}
	e->digest =
		step->kind == SWAP_DROP ? NULL : arena_strdup(&rec->arena, step->digest);
	return rec->arena.failed ? -ENOMEM : 0;
}

static int add_swap(struct record *rec, const struct swap *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_steps; i++) {
		const struct swap_step *step = &s->steps[i];

		if (step->kind == SWAP_PUT || step->kind == SWAP_DROP)
			r = add_file(rec, s, step);
		else if (step->kind == SWAP_FOLDER &&
			 !strv_has(&rec->folders, step->path))
			strv_add(&rec->folders, step->path);
	}
	for (size_t i = 0; i < s->sets.n; i++)
		if (!strv_has(&rec->sets, s->sets.v[i]))
			strv_add(&rec->sets, s->sets.v[i]);
	return r < 0 ? r : strv_ok(&rec->folders) && strv_ok(&rec->sets) ? 0 : -ENOMEM;
}

static uint64_t last_number(const struct strv *names)
{
	uint64_t last = 0;
	uint64_t n;

	for (size_t i = 0; i < names->n; i++)
		if (parse_u64(names->v[i], &n) == 0 && n > last)
			last = n;
	return last;
}

static int add_number(struct record *rec, const struct kg_system *sys,
		      const char *release, int fd, struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = swap_load(sys, release, fd, &s, err);

	return r < 0 ? r : add_swap(rec, &s);
}

int record_read(const struct kg_system *sys, const char *txn_id, const char *release,
		struct record *ret_record, struct kg_err *err)
{
	_cleanup_close_ int release_fd = try_release(sys, txn_id, release);
	_cleanup_strv_ struct strv names = { 0 };
	struct record rec = { 0 };
	int r = list_words(release_fd, &names);
	uint64_t last = last_number(&names);

	for (uint64_t n = 1; r == 0 && n <= last; n++) {
		char number[24];
		int fd;

		snprintf(number, sizeof(number), "%ju", (uintmax_t)n);
		fd = open_dir(release_fd, number);
		if (fd >= 0)
			r = add_number(&rec, sys, release, fd, err);
		else if (fd != -ENOENT)
			r = fd;
	}
	if (r < 0) {
		record_fini(&rec);
		return kg_fail_errno(err, r, "%s: cannot read what %s kept", release,
				     txn_id);
	}
	*ret_record = rec;
	return 0;
}

void record_forget_release(struct strv *sets, const char *release)
{
	struct strv kept = { 0 };
	size_t len = strlen(release);

	for (size_t i = 0; i < sets->n; i++)
		if (strncmp(sets->v[i], release, len) != 0 || sets->v[i][len] != '/')
			strv_add(&kept, sets->v[i]);
	strv_fini(sets);
	*sets = kept;
}
