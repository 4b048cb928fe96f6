// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/cache.h"

#include <limits.h>
#include <stdio.h>

#include "core/base/fd.h"
#include "core/base/str.h"

void archives_find(const char *dir, unsigned int depth,
		   void (*take)(const char *path, const char *name, void *data),
		   void *data)
{
	_cleanup_dir_ DIR *list = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX];

	while (list != NULL && (entry = fd_list_next(list)) != NULL) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >=
		    (int)sizeof(path))
			continue;
		if (str_ends(entry->d_name, ".rpm"))
			take(path, entry->d_name, data);
		else if (entry->d_type == DT_DIR && depth > 0)
			archives_find(path, depth - 1, take, data);
	}
}
