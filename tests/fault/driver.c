// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commit promise, tried at every call that could break it: an action is run again and again,
 * its Nth call failing or being its last; after each, recover must leave the old modules with
 * their indexes or the new ones with theirs, and a roll-back must give the pristine tree.
 *
 * BASE/pristine is the root, BASE/sets/new the new set, BASE/root where it happens:
 *
 *   driver sweep BASE copy STEP      root is a copy
 *   driver sweep BASE overlay STEP   the upper layer over it
 *   driver sweep BASE mounted STEP   a copy; the kernel's own folder is another file system
 *   driver full BASE copy STEP       root is on a small tmpfs: real ENOSPC
 *   driver act BASE copy NAME        one action, as root is now
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/commit/commit.h"
#include "core/commit/modtree.h"
#include "core/run/run.h"
#include "tests/fault/actions.h"
#include "tests/fault/fault.h"
#include "tests/fault/trees.h"

/* ---- one trial ---- */

static int run_child(int (*act)(const struct kg_system *, struct kg_err *),
		     unsigned int n, enum fault_mode mode)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct kg_err err = { 0 };
		struct kg_system sys;
		int r;

		open_system(&sys);
		fault_arm(n, mode);
		r = act(&sys, &err);
		fault_disarm();
		if (r < 0 && (mode == FAULT_NONE || getenv("KG_FAULT_VERBOSE") != NULL))
			fprintf(stderr, "  (%s: %d %s)\n", fault_hit(), r, err.text);
		_exit(r < 0 ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("child");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned int count_calls(const struct action *a)
{
	struct kg_err err = { 0 };
	struct kg_system sys;
	unsigned int count;
	int r;

	open_system(&sys);
	fault_watch();
	fault_arm(0, FAULT_NONE);
	r = a->act(&sys, &err);
	count = fault_count();
	fault_disarm();
	close(sys.root_fd);
	if (r < 0) {
		fprintf(stderr, "driver: %s fails by itself: %s\n", a->name, err.text);
		exit(2);
	}
	return count;
}

static void complain(const char *action, const char *mode, unsigned int n,
		     const char *what)
{
	bench.failures++;
	printf("not ok - %s, call %u %s: %s\n", action, n, mode, what);
	if (getenv("KG_FAULT_KEEP") != NULL)
		exit(1);
}

struct expected {
	struct digest_text before;
	struct digest_text after;
	struct digest_text back;
};

static bool has_swap(const struct kg_system *sys)
{
	_cleanup_close_ int work_fd = modtree_try_work(sys);
	struct stat st;

	return work_fd >= 0 &&
	       fstatat(work_fd, MODTREE_SWITCH, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static const char *check_whole(const struct kg_system *sys, const struct expected *want,
			       int action_status)
{
	struct digest_text now = look(sys, LOOK_KERNELS);
	struct digest_text all = look(sys, LOOK_ALL);
	struct digest_text again;

	if (!is_same(&now, &want->before) && !is_same(&now, &want->after))
		return "neither the old modules nor the new ones";
	if (action_status == 0 && !is_same(&now, &want->after))
		return "said done, but it is not";
	if (has_swap(sys))
		return "a swap is left over";
	if (run_child(act_recover, 0, FAULT_NONE) != 0)
		return "the second recover failed";
	again = look(sys, LOOK_ALL);
	return is_same(&all, &again) ? NULL : "the second recover changed something";
}

static const char *check_back(const struct kg_system *sys, const struct expected *want)
{
	_cleanup_strv_ struct strv ids = { 0 };
	struct digest_text now;

	if (run_child(act_back, 0, FAULT_NONE) != 0)
		return "cannot be rolled back";
	if (run_child(act_recover, 0, FAULT_NONE) != 0)
		return "recover after the roll-back failed";
	now = look(sys, LOOK_ALL);
	if (!is_same(&now, &want->back))
		return "the roll-back did not give what was there before";
	if (txn_list(sys, &ids, NULL) < 0 || ids.n != 0)
		return "a transaction is left over";
	return NULL;
}

static void try_once(const struct action *a, const struct expected *want, unsigned int n,
		     enum fault_mode mode)
{
	const char *how = mode == FAULT_DIE ? "being the last" : "failing";
	const char *wrong;
	struct kg_system sys;
	int status;

	bench.trials++;
	reset(a->from);
	status = run_child(a->act, n, mode);
	open_system(&sys);
	if (status > 1 && status != FAULT_DIED)
		wrong = "it crashed";
	else if (run_child(act_recover, 0, FAULT_NONE) != 0)
		wrong = "recover failed";
	else
		wrong = check_whole(&sys, want, status);
	if (wrong == NULL && a->back != NULL)
		wrong = check_back(&sys, want);
	if (wrong != NULL)
		complain(a->name, how, n, wrong);
	close(sys.root_fd);
}

/* ---- the sweep ---- */

static struct digest_text look_at(const char *tree, enum look which)
{
	struct digest_text result;
	struct kg_system sys;

	reset(tree);
	open_system(&sys);
	result = look(&sys, which);
	close(sys.root_fd);
	return result;
}

static void check_dir_synced(const char *action, int dir_fd)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;
	struct stat st;

	if (dir == NULL || fstat(dir_fd, &st) < 0)
		die("folder");
	if (fault_is_pending_dir(st.st_dev, st.st_ino))
		complain(action, "", 0,
			 "a folder was not fsynced after a rename into it");
	while ((entry = fd_list_next(dir)) != NULL) {
		_cleanup_close_ int fd =
			openat(dir_fd, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			check_dir_synced(action, fd);
	}
}

/* depmod on the finished tree itself must give what we switched in. */
static void check_indexes(const struct action *a, const struct expected *want)
{
	static const char *const releases[] = { HERE, ENTERING };
	struct kg_system sys;
	struct digest_text now;

	open_system(&sys);
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		const char *const argv[] = {
			"/sbin/depmod", "-C", "/nonexistent", "-b", sys.root,
			releases[i],	NULL
		};
		struct kg_spawn how = { .argv = argv,
					.dir_fd = -1,
					.in_fd = -1,
					.out_fd = -1,
					.err_fd = -1 };
		int status;

		if (!modtree_has_kernel(&sys, releases[i]))
			continue;
		if (spawn_run(&how, -1, &status, NULL) < 0 || status != 0)
			die("depmod");
	}
	now = look(&sys, LOOK_KERNELS);
	if (!is_same(&now, &want->after))
		complain(a->name, "", 0,
			 "the indexes are not what depmod makes of the modules");
	close(sys.root_fd);
}

static void sweep(const struct action *a)
{
	struct expected want = { .before = look_at(a->from, LOOK_KERNELS) };
	unsigned int count;
	struct kg_system sys;
	_cleanup_close_ int modules_fd = -1;

	if (a->back != NULL)
		want.back = look_at(a->back, LOOK_ALL);
	reset(a->from);
	count = count_calls(a);
	open_system(&sys);
	modules_fd = modtree_try_modules(&sys);
	if (fault_unsynced_renames() != 0)
		complain(a->name, "", 0, "a file was switched in before it was on disk");
	check_dir_synced(a->name, modules_fd);
	want.after = look(&sys, LOOK_KERNELS);
	close(sys.root_fd);
	check_indexes(a, &want);
	for (unsigned int n = 1; n <= count; n += bench.step) {
		try_once(a, &want, n, FAULT_FAIL);
		try_once(a, &want, n, FAULT_DIE);
	}
	printf("# %s: %u calls, from %u on every %u\n", a->name, count, 1, bench.step);
	fflush(stdout);
}

/* A recover that is itself cut short, after an action that was. */
static void sweep_recover(const struct action *a)
{
	struct expected want = { .before = look_at(a->from, LOOK_KERNELS) };
	struct kg_system sys;
	unsigned int count;

	if (a->back != NULL)
		want.back = look_at(a->back, LOOK_ALL);
	reset(a->from);
	count = count_calls(a);
	open_system(&sys);
	want.after = look(&sys, LOOK_KERNELS);
	for (unsigned int n = 1; n <= count; n += 5 * bench.step) {
		for (unsigned int m = 1 + n % 3; m < 60; m += 3 * bench.step) {
			const char *wrong = NULL;

			bench.trials++;
			reset(a->from);
			run_child(a->act, n, FAULT_DIE);
			run_child(act_recover, m, m % 2 == 0 ? FAULT_DIE : FAULT_FAIL);
			close(sys.root_fd);
			open_system(&sys);
			if (run_child(act_recover, 0, FAULT_NONE) != 0)
				wrong = "recover after a broken recover failed";
			wrong = wrong ?: check_whole(&sys, &want, 1);
			if (wrong == NULL && a->back != NULL)
				wrong = check_back(&sys, &want);
			if (wrong != NULL)
				complain(a->name, "and recover broken", n * 1000 + m,
					 wrong);
		}
	}
	close(sys.root_fd);
}

/* A kernel's package unpacked: all but the indexes. */
static void unpack_kernel(void)
{
	static const char *const names[] = { "kernel", "modules.order", "modules.builtin",
					     "modules.builtin.modinfo" };
	char root[512];

	path_of(root, "root");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char from[1024];
		char to[1024];
		const char *const argv[] = { "/bin/cp", "-a", from, to, NULL };
		struct kg_spawn how = { .argv = argv,
					.dir_fd = -1,
					.in_fd = -1,
					.out_fd = -1,
					.err_fd = -1 };
		int status;

		snprintf(from, sizeof(from), "%s/lib/modules/" HERE "/%s", root,
			 names[i]);
		snprintf(to, sizeof(to), "%s/lib/modules/" ENTERING "/", root);
		if (spawn_run(&how, -1, &status, NULL) < 0)
			die("cp");
	}
}

static void make_entering_folder(void)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/root/lib/modules/" ENTERING, bench.base);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
}

