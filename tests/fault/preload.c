// SPDX-License-Identifier: GPL-2.0-or-later
/* open and open64 are two symbols here. */
#undef _FILE_OFFSET_BITS

#include "tests/fault/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
	unsigned int at;
	enum fault_mode mode;
	unsigned int count;
	const char *hit;
	bool is_watching;
	struct timespec since;
	unsigned int unsynced;
} fault = { .hit = "" };

/* ---- arming ---- */

void fault_arm(unsigned int n, enum fault_mode mode)
{
	fault.at = n;
	fault.mode = mode;
	fault.count = 0;
	fault.hit = "";
}

void fault_disarm(void)
{
	fault.mode = FAULT_NONE;
	fault.at = 0;
	fault.is_watching = false;
}

unsigned int fault_count(void)
{
	return fault.count;
}

const char *fault_hit(void)
{
	return fault.hit;
}

__attribute__((constructor)) static void arm_by_environment(void)
{
	const char *text = getenv("KG_FAULT");
	char *end;

	if (text == NULL)
		return;
	fault.at = (unsigned int)strtoul(text, &end, 10);
	fault.mode = strcmp(end, ":die") == 0 ? FAULT_DIE : FAULT_FAIL;
}

__attribute__((destructor)) static void write_count(void)
{
	const char *path = getenv("KG_FAULT_COUNT");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (f == NULL)
		return;
	fprintf(f, "%u %s\n", fault.count, fault.hit);
	fclose(f);
}

/* One more call of @name: true when it shall fail. */
static bool is_due(const char *name)
{
	fault.count++;
	if (fault.mode == FAULT_NONE || fault.count != fault.at)
		return false;
	fault.hit = name;
	return true;
}

static void die_if_asked(void)
{
	if (fault.mode == FAULT_DIE)
		_exit(FAULT_DIED);
}

static int fail(int code)
{
	die_if_asked();
	errno = code;
	return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- what is on disk ---- */

struct inode {
	dev_t dev;
	ino_t ino;
};

#define MAX_INODES 4096
static struct inode synced[MAX_INODES];
static size_t n_synced;
static struct inode pending[MAX_INODES];
static size_t n_pending;

static bool has_inode(const struct inode *list, size_t n, dev_t dev, ino_t ino)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].dev == dev && list[i].ino == ino)
			return true;
	return false;
}

static void add_inode(struct inode *list, size_t *n, const struct stat *st)
{
	if (*n < MAX_INODES && !has_inode(list, *n, st->st_dev, st->st_ino))
		list[(*n)++] = (struct inode){ st->st_dev, st->st_ino };
}

static void remove_inode(struct inode *list, size_t *n, const struct stat *st)
{
	for (size_t i = 0; i < *n; i++)
		if (list[i].dev == st->st_dev && list[i].ino == st->st_ino)
			list[i--] = list[--*n];
}

void fault_watch(void)
{
	fault.is_watching = true;
	fault.unsynced = 0;
	n_synced = 0;
	n_pending = 0;
	clock_gettime(CLOCK_REALTIME_COARSE, &fault.since);
}

unsigned int fault_unsynced_renames(void)
{
	return fault.unsynced;
}

bool fault_is_pending_dir(dev_t dev, ino_t ino)
{
	return has_inode(pending, n_pending, dev, ino);
}

static bool is_newer(const struct timespec *t)
{
	return t->tv_sec > fault.since.tv_sec ||
	       (t->tv_sec == fault.since.tv_sec && t->tv_nsec > fault.since.tv_nsec);
}

static void watch_rename(int from_fd, const char *from, int to_fd, const char *to)
{
	struct stat st;

	if (!fault.is_watching || fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISREG(st.st_mode) && is_newer(&st.st_mtim) &&
	    !has_inode(synced, n_synced, st.st_dev, st.st_ino)) {
		fprintf(stderr, "fault: %s was not fsynced before it became %s\n", from,
			to);
		fault.unsynced++;
	}
	if (fstat(to_fd, &st) == 0)
		add_inode(pending, &n_pending, &st);
}

