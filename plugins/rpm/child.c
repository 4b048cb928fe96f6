// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between fork and exec only what may be called when another thread held a lock. */
static _Noreturn void become_child(const struct child_how *how, int in_fd, int err_fd,
				   pid_t parent)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(CHILD_NOT_STARTED);
	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in_fd, 0) < 0 || (err_fd >= 0 && dup2(err_fd, 2) < 0))
		_exit(CHILD_NOT_STARTED);
	/* Before Linux 5.11 rpm's descriptors stay open: a nuisance, not more. */
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	execv(how->argv[0], (char *const *)(uintptr_t)how->argv);
	_exit(CHILD_NOT_STARTED);
}

static int wait_child(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return CHILD_NOT_STARTED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void log_lines(int fd, void (*log)(const char *line))
{
	FILE *in = fdopen(fd, "re");
	char line[1024];

	if (in == NULL) {
		close(fd);
		return;
	}
	while (fgets(line, sizeof(line), in) != NULL) {
		for (char *p = line; *p != '\0'; p++)
			if (*p == '\n')
				*p = '\0';
		log(line);
	}
	fclose(in);
}

static int run_with(const struct child_how *how, int in_fd, int err_pipe[2])
{
	pid_t self = getpid();
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		become_child(how, in_fd, err_pipe[1], self);
	if (err_pipe[1] >= 0)
		close(err_pipe[1]);
	if (err_pipe[0] >= 0)
		log_lines(err_pipe[0], how->log);
	return child < 0 ? CHILD_NOT_STARTED : wait_child(child);
}

int child_run(const struct child_how *how)
{
	struct sigaction reap = { .sa_handler = SIG_DFL };
	struct sigaction saved;
	int err_pipe[2] = { -1, -1 };
	int in_fd =
		how->in_fd >= 0 ? how->in_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int code;

	if (in_fd < 0)
		return CHILD_NOT_STARTED;
	if (how->err == CHILD_STDERR_LOGGED && pipe2(err_pipe, O_CLOEXEC) < 0)
		err_pipe[0] = err_pipe[1] = -1;
	/* Where it is ignored there is nothing to wait for. */
	sigaction(SIGCHLD, &reap, &saved);
	code = run_with(how, in_fd, err_pipe);
	sigaction(SIGCHLD, &saved, NULL);
	if (how->in_fd < 0)
		close(in_fd);
	return code;
}
