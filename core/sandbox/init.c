// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pid 1 of the view: when it ends, the kernel ends every process in there. It ends when
 * the command does, whatever that left running, and when the caller does.
 */
#include "core/sandbox/internal.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "core/sandbox/hello.h"

/* Receives hello and the listener that may come with it; -1: none, and none needed. */
static int receive_hello(int socket_fd, struct hello *ret_hello)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { .iov_base = ret_hello, .iov_len = sizeof(*ret_hello) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head;
	int fd = -1;

	/* the command has told the caller why it could not go on */
	if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != sizeof(*ret_hello))
		_exit(125);
	head = CMSG_FIRSTHDR(&message);
	if (head != NULL && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

/* May we write to the command's memory? Some security modules say no, even to root. */
static bool can_write_to(pid_t pid, const struct hello *hello)
{
	char byte = 1;
	struct iovec ours = { .iov_base = &byte, .iov_len = 1 };
	struct iovec theirs = { .iov_base = hello->probe, .iov_len = 1 };

	return process_vm_writev(pid, &ours, 1, &theirs, 1, 0) == 1;
}

/* All that answering uname(2) needs. */
static void keep_capabilities(const struct box *box)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct some[2] = { { 0 } };

	if (box->how->release != NULL)
		some[0].effective = some[0].permitted = 1U << CAP_SYS_PTRACE;
	syscall(SYS_capset, &head, some);
}

/* Reaps everything that ended; ends us when @command was among it. */
static void reap(pid_t command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status)
						: 128 + WTERMSIG(status));
}

static void serve(pid_t command, int child_fd, int listener_fd, const char *release)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = child_fd, .events = POLLIN },
					 { .fd = listener_fd, .events = POLLIN } };
		struct signalfd_siginfo info;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			_exit(125);
		if ((fds[0].revents & POLLIN) != 0) {
			(void)!read(child_fd, &info, sizeof(info));
			reap(command);
		}
		if ((fds[1].revents & POLLIN) != 0)
			uname_answer(listener_fd, release);
		else if (fds[1].revents != 0)
			listener_fd = -1; /* nobody is left who could ask */
	}
}

/* The command waits for this before it becomes the program. */
static void let_go(const struct box *box, int socket_fd, struct kg_err *err)
{
	keep_capabilities(box);
	if (send(socket_fd, "", 1, MSG_NOSIGNAL) != 1) {
		box_fail(err, "no answer");
		box_give_up(box, err);
	}
}

static void supervise(struct box *box, pid_t command, int socket_fd, int child_fd)
{
	const char *release = box->how->release;
	struct kg_err err = { 0 };
	struct hello hello;
	int listener_fd = receive_hello(socket_fd, &hello);
	int keep[] = { child_fd, listener_fd };

	if (release != NULL && (listener_fd < 0 || !can_write_to(command, &hello))) {
		if (uname_replace_program(release, &err) < 0)
			box_give_up(box, &err);
		release = NULL;
	}
	let_go(box, socket_fd, &err);
	close_range(0, 2, 0);
	box_close_others(keep, ARRAY_SIZE(keep));
	serve(command, child_fd, listener_fd, release);
}

/*
 * The caller is outside our namespace, so it is its end of the pipe that tells if it
 * lives.
 */
static void die_with_caller(const struct box *box)
{
	struct pollfd reader = { .fd = box->report_fd };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR) != 0)
		_exit(125);
}

void init_run(struct box *box)
{
	struct kg_err err = { 0 };
	int sockets[2];
	sigset_t child;
	int child_fd;
	pid_t command;

	die_with_caller(box);
	setpgid(0, 0);
	if (view_enter(box, &err) < 0)
		box_give_up(box, &err);
	prctl(PR_SET_DUMPABLE, 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	child_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (child_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		box_fail(&err, "no socket");
		box_give_up(box, &err);
	}
	command = fork();
	if (command < 0) {
		box_fail(&err, "no process");
		box_give_up(box, &err);
	}
	if (command == 0) {
		close(sockets[0]);
		command_run(box, sockets[1]);
	}
	close(sockets[1]);
	supervise(box, command, sockets[0], child_fd);
	_exit(125);
}
