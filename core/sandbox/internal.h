/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the parts of the sandbox hand each other; nobody outside core/sandbox includes it.
 *
 *   caller --fork--> outer --unshare, clone--> init (pid 1 of the view) --fork--> command
 *
 * outer   (outer.c, userns.c)    copies mounts, makes the namespaces, ends
 * init    (init.c, uname.c)      builds the view, pivots, answers uname(2), reaps
 * command (command.c, seccomp.c) drops everything, then runs the program
 *
 * Init is the caller's own child, and the kernel lets no pid 1 be waited for before every
 * process of its namespace is gone: whoever waited knows that nothing runs in there any
 * more. Each of them reports a failed set-up through report_fd, which closes when the
 * program runs.
 */
#include "core/sandbox/sandbox.h"

#include "core/base/fd.h"

enum box_ids {
	BOX_IDS_REAL,	/* root of this machine */
	BOX_IDS_MAPPED, /* user namespace with 0 and the build user in it */
	BOX_IDS_SINGLE, /* user namespace with the build user alone: we are that */
};

struct box {
	const struct sandbox *how;
	enum box_ids ids;
	int report_fd;
	int live_fd;   /* detached copy of the root and all below it, read-only */
	int stage_fd;  /* detached copy of the stage; -1 none */
	int *bind_fds; /* detached copies, one per how->binds; -1 for a symlink */
};

/* What the caller is told: first who init is, then perhaps what went wrong. */
struct box_report {
	pid_t init; /* 0: a failure */
	struct kg_err err;
};

/* -KGE_SANDBOX with the text and errno's meaning. */
int box_fail(struct kg_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Tells the caller why there is no program running, and ends this process. */
void box_give_up(const struct box *box, const struct kg_err *err)
	__attribute__((noreturn));
/* Closes every descriptor above 2 but those of @keep (sorted by this function). */
void box_close_others(int *keep, size_t n);
/* Default action for every signal, none blocked. */
void box_reset_signals(void);

/* The child's part of sandbox_start(). */
void outer_run(struct box *box) __attribute__((noreturn));
void init_run(struct box *box) __attribute__((noreturn));
/* Process that becomes the program; talks with init over @init_fd. */
void command_run(struct box *box, int init_fd) __attribute__((noreturn));

/* New user namespace together with the namespaces of @flags. */
int userns_enter(struct box *box, int flags, struct kg_err *err) _must_check_;

/* Mounts by descriptor, without paths and before they are visible anywhere. */
enum mount_depth { MOUNT_ONE, MOUNT_TREE };
/* Copy of the mount at @dir_fd/@name ("" is @dir_fd itself); -errno. */
int mount_copy(int dir_fd, const char *name, enum mount_depth depth);
int mount_tmpfs(const char *mode, const char *size, unsigned int attributes);
int mount_proc(void);
/* Attaches @mount_fd on @dir_fd/@name ("" is @dir_fd itself); 0 or -errno. */
int mount_attach(int mount_fd, int dir_fd, const char *name);
int mount_flags(int mount_fd, enum mount_depth depth, uint64_t set, uint64_t clear);
int mount_make_private(int mount_fd, enum mount_depth depth);

/* Makes the whole view and pivots into it. Runs in init. */
int view_enter(struct box *box, struct kg_err *err) _must_check_;
/* An empty folder of the view, for what init mounts late: no bind can be below it. */
#define VIEW_SPARE_DIR "dev/.kmodgate"
/* /dev of the view, on its folder. */
int view_mount_dev(int view_fd, int live_fd, struct kg_err *err) _must_check_;
/* Masks with what is bound in them, read-only afterwards. */
int view_mount_masks(const struct box *box, int view_fd, struct kg_err *err) _must_check_;
/*
 * Opens the folder @path of the view, following its symlinks within it; what is missing
 * is made where that can be written, that is in masks.
 */
int view_make_dir(int view_fd, const char *path, struct kg_err *err) _must_check_;

/*
 * Sorted paths, '/' before every other character: a folder is followed by all that is
 * below it. A range holds the paths that share the first @skip bytes.
 */
struct paths {
	const char *const *v;
	size_t n;
	size_t skip;
};
/* Orders two char pointers behind @a and @b, for qsort(). */
int paths_compare(const void *a, const void *b);
/* Length of the first component of the range's path @i, and of those that share it. */
size_t paths_component(const struct paths *range, size_t i, size_t *ret_same);
/* What is at or below component @name; true when @name itself is listed. */
bool paths_below(const struct paths *range, const char *name, struct paths *ret_below);

enum merge_place { MERGE_AT_TOP, MERGE_AT_USR, MERGE_AT_SHARE, MERGE_ELSEWHERE };
/* The two sides of the union and what is asked of it; -1 for a side that is not there. */
struct merge {
	int live_fd;
	int stage_fd;
	struct paths removed; /* absent, unless the stage has it */
	struct paths needed;  /* folders to be there in any case */
	enum merge_place place;
};
/* Attaches the union of both sides on @dir_fd/@name; the caller owns the returned fd. */
int merge_mount(const struct merge *m, int dir_fd, const char *name,
		struct kg_err *err) _must_check_;

/*
 * Forbids what a build has no use for. With UNAME_ASK, uname(2) is left to whoever reads
 * the returned listener; UNAME_TRUE returns 0. -errno.
 */
enum uname_mode { UNAME_TRUE, UNAME_ASK };
int seccomp_install(enum uname_mode mode);
/* One pending uname(2), answered with @release; NULL lets the kernel answer. */
void uname_answer(int listener_fd, const char *release);
/*
 * The way without seccomp: a script in the place of uname(1). Runs in init, in the view.
 */
int uname_replace_program(const char *release, struct kg_err *err) _must_check_;
