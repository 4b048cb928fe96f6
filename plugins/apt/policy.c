// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/policy.h"

#include <fcntl.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/yaml.h"

#define POLICY_MAX (1u << 20)
#define POLICY_DIR "/etc/kmodgate"

static void read_file(int dir_fd, const char *name, bool *fetches)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	_cleanup_arena_ struct arena arena = { 0 };
	const struct yaml_node *node;
	struct yaml_node *root;
	size_t len;

	if (fd < 0 || fd_read_all(fd, POLICY_MAX, &text, &len) < 0 ||
	    yaml_parse(text, len, &arena, &root, NULL) < 0 || root->kind != YAML_MAP)
		return;
	node = yaml_find(root, "headers_missing");
	if (node != NULL && node->kind == YAML_SCALAR)
		*fetches = strcmp(node->text, "fetch") == 0;
}

bool policy_fetches_headers(void)
{
	_cleanup_close_ int dir_fd = open(POLICY_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int more_fd = -1;
	_cleanup_dir_ DIR *dir = NULL;
	_cleanup_strv_ struct strv names = { 0 };
	struct dirent *entry;
	bool fetches = true;

	if (dir_fd < 0)
		return true;
	read_file(dir_fd, "kmodgate.yaml", &fetches);
	more_fd = openat(dir_fd, "kmodgate.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = more_fd >= 0 ? fd_list(more_fd) : NULL;
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (str_ends(entry->d_name, ".yaml") && entry->d_name[0] != '.')
			strv_add(&names, entry->d_name);
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		read_file(more_fd, names.v[i], &fetches);
	return fetches;
}
