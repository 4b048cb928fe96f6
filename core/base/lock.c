// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "core/base/spawn.h"
#include "core/base/str.h"

#define LOCK_POLL_MS 100

static void lock_write_holder(int fd)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%d\n", getpid());

	/* Who holds it is a courtesy for the one who waits; the lock is the flock. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

static int lock_fail_busy(int fd, struct kg_err *err)
{
	char text[32] = "";
	uint64_t pid = 0;
	_cleanup_str_ struct str name = { 0 };

	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		(void)parse_u64n(text, strcspn(text, "\n"), &pid);
	if (pid > 0)
		(void)proc_name((pid_t)pid, &name);
	return kg_fail(err, -EBUSY, "another kmodgate is at work (pid %d, %s)", (int)pid,
		       name.len > 0 ? str_get(&name) : "unknown");
}

static bool lock_is_inherited(void)
{
	const char *holder = getenv("KMODGATE_LOCK_HOLDER");
	uint64_t pid;
	uint64_t ticks;

	if (holder == NULL || parse_u64(holder, &pid) < 0)
		return false;
	return proc_start_time((pid_t)pid, &ticks) == 0 &&
	       proc_is_ancestor((pid_t)pid, ticks);
}

int lock_take(int root_fd, int timeout_ms, struct kg_err *err)
{
	_cleanup_close_ int run_fd = fd_make_dir_in(root_fd, "run", 0755, err);
	_cleanup_close_ int fd = -1;

	if (run_fd < 0)
		return run_fd;
	fd = openat(run_fd, "kmodgate.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0)
		return kg_fail_errno(err, -errno, "cannot open /run/kmodgate.lock");
	if (lock_is_inherited())
		return TAKE_FD(fd);
	for (int waited_ms = 0;; waited_ms += LOCK_POLL_MS) {
		const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
		int r = cancel_check(err);

		if (r < 0)
			return r;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			break;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return kg_fail_errno(err, -errno,
					     "cannot lock /run/kmodgate.lock");
		if (timeout_ms >= 0 && waited_ms >= timeout_ms)
			return lock_fail_busy(fd, err);
		nanosleep(&pause, NULL);
	}
	lock_write_holder(fd);
	return TAKE_FD(fd);
}
