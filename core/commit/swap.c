// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening, joining and reading swaps. */
#include "core/commit/swap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/base/proc.h"
#include "core/commit/modtree.h"

#define SWAP_JOURNAL "switch"

void swap_fini(struct swap *swap)
{
	closep(&swap->dir_fd);
	swap->dir_fd = -1;
	journal_fini(&swap->journal);
	strv_fini(&swap->sets);
	arena_fini(&swap->arena);
}

/* ---- reading ---- */

/* The next word of *@p, in the arena; NULL at the end. */
static const char *take_word(struct arena *arena, const char **p)
{
	size_t len = strcspn(*p, " ");
	const char *word = *p;

	if (len == 0)
		return NULL;
	*p += len + (word[len] == ' ' ? 1 : 0);
	return arena_strndup(arena, word, len);
}

static int take_u64(struct arena *arena, const char **p, uint64_t *ret_value)
{
	const char *word = take_word(arena, p);

	return word == NULL ? -KGE_FORMAT : parse_u64(word, ret_value);
}

/* "begin PID START BOOT" */
static int parse_begin(struct swap *s, const char *p)
{
	uint64_t pid;

	if (take_u64(&s->arena, &p, &pid) < 0 ||
	    take_u64(&s->arena, &p, &s->owner_start) < 0)
		return -KGE_FORMAT;
	s->owner_pid = (pid_t)pid;
	s->owner_boot = arena_strdup(&s->arena, p);
	s->phase = SWAP_OPEN;
	return 0;
}

/* "txn keep|back ID" */
static int parse_txn(struct swap *s, const char *p)
{
	const char *end = take_word(&s->arena, &p);

	if (end == NULL || !name_is_plain(p))
		return -KGE_FORMAT;
	s->end = strcmp(end, "back") == 0 ? SWAP_BACK : SWAP_KEEP;
	s->txn_id = arena_strdup(&s->arena, p);
	return 0;
}

static int parse_set(struct swap *s, const char *p)
{
	strv_add(&s->sets, p);
	return 0;
}

/* The journal is ours, but what it names is checked like anything read from a disk. */
static int add_path(struct swap *s, enum swap_kind kind, uint64_t slot, const char *path)
{
	struct swap_step *step;

	if (!name_is_path(path) && !(kind >= SWAP_FOLDER && strcmp(path, ".") == 0))
		return -KGE_FORMAT;
	step = ARENA_ADD(&s->arena, s->steps, s->n_steps);
	if (step == NULL)
		return -ENOMEM;
	step->kind = kind;
	step->slot = (unsigned int)slot;
	step->path = arena_strdup(&s->arena, path);
	return 0;
}

/* "put SLOT had|new DIGEST PATH" */
static int parse_put(struct swap *s, const char *p)
{
	uint64_t slot;
	const char *had;
	const char *digest;
	int r = take_u64(&s->arena, &p, &slot);

	if (r < 0)
		return r;
	had = take_word(&s->arena, &p);
	digest = take_word(&s->arena, &p);
	if (digest == NULL)
		return -KGE_FORMAT;
	r = add_path(s, SWAP_PUT, slot, p);
	if (r < 0)
		return r;
	s->steps[s->n_steps - 1].had = strcmp(had, "had") == 0;
	s->steps[s->n_steps - 1].digest = digest;
	return 0;
}

/* "drop SLOT PATH" */
static int parse_drop(struct swap *s, const char *p)
{
	uint64_t slot;
	int r = take_u64(&s->arena, &p, &slot);

	return r < 0 ? r : add_path(s, SWAP_DROP, slot, p);
}

static int parse_folder(struct swap *s, const char *p)
{
	return add_path(s, SWAP_FOLDER, 0, p);
}

static int parse_prune(struct swap *s, const char *p)
{
	return add_path(s, SWAP_PRUNE, 0, p);
}

