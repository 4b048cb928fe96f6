// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"

static int proc_read(pid_t pid, const char *file, char **ret_data, size_t *ret_len)
{
	char path[64];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd_read_all(fd, 1u << 22, ret_data, ret_len);
}

/* Field @number (from 3) of /proc/PID/stat; the name in field 2 may hold anything. */
static int proc_stat_field(pid_t pid, unsigned int number, struct str *out)
{
	_cleanup_free_ char *data = NULL;
	const char *p;
	int r = proc_read(pid, "stat", &data, NULL);

	if (r < 0)
		return r;
	p = strrchr(data, ')');
	for (unsigned int i = 2; p != NULL && i < number; i++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return -KGE_FORMAT;
	str_addn(out, p + 1, strcspn(p + 1, " \n"));
	return str_ok(out) ? 0 : -ENOMEM;
}

int proc_start_time(pid_t pid, uint64_t *ret_ticks)
{
	_cleanup_str_ struct str s = { 0 };
	int r = proc_stat_field(pid, 22, &s);

	return r < 0 ? r : parse_u64(str_get(&s), ret_ticks);
}

int proc_parent(pid_t pid, pid_t *ret_parent)
{
	_cleanup_str_ struct str s = { 0 };
	uint64_t parent;
	int r = proc_stat_field(pid, 4, &s);

	if (r == 0)
		r = parse_u64(str_get(&s), &parent);
	if (r == 0)
		*ret_parent = (pid_t)parent;
	return r;
}

int proc_name(pid_t pid, struct str *out)
{
	_cleanup_free_ char *data = NULL;
	int r = proc_read(pid, "comm", &data, NULL);

	if (r < 0)
		return r;
	str_addn(out, data, strcspn(data, "\n"));
	return str_ok(out) ? 0 : -ENOMEM;
}

int proc_arguments(pid_t pid, struct strv *out)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = proc_read(pid, "cmdline", &data, &len);

	if (r < 0)
		return r;
	for (size_t at = 0; at < len; at += strlen(data + at) + 1)
		strv_add(out, data + at);
	return strv_ok(out) ? 0 : -ENOMEM;
}

bool proc_is_running(pid_t pid, uint64_t start_ticks)
{
	_cleanup_str_ struct str state = { 0 };
	uint64_t ticks;

	if (pid <= 0 || proc_start_time(pid, &ticks) < 0 || ticks != start_ticks)
		return false;
	return proc_stat_field(pid, 3, &state) == 0 && strcmp(str_get(&state), "Z") != 0;
}

bool proc_is_ancestor(pid_t pid, uint64_t start_ticks)
{
	for (pid_t p = getpid(); p > 0;) {
		if (p == pid)
			return proc_is_running(pid, start_ticks);
		if (proc_parent(p, &p) < 0)
			return false;
	}
	return false;
}

int proc_boot_id(struct str *out)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : fd_read_all(fd, 256, &data, NULL);

	if (r < 0)
		return r;
	str_addn(out, data, strcspn(data, "\n"));
	return str_ok(out) ? 0 : -ENOMEM;
}
