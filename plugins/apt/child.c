// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fd.h"

#define EXIT_NOT_STARTED 127
#define WAIT_STEP_MS 500

static volatile sig_atomic_t interrupted_by;

static void note_signal(int signo)
{
	interrupted_by = signo;
}

void event_say(const char *fmt, ...)
{
	va_list ap;

	fputs("kmodgate: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
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

static _Noreturn void become_child(const char *const argv[], int in_fd, pid_t parent,
				   const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_NOT_STARTED);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (in_fd != 0 && dup2(in_fd, 0) < 0)
		_exit(EXIT_NOT_STARTED);
	/* With it set, a dpkg started from below would get past apt's locks. */
	unsetenv("DPKG_FRONTEND_LOCKED");
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(errno == EACCES ? 126 : EXIT_NOT_STARTED);
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Waits for the child; tells it to end when we are told to, or when @owner_fd's process is gone. */
static int wait_child(pid_t child, int owner_fd, const sigset_t *mask)
{
	_cleanup_close_ int child_fd = open_pidfd(child);
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };
	bool is_told = false;
	int status;

	for (;;) {
		struct pollfd fds[] = { { .fd = child_fd, .events = POLLIN },
					{ .fd = is_told ? -1 : owner_fd,
					  .events = POLLIN } };
		pid_t got = waitpid(child, &status, WNOHANG);

		if (got == child)
			return status;
		if (got < 0 && errno != EINTR)
			return -1;
		if (!is_told && (interrupted_by != 0)) {
			kill(child, SIGTERM);
			is_told = true;
		}
		/* Without pidfds (before Linux 5.3) the steps do. */
		ppoll(fds, ARRAY_SIZE(fds), child_fd < 0 ? &step : NULL, mask);
		if (fds[1].revents != 0)
			interrupted_by = SIGHUP;
	}
}

static enum event_exit judge(const char *name, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == EVENT_STOP)
		return EVENT_STOP;
	if (interrupted_by != 0) {
		event_say("interrupted; the transaction is stopped, nothing was changed");
		return EVENT_STOP;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return EVENT_GO_ON;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 126)
		event_say("%s cannot be started", name);
	else if (WIFSIGNALED(status))
		event_say("%s died of signal %d", name, WTERMSIG(status));
	else
		event_say("%s failed (exit code %d)", name, WEXITSTATUS(status));
	event_say("warning: the transaction goes on WITHOUT a check of kernel modules");
	return EVENT_GO_ON;
}

enum event_exit child_run(const char *const argv[], int in_fd, const struct owner *owner)
{
	_cleanup_close_ int owner_fd = owner->start != 0 ? open_pidfd(owner->pid) : -1;
	pid_t self = getpid();
	sigset_t mask;
	pid_t child;
	int status;

	fflush(NULL);
	watch_signals(&mask);
	child = fork();
	if (child == 0)
		become_child(argv, in_fd, self, &mask);
	status = child < 0 ? -1 : wait_child(child, owner_fd, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return judge(argv[0], status == -1 ? EXIT_NOT_STARTED << 8 : status);
}
