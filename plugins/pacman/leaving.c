// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/leaving.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/proc.h"

#define LEAVING_DIR "run/kmodgate/leaving"

/* Without /proc a hook cannot tell the shell it was started by from pacman: then all are one. */
static void print_name(const struct owner *owner, char ret[64])
{
	snprintf(ret, 64, "%d-%llu", owner->start != 0 ? owner->pid : 0,
		 (unsigned long long)owner->start);
}

static bool is_of_running(const char *name)
{
	const size_t n = strcspn(name, "-");
	uint64_t pid, start;

	return name[n] == '-' && parse_u64n(name, n, &pid) == 0 && pid <= INT_MAX &&
	       parse_u64(name + n + 1, &start) == 0 && proc_is_running((pid_t)pid, start);
}

/* Nobody clears what a run left that was stopped. */
static void drop_stale(int dir_fd)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (!is_of_running(entry->d_name))
			(void)fd_remove_tree_at(dir_fd, entry->d_name, NULL);
}

int leaving_make(const struct owner *owner)
{
	_cleanup_close_ int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int dir_fd = fd_make_dir_in(root_fd, LEAVING_DIR, 0700, NULL);
	char name[64];

	if (dir_fd < 0)
		return dir_fd;
	print_name(owner, name);
	drop_stale(dir_fd);
	/* A front end runs one transaction after the other, and the last one may have failed. */
	(void)fd_remove_tree_at(dir_fd, name, NULL);
	return fd_make_dir_in(dir_fd, name, 0700, NULL);
}

int leaving_open(const struct owner *owner)
{
	_cleanup_close_ int dir_fd =
		open("/" LEAVING_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char name[64];

	if (dir_fd < 0)
		return -errno;
	print_name(owner, name);
	return fd_open_dir_at(dir_fd, name, NULL);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

void leaving_list(const struct owner *owner, const char *lock, struct strv *ret_names)
{
	_cleanup_close_ int fd = leaving_open(owner);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fd_list(fd) : NULL;
	struct stat began = { 0 };
	struct dirent *entry;
	struct stat st;

	(void)stat(lock, &began);
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && !is_before(&st.st_mtim, &began.st_mtim))
			strv_add(ret_names, entry->d_name);
	strv_sort(ret_names);
}