static int parse_index(struct swap *s, const char *p)
{
	(void)p;
	s->phase = SWAP_INDEXED;
	return 0;
}

static int parse_done(struct swap *s, const char *p)
{
	(void)p;
	s->phase = SWAP_DONE;
	return 0;
}

static const struct {
	const char *word;
	int (*parse)(struct swap *s, const char *subject);
} swap_words[] = {
	{ "begin", parse_begin }, { "txn", parse_txn },	    { "set", parse_set },
	{ "put", parse_put },	  { "drop", parse_drop },   { "folder", parse_folder },
	{ "prune", parse_prune }, { "index", parse_index }, { "done", parse_done },
};

static int parse_line(struct swap *s, const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(swap_words); i++) {
		const char *subject = journal_subject(line, swap_words[i].word);

		if (subject != NULL)
			return swap_words[i].parse(s, subject);
	}
	return -KGE_FORMAT;
}

static int parse_journal(struct swap *s, struct kg_err *err)
{
	for (size_t i = 0; i < s->journal.lines.n; i++) {
		int r = parse_line(s, s->journal.lines.v[i]);

		if (r < 0)
			return kg_fail(err, r, "%s: switch journal: cannot read '%s'",
				       s->release, s->journal.lines.v[i]);
	}
	s->n_noted = s->n_steps;
	return s->arena.failed || !strv_ok(&s->sets) ? -ENOMEM : 0;
}

int swap_load(const struct kg_system *sys, const char *release, int dir_fd,
	      struct swap *ret_swap, struct kg_err *err)
{
	struct swap s = { .sys = sys, .dir_fd = dir_fd, .journal = JOURNAL_INIT };
	int r;

	s.release = arena_strdup(&s.arena, release);
	r = s.release == NULL ? -ENOMEM
			      : journal_open(dir_fd, SWAP_JOURNAL, &s.journal, err);
	if (r == 0)
		r = parse_journal(&s, err);
	if (r == -ENOENT)
		r = 0; /* SWAP_EMPTY: died before it began */
	if (r == 0)
		*ret_swap = s;
	else
		swap_fini(&s);
	return r < 0 ? kg_fail_errno(err, r, "%s: cannot read what is under way there",
				     release)
		     : 0;
}

bool swap_is_ours(const struct swap *swap)
{
	_cleanup_str_ struct str boot = { 0 };

	if (swap->phase != SWAP_OPEN)
		return false;
	if (swap->owner_start == 0) /* no /proc where it began */
		return swap->owner_pid == getpid();
	return proc_boot_id(&boot) == 0 &&
	       strcmp(str_get(&boot), swap->owner_boot) == 0 &&
	       proc_is_ancestor(swap->owner_pid, swap->owner_start);
}

/* ---- opening ---- */

