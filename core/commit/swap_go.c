// SPDX-License-Identifier: GPL-2.0-or-later
/* The steps of a swap, forwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/commit/swap.h"
#include "core/commit/modtree.h"

struct slot_name {
	char text[16];
};

static struct slot_name slot_name(unsigned int slot)
{
	struct slot_name name;

	snprintf(name.text, sizeof(name.text), "%u", slot);
	return name;
}

/* ---- adding ---- */

static struct swap_step *add_step(struct swap *s, enum swap_kind kind, const char *path)
{
	struct swap_step *step;
	unsigned int slot = 0;

	for (size_t i = 0; i < s->n_steps; i++)
		if (s->steps[i].slot >= slot)
			slot = s->steps[i].slot + 1;
	step = ARENA_ADD(&s->arena, s->steps, s->n_steps);
	if (step == NULL)
		return NULL;
	step->kind = kind;
	step->slot = slot;
	step->path = arena_strdup(&s->arena, path);
	return step->path != NULL ? step : NULL;
}

int swap_add_set(struct swap *swap, const char *name, const char *version)
{
	_cleanup_str_ struct str s = { 0 };

	str_addf(&s, "%s/%s", name, version);
	if (!str_ok(&s))
		return -ENOMEM;
	if (strv_has(&swap->sets, str_get(&s)))
		return 0;
	strv_add(&swap->sets, str_get(&s));
	journal_add(&swap->journal, "set %s", str_get(&s));
	return strv_ok(&swap->sets) ? 0 : -ENOMEM;
}

int swap_add_put(struct swap *swap, int from_fd, const char *from_name,
		 enum swap_source source, const char *path, struct kg_err *err)
{
	_cleanup_close_ int new_fd = fd_open_dir_at(swap->dir_fd, "new", err);
	struct swap_step *step = add_step(swap, SWAP_PUT, path);
	char hex[DIGEST_HEX_SIZE];
	struct slot_name slot;
	int r;

	if (new_fd < 0)
		return new_fd;
	if (step == NULL)
		return -ENOMEM;
	slot = slot_name(step->slot);
	unlinkat(new_fd, slot.text, 0);
	if (source == SWAP_LINK)
		r = modtree_link(from_fd, from_name, new_fd, slot.text);
	else
		r = fd_copy_file_at(from_fd, from_name, new_fd, slot.text, 0644, NULL);
	if (r == 0)
		r = modtree_digest_at(new_fd, slot.text, hex);
	/* What is put back may be a link that a person had made. */
	if (r == -KGE_EXISTS && source == SWAP_LINK)
		r = snprintf(hex, sizeof(hex), SWAP_NO_DIGEST) < 0 ? -EIO : 0;
	if (r < 0)
		return kg_fail_errno(err, r, "%s: cannot stage %s", swap->release, path);
	step->digest = arena_strdup(&swap->arena, hex);
	return step->digest != NULL ? 0 : -ENOMEM;
}

int swap_add_drop(struct swap *swap, const char *path)
{
	int r = modtree_has_file(swap->sys, swap->release, path);

	if (r <= 0)
		return r;
	return add_step(swap, SWAP_DROP, path) != NULL ? 0 : -ENOMEM;
}

int swap_add_prune(struct swap *swap, const char *path)
{
	for (size_t i = 0; i < swap->n_steps; i++)
		if (swap->steps[i].kind == SWAP_PRUNE &&
		    strcmp(swap->steps[i].path, path) == 0)
			return 0;
	return add_step(swap, SWAP_PRUNE, path) != NULL ? 0 : -ENOMEM;
}

/* ---- before the note ---- */

static bool is_listed_folder(const struct swap *s, const char *path)
{
	for (size_t i = s->n_noted; i < s->n_steps; i++)
		if (s->steps[i].kind == SWAP_FOLDER &&
		    strcmp(s->steps[i].path, path) == 0)
			return true;
	return false;
}

static int add_folder(struct swap *s, const char *path)
{
	const char *name;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (is_listed_folder(s, path))
		return 0;
	fd = modtree_open_parent(s->sys, s->release, path, &name);
	if (fd >= 0 && fstatat(fd, name, &st, 0) == 0)
		return 0;
	if (fd < 0 && fd != -ENOENT)
		return fd;
	return add_step(s, SWAP_FOLDER, path) != NULL ? 0 : -ENOMEM;
}

/* The folders above @path that are not there, from the top down. */
static int add_folders_of(struct swap *s, const char *path)
{
	int r = add_folder(s, ".");

	for (const char *p = path; r == 0 && (p = strchr(p, '/')) != NULL; p++) {
		_cleanup_str_ struct str folder = { 0 };

		str_addn(&folder, path, (size_t)(p - path));
		r = str_ok(&folder) ? add_folder(s, str_get(&folder)) : -ENOMEM;
	}
	return r;
}

static int look_before(struct swap *s, struct kg_err *err)
{
	size_t n = s->n_steps;

	for (size_t i = s->n_noted; i < n; i++) {
		const char *path = s->steps[i].path;
		int r;

		if (s->steps[i].kind != SWAP_PUT)
			continue;
		r = modtree_has_file(s->sys, s->release, path);
		s->steps[i].had = r > 0;
		if (r >= 0)
			r = add_folders_of(s, path);
		if (r < 0)
			return kg_fail_errno(err, r, "%s: %s", s->release, path);
	}
	return 0;
}