/* The kernel has a gamma.ko of its own. */
static void make_original(void)
{
	struct kg_err err = { 0 };
	_cleanup_close_ int net_fd = -1;
	struct kg_system sys;

	reset("pristine");
	net_fd = fd_open_dir_in(bench.base_fd, "root/lib/modules/" HERE "/kernel/net",
				&err);
	if (net_fd < 0 || fd_copy_file_at(action_sets_fd, "gamma.ko", net_fd, "gamma.ko",
					  0644, &err) < 0)
		die(err.text);
	open_system(&sys);
	if (fd_make_dir_in(sys.root_fd, "var/lib/dkms/mod", 0755, &err) < 0 ||
	    depmod_run(&sys, HERE, NULL, &err) < 0)
		die(err.text);
	close(sys.root_fd);
}

/* The trees that actions begin with, each made by the actions before it. */
static void make_trees(void)
{
	struct kg_system sys;
	struct kg_err err = { 0 };

	reset("pristine");
	if (run_child(act_change, 0, FAULT_NONE) != 0)
		die("change");
	save("changed");
	reset("pristine");
	if (run_child(act_place, 0, FAULT_NONE) != 0)
		die("place");
	unpack_kernel();
	save("unpacked");
	reset("pristine");
	make_entering_folder();
	unpack_kernel();
	/* act_back() runs depmod for whatever kernel there is */
	open_system(&sys);
	if (depmod_run(&sys, ENTERING, NULL, &err) < 0)
		die(err.text);
	close(sys.root_fd);
	save("kernel-only");
	make_original();
	save("original");
	reset("original");
	if (run_child(act_replace, 0, FAULT_NONE) != 0)
		die("replace");
	save("replaced");
}

