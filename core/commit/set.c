// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/commit/commit.h"
#include "core/commit/record.h"
#include "core/commit/swap.h"
#include "core/commit/modtree.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int check_set(const struct set *set, struct kg_err *err)
{
	int r = modtree_check_names(set->release, set->files, err);

	if (r == 0 && (!name_is_word(set->name) || !name_is_word(set->version)))
		r = kg_fail(err, -KGE_HOSTILE, "not a module's name and version: '%s/%s'",
			    set->name, set->version);
	return r;
}

/* ---- placing ---- */

static int check_place(const struct txn *txn, const struct set *set,
		       enum kg_change change, uint64_t reserve_bytes, struct kg_err *err)
{
	/* An entering kernel's own scripts make the indexes once, we once more. */
	struct modtree_need need = { .reserve_bytes = reserve_bytes,
				     .n_indexes = change == KG_CHANGE_ENTERS ? 2 : 1 };
	int r = 0;

	for (size_t i = 0; r == 0 && set->files[i] != NULL; i++) {
		const char *name = base_name(set->files[i]);
		struct stat st;

		if (fstatat(set->sealed_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return kg_fail_errno(err, -errno, "%s/%s: %s", set->name,
					     set->version, name);
		need.bytes += (uint64_t)st.st_size;
		need.n_files++;
		r = modtree_check_writable(txn->sys, set->release, set->files[i], err);
	}
	return r < 0 ? r : modtree_check_room(txn->sys, set->release, &need, err);
}

static bool has_same(const struct kg_system *sys, const struct set *set, const char *path,
		     const char *hex)
{
	char live[DIGEST_HEX_SIZE];

	return modtree_digest_in(sys, set->release, path, live) == 0 &&
	       strcmp(live, hex) == 0;
}

static bool has_same_link(const struct kg_system *sys, const struct set *set,
			  const char *path, int from_fd)
{
	const char *name;
	_cleanup_close_ int fd = modtree_open_parent(sys, set->release, path, &name);
	_cleanup_free_ char *ours = NULL;
	_cleanup_free_ char *live = NULL;

	return fd >= 0 && fd_read_link_at(from_fd, base_name(path), &ours) == 0 &&
	       fd_read_link_at(fd, name, &live) == 0 && strcmp(ours, live) == 0;
}

/* 1: @path is there as @from_fd has it. */
static int is_there(const struct kg_system *sys, const struct set *set, const char *path,
		    int from_fd)
{
	char hex[DIGEST_HEX_SIZE];
	int r;

	if (set->are_links)
		return has_same_link(sys, set, path, from_fd);
	r = modtree_digest_at(from_fd, base_name(path), hex);
	return r < 0 ? r : has_same(sys, set, path, hex);
}

/* Puts the files of @set, found in @from_fd, that are not in place already. */
static int put_files(struct swap *s, const struct set *set, int from_fd,
		     enum swap_source source, struct kg_err *err)
{
	int r = swap_add_set(s, set->name, set->version);

	for (size_t i = 0; r >= 0 && set->files[i] != NULL; i++) {
		const char *name = base_name(set->files[i]);

		r = is_there(s->sys, set, set->files[i], from_fd);
		if (r < 0)
			return kg_fail_errno(err, r, "%s/%s: %s", set->name, set->version,
					     name);
		if (r == 0)
			r = swap_add_put(s, from_fd, name, source, set->files[i], err);
	}
	return r < 0 ? r : swap_go(s, err);
}

static int place_final(struct txn *txn, const struct set *set, struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = swap_open(txn->sys, set->release, SWAP_KEEP, txn->plan.id, &s, err);

	if (r < 0)
		return r;
	r = put_files(&s, set, set->sealed_fd, SWAP_COPY, err);
	if (r < 0) {
		swap_abort(&s);
		return r;
	}
	/* The kernel's own depmod is to come: this is final at once. */
	r = swap_finish(&s, err);
	if (r < 0 && s.phase == SWAP_OPEN)
		(void)!swap_undo(&s, NULL);
	return r;
}

/* .kmodgate/ID/RELEASE/waiting/NAME, every folder of it on disk. */
static int make_waiting(const struct txn *txn, const struct set *set, struct kg_err *err)
{
	const char *const names[] = { txn->plan.id, set->release, RECORD_WAITING,
				      set->name };
	_cleanup_close_ int fd = modtree_make_work(txn->sys, err);

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++) {
		int sub_fd = modtree_make_dir_at(fd, names[i], err);

		if (sub_fd >= 0 && fsync(fd) < 0) {
			close(sub_fd);
			sub_fd = kg_fail_errno(err, -errno, "cannot sync %s",
					       MODTREE_WORK);
		}
		closep(&fd);
		fd = sub_fd;
	}
	return TAKE_FD(fd);
}

static int copy_waiting(const struct set *set, int to_fd, struct kg_err *err)
{
	for (size_t i = 0; set->files[i] != NULL; i++) {
		const char *name = base_name(set->files[i]);
		int r = fd_copy_file_at(set->sealed_fd, name, to_fd, name, 0644, err);

		if (r < 0)
			return r;
	}
	return fsync(to_fd) == 0
		       ? 0
		       : kg_fail_errno(err, -errno, "%s: cannot sync its modules",
				       set->release);
}

#define WAITING_TEMP ".new"

static int place_waiting(struct txn *txn, const struct set *set, struct kg_err *err)
{
	_cleanup_close_ int name_fd = make_waiting(txn, set, err);
	_cleanup_close_ int temp_fd = -1;
	int r;

	if (name_fd < 0)
		return name_fd;
	r = fd_remove_tree_at(name_fd, WAITING_TEMP, err);
	temp_fd = r < 0 ? r : modtree_make_dir_at(name_fd, WAITING_TEMP, err);
	if (temp_fd < 0)
		return temp_fd;
	r = copy_waiting(set, temp_fd, err);
	if (r == 0)
		r = fd_remove_tree_at(name_fd, set->version, err);
	if (r == 0 && renameat(name_fd, WAITING_TEMP, name_fd, set->version) < 0)
		r = kg_fail_errno(err, -errno, "%s/%s: cannot place it", set->name,
				  set->version);
	if (r == 0 && fsync(name_fd) < 0)
		r = kg_fail_errno(err, -errno, "%s/%s: cannot sync it", set->name,
				  set->version);
	if (r < 0)
		(void)!fd_remove_tree_at(name_fd, WAITING_TEMP, NULL);
	return r;
}

int set_place(struct txn *txn, const struct set *set, enum kg_change change,
	      uint64_t reserve_bytes, struct kg_err *err)
{
	_cleanup_str_ struct str subject = { 0 };
	int r = check_set(set, err);

	str_addf(&subject, "%s/%s/%s", set->release, set->name, set->version);
	if (r == 0)
		r = check_place(txn, set, change, reserve_bytes, err);
	if (r == 0)
		r = txn_note(txn, "place", str_get(&subject), err);
	if (r < 0)
		return r;
	if (change == KG_CHANGE_ENTERS)
		r = place_final(txn, set, err);
	else
		r = place_waiting(txn, set, err);
	if (r == 0 && !strv_has(&txn->placed, str_get(&subject)))
		strv_add(&txn->placed, str_get(&subject));
	return r;
}

/* ---- publishing ---- */

/* The files that set_place() left waiting; -ENOENT when there are none. */
static int open_waiting(const struct txn *txn, const struct set *set)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int txn_fd = record_try_txn(txn->sys, txn->plan.id);