static void add_line(struct journal *j, const struct swap_step *step)
{
	switch (step->kind) {
	case SWAP_PUT:
		journal_add(j, "put %u %s %s %s", step->slot, step->had ? "had" : "new",
			    step->digest, step->path);
		break;
	case SWAP_DROP:
		journal_add(j, "drop %u %s", step->slot, step->path);
		break;
	case SWAP_FOLDER:
		journal_add(j, "folder %s", step->path);
		break;
	case SWAP_PRUNE:
		journal_add(j, "prune %s", step->path);
		break;
	}
}

static int note_steps(struct swap *s, struct kg_err *err)
{
	int r;

	for (size_t i = s->n_noted; i < s->n_steps; i++)
		add_line(&s->journal, &s->steps[i]);
	r = journal_sync(&s->journal, err);
	if (r == 0)
		s->n_noted = s->n_steps;
	return r;
}

/* ---- doing ---- */

static int make_folder(const struct swap *s, const char *path)
{
	const char *name;
	_cleanup_close_ int fd = modtree_open_parent(s->sys, s->release, path, &name);

	if (fd < 0)
		return fd;
	if (mkdirat(fd, name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (fchmodat(fd, name, 0755, 0) < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

/* After the fsync of old/ a rename over the file can no longer lose what was there. */
static int keep_old(const struct swap *s, int old_fd, const struct swap_step *step)
{
	const char *name;
	_cleanup_close_ int fd =
		modtree_open_parent(s->sys, s->release, step->path, &name);

	return fd < 0 ? fd : modtree_link(fd, name, old_fd, slot_name(step->slot).text);
}

static int switch_file(const struct swap *s, int new_fd, const struct swap_step *step)
{
	const char *name;
	_cleanup_close_ int fd =
		modtree_open_parent(s->sys, s->release, step->path, &name);

	if (fd < 0)
		return fd;
	if (step->kind == SWAP_PUT)
		return modtree_move(new_fd, slot_name(step->slot).text, fd, name);
	return unlinkat(fd, name, 0) < 0 ? -errno : 0;
}

static int sync_parent(const struct swap *s, const struct swap_step *step)
{
	const char *name;
	_cleanup_close_ int fd =
		modtree_open_parent(s->sys, s->release, step->path, &name);

	return fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
}

enum pass { PASS_FOLDERS, PASS_KEEP, PASS_SWITCH, PASS_SYNC };

static int do_step(const struct swap *s, const struct swap_step *step, enum pass pass,
		   int dir_fd)
{
	bool is_file = step->kind == SWAP_PUT || step->kind == SWAP_DROP;

	switch (pass) {
	case PASS_FOLDERS:
		return step->kind == SWAP_FOLDER ? make_folder(s, step->path) : 0;
	case PASS_KEEP:
		return step->had || step->kind == SWAP_DROP ? keep_old(s, dir_fd, step)
							    : 0;
	case PASS_SWITCH:
		return is_file ? switch_file(s, dir_fd, step) : 0;
	case PASS_SYNC:
		return is_file ? sync_parent(s, step) : 0;
	}
	return 0;
}

static int do_pass(const struct swap *s, size_t first, enum pass pass, int dir_fd,
		   struct kg_err *err)
{
	for (size_t i = first; i < s->n_steps; i++) {
		int r = do_step(s, &s->steps[i], pass, dir_fd);

		if (r < 0)
			return kg_fail_errno(err, r, "%s: cannot %s %s", s->release,
					     pass == PASS_KEEP ? "keep the old"
							       : "change",
					     s->steps[i].path);
	}
	return 0;
}

static int sync_dir(const struct swap *s, int fd, const char *name, struct kg_err *err)
{
	return fsync(fd) == 0 ? 0
			      : kg_fail_errno(err, -errno, "%s: cannot sync %s/",
					      s->release, name);
}

int swap_go(struct swap *swap, struct kg_err *err)
{
	const size_t first = swap->n_noted;
	_cleanup_close_ int new_fd = fd_open_dir_at(swap->dir_fd, "new", err);
	_cleanup_close_ int old_fd = fd_open_dir_at(swap->dir_fd, "old", err);
	int r;

	if (new_fd < 0 || old_fd < 0)
		return new_fd < 0 ? new_fd : old_fd;
	r = look_before(swap, err);
	if (r == 0)
		r = sync_dir(swap, new_fd, "new", err);
	if (r == 0)
		r = note_steps(swap, err);
	if (r == 0)
		r = do_pass(swap, first, PASS_FOLDERS, -1, err);
	if (r == 0)
		r = do_pass(swap, first, PASS_KEEP, old_fd, err);
	if (r == 0)
		r = sync_dir(swap, old_fd, "old", err);
	if (r == 0)
		r = do_pass(swap, first, PASS_SWITCH, new_fd, err);
	if (r == 0)
		r = do_pass(swap, first, PASS_SYNC, -1, err);
	return r;
}
