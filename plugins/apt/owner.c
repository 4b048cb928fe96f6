// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/owner.h"

#include <string.h>
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

bool owner_is_below_apt(pid_t pid)
{
	/* The kernel cuts names after 15 bytes. */
	static const char *const managers[] = {
		"apt",	    "apt-get",	       "aptitude",    "aptitude-curse",
		"synaptic", "unattended-upgr", "packagekitd", "aptd",
		"nala",	    "aptdaemon",       NULL
	};

	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		if (is_one_of(pid, managers))
			return true;
		if (proc_parent(pid, &pid) < 0)
			return false;
	}
	return false;
}
