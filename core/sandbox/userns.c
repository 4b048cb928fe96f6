// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Without CAP_SYS_ADMIN: a user namespace of our own, where the kernel lets us have one.
 */
#include "core/sandbox/internal.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

static int write_map(pid_t pid, const char *map, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, map);
	return write_file(path, text);
}

/* Root and the build user, by a process left outside: needs CAP_SETUID there. */
static int map_both(pid_t pid, const struct sandbox *how)
{
	char text[128];
	int r;

	snprintf(text, sizeof(text), "0 %u 1\n%u %u 1\n", getegid(), how->gid, how->gid);
	r = write_map(pid, "gid_map", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "0 %u 1\n%u %u 1\n", geteuid(), how->uid, how->uid);
	return write_map(pid, "uid_map", text);
}

/* Runs outside: maps ids of @pid when told so, and says whether it could. */
static void serve_map(pid_t pid, const struct sandbox *how, int go_fd, int done_fd)
{
	char byte = 1;

	if (read(go_fd, &byte, 1) == 1)
		byte = map_both(pid, how) == 0 ? 0 : 1;
	(void)!write(done_fd, &byte, 1);
	_exit(0);
}

/* We alone, called the build user: always allowed to the namespace's owner. */
static int map_single(const struct sandbox *how, uid_t uid, gid_t gid)
{
	char text[64];
	int r;

	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1\n", how->gid, gid);
	r = write_file("/proc/self/gid_map", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%u %u 1\n", how->uid, uid);
	return write_file("/proc/self/uid_map", text);
}

static int map_ids(struct box *box, int go_fd, int done_fd, const uid_t ids[2])
{
	char byte = 0;

	box->ids = BOX_IDS_MAPPED;
	if (write(go_fd, &byte, 1) == 1 && read(done_fd, &byte, 1) == 1 && byte == 0)
		return 0;
	box->ids = BOX_IDS_SINGLE;
	return map_single(box->how, ids[0], ids[1]);
}

static int enter(struct box *box, int flags, struct kg_err *err)
{
	const uid_t ids[2] = { geteuid(), getegid() };
	int go[2];
	int done[2];
	pid_t self = getpid();
	pid_t helper;
	int r = 0;

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		return box_fail(err, "no pipe");
	helper = fork();
	if (helper == 0) {
		close(go[1]);
		serve_map(self, box->how, go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	if (helper < 0 || unshare(CLONE_NEWUSER | flags) < 0)
		r = box_fail(err, "neither CAP_SYS_ADMIN nor a user namespace to be had");
	else if (map_ids(box, go[1], done[0], ids) < 0)
		r = box_fail(err, "cannot map ids in a user namespace");
	close(go[1]);
	close(done[0]);
	if (helper > 0)
		waitpid(helper, NULL, 0);
	return r;
}

/*
 * Descriptors of the old mount namespace cannot be mounted from the new one: open them
 * anew.
 */
static int find_path(int fd, struct strv *out)
{
	char link[64];
	char path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < 0)
		return -errno;
	strv_addn(out, path, (size_t)n);
	return 0;
}

static int open_again(int *fd, const char *path)
{
	int new_fd = open(path, O_PATH | O_CLOEXEC);
	struct stat before;
	struct stat after;

	if (new_fd < 0)
		return -errno;
	if (fstat(*fd, &before) < 0 || fstat(new_fd, &after) < 0 ||
	    before.st_dev != after.st_dev || before.st_ino != after.st_ino) {
		close(new_fd);
		return -ESTALE;
	}
	*fd = new_fd;
	return 0;
}

/* Each descriptor of @how in turn; NULL after the last. */
static int *nth_fd(struct sandbox *how, struct sandbox_bind *binds, size_t i)
{
	if (i == 0)
		return &how->root_fd;
	if (i == 1)
		return &how->stage_fd;
	return i - 2 < how->n_binds ? &binds[i - 2].fd : NULL;
}

int userns_enter(struct box *box, int flags, struct kg_err *err)
{
	static struct sandbox how; /* outlive this call; the process is ours alone */
	static struct sandbox_bind binds[1024];
	_cleanup_strv_ struct strv paths = { 0 };
	int r = 0;
	int *fd;

	how = *box->how;
	if (how.n_binds > ARRAY_SIZE(binds))
		return kg_fail(err, -KGE_SANDBOX, "too many binds for a user namespace");
	if (how.n_binds > 0)
		memcpy(binds, how.binds, how.n_binds * sizeof(*binds));
	for (size_t i = 0; r == 0 && (fd = nth_fd(&how, binds, i)) != NULL; i++) {
		if (*fd < 0)
			strv_add(&paths, "");
		else
			r = find_path(*fd, &paths);
	}
	if (r == 0 && !strv_ok(&paths))
		r = -ENOMEM;
	errno = -r;
	if (r < 0)
		return box_fail(err, "cannot tell where folders are");
	r = enter(box, flags, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && (fd = nth_fd(&how, binds, i)) != NULL; i++)
		if (*fd >= 0 && i < paths.n)
			r = open_again(fd, paths.v[i]);
	errno = -r;
	if (r < 0)
		return box_fail(err, "cannot open folders again");
	how.binds = binds;
	box->how = &how;
	return 0;
}
