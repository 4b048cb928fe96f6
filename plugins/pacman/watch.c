// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pacman that is interrupted while it installs ends with 0 and runs none of its last hooks: no
 * module is missing, as the gate has placed them, but nobody has settled, and no initramfs was made.
 * On a full disk it ends with 1 and runs none either, and the kernel is there in part.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "plugins/common/child.h"
#include "plugins/pacman/open.h"

#define LOOK_MS 1000
static const char core_program[] = KG_SBINDIR "/kmodgate";

/* A front end that lives on has released its lock. */
#define LOCK_FILE "/var/lib/pacman/db.lck"

/* Where the owner says things: its terminal, or the file its messages go to; never a pipe. */
static int open_terminal(const struct owner *owner)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/2", owner->pid);
	if (stat(path, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISREG(st.st_mode)))
		return -1;
	fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	return fd;
}

/* Nothing of the hook's stays open: libalpm reads from it until its end. */
static void let_go(int terminal_fd)
{
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int out_fd = terminal_fd >= 0 ? terminal_fd : null_fd;

	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 ||
	    dup2(out_fd, 2) < 0)
		_exit(1);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

static void wait_for_end(const struct owner *owner, bool has_lock)
{
	_cleanup_close_ int owner_fd = owner_open(owner);
	struct pollfd fds[] = { { .fd = owner_fd, .events = POLLIN } };

	while (proc_is_running(owner->pid, owner->start) &&
	       (!has_lock || access(LOCK_FILE, F_OK) == 0))
		(void)poll(fds, ARRAY_SIZE(fds), LOOK_MS);
}

static void settle(const struct owner *owner)
{
	char pid[24];
	const char *const argv[] = { core_program, "settle", "--owner", pid, NULL };
	const struct owner nobody = { 0 };

	snprintf(pid, sizeof(pid), "%d", owner->pid);
	(void)child_run(argv, -1, &nobody);
}

/* Its image came: the boot loader may take it with an initramfs of before, or with none. */
static bool has_come(const char *release)
{
	char path[512];

	snprintf(path, sizeof(path), "/usr/lib/modules/%s/modules.order", release);
	return access(path, F_OK) == 0;
}

static void speak_up(const char *release)
{
	static const char text[] =
		"%s: pacman ended before its last hooks: the initramfs was not made. "
		"Install this kernel again (when all of it came, \"mkinitcpio -P\" or "
		"dracut will do) before the next boot";
	char line[512];

	snprintf(line, sizeof(line), text, release);
	fprintf(stderr, "kmodgate: warning: %s\n", line);
	syslog(LOG_DAEMON | LOG_WARNING, "%s", line);
}

static _Noreturn void watch(const struct owner *owner)
{
	_cleanup_strv_ struct strv ids = { 0 };
	struct strv releases = { 0 };

	wait_for_end(owner, access(LOCK_FILE, F_OK) == 0);
	if (open_find(owner, &ids)) {
		open_releases(&ids, &releases);
		settle(owner);
		openlog("kmodgate", LOG_PID, LOG_DAEMON);
		for (size_t i = 0; i < releases.n; i++)
			if (has_come(releases.v[i]))
				speak_up(releases.v[i]);
	}
	exit(0);
}

/* Twice forked: init reaps it, and libalpm has nothing to wait for. */
void watch_start(const struct owner *owner)
{
	int terminal_fd = open_terminal(owner);
	pid_t child = fork();

	if (child == 0) {
		if (setsid() < 0 || fork() != 0)
			_exit(0);
		let_go(terminal_fd);
		watch(owner);
	}
	if (terminal_fd >= 0)
		close(terminal_fd);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
}