static void watch_sync(int fd)
{
	struct stat st;

	if (!fault.is_watching || fstat(fd, &st) < 0)
		return;
	add_inode(synced, &n_synced, &st);
	remove_inode(pending, &n_pending, &st);
}

static void watch_write(int fd)
{
	struct stat st;

	if (fault.is_watching && fstat(fd, &st) == 0)
		remove_inode(synced, &n_synced, &st);
}

/* ---- the calls ---- */

/* Only counted: a test of what a kill leaves needs no disk, and is ten times as fast. */
FAULT_EXPORT int fsync(int fd)
{
	if (is_due("fsync"))
		return fail(EIO);
	watch_sync(fd);
	return getenv("KG_FAULT_REAL_SYNC") != NULL ? REAL(fsync)(fd) : 0;
}

FAULT_EXPORT int fdatasync(int fd)
{
	return fsync(fd);
}

/* Half of it is there: a torn write. */
FAULT_EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	if (fd > 2 && is_due("write")) {
		(void)!REAL(write)(fd, data, len / 2);
		return fail(ENOSPC);
	}
	watch_write(fd);
	return REAL(write)(fd, data, len);
}

FAULT_EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	if (is_due("renameat"))
		return fail(EIO);
	watch_rename(from_fd, from, to_fd, to);
	return REAL(renameat)(from_fd, from, to_fd, to);
}

FAULT_EXPORT int linkat(int from_fd, const char *from, int to_fd, const char *to,
			int flags)
{
	if (is_due("linkat"))
		return fail(ENOSPC);
	return REAL(linkat)(from_fd, from, to_fd, to, flags);
}

FAULT_EXPORT int symlinkat(const char *target, int fd, const char *name)
{
	if (is_due("symlinkat"))
		return fail(ENOSPC);
	return REAL(symlinkat)(target, fd, name);
}

FAULT_EXPORT int unlinkat(int fd, const char *name, int flags)
{
	if (is_due("unlinkat"))
		return fail(EIO);
	return REAL(unlinkat)(fd, name, flags);
}

FAULT_EXPORT int mkdirat(int fd, const char *name, mode_t mode)
{
	if (is_due("mkdirat"))
		return fail(ENOSPC);
	return REAL(mkdirat)(fd, name, mode);
}

FAULT_EXPORT int ftruncate(int fd, off_t size)
{
	if (is_due("ftruncate"))
		return fail(EIO);
	return REAL(ftruncate)(fd, size);
}

FAULT_EXPORT int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

static int open_creating(int fd, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && is_due("openat"))
		return fail(ENOSPC);
	return REAL(openat)(fd, path, flags, mode);
}

#define OPEN_MODE(flags) \
	({ \
		mode_t mode__ = 0; \
		va_list ap__; \
		va_start(ap__, flags); \
		if ((flags & O_CREAT) != 0) \
			mode__ = va_arg(ap__, mode_t); \
		va_end(ap__); \
		mode__; \
	})

FAULT_EXPORT int openat(int fd, const char *path, int flags, ...)
{
	return open_creating(fd, path, flags, OPEN_MODE(flags));
}

FAULT_EXPORT int openat64(int fd, const char *path, int flags, ...)
{
	return open_creating(fd, path, flags, OPEN_MODE(flags));
}

FAULT_EXPORT int open(const char *path, int flags, ...)
{
	return open_creating(AT_FDCWD, path, flags, OPEN_MODE(flags));
}

FAULT_EXPORT int open64(const char *path, int flags, ...)
{
	return open_creating(AT_FDCWD, path, flags, OPEN_MODE(flags));
}

FAULT_EXPORT int posix_spawn(pid_t *pid, const char *path,
			     const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attr, char *const argv[],
			     char *const env[])
{
	if (is_due("posix_spawn")) {
		die_if_asked();
		return EAGAIN;
	}
	return REAL(posix_spawn)(pid, path, actions, attr, argv, env);
}
