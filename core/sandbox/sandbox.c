// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sandbox/internal.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int box_fail(struct kg_err *err, const char *fmt, ...)
{
	char text[512];
	int saved = errno;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return kg_fail(err, -KGE_SANDBOX, "cannot set up the build sandbox: %s: %s", text,
		       strerror(saved));
}

void box_give_up(const struct box *box, const struct kg_err *err)
{
	struct box_report report = { .err = *err };

	/* smaller than PIPE_BUF, so it arrives whole or not at all */
	(void)!write(box->report_fd, &report, sizeof(report));
	_exit(125);
}

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;

	return (x > y) - (x < y);
}

void box_close_others(int *keep, size_t n)
{
	unsigned int next = 3;

	qsort(keep, n, sizeof(*keep), compare_ints);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)next)
			continue;
		if (keep[i] > (int)next)
			close_range(next, (unsigned int)keep[i] - 1, 0);
		next = (unsigned int)keep[i] + 1;
	}
	close_range(next, ~0U, 0);
}

/*
 * glibc keeps two signals to itself: signal(2) refuses them, and posix_spawn(3), so every
 * make, starts its children with them ignored. Hence the bare call; all zeros is SIG_DFL.
 */
void box_reset_signals(void)
{
	static const unsigned long dfl[8];
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		syscall(SYS_rt_sigaction, signo, dfl, NULL, (size_t)(NSIG / 8));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int check_request(const struct sandbox *how, struct kg_err *err)
{
	if (how->uid == 0 || how->gid == 0)
		return kg_fail(err, -EINVAL, "the build sandbox has no user to run as");
	if ((how->argv == NULL) == (how->call == NULL) ||
	    (how->argv != NULL && (how->argv[0] == NULL || how->argv[0][0] != '/')))
		return kg_fail(err, -EINVAL, "the build sandbox has nothing to run");
	for (size_t i = 0; i < how->n_binds; i++)
		if (how->binds[i].at[0] != '/' ||
		    (how->binds[i].fd < 0 && how->binds[i].target == NULL))
			return kg_fail(err, -EINVAL, "cannot bind at '%s'",
				       how->binds[i].at);
	return 0;
}

/* A parent that was killed takes everything with it, also one killed before this. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
}

/*
 * No handler of the caller's may run in the child, so signals stay blocked across the
 * fork.
 */
static int start_outer(const struct sandbox *how, int report_fds[2], pid_t *ret_pid)
{
	struct box box = { .how = how, .live_fd = -1, .stage_fd = -1 };
	pid_t parent = getpid();
	sigset_t all;
	sigset_t saved;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		box_reset_signals();
		die_with(parent);
		close(report_fds[0]);
		box.report_fd = report_fds[1];
		outer_run(&box);
	}
	if (*ret_pid < 0)
		r = -errno;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return r;
}

/* 0 once the program runs; what made the set-up fail otherwise. */
static int read_reports(int fd, pid_t *ret_init, struct kg_err *err)
{
	struct box_report report;
	ssize_t n;

	for (;;) {
		n = read(fd, &report, sizeof(report));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 && *ret_init > 0)
			return 0;
		if (n != sizeof(report))
			return kg_fail(err, -KGE_SANDBOX,
				       "cannot set up the build sandbox: it was killed");
		if (report.init == 0)
			return kg_fail(err, report.err.code, "%s", report.err.text);
		*ret_init = report.init;
	}
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int sandbox_start(const struct sandbox *how, struct kg_child *child, struct kg_err *err)
{
	_cleanup_close_ int read_fd = -1;
	_cleanup_close_ int write_fd = -1;
	pid_t outer;
	int fds[2];
	int r = check_request(how, err);

	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return kg_fail_errno(err, -errno, "cannot make a pipe");
	read_fd = fds[0];
	write_fd = fds[1];
	r = start_outer(how, fds, &outer);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot start the build sandbox");
	close(TAKE_FD(write_fd));
	child->pid = 0;
	r = read_reports(read_fd, &child->pid, err);
	reap(outer);
	if (r == 0) {
		child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
		if (child->pidfd >= 0)
			return 0;
		r = kg_fail_errno(err, -errno, "cannot watch the build sandbox");
	}
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		reap(child->pid);
	}
	return r;
}

int sandbox_run(const struct sandbox *how, int timeout_ms, int *ret_status,
		struct kg_err *err)
{
	struct kg_child child = { .pidfd = -1 };
	int r = sandbox_start(how, &child, err);

	return r < 0 ? r : spawn_wait(&child, timeout_ms, ret_status, err);
}

/* @slot: the member of @with_pipe that becomes the pipe's writing end. */
static int capture(struct sandbox *with_pipe, int *slot, int timeout_ms, size_t max,
		   struct str *out, int *ret_status, struct kg_err *err)
{
	_cleanup_close_ int read_fd = -1;
	struct kg_child child = { .pidfd = -1 };
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return kg_fail_errno(err, -errno, "cannot make a pipe");
	read_fd = fds[0];
	*slot = fds[1];
	r = sandbox_start(with_pipe, &child, err);
	close(fds[1]);
	if (r < 0)
		return r;
	r = spawn_drain(read_fd, timeout_ms, max, out, err);
	if (r == 0)
		return spawn_wait(&child, timeout_ms, ret_status, err);
	/* what it said is not whole: end it, whatever it would say */
	(void)!spawn_wait(&child, 0, ret_status, NULL);
	return r;
}

int sandbox_capture(const struct sandbox *how, int timeout_ms, size_t max,
		    struct str *out, int *ret_status, struct kg_err *err)
{
	struct sandbox with_pipe = *how;

	return capture(&with_pipe, &with_pipe.out_fd, timeout_ms, max, out, ret_status,
		       err);
}

int sandbox_capture_errors(const struct sandbox *how, int timeout_ms, size_t max,
			   struct str *out, int *ret_status, struct kg_err *err)
{
	struct sandbox with_pipe = *how;

	return capture(&with_pipe, &with_pipe.err_fd, timeout_ms, max, out, ret_status,
		       err);
}
