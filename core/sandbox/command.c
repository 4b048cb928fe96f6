// SPDX-License-Identifier: GPL-2.0-or-later
/* The last process: gives up everything, then becomes the program. */
#include "core/sandbox/internal.h"

#include <grp.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/close_range.h>

#include "core/sandbox/hello.h"

#define PROCESSES_MAX 4096 /* of the build user; a fork bomb is ended by the time limit */

static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/tmp",
	"TMPDIR=/tmp",
	"LC_ALL=C",
	NULL,
};

static int set_stream(int fd, int target, int flags)
{
	_cleanup_close_ int null_fd = fd < 0 ? open("/dev/null", flags | O_CLOEXEC) : -1;

	return dup2(fd < 0 ? null_fd : fd, target) < 0 ? -errno : 0;
}

static int set_streams(const struct sandbox *how)
{
	int r = set_stream(how->in_fd, 0, O_RDONLY);

	if (r == 0)
		r = set_stream(how->out_fd, 1, O_WRONLY);
	return r == 0 ? set_stream(how->err_fd, 2, O_WRONLY) : r;
}

static int limit(__rlimit_resource_t what, rlim_t value)
{
	struct rlimit old;

	if (value == 0 || getrlimit(what, &old) < 0)
		return 0;
	if (old.rlim_max < value) /* also true of no limit, which is the largest number */
		value = old.rlim_max;
	return setrlimit(what, &(struct rlimit){ .rlim_cur = value, .rlim_max = value }) <
			       0
		       ? -errno
		       : 0;
}

static int set_limits(const struct sandbox *how)
{
	int r = limit(RLIMIT_CPU, how->cpu_limit_s);

	if (r == 0)
		r = limit(RLIMIT_FSIZE, how->file_limit_bytes);
	return r == 0 ? limit(RLIMIT_NPROC, PROCESSES_MAX) : r;
}

static int drop_ids(const struct box *box)
{
	gid_t gid = box->how->gid;
	uid_t uid = box->how->uid;

	if (box->ids == BOX_IDS_SINGLE)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0)
		return -errno;
	return setresuid(uid, uid, uid) < 0 ? -errno : 0;
}

/*
 * Our memory belongs to the user namespace we came from until we execve(2): init, which
 * has no rights there, could not answer our uname(2) if it were closed. Changes of ids
 * close it, so this comes last.
 */
static void open_memory_to_init(const struct box *box)
{
	if (box->ids != BOX_IDS_REAL)
		prctl(PR_SET_DUMPABLE, 1);
}

static int drop_privileges(const struct box *box)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };
	int r;

	/* before the ids: it takes a capability to give up capabilities */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	r = drop_ids(box);
	if (r < 0)
		return r;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		return -errno;
	open_memory_to_init(box);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* -1 when uname(2) cannot be answered that way here; init then finds another. */
static int install_filter(const struct box *box, int *ret_listener)
{
	int fd = -1;

	*ret_listener = -1;
	if (box->how->release != NULL)
		fd = seccomp_install(UNAME_ASK);
	if (fd < 0)
		return seccomp_install(UNAME_TRUE);
	*ret_listener = fd;
	return 0;
}

static int send_hello(int socket_fd, int listener_fd, char *probe)
{
	struct hello hello = { .probe = probe };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { .iov_base = &hello, .iov_len = sizeof(hello) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *head;

	if (listener_fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &listener_fd, sizeof(int));
	}
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Init watches from now on, without privileges it does not need. */
static int meet_init(int socket_fd, int listener_fd)
{
	char probe = 0;
	char byte;
	int r = send_hello(socket_fd, listener_fd, &probe);

	if (r < 0)
		return r;
	return recv(socket_fd, &byte, 1, 0) == 1 ? 0 : -ESRCH;
}

static int say(int r, const char *what, struct kg_err *err)
{
	errno = -r;
	return r < 0 ? box_fail(err, "%s", what) : r;
}

static int prepare(const struct box *box, int socket_fd, struct kg_err *err)
{
	const char *cwd = box->how->cwd != NULL ? box->how->cwd : "/";
	int listener_fd = -1;
	int r = say(set_streams(box->how), "standard descriptors", err);

	if (r == 0)
		r = say(set_limits(box->how), "resource limits", err);
	if (r == 0)
		r = say(drop_privileges(box), "cannot become the build user", err);
	if (r == 0 && chdir(cwd) < 0)
		r = box_fail(err, "cannot enter %s", cwd);
	if (r == 0)
		r = say(install_filter(box, &listener_fd), "no system call filter", err);
	return r == 0 ? say(meet_init(socket_fd, listener_fd), "no supervisor", err) : r;
}

/* execve() writes through neither. */
static char *const *unconst(const char *const *list)
{
	union {
		const char *const *in;
		char *const *out;
	} u = { .in = list };

	return u.out;
}

static void run_call(struct box *box)
{
	const struct sandbox how = *box->how;

	close_range(3, ~0U, 0);
	_exit(how.call(how.data) & 0x7f);
}

void command_run(struct box *box, int init_fd)
{
	const struct sandbox *how = box->how;
	struct kg_err err = { 0 };

	setsid();
	box_reset_signals();
	if (prepare(box, init_fd, &err) < 0)
		box_give_up(box, &err);
	if (how->argv == NULL)
		run_call(box);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(how->argv[0], unconst(how->argv),
	       unconst(how->env != NULL ? how->env : default_env));
	kg_fail_errno(&err, -errno, "cannot run %s in the build sandbox", how->argv[0]);
	box_give_up(box, &err);
}
