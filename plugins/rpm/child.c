// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_CAPACITY (64 * 1024)
#define LOOK_MS 100
#define BEAT_MS 1000

/* From here to exec only what may be called when another thread held a lock. */
static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Before Linux 5.11 rpm's descriptors stay open: a nuisance, not more. */
static _Noreturn void become_program(const char *const argv[])
{
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(CHILD_NOT_STARTED);
}

static _Noreturn void become_child(const struct child_how *how, int in_fd, int err_fd,
				   pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(CHILD_NOT_STARTED);
	reset_signals();
	if (dup2(in_fd, 0) < 0 || (err_fd >= 0 && dup2(err_fd, 2) < 0))
		_exit(CHILD_NOT_STARTED);
	become_program(how->argv);
}

static int wait_child(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return CHILD_LOST;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Before Linux 5.3 nothing is said. */
static void beat_until_end(pid_t child, const char *beat)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, child, 0U),
			      .events = POLLIN };
	int n = 0;

	if (end.fd < 0)
		return;
	while (n == 0 || (n < 0 && errno == EINTR)) {
		n = poll(&end, 1, BEAT_MS);
		if (n == 0 && write(STDOUT_FILENO, beat, strlen(beat)) < 0)
			break;
	}
	close(end.fd);
}

/* ---- what it says ---- */

struct line {
	void (*log)(const char *line);
	size_t n;
	char text[1024];
};

static void end_line(struct line *line)
{
	line->text[line->n] = '\0';
	line->log(line->text);
	line->n = 0;
}

static void add_text(struct line *line, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' || line->n == sizeof(line->text) - 1)
			end_line(line);
		if (text[i] != '\n')
			line->text[line->n++] = text[i];
	}
}

/* It stays to be waited for. */
static bool has_ended(pid_t child)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return errno != EINTR;
	return info.si_pid == child;
}

/*
 * A daemon the child left may keep the pipe open for ever: what counts is that the child has
 * ended. Then what the pipe still holds is taken, and no more; true: somebody may still write to it. A
 * look every now and then, as there is no pidfd_open before Linux 5.3.
 */
static bool log_lines(int fd, pid_t child, void (*log)(const char *line))
{
	struct pollfd pipe_poll = { .fd = fd, .events = POLLIN };
	struct line line = { .log = log };
	ssize_t left = PIPE_CAPACITY;
	bool is_last = false;
	ssize_t n = -1;
	char text[4096];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (left > 0) {
		is_last = is_last || has_ended(child);
		n = read(fd, text, sizeof(text));
		if (n > 0)
			add_text(&line, text, (size_t)n);
		else if (n == 0 || errno != EAGAIN || is_last)
			break;
		else
			poll(&pipe_poll, 1, LOOK_MS);
		if (is_last)
			left -= n;
	}
	if (line.n > 0)
		end_line(&line);
	return n != 0;
}

/*
 * Who writes to a pipe that nobody reads is ended by SIGPIPE. What such a daemon says from now on is
 * read and thrown away by a process that is nobody's child here, and ends with the last writer.
 */
static void drain(int fd)
{
	static const char *const reader[] = { "/bin/cat", NULL };
	const int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const pid_t child = null_fd < 0 ? -1 : fork();

	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		reset_signals();
		setsid();
		fcntl(fd, F_SETFL, 0);
		if (dup2(fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0)
			_exit(CHILD_NOT_STARTED);
		become_program(reader);
	}
	if (null_fd >= 0)
		close(null_fd);
	if (child > 0)
		(void)wait_child(child);
}

/* ---- the run ---- */

static int run_with(const struct child_how *how, int in_fd, int err_pipe[2])
{
	pid_t self = getpid();
	pid_t child;

	/* No other stream: a thread of the client may sit in a read from it, with its lock. */
	fflush(stdout);
	fflush(stderr);
	child = fork();
	if (child == 0)
		become_child(how, in_fd, err_pipe[1], self);
	if (err_pipe[1] >= 0)
		close(err_pipe[1]);
	if (err_pipe[0] >= 0) {
		if (log_lines(err_pipe[0], child, how->log))
			drain(err_pipe[0]);
		close(err_pipe[0]);
	}
	if (child > 0 && how->beat != NULL)
		beat_until_end(child, how->beat);
	return child < 0 ? CHILD_NOT_STARTED : wait_child(child);
}

/* Where SIGCHLD is ignored nothing is left to wait for; any other choice is the client's. */
static bool keep_children(struct sigaction *saved)
{
	const struct sigaction reap = { .sa_handler = SIG_DFL };

	if (sigaction(SIGCHLD, NULL, saved) < 0 ||
	    (saved->sa_handler != SIG_IGN && (saved->sa_flags & SA_NOCLDWAIT) == 0))
		return false;
	return sigaction(SIGCHLD, &reap, NULL) == 0;
}

int child_run(const struct child_how *how)
{
	struct sigaction saved;
	bool is_replaced;
	int err_pipe[2] = { -1, -1 };
	int in_fd =
		how->in_fd >= 0 ? how->in_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int code;

	if (in_fd < 0)
		return CHILD_NOT_STARTED;
	if (how->err == CHILD_STDERR_LOGGED && pipe2(err_pipe, O_CLOEXEC) < 0)
		err_pipe[0] = err_pipe[1] = -1;
	is_replaced = keep_children(&saved);
	code = run_with(how, in_fd, err_pipe);
	if (is_replaced)
		sigaction(SIGCHLD, &saved, NULL);
	if (how->in_fd < 0)
		close(in_fd);
	return code;
}
