// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/after.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/common/child.h"
#include "plugins/common/say.h"
#include "plugins/pacman/content.h"
#include "plugins/pacman/leaving.h"
#include "plugins/pacman/open.h"
#include "plugins/pacman/source.h"

#define LIST_MAX (64u << 20)
#define MODULES_DIR "/usr/lib/modules"

static const char core_program[] = KG_SBINDIR "/kmodgate";
static const char dkms_program[] = KG_SBINDIR "/dkms";

struct after {
	struct owner owner;
	struct strv releases;
	struct strv sources; /* folders below usr/src */
};

static void run(const struct after *a, const char *program, const char *verb,
		const char *arg, const char *more)
{
	const char *const argv[] = { program, verb, arg, more, NULL };
	int code = child_run(argv, -1, &a->owner);

	if (code != 0)
		say("warning: \"%s %s %s\" ended with %d", program, verb, arg, code);
}

static void take_path(struct after *a, const char *path)
{
	char release[CONTENT_RELEASE_SIZE];
	const unsigned int bit = content_of(path, release);
	const int n = content_source_length(path);

	if (bit == CONTENT_SOURCE)
		strv_addn(&a->sources, path, (size_t)n);
	else if ((bit & (CONTENT_IMAGE | CONTENT_HEADERS)) != 0 &&
		 !strv_has(&a->releases, release))
		strv_add(&a->releases, release);
}

static void read_paths(struct after *a)
{
	_cleanup_free_ char *text = NULL;

	if (fd_read_all(0, LIST_MAX, &text, NULL) < 0)
		return;
	for (char *p = text; *p != '\0';) {
		const size_t len = strcspn(p, "\n");
		const bool has_next = p[len] == '\n';

		p[len] = '\0';
		take_path(a, p);
		p += len + has_next;
	}
}

static bool is_kernel(const char *release)
{
	static const char *const signs[] = { "vmlinuz", "pkgbase", "modules.order" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (snprintf(path, sizeof(path), MODULES_DIR "/%s/%s", release,
			     signs[i]) < (int)sizeof(path) &&
		    access(path, F_OK) == 0)
			return true;
	return false;
}

static void add_source(const struct after *a, const char *folder)
{
	char known[PATH_MAX];
	char path[PATH_MAX];

	source_find(folder, known, sizeof(known));
	if (known[0] == '\0' &&
	    snprintf(path, sizeof(path), "/%s", folder) < (int)sizeof(path))
		run(a, dkms_program, "add", path, NULL);
}

/* A source that came is for every kernel that has headers. */
static void add_all_releases(struct after *a)
{
	_cleanup_dir_ DIR *dir = opendir(MODULES_DIR);
	struct dirent *entry;
	char path[PATH_MAX];

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (snprintf(path, sizeof(path), MODULES_DIR "/%s/build/.",
			     entry->d_name) < (int)sizeof(path) &&
		    access(path, F_OK) == 0 && !strv_has(&a->releases, entry->d_name))
			strv_add(&a->releases, entry->d_name);
}

static void settle(const struct after *a)
{
	_cleanup_strv_ struct strv ids = { 0 };
	char pid[24];

	snprintf(pid, sizeof(pid), "%d", a->owner.pid);
	if (open_find(&a->owner, &ids))
		run(a, core_program, "settle", "--owner", pid);
}

static void arrive_at(const struct after *a, const char *release)
{
	if (!is_kernel(release))
		return;
	/* Not in every root that `pacman --root` fills; the core resolves paths by it. */
	if (access("/proc/self/fd", F_OK) < 0)
		say("warning: no /proc in here, so no modules for %s. Later: \"dkms "
		    "autoinstall -k %s\"",
		    release, release);
	else
		run(a, core_program, "arrive", release, NULL);
}

static void arrive(struct after *a)
{
	for (size_t i = 0; i < a->sources.n; i++)
		add_source(a, a->sources.v[i]);
	if (a->sources.n > 0)
		add_all_releases(a);
	for (size_t i = 0; i < a->releases.n; i++)
		arrive_at(a, a->releases.v[i]);
	settle(a);
}

static void remove_source(const struct after *a, const char *folder)
{
	char known[PATH_MAX];

	source_find(folder, known, sizeof(known));
	if (known[0] == '\0' || source_is_there(folder))
		return;
	source_put_stub(&a->owner, folder, known);
	run(a, dkms_program, "remove", known, "--all");
}

static void depart(struct after *a)
{
	for (size_t i = 0; i < a->releases.n; i++)
		if (!is_kernel(a->releases.v[i]))
			run(a, core_program, "depart", a->releases.v[i], NULL);
	for (size_t i = 0; i < a->sources.n; i++)
		remove_source(a, a->sources.v[i]);
	settle(a);
}

static void leave(struct after *a)
{
	_cleanup_close_ int kept_fd = leaving_make(&a->owner);

	for (size_t i = 0; kept_fd >= 0 && i < a->sources.n; i++)
		source_keep(kept_fd, a->sources.v[i]);
}

static void with_paths(const struct owner *owner, void (*act)(struct after *a))
{
	struct after a = { .owner = *owner };

	read_paths(&a);
	act(&a);
	strv_fini(&a.releases);
	strv_fini(&a.sources);
}

void after_leave(const struct owner *owner)
{
	with_paths(owner, leave);
}

void after_arrive(const struct owner *owner)
{
	with_paths(owner, arrive);
}

void after_remove(const struct owner *owner)
{
	with_paths(owner, depart);
}
