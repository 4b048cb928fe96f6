// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/open.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "core/plan/plan.h"

/* Folders are called MANAGER-PID-START-DIGEST: kmodgate-plan(5). */
bool open_find(const struct owner *owner, struct strv *ret_ids)
{
	_cleanup_dir_ DIR *dir = opendir(OPEN_DIR);
	struct dirent *entry;
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "pacman-%d-%llu-", owner->pid,
		 (unsigned long long)owner->start);
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (str_starts(entry->d_name, prefix))
			strv_add(ret_ids, entry->d_name);
	return ret_ids->n > 0;
}

static bool running_owner(const char *id, struct owner *ret)
{
	static const char manager[] = "pacman-";
	uint64_t pid, start;
	const char *text;
	size_t n;

	if (!str_starts(id, manager))
		return false;
	text = id + strlen(manager);
	n = strcspn(text, "-");
	if (text[n] != '-' || parse_u64n(text, n, &pid) < 0 || pid > INT_MAX)
		return false;
	text += n + 1;
	if (parse_u64n(text, strcspn(text, "-"), &start) < 0 ||
	    !proc_is_running((pid_t)pid, start))
		return false;
	*ret = (struct owner){ (pid_t)pid, start };
	return true;
}

void open_owner(struct owner *ret)
{
	_cleanup_dir_ DIR *dir = opendir(OPEN_DIR);
	struct dirent *entry;

	*ret = (struct owner){ 0 };
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (running_owner(entry->d_name, ret))
			return;
}

static void add_releases(const char *id, struct strv *ret)
{
	struct kg_plan plan = { 0 };
	_cleanup_close_ int fd = -1;
	char path[512];

	snprintf(path, sizeof(path), OPEN_DIR "/%s/plan", id);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || plan_read_fd(fd, &plan, NULL) < 0)
		return;
	for (size_t i = 0; i < plan.n_kernels; i++)
		if (plan_comes(plan.kernels[i].change))
			strv_add(ret, plan.kernels[i].release);
	plan_fini(&plan);
}

void open_releases(const struct strv *ids, struct strv *ret)
{
	for (size_t i = 0; i < ids->n; i++)
		add_releases(ids->v[i], ret);
}