	str_addf(&path, "%s/%s/%s/%s", set->release, RECORD_WAITING, set->name,
		 set->version);
	if (!str_ok(&path))
		return -ENOMEM;
	return txn_fd < 0
		       ? txn_fd
		       : fd_try_open_in(txn_fd, str_get(&path), O_RDONLY | O_DIRECTORY);
}

static bool is_all_there(const struct kg_system *sys, const struct set *set, int from_fd)
{
	for (size_t i = 0; set->files[i] != NULL; i++)
		if (is_there(sys, set, set->files[i], from_fd) != 1)
			return false;
	return true;
}

/* Built once more since it was placed, from other inputs: then what waits is out of date. */
static bool is_current(const struct set *set, int waiting_fd)
{
	for (size_t i = 0; set->sealed_fd >= 0 && set->files[i] != NULL; i++) {
		const char *name = base_name(set->files[i]);
		char waits[DIGEST_HEX_SIZE];
		char sealed[DIGEST_HEX_SIZE];

		if (modtree_digest_at(waiting_fd, name, waits) < 0 ||
		    modtree_digest_at(set->sealed_fd, name, sealed) < 0 ||
		    strcmp(waits, sealed) != 0)
			return false;
	}
	return true;
}

/* Nothing to take them from: are those that set_place() put there still what they were? */
static int check_placed(const struct kg_system *sys, const struct txn *txn,
			const struct set *set, struct kg_err *err)
{
	_cleanup_record_ struct record rec = { 0 };
	int r = 0;

	if (txn != NULL)
		r = record_read(sys, txn->plan.id, set->release, &rec, err);
	for (size_t i = 0; r == 0 && set->files[i] != NULL; i++) {
		const struct record_entry *e = record_find(&rec, set->files[i]);

		if (e == NULL || e->digest == NULL ||
		    !has_same(sys, set, set->files[i], e->digest))
			r = kg_fail(err, -ENOENT, "%s: %s/%s: %s is not there any more",
				    set->release, set->name, set->version, set->files[i]);
	}
	return r;
}

