// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/owner.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/proc.h"

#define ANCESTORS_MAX 64

static bool is_one_of(pid_t pid, const char *const *names)
{
	_cleanup_str_ struct str name = { 0 };

	if (proc_name(pid, &name) < 0)
		return false;
	for (; *names != NULL; names++)
		if (strcmp(str_get(&name), *names) == 0)
			return true;
	return false;
}

void owner_find(struct owner *ret)
{
	static const char *const shells[] = { "sh",   "dash", "bash", "busybox",
					      "ash",  "ksh",  "mksh", "zsh",
					      "posh", "yash", NULL };
	pid_t pid = getppid();

	for (int i = 0; i < ANCESTORS_MAX && pid > 1 && is_one_of(pid, shells); i++)
		if (proc_parent(pid, &pid) < 0)
			break;
	*ret = (struct owner){ .pid = pid > 0 ? pid : getppid() };
	if (proc_start_time(ret->pid, &ret->start) < 0)
		ret->start = 0;
}

bool owner_is_below(const struct owner *owner, const char *const *names)
{
	pid_t pid = owner->pid;

	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		if (is_one_of(pid, names))
			return true;
		if (proc_parent(pid, &pid) < 0)
			return false;
	}
	return false;
}

bool owner_is_outside(const struct owner *owner)
{
	char path[64];
	struct stat theirs;
	struct stat ours;

	snprintf(path, sizeof(path), "/proc/%d/root/.", owner->pid);
	if (owner->start == 0 || stat(path, &theirs) < 0 || stat("/.", &ours) < 0)
		return true;
	return theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
}

int owner_open(const struct owner *owner)
{
	return owner->start == 0 ? -1 : (int)syscall(SYS_pidfd_open, owner->pid, 0);
}
