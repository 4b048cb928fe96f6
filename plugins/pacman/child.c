// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/proc.h"

#define WAIT_STEP_MS 500

static volatile sig_atomic_t interrupted_by;

void child_say(const char *fmt, ...)
{
	va_list ap;

	fputs("kmodgate: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- the owner ---- */

static bool is_shell(pid_t pid)
{
	static const char *const names[] = { "sh", "bash", "dash", "ash", "busybox" };
	_cleanup_str_ struct str name = { 0 };

	if (proc_name(pid, &name) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(str_get(&name), names[i]) == 0)
			return true;
	return false;
}

void owner_find(struct owner *ret)
{
	pid_t pid = getppid();

	if (is_shell(pid) && proc_parent(pid, &pid) < 0)
		pid = getppid();
	*ret = (struct owner){ .pid = pid };
	if (proc_start_time(pid, &ret->start) < 0)
		ret->start = 0;
}

int owner_is_outside(const struct owner *owner)
{
	char path[64];
	struct stat theirs;
	struct stat ours;

	snprintf(path, sizeof(path), "/proc/%d/root/.", owner->pid);
	if (owner->start == 0 || stat(path, &theirs) < 0 || stat("/.", &ours) < 0)
		return true;
	return theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
}

/* ---- the child ---- */

static void note_signal(int signo)
{
	interrupted_by = signo;
}

static void watch_signals(sigset_t *ret_old)
{
	static const int watched[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = note_signal };
	sigset_t blocked;

	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		sigaction(watched[i], &action, NULL);
		sigaddset(&blocked, watched[i]);
	}
	/* Blocked but in ppoll(): no signal slips in between the look and the wait. */
	sigprocmask(SIG_BLOCK, &blocked, ret_old);
}

static _Noreturn void become_child(const char *const argv[], pid_t parent,
				   const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(CHILD_NOT_STARTED);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(CHILD_NOT_STARTED);
}

int child_open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Waits for the child; tells it to end when we are told to, or when the owner is gone. */
static int wait_child(pid_t child, const struct owner *owner, const sigset_t *mask)
{
	_cleanup_close_ int child_fd = child_open_pidfd(child);
	_cleanup_close_ int owner_fd =
		owner->start != 0 ? child_open_pidfd(owner->pid) : -1;
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };
	bool is_told = false;
	int status = 0;

	for (;;) {
		struct pollfd fds[] = { { .fd = child_fd, .events = POLLIN },
					{ .fd = is_told ? -1 : owner_fd,
					  .events = POLLIN } };
		pid_t got = waitpid(child, &status, WNOHANG);

		if (got == child || (got < 0 && errno != EINTR))
			return got == child ? status : CHILD_NOT_STARTED << 8;
		if (!is_told && interrupted_by != 0) {
			kill(child, SIGTERM);
			is_told = true;
		}
		/* Without pidfds (before Linux 5.3) the steps do. */
		ppoll(fds, ARRAY_SIZE(fds), child_fd < 0 ? &step : NULL, mask);
		if (fds[1].revents != 0)
			interrupted_by = SIGHUP;
	}
}

int child_run(const char *const argv[], const struct owner *owner)
{
	const pid_t self = getpid();
	sigset_t mask;
	pid_t child;
	int status;

	fflush(NULL);
	watch_signals(&mask);
	child = fork();
	if (child == 0)
		become_child(argv, self, &mask);
	status = child < 0 ? CHILD_NOT_STARTED << 8 : wait_child(child, owner, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (interrupted_by != 0)
		return CHILD_INTERRUPTED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
