// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/reference.h"

#include <string.h>

#include "core/base/fd.h"
#include "core/seal/module.h"
#include "core/seal/target.h"

#define FILES_TRIED 8
#define MAX_DEPTH 8

struct search {
	const char *release;
	struct arena *arena;
	const char *found;
	unsigned int left; /* files still to be tried */
};

/* Of the tree, and of this release: nobody's module put into the kernel's folder by hand. */
static void try_file(struct search *s, const char *path)
{
	_cleanup_module_ struct module module = MODULE_INIT;
	const char *vermagic = NULL;
	const char *intree = NULL;

	s->left--;
	if (module_open(&module, path) < 0 ||
	    module_info(&module, "intree", s->arena, &intree) < 0 || intree == NULL ||
	    module_info(&module, "vermagic", s->arena, &vermagic) < 0 || vermagic == NULL)
		return;
	if (vermagic_fits(vermagic, s->release, "", NULL))
		s->found = vermagic;
}

static void search_folder(struct search *s, const char *dir, unsigned int depth);

static void search_entry(struct search *s, const char *dir, const struct dirent *entry,
			 unsigned int depth)
{
	const char *path = arena_printf(s->arena, "%s/%s", dir, entry->d_name);

	if (path == NULL)
		return;
	if (entry->d_type == DT_DIR)
		search_folder(s, path, depth + 1);
	else if (entry->d_type == DT_REG && strstr(entry->d_name, ".ko") != NULL)
		try_file(s, path);
}

static void search_folder(struct search *s, const char *dir, unsigned int depth)
{
	_cleanup_dir_ DIR *list = depth < MAX_DEPTH ? opendir(dir) : NULL;
	const struct dirent *entry;

	while (list != NULL && s->left > 0 && s->found == NULL &&
	       (entry = fd_list_next(list)) != NULL)
		search_entry(s, dir, entry, depth);
}

const char *reference_vermagic(const char *release, struct arena *arena)
{
	struct search search = { .release = release,
				 .arena = arena,
				 .left = FILES_TRIED };
	const char *dir = arena_printf(arena, "/lib/modules/%s/kernel", release);

	if (dir != NULL)
		search_folder(&search, dir, 0);
	return search.found;
}
