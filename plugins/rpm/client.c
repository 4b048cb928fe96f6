// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/client.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As the kernel keeps it: of a script the script's name, cut after 15 bytes. */
static void read_own_name(char *name, size_t size)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, name, size - 1) : 0;

	if (fd >= 0)
		close(fd);
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static bool is_dnf(const char *name)
{
	static const char *const others[] = { "yum", "microdnf", "packagekitd" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i]) == 0)
			return true;
	return strncmp(name, "dnf", 3) == 0;
}

/* libzypp names its process in the environment; only our parent is believed. */
static pid_t find_zypp(void)
{
	const char *text = getenv("ZYPP_IS_RUNNING");
	pid_t pid = text != NULL ? (pid_t)atol(text) : 0;

	return pid > 1 && pid == getppid() ? pid : 0;
}

/* By its file: its main thread has a name of its own. */
static bool is_zypp_rpm(void)
{
	static const char name[] = "/zypp-rpm";
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const ssize_t tail = (ssize_t)strlen(name);

	path[n > 0 ? n : 0] = '\0';
	return n >= tail && strcmp(path + n - tail, name) == 0;
}

static bool has_steps(pid_t zypp)
{
	char path[64];

	snprintf(path, sizeof(path), CLIENT_STEPS_FORMAT, zypp);
	return access(path, R_OK) == 0;
}

void client_find(struct client *ret)
{
	char name[32];
	pid_t zypp = find_zypp();

	read_own_name(name, sizeof(name));
	*ret = (struct client){ .manager = "rpm", .owner = getpid() };
	if (is_dnf(name))
		ret->manager = "dnf";
	if (zypp == 0)
		return;
	ret->manager = "zypper";
	ret->hides_stderr = is_zypp_rpm();
	if (!ret->hides_stderr && has_steps(zypp)) {
		ret->is_step = true;
		ret->owner = zypp;
	}
}
