// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uname(2) tells the release that is built for, also to static programs. Answered by
 * init: the kernel holds the caller until we have written the answer into its memory.
 */
#include "core/sandbox/internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include <linux/seccomp.h>

/* Newer kernels may use larger messages than the headers we were compiled with. */
#define MESSAGE_SIZE 512

static int write_answer(int listener_fd, const struct seccomp_notif *asked,
			const char *release)
{
	struct utsname name;
	struct iovec ours = { .iov_base = &name, .iov_len = sizeof(name) };
	/* an address in the asking process */
	struct iovec theirs = { .iov_base = (void *)(uintptr_t)asked->data.args[0],
				.iov_len = sizeof(name) };

	uname(&name);
	snprintf(name.release, sizeof(name.release), "%s", release);
	if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &asked->id) < 0)
		return -errno;
	if (process_vm_writev((pid_t)asked->pid, &ours, 1, &theirs, 1, 0) == sizeof(name))
		return 0;
	return -EFAULT;
}

void uname_answer(int listener_fd, const char *release)
{
	union {
		struct seccomp_notif message;
		char space[MESSAGE_SIZE];
	} asked;
	union {
		struct seccomp_notif_resp message;
		char space[MESSAGE_SIZE];
	} answer;

	memset(&asked, 0, sizeof(asked));
	memset(&answer, 0, sizeof(answer));
	if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &asked.message) < 0)
		return; /* whoever asked is gone */
	answer.message.id = asked.message.id;
	if (release == NULL)
		answer.message.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		answer.message.error = write_answer(listener_fd, &asked.message, release);
	ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer.message);
}

#define REAL_PATH "/" VIEW_SPARE_DIR "/uname"

/* The program's answer with the release replaced, whatever the options. */
static int write_script(int dir_fd, const char *running, const char *release)
{
	_cleanup_close_ int fd =
		openat(dir_fd, "script", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);

	if (fd < 0)
		return -errno;
	if (dprintf(fd,
		    "#!/bin/sh\n"
		    "text=$(" REAL_PATH " \"$@\") || exit\n"
		    "case $text in\n"
		    "*'%s'*) text=${text%%%%'%s'*}'%s'${text#*'%s'} ;;\n"
		    "esac\n"
		    "printf '%%s\\n' \"$text\"\n",
		    running, running, release, running) < 0)
		return -errno;
	return fchmod(fd, 0555) < 0 ? -errno : 0;
}

/* A fresh tmpfs where it covers nothing, with the script and the program it asks. */
static int replace(int root_fd, const char *running, const char *release)
{
	_cleanup_close_ int uname_fd =
		fd_try_open_in(root_fd, "usr/bin/uname", O_PATH | O_NOFOLLOW);
	_cleanup_close_ int spare_fd =
		fd_try_open_in(root_fd, VIEW_SPARE_DIR, O_PATH | O_DIRECTORY);
	_cleanup_close_ int dir_fd = mount_tmpfs("0755", "1m", MOUNT_ATTR_NODEV);
	_cleanup_close_ int real_fd = -1;
	_cleanup_close_ int script_fd = -1;
	int r;

	if (uname_fd < 0 || spare_fd < 0 || dir_fd < 0)
		return uname_fd < 0 ? uname_fd : spare_fd < 0 ? spare_fd : dir_fd;
	real_fd = mount_copy(uname_fd, "", MOUNT_ONE);
	r = real_fd < 0 ? real_fd : mount_attach(dir_fd, spare_fd, "");
	if (r == 0)
		close(openat(dir_fd, "uname", O_WRONLY | O_CREAT | O_CLOEXEC, 0555));
	if (r == 0)
		r = mount_attach(real_fd, dir_fd, "uname");
	if (r == 0)
		r = write_script(dir_fd, running, release);
	if (r == 0)
		r = mount_flags(dir_fd, MOUNT_ONE, MOUNT_ATTR_RDONLY, 0);
	if (r < 0)
		return r;
	script_fd = mount_copy(dir_fd, "script", MOUNT_ONE);
	return script_fd < 0 ? script_fd : mount_attach(script_fd, uname_fd, "");
}

int uname_replace_program(const char *release, struct kg_err *err)
{
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct utsname name;
	int r;

	uname(&name);
	r = root_fd < 0 ? -errno : replace(root_fd, name.release, release);
	errno = -r;
	return r == 0 ? 0 : box_fail(err, "cannot replace /usr/bin/uname");
}
