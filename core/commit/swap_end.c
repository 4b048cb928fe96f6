// SPDX-License-Identifier: GPL-2.0-or-later
/* How a swap ends: undone, or final and put away. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/commit/index.h"
#include "core/commit/swap.h"
#include "core/commit/modtree.h"

/* ---- undo ---- */

/*
 * Where the release has its own mount old/SLOT is a copy, else a second name of the file: then,
 * and when nothing was switched yet, the rename does nothing and leaves both names.
 */
static int restore_old(int old_fd, const char *slot, int fd, const char *name)
{
	/* no old/: the folder was on its way out, everything was back */
	int r = old_fd < 0 ? -ENOENT : modtree_move(old_fd, slot, fd, name);

	if (r == -ENOENT) /* not kept yet, or restored already */
		return 0;
	if (r == 0 && unlinkat(old_fd, slot, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

/* Never a file that somebody else put there. */
static int remove_ours(int fd, const char *name, const char *digest)
{
	char hex[DIGEST_HEX_SIZE];
	int r = modtree_digest_at(fd, name, hex);

	/* a symlink that was put back has no digest */
	if (r == -ENOENT || (r == -KGE_EXISTS && strcmp(digest, SWAP_NO_DIGEST) != 0))
		return 0;
	if (r == 0 && strcmp(hex, digest) != 0)
		return 0;
	if (r < 0 && r != -KGE_EXISTS)
		return r;
	return unlinkat(fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int undo_file(const struct swap *s, int old_fd, const struct swap_step *step)
{
	const char *name;
	_cleanup_close_ int fd =
		modtree_open_parent(s->sys, s->release, step->path, &name);
	char slot[16];
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	snprintf(slot, sizeof(slot), "%u", step->slot);
	modtree_drop_temp(fd, name);
	if (step->kind == SWAP_DROP || step->had)
		r = restore_old(old_fd, slot, fd, name);
	else
		r = remove_ours(fd, name, step->digest);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* Somebody else's file in it, gone already, or it can never go: as it should be. */
static bool is_settled_rmdir(int code)
{
	static const int codes[] = { ENOENT, ENOTEMPTY, EEXIST, ENOTDIR,
				     EBUSY,  EPERM,	EACCES, EROFS };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (code == codes[i])
			return true;
	return false;
}

static int remove_folder(const struct swap *s, const char *path)
{
	const char *name;
	_cleanup_close_ int fd = modtree_open_parent(s->sys, s->release, path, &name);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (unlinkat(fd, name, AT_REMOVEDIR) < 0)
		return is_settled_rmdir(errno) ? 0 : -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int undo_step(const struct swap *s, int old_fd, const struct swap_step *step)
{
	switch (step->kind) {
	case SWAP_PUT:
	case SWAP_DROP:
		return undo_file(s, old_fd, step);
	case SWAP_FOLDER:
		return remove_folder(s, step->path);
	case SWAP_PRUNE:
		return 0;
	}
	return 0;
}

/* Files first, then the folders they were in. What is not noted was not done. */
int swap_undo_steps(struct swap *swap, size_t first, struct kg_err *err)
{
	_cleanup_close_ int old_fd = openat(
		swap->dir_fd, "old", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result = old_fd < 0 && errno != ENOENT ? -errno : 0;

	for (int folders = 0; folders < 2; folders++) {
		for (size_t i = swap->n_noted; i-- > first;) {
			const struct swap_step *step = &swap->steps[i];
			int r = 0;

			if ((step->kind == SWAP_FOLDER) == (folders == 1))
				r = undo_step(swap, old_fd, step);
			if (r < 0)
				result = kg_fail_errno(err, r, "%s: cannot put back %s",
						       swap->release, step->path);
		}
	}
	if (result < 0)
		kg_warning(
			"%s: its modules are half changed; 'kmodgate recover' puts them back",
			swap->release);
	return result;
}

/* ---- putting away ---- */

static int open_switch(const struct swap *s, int *ret_work_fd, struct kg_err *err)
{
	_cleanup_close_ int work_fd = modtree_try_work(s->sys);
	int fd;

	if (work_fd < 0)
		return kg_fail_errno(err, work_fd, "cannot open %s/%s",
				     s->sys->install_tree, MODTREE_WORK);
	fd = fd_open_dir_at(work_fd, MODTREE_SWITCH, err);
	if (fd >= 0)
		*ret_work_fd = TAKE_FD(work_fd);
	return fd;
}

static int swap_remove(struct swap *s, struct kg_err *err)
{
	_cleanup_close_ int work_fd = -1;
	_cleanup_close_ int switch_fd = open_switch(s, &work_fd, err);
	int r;

	if (switch_fd < 0)
		return switch_fd;
	r = fd_remove_tree_at(switch_fd, s->release, err);
	if (r == 0)
		modtree_drop_work(s->sys);
	return r;
}

int swap_undo(struct swap *swap, struct kg_err *err)
{
	int r;

	if (swap->phase == SWAP_INDEXED || swap->phase == SWAP_DONE)
		return kg_fail(err, -KGE_STOPPED,
			       "%s: too late to undo, 'kmodgate recover' "
			       "finishes it",
			       swap->release);
	r = swap_undo_steps(swap, 0, err);
	return r < 0 ? r : swap_remove(swap, err);
}

void swap_abort(struct swap *swap)
{
	if (swap->is_new)
		(void)!swap_undo(swap, NULL);
	else
		(void)!swap_undo_steps(swap, swap->first, NULL);
}

static unsigned int next_number(int dir_fd)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;
	uint64_t next = 1;
	uint64_t n;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (parse_u64(entry->d_name, &n) == 0 && n >= next)
			next = n + 1;
	return (unsigned int)next;
}

/* .kmodgate/ID/RELEASE, made when missing. */
static int make_keep(const struct swap *s, int work_fd, struct kg_err *err)
{
	_cleanup_close_ int txn_fd = modtree_make_dir_at(work_fd, s->txn_id, err);
	int fd = txn_fd < 0 ? txn_fd : modtree_make_dir_at(txn_fd, s->release, err);

	if (fd >= 0 && (fsync(txn_fd) < 0 || fsync(work_fd) < 0)) {
		close(fd);
		return kg_fail_errno(err, -errno, "cannot sync %s", MODTREE_WORK);
	}
	return fd;
}

static int swap_keep(struct swap *s, struct kg_err *err)
{
	_cleanup_close_ int work_fd = -1;
	_cleanup_close_ int switch_fd = open_switch(s, &work_fd, err);
	_cleanup_close_ int keep_fd = switch_fd < 0 ? -1 : make_keep(s, work_fd, err);
	char number[16];

	if (switch_fd < 0 || keep_fd < 0)
		return switch_fd < 0 ? switch_fd : keep_fd;
	(void)!fd_remove_tree_at(s->dir_fd, "new", NULL);
	(void)!fd_remove_tree_at(s->dir_fd, "index", NULL);
	snprintf(number, sizeof(number), "%u", next_number(keep_fd));
	if (renameat(switch_fd, s->release, keep_fd, number) == 0) {
		if (fsync(keep_fd) < 0 || fsync(switch_fd) < 0)
			return kg_fail_errno(err, -errno, "cannot sync %s", MODTREE_WORK);
		modtree_drop_work(s->sys);
		return 0;
	}
	/* A folder from a lower layer of an overlay: an image was made in the middle of it. */
	if (errno != EXDEV)
		return kg_fail_errno(err, -errno, "%s: cannot keep the old modules",
				     s->release);
	kg_warning("%s: the old modules cannot be kept for an undo", s->release);
	return swap_remove(s, err);
}

static int drop_kept(const struct swap *s, struct kg_err *err)
{
	_cleanup_close_ int work_fd = modtree_try_work(s->sys);
	_cleanup_close_ int txn_fd = -1;
	int r;

	if (work_fd >= 0)
		txn_fd = openat(work_fd, s->txn_id,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (txn_fd < 0)
		return 0;
	r = fd_remove_tree_at(txn_fd, s->release, err);
	if (r == 0)
		unlinkat(work_fd, s->txn_id, AT_REMOVEDIR);
	return r;
}

static bool has_something_to_keep(const struct swap *s)
{
	return s->n_steps > 0 || s->sets.n > 0;
}

/* Prunes the paths of @len bytes; the next shorter length there is, 0 at the end. */
static size_t prune_length(const struct swap *s, size_t len, int *result)
{
	size_t next = 0;

	for (size_t i = 0; i < s->n_steps; i++) {
		size_t n = strlen(s->steps[i].path);
		int r = 0;

		if (s->steps[i].kind != SWAP_PRUNE)
			continue;
		if (n == len)
			r = remove_folder(s, s->steps[i].path);
		else if (n < len && n > next)
			next = n;
		if (r < 0)
			*result = r;
	}
	return next;
}

/* A folder's own come before it: its path is longer. "." is the shortest. */
static int prune(const struct swap *s)
{
	int result = 0;

	for (size_t len = PATH_MAX; len > 0;)
		len = prune_length(s, len, &result);
	return result;
}

static int swap_retire(struct swap *s, struct kg_err *err)
{
	int r = prune(s);

	if (r < 0)
		return kg_fail_errno(err, r, "%s: cannot remove an empty folder",
				     s->release);
	if (s->txn_id != NULL && s->end == SWAP_KEEP && has_something_to_keep(s))
		return swap_keep(s, err);
	if (s->txn_id != NULL && s->end == SWAP_BACK)
		r = drop_kept(s, err);
	return r < 0 ? r : swap_remove(s, err);
}

/* Final already: what can't be put away now is by the next swap of the release, or by recover. */
static void put_away(struct swap *s)
{
	struct kg_err err = { 0 };
	int r = swap_retire(s, &err);

	if (r < 0)
		kg_warning("%s: %s", s->release, kg_err_text(&err, r));
}

/* @phase is reached also when it is not sure that the line is not on the disk. */
static int note_phase(struct swap *s, const char *word, enum swap_phase phase,
		      struct kg_err *err)
{
	int r;

	journal_add(&s->journal, "%s", word);
	r = journal_sync(&s->journal, err);
	if (r == 0 || s->journal.is_unsure)
		s->phase = phase;
	return r;
}

int swap_finish(struct swap *swap, struct kg_err *err)
{
	int r = note_phase(swap, "done", SWAP_DONE, err);

	if (r == 0)
		put_away(swap);
	return r;
}

static int finish_indexes(struct swap *s, struct kg_err *err)
{
	int r = index_forward(s, err);

	if (r < 0)
		return r;
	if (note_phase(s, "done", SWAP_DONE, NULL) == 0)
		put_away(s);
	return 0;
}

int swap_finish_indexed(struct swap *swap, struct kg_err *err)
{
	int r = note_phase(swap, "index", SWAP_INDEXED, err);

	return r < 0 ? r : finish_indexes(swap, err);
}

/* ---- after a kill ---- */

int swap_resolve(struct swap *swap, struct kg_err *err)
{
	switch (swap->phase) {
	case SWAP_EMPTY:
		return swap_remove(swap, err);
	case SWAP_OPEN:
		kg_info("%s: an interrupted change of its modules is undone",
			swap->release);
		return swap_undo(swap, err);
	case SWAP_INDEXED:
		kg_info("%s: an interrupted change of its modules is finished",
			swap->release);
		return finish_indexes(swap, err);
	case SWAP_DONE:
		return swap_retire(swap, err);
	}
	return 0;
}

static int resolve_named(const struct kg_system *sys, int switch_fd, const char *release,
			 struct kg_err *err)
{
	struct swap s = SWAP_INIT;
	int fd = fd_open_dir_at(switch_fd, release, err);
	int r = fd < 0 ? fd : swap_load(sys, release, fd, &s, err);

	/* One that this very process forgot to close is undone; a caller's is not ours to touch. */
	if (r == 0 && (!swap_is_ours(&s) || s.owner_pid == getpid()))
		r = swap_resolve(&s, err);
	swap_fini(&s);
	return r;
}

int swap_resolve_all(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);
	_cleanup_close_ int switch_fd = -1;
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int result = 0;

	if (work_fd >= 0)
		switch_fd = openat(work_fd, MODTREE_SWITCH,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (switch_fd >= 0)
		dir = fd_list(switch_fd);
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		struct kg_err one = { 0 };
		int r = name_is_word(entry->d_name)
				? resolve_named(sys, switch_fd, entry->d_name, &one)
				: 0;

		if (r < 0)
			kg_warning("%s", kg_err_text(&one, r));
		if (r < 0 && r != -KGE_FORMAT && result == 0)
			result = kg_fail(err, r, "%s", kg_err_text(&one, r));
	}
	return result;
}