static int open_switch_dir(const struct kg_system *sys)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);
	int fd;

	if (work_fd < 0)
		return work_fd;
	fd = openat(work_fd, MODTREE_SWITCH,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int swap_find(const struct kg_system *sys, const char *release, struct swap *ret_swap,
	      struct kg_err *err)
{
	_cleanup_close_ int switch_fd = open_switch_dir(sys);
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int fd = switch_fd;
	int r;

	if (switch_fd >= 0)
		fd = openat(switch_fd, release,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (switch_fd >= 0 && fd < 0)
		fd = -errno;
	if (fd < 0)
		return fd == -ENOENT
			       ? 0
			       : kg_fail_errno(err, fd, "cannot open %s/%s/%s",
					       MODTREE_WORK, MODTREE_SWITCH, release);
	r = swap_load(sys, release, fd, &s, err);
	if (r < 0)
		return r;
	if (!swap_is_ours(&s))
		return swap_resolve(&s, err);
	*ret_swap = s;
	s = (struct swap)SWAP_INIT;
	return 1;
}

static void add_txn_line(struct swap *s, enum swap_end end, const char *txn_id)
{
	s->end = end;
	s->txn_id = arena_strdup(&s->arena, txn_id);
	journal_add(&s->journal, "txn %s %s", end == SWAP_BACK ? "back" : "keep", txn_id);
}

static void add_begin_line(struct swap *s)
{
	_cleanup_str_ struct str boot = { 0 };
	uint64_t start = 0;

	if (proc_boot_id(&boot) < 0 || proc_start_time(getpid(), &start) < 0)
		start = 0;
	s->owner_pid = getpid();
	s->owner_start = start;
	s->owner_boot = arena_strdup(&s->arena, str_get(&boot));
	s->phase = SWAP_OPEN;
	journal_add(&s->journal, "begin %d %" PRIu64 " %s", getpid(), start,
		    str_get(&boot));
}

static int make_folders(struct swap *s, int switch_fd, struct kg_err *err)
{
	static const char *const names[] = { "new", "old" };

	s->dir_fd = modtree_make_dir_at(switch_fd, s->release, err);
	if (s->dir_fd < 0)
		return s->dir_fd;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (mkdirat(s->dir_fd, names[i], 0755) < 0)
			return kg_fail_errno(err, -errno, "%s: cannot make directory %s",
					     s->release, names[i]);
	return 0;
}

static int swap_begin(struct swap *s, int switch_fd, struct kg_err *err)
{
	int r = make_folders(s, switch_fd, err);

	if (r == 0)
		r = journal_create(s->dir_fd, SWAP_JOURNAL, &s->journal, err);
	if (r < 0)
		return r;
	add_begin_line(s);
	if (s->txn_id != NULL)
		add_txn_line(s, s->end, s->txn_id);
	if (s->arena.failed)
		return kg_fail_errno(err, -ENOMEM, "%s", s->release);
	r = journal_sync(&s->journal, err);
	if (r == 0 && (fsync(s->dir_fd) < 0 || fsync(switch_fd) < 0))
		r = kg_fail_errno(err, -errno, "%s: cannot sync the switch journal",
				  s->release);
	return r;
}

static int swap_make(const struct kg_system *sys, const char *release, struct swap *s,
		     struct kg_err *err)
{
	_cleanup_close_ int work_fd = modtree_make_work(sys, err);
	_cleanup_close_ int switch_fd = -1;
	int r;

	if (work_fd < 0)
		return work_fd;
	switch_fd = modtree_make_dir_at(work_fd, MODTREE_SWITCH, err);
	if (switch_fd < 0)
		return switch_fd;
	if (fsync(work_fd) < 0)
		return kg_fail_errno(err, -errno, "cannot sync %s", MODTREE_WORK);
	r = swap_begin(s, switch_fd, err);
	if (r < 0)
		fd_remove_tree_at(switch_fd, release, NULL);
	return r;
}

int swap_open(const struct kg_system *sys, const char *release, enum swap_end end,
	      const char *txn_id, struct swap *ret_swap, struct kg_err *err)
{
	_cleanup_close_ int release_fd = modtree_try_release(sys, release);
	struct swap s = SWAP_INIT;
	int r;

	if (release_fd < 0 && release_fd != -ENOENT)
		return kg_fail_errno(err, release_fd, "cannot open %s/%s",
				     sys->install_tree, release);
	r = swap_find(sys, release, &s, err);

	if (r == 0) {
		s.sys = sys;
		s.is_new = true;
		s.end = end;
		s.release = arena_strdup(&s.arena, release);
		s.txn_id = txn_id != NULL ? arena_strdup(&s.arena, txn_id) : NULL;
		r = s.arena.failed ? -ENOMEM : swap_make(sys, release, &s, err);
	} else if (r > 0 && txn_id != NULL && s.txn_id == NULL) {
		add_txn_line(&s, end, txn_id);
	}
	if (r < 0) {
		swap_fini(&s);
		return r;
	}
	s.first = s.n_steps;
	*ret_swap = s;
	return 0;
}
