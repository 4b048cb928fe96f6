// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/common/say.h"

#define WAIT_STEP_MS 500
#define SIGNALLED 128

static volatile sig_atomic_t interrupted_by;

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

static _Noreturn void become_child(const char *const argv[], int in_fd, pid_t parent,
				   const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(CHILD_NOT_STARTED);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (in_fd > 0 && dup2(in_fd, 0) < 0)
		_exit(CHILD_NOT_STARTED);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(CHILD_NOT_STARTED);
}

/* Waits for the child; tells it to end when we are told to, or when the owner is gone. */
static int wait_child(pid_t child, const struct owner *owner, const sigset_t *mask)
{
	_cleanup_close_ int child_fd = (int)syscall(SYS_pidfd_open, child, 0);
	_cleanup_close_ int owner_fd = owner_open(owner);
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

int child_run(const char *const argv[], int in_fd, const struct owner *owner)
{
	const pid_t self = getpid();
	sigset_t mask;
	pid_t child;
	int status;

	fflush(NULL);
	watch_signals(&mask);
	child = fork();
	if (child == 0)
		become_child(argv, in_fd, self, &mask);
	status = child < 0 ? CHILD_NOT_STARTED << 8 : wait_child(child, owner, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

/* A terminal's Ctrl-C reaches the child, too, and it may be faster than we are. */
static bool is_interrupted(int code)
{
	return interrupted_by != 0 || code == SIGNALLED + SIGINT ||
	       code == SIGNALLED + SIGTERM;
}

enum event_exit child_judge(const char *const argv[], int in_fd,
			    const struct owner *owner)
{
	int code = child_run(argv, in_fd, owner);

	if (code == EVENT_STOP)
		return EVENT_STOP;
	if (is_interrupted(code)) {
		say("interrupted: the transaction is stopped, nothing was changed");
		return EVENT_STOP;
	}
	if (code == 0)
		return EVENT_GO_ON;
	if (code == CHILD_NOT_STARTED || code == CHILD_NOT_STARTED - 1)
		say("%s cannot be started", argv[0]);
	else if (code > SIGNALLED)
		say("%s died of signal %d", argv[0], code - SIGNALLED);
	else
		say("%s failed (exit code %d)", argv[0], code);
	say("warning: the transaction goes on WITHOUT a check of kernel modules");
	return EVENT_GO_ON;
}
