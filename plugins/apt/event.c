// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/event.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/apt/content.h"
#include "plugins/common/say.h"

bool event_is_off(void)
{
	const char *value = getenv("KMODGATE");

	if (value == NULL || strcmp(value, "off") != 0)
		return false;
	say("switched off by KMODGATE=off: kernel modules are not checked");
	return true;
}

static bool is_unknown_or_ours(const struct verdict *v)
{
	return v == NULL || (v->bits & CONTENT_MATTERS) != 0;
}

static bool archive_matters(const struct verdict_cache *cache, const struct stream_op *op)
{
	struct stat st;

	if (op->path == NULL || stat(op->path, &st) < 0)
		return op->path != NULL; /* apt-plan says what is wrong with it */
	return is_unknown_or_ours(verdict_find(cache, &st));
}

/* The version that leaves or is replaced may have a kernel that the new one has not. */
static bool old_version_matters(const struct verdict_cache *cache,
				const struct stream_op *op)
{
	char path[PATH_MAX];
	struct stat st;

	if (op->name == NULL || op->old_version == NULL ||
	    verdict_stat_list(op->name, op->old_arch, op->old_multi_arch, &st, path,
			      sizeof(path)) < 0)
		return false;
	return is_unknown_or_ours(verdict_find(cache, &st));
}

bool event_matters(const struct stream *s)
{
	struct verdict_cache cache;
	bool matters = false;

	verdict_open(&cache, VERDICT_DIR);
	for (size_t i = 0; !matters && i < s->n_ops; i++)
		matters = archive_matters(&cache, &s->ops[i]) ||
			  old_version_matters(&cache, &s->ops[i]);
	verdict_close(&cache);
	return matters;
}

enum event_exit event_plan(const char *manager, const char *text, size_t len,
			   const struct owner *owner)
{
	char pid[24];
	char start[24];
	static const char program[] = KG_LIBEXECDIR "/apt-plan";
	const char *const argv[] = { program, manager, pid, start, NULL };
	_cleanup_close_ int fd = memfd_create("transaction", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, text, len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		say("warning: no memory: kernel modules are not checked");
		return EVENT_GO_ON;
	}
	snprintf(pid, sizeof(pid), "%d", owner->pid);
	snprintf(start, sizeof(start), "%llu", (unsigned long long)owner->start);
	/* With it set, a dpkg started from below would get past apt's locks. */
	unsetenv("DPKG_FRONTEND_LOCKED");
	return child_judge(argv, fd, owner);
}