static int publish_from(const struct kg_system *sys, struct txn *txn,
			const struct set *set, int from_fd, enum swap_source source,
			struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	const char *txn_id = txn != NULL ? txn->plan.id : NULL;
	int r = swap_open(sys, set->release, txn != NULL ? SWAP_KEEP : SWAP_FORGET,
			  txn_id, &s, err);

	if (r < 0)
		return r;
	r = put_files(&s, set, from_fd, source, err);
	if (r < 0)
		swap_abort(&s);
	return r;
}

/* What a dead process left is put right first: its files may be there, but not for long. */
static int settle_swap(const struct kg_system *sys, const char *release,
		       struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = swap_find(sys, release, &s, err);

	return r < 0 ? r : 0;
}

int set_publish(const struct kg_system *sys, struct txn *txn, const struct set *set,
		struct kg_err *err)
{
	_cleanup_close_ int waiting_fd = -1;
	int from_fd = set->sealed_fd;
	int r = check_set(set, err);

	if (r == 0)
		r = settle_swap(sys, set->release, err);
	if (r < 0)
		return r;
	if (txn != NULL && !set->are_links)
		waiting_fd = open_waiting(txn, set);
	if (waiting_fd >= 0 && is_current(set, waiting_fd))
		from_fd = waiting_fd;
	if (from_fd < 0)
		return check_placed(sys, txn, set, err);
	if (is_all_there(sys, set, from_fd))
		return 0;
	if (txn != NULL)
		r = txn_note(txn, "publish", set->release, err);
	if (r < 0)
		return r;
	return publish_from(
		sys, txn, set, from_fd,
		from_fd == waiting_fd || set->are_links ? SWAP_LINK : SWAP_COPY, err);
}

/* ---- withdrawing ---- */

/* The folders of @path go with it when they are empty then, and the release's own. */
static int add_prunes(struct swap *s, const char *path)
{
	int r = swap_add_prune(s, ".");

	for (const char *p = path; r == 0 && (p = strchr(p, '/')) != NULL; p++) {
		_cleanup_str_ struct str folder = { 0 };

		str_addn(&folder, path, (size_t)(p - path));
		r = str_ok(&folder) ? swap_add_prune(s, str_get(&folder)) : -ENOMEM;
	}
	return r;
}

static int drop_files(struct swap *s, const char *const *files, struct kg_err *err)
{
	for (; *files != NULL; files++) {
		int r = swap_add_drop(s, *files);

		if (r == 0)
			r = add_prunes(s, *files);
		if (r < 0)
			return kg_fail_errno(err, r, "%s: cannot remove %s", s->release,
					     *files);
	}
	return swap_go(s, err);
}

int set_withdraw(const struct kg_system *sys, struct txn *txn, const char *release,
		 const char *const *files, struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	const char *txn_id = txn != NULL ? txn->plan.id : NULL;
	_cleanup_close_ int release_fd = -1;
	int r = modtree_check_names(release, files, err);

	if (r < 0)
		return r;
	release_fd = modtree_try_release(sys, release);
	if (release_fd == -ENOENT)
		return 0;
	if (txn != NULL)
		r = txn_note(txn, "withdraw", release, err);
	if (r == 0)
		r = swap_open(sys, release, txn != NULL ? SWAP_KEEP : SWAP_FORGET, txn_id,
			      &s, err);
	if (r < 0)
		return r;
	r = drop_files(&s, files, err);
	if (r < 0)
		swap_abort(&s);
	return r;
}

/* ---- putting back ---- */

static int put_back(struct swap *s, int from_fd, const char *file, struct kg_err *err)
{
	int r = swap_add_put(s, from_fd, base_name(file), SWAP_LINK, file, err);

	return r < 0 ? r : swap_go(s, err);
}

int set_put_back(const struct kg_system *sys, struct txn *txn, const char *release,
		 int from_fd, const char *file, struct kg_err *err)
{
	const char *const files[] = { file, NULL };
	_cleanup_swap_ struct swap s = SWAP_INIT;
	const char *txn_id = txn != NULL ? txn->plan.id : NULL;
	int r = modtree_check_names(release, files, err);

	if (r == 0)
		r = modtree_has_file(sys, release, file);
	if (r != 0) /* the kernel's package came again: its own file is the better one */
		return r < 0 ? kg_fail_errno(err, r, "%s: %s", release, file) : 0;
	if (txn != NULL)
		r = txn_note(txn, "publish", release, err);
	if (r == 0)
		r = swap_open(sys, release, txn != NULL ? SWAP_KEEP : SWAP_FORGET, txn_id,
			      &s, err);
	if (r < 0)
		return r;
	r = put_back(&s, from_fd, file, err);
	if (r < 0)
		swap_abort(&s);
	return r;
}