static void run_sweep(void)
{
	make_trees();
	for (size_t i = 0; actions[i].name != NULL; i++)
		sweep(&actions[i]);
	sweep_recover(&actions[2]);
	sweep_recover(&actions[5]);
	sweep_recover(&actions[7]);
	sweep_recover(&actions[8]);
}

/* ---- a full disk ---- */

static void fill(uint64_t leave_bytes)
{
	char path[512];
	struct statvfs vfs;
	_cleanup_close_ int fd = -1;
	uint64_t room;

	path_of(path, "root/filler");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fstatvfs(fd, &vfs) < 0)
		die(path);
	room = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (room > leave_bytes &&
	    posix_fallocate(fd, 0, (off_t)(room - leave_bytes)) != 0)
		die("fill");
}

static void unfill(void)
{
	unlinkat(bench.base_fd, "root/filler", 0);
}

static const char *try_full(const struct action *a, const struct expected *want,
			    uint64_t leave_bytes, unsigned int *n_done)
{
	struct digest_text now;
	const char *wrong;
	struct kg_system sys;
	int status;

	reset(a->from);
	fill(leave_bytes);
	status = run_child(a->act, 0, FAULT_FAIL);
	*n_done += status == 0;
	/* With the disk still full it may not be able to write its notes, but modules come first. */
	(void)!run_child(act_recover, 0, FAULT_FAIL);
	open_system(&sys);
	now = look(&sys, LOOK_KERNELS);
	unfill();
	if (!is_same(&now, &want->before) && !is_same(&now, &want->after))
		wrong = "neither old nor new while the disk is full";
	else if (run_child(act_recover, 0, FAULT_NONE) != 0)
		wrong = "recover failed with room again";
	else
		wrong = check_whole(&sys, want, status);
	if (wrong == NULL && a->back != NULL)
		wrong = check_back(&sys, want);
	close(sys.root_fd);
	return wrong;
}

