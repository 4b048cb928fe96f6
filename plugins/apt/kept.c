// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/kept.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "plugins/apt/planner.h"
#include "plugins/apt/version.h"

bool kept_has(const char *release, const char *version)
{
	char path[1024];

	return name_is_word(version) &&
	       snprintf(path, sizeof(path), "%s/%s/%s", KEPT_DIR, release, version) <
		       (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

/* ---- what is kept no longer ---- */

/* A kernel that this transaction changes: which version it will be is not known yet. */
static bool is_changing(const struct planner *p, const char *release)
{
	for (size_t i = 0; i < p->plan->n_kernels; i++)
		if (strcmp(p->plan->kernels[i].release, release) == 0)
			return p->plan->kernels[i].change != KG_CHANGE_STAYS;
	return false;
}

/* The version whose headers are to be kept; NULL: none. */
static const char *wanted_version(struct planner *p, const char *release)
{
	const struct db_package *image = planner_image_package(p, release);
	const struct db_package *headers;

	if (image == NULL || !planner_is_image_there(p, release))
		return NULL;
	headers = planner_headers_package(p, release);
	if (headers != NULL && version_same_source(headers->version, image->version))
		return NULL;
	return image->version;
}

static void drop_all_but(int dir_fd, const char *release, const char *version)
{
	_cleanup_close_ int fd = fd_open_dir_at(dir_fd, release, NULL);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fd_list(fd) : NULL;
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (version == NULL || strcmp(entry->d_name, version) != 0)
			(void)fd_remove_tree_at(fd, entry->d_name, NULL);
	(void)unlinkat(dir_fd, release, AT_REMOVEDIR);
}

void planner_drop_kept(struct planner *p)
{
	_cleanup_close_ int dir_fd = open(KEPT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = dir_fd >= 0 ? fd_list(dir_fd) : NULL;
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (name_is_word(entry->d_name) && !is_changing(p, entry->d_name))
			drop_all_but(dir_fd, entry->d_name,
				     wanted_version(p, entry->d_name));
}
