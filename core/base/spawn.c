// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/fd.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

const char *const spawn_clean_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C",
	"HOME=/",
	NULL,
};

static volatile sig_atomic_t cancel_signo;
static int cancel_pipe[2] = { -1, -1 };

static void cancel_note(int signo)
{
	int saved = errno;

	if (cancel_signo == 0)
		cancel_signo = signo;
	(void)!write(cancel_pipe[1], "", 1);
	errno = saved;
}

void cancel_watch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = cancel_note, .sa_flags = SA_RESTART };

	if (pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int cancel_signal(void)
{
	return cancel_signo;
}

int cancel_fd(void)
{
	return cancel_pipe[0];
}

int cancel_check(struct kg_err *err)
{
	if (cancel_signo == 0)
		return 0;
	return kg_fail(err, -KGE_CANCELLED, "interrupted by signal %d",
		       (int)cancel_signo);
}

static int add_stream(posix_spawn_file_actions_t *acts, int fd, int target,
		      int open_flags)
{
	if (fd >= 0)
		return posix_spawn_file_actions_adddup2(acts, fd, target);
	return posix_spawn_file_actions_addopen(acts, target, "/dev/null", open_flags, 0);
}

/* Everything the child inherits is decided here; 0 or a positive errno as posix_spawn(). */
static int spawn_prepare(posix_spawn_file_actions_t *acts, posix_spawnattr_t *attr,
			 const struct kg_spawn *how)
{
	int err_fd = how->err_fd >= 0 ? how->err_fd : how->out_fd;
	sigset_t none;
	sigset_t all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = add_stream(acts, how->in_fd, 0, O_RDONLY);
	r = r ?: add_stream(acts, how->out_fd, 1, O_WRONLY);
	r = r ?: add_stream(acts, err_fd, 2, O_WRONLY);
	if (how->dir_fd >= 0)
		r = r ?: posix_spawn_file_actions_addfchdir_np(acts, how->dir_fd);
	else
		r = r ?: posix_spawn_file_actions_addchdir_np(acts, "/");
	r = r ?: posix_spawn_file_actions_addclosefrom_np(acts, 3);
	r = r ?: posix_spawnattr_setsigmask(attr, &none);
	r = r ?: posix_spawnattr_setsigdefault(attr, &all);
	r = r
		    ?: posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
							      POSIX_SPAWN_SETSIGDEF |
							      POSIX_SPAWN_SETPGROUP);
	return r;
}

/* Not racy: nobody else reaps our child, so its pid cannot be reused yet. */
static int spawn_watch(struct kg_child *child, const char *name, struct kg_err *err)
{
	int r;

	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	if (child->pidfd >= 0)
		return 0;
	r = -errno;
	kill(-child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	return kg_fail_errno(err, r, "cannot watch %s", name);
}

/* posix_spawn's own types are not const, though it writes through neither. */
static char *const *unconst(const char *const *list)
{
	union {
		const char *const *in;
		char *const *out;
	} u = { .in = list };

	return u.out;
}

int spawn_start(struct kg_child *child, const struct kg_spawn *how, struct kg_err *err)
{
	const char *const *env = how->env != NULL ? how->env : spawn_clean_env;
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	int r;

	posix_spawn_file_actions_init(&acts); /* neither init can fail in glibc or musl */
	posix_spawnattr_init(&attr);
	r = spawn_prepare(&acts, &attr, how);
	if (r == 0)
		r = posix_spawn(&child->pid, how->argv[0], &acts, &attr,
				unconst(how->argv), unconst(env));
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&acts);
	if (r != 0)
		return kg_fail_errno(err, -r, "cannot start %s", how->argv[0]);
	return spawn_watch(child, how->argv[0], err);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void spawn_reap(struct kg_child *child, int *ret_status)
{
	siginfo_t info = { 0 };

	while (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	close(child->pidfd);
	child->pidfd = -1;
	if (ret_status != NULL)
		*ret_status = info.si_code == CLD_EXITED ? info.si_status
							 : 128 + info.si_status;
}

static void spawn_kill(struct kg_child *child)
{
	kill(-child->pid, SIGKILL);
	kill(child->pid, SIGKILL); /* it may not lead a group of its own */
	spawn_reap(child, NULL);
}

/* 0 when @child ended; otherwise why the wait is over. */
static int spawn_poll(const struct kg_child *child, int64_t deadline_ms,
		      struct kg_err *err)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = child->pidfd, .events = POLLIN },
			{ .fd = cancel_fd(), .events = POLLIN },
		};
		int64_t left_ms = deadline_ms < 0 ? -1 : deadline_ms - now_ms();

		if (deadline_ms >= 0 && left_ms <= 0)
			return kg_fail(err, -KGE_TIMEOUT, "time limit reached");
		if (poll(fds, 2, left_ms > 1000000 ? 1000000 : (int)left_ms) < 0 &&
		    errno != EINTR)
			return kg_fail_errno(err, -errno, "cannot wait for a child");
		if ((fds[0].revents & POLLIN) != 0)
			return 0;
		if (cancel_signal() != 0)
			return cancel_check(err);
	}
}