static void fill_for(const struct action *a)
{
	struct expected want = { .before = look_at(a->from, LOOK_KERNELS) };
	unsigned int n_done = 0;
	unsigned int n = 0;
	struct kg_system sys;

	if (a->back != NULL)
		want.back = look_at(a->back, LOOK_ALL);
	reset(a->from);
	count_calls(a);
	open_system(&sys);
	want.after = look(&sys, LOOK_KERNELS);
	close(sys.root_fd);
	for (uint64_t left = 0; left < 600u << 10; left += 4096 * bench.step, n++) {
		const char *wrong = try_full(a, &want, left, &n_done);

		bench.trials++;
		if (wrong != NULL)
			complain(a->name, "KiB left on the disk",
				 (unsigned int)(left >> 10), wrong);
	}
	printf("# %s on a full disk: done %u times of %u\n", a->name, n_done, n);
}

/* Those that begin with the pristine tree. */
static void run_full(void)
{
	for (size_t i = 0; i < 5; i++)
		fill_for(&actions[i]);
}

static void print_log(enum kg_level level, const char *text, void *data)
{
	(void)data;
	if (getenv("KG_FAULT_VERBOSE") != NULL)
		fprintf(stderr, "  [%d] %s\n", level, text);
}

static int run_action(const char *name)
{
	struct kg_err err = { 0 };
	struct kg_system sys;
	int r = -EINVAL;

	open_system(&sys);
	for (size_t i = 0; actions[i].name != NULL; i++)
		if (strcmp(actions[i].name, name) == 0)
			r = actions[i].act(&sys, &err);
	if (strcmp(name, "recover") == 0)
		r = act_recover(&sys, &err);
	printf("%s: %s\n", name, r < 0 ? kg_err_text(&err, r) : "done");
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr,
			"usage: driver sweep|full|act BASE copy|overlay|mounted STEP|NAME\n");
		return 2;
	}
	kg_log_set(print_log, NULL);
	bench.base = argv[2];
	if (strcmp(argv[3], "copy") != 0)
		bench.kind = strcmp(argv[3], "overlay") == 0 ? IS_OVERLAY : IS_MOUNTED;
	bench.step = (unsigned int)atoi(argv[4]);
	bench.base_fd = open(bench.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bench.base_fd < 0)
		die(bench.base);
	action_sets_fd =
		fd_open_in(bench.base_fd, "sets/new", O_RDONLY | O_DIRECTORY, 0, NULL);
	if (action_sets_fd < 0)
		die("sets/new");
	if (strcmp(argv[1], "act") == 0)
		return run_action(argv[4]);
	if (bench.step == 0)
		bench.step = 1;
	if (strcmp(argv[1], "full") == 0)
		run_full();
	else
		run_sweep();
	printf("# %u trials, %u failures\n", bench.trials, bench.failures);
	return bench.failures == 0 ? 0 : 1;
}