int spawn_wait(struct kg_child *child, int timeout_ms, int *ret_status,
	       struct kg_err *err)
{
	int r = spawn_poll(child, timeout_ms < 0 ? -1 : now_ms() + timeout_ms, err);

	if (r < 0)
		spawn_kill(child);
	else
		spawn_reap(child, ret_status);
	return r;
}

int spawn_run(const struct kg_spawn *how, int timeout_ms, int *ret_status,
	      struct kg_err *err)
{
	struct kg_child child = { .pidfd = -1 };
	int r = spawn_start(&child, how, err);

	return r < 0 ? r : spawn_wait(&child, timeout_ms, ret_status, err);
}

int spawn_drain(int fd, int timeout_ms, size_t max, struct str *out, struct kg_err *err)
{
	int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	char buf[16384];

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = cancel_fd(), .events = POLLIN },
		};
		int64_t left_ms = deadline_ms < 0 ? -1 : deadline_ms - now_ms();
		ssize_t n;

		if (deadline_ms >= 0 && left_ms <= 0)
			return kg_fail(err, -KGE_TIMEOUT, "time limit reached");
		if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
			return kg_fail_errno(err, -errno, "cannot read from a child");
		if (cancel_signal() != 0)
			return cancel_check(err);
		if (fds[0].revents == 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return kg_fail_errno(err, -errno, "cannot read from a child");
		if (n == 0)
			return 0;
		if (n > 0 && out->len + (size_t)n > max)
			return kg_fail(err, -KGE_LIMIT, "more than %zu bytes of output",
				       max);
		if (n > 0)
			str_addn(out, buf, (size_t)n);
		if (!str_ok(out))
			return kg_fail_errno(err, -ENOMEM, "cannot read from a child");
	}
}

int spawn_capture(const struct kg_spawn *how, int timeout_ms, size_t max, struct str *out,
		  int *ret_status, struct kg_err *err)
{
	_cleanup_close_ int read_fd = -1;
	_cleanup_close_ int write_fd = -1;
	struct kg_spawn with_pipe = *how;
	struct kg_child child = { .pidfd = -1 };
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return kg_fail_errno(err, -errno, "cannot make a pipe");
	read_fd = fds[0];
	write_fd = fds[1];
	with_pipe.out_fd = write_fd;
	r = spawn_start(&child, &with_pipe, err);
	if (r < 0)
		return r;
	close(TAKE_FD(write_fd));
	r = spawn_drain(read_fd, timeout_ms, max, out, err);
	if (r < 0) {
		spawn_kill(&child);
		return r;
	}
	return spawn_wait(&child, timeout_ms, ret_status, err);
}
