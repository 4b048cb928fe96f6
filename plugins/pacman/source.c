// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/source.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/pacman/leaving.h"

#define TREE_DIR "/var/lib/dkms"
#define CONF_MAX (1u << 20)

void source_find(const char *folder, char *ret, size_t size)
{
	_cleanup_close_ int tree_fd = open(TREE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *names = tree_fd >= 0 ? fd_list(tree_fd) : NULL;
	struct dirent *name;

	ret[0] = '\0';
	while (ret[0] == '\0' && names != NULL && (name = fd_list_next(names)) != NULL) {
		_cleanup_close_ int fd =
			openat(tree_fd, name->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		_cleanup_dir_ DIR *versions = fd >= 0 ? fd_list(fd) : NULL;
		struct dirent *version;

		while (versions != NULL && (version = fd_list_next(versions)) != NULL) {
			char path[PATH_MAX];
			char target[PATH_MAX];
			ssize_t n;

			snprintf(path, sizeof(path), "%s/source", version->d_name);
			n = readlinkat(fd, path, target, sizeof(target) - 1);
			target[n > 0 ? n : 0] = '\0';
			if (target[0] == '/' && strcmp(target + 1, folder) == 0)
				snprintf(ret, size, "%s/%s", name->d_name,
					 version->d_name);
		}
	}
}

bool source_is_there(const char *folder)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "/%s/dkms.conf", folder) <
		       (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

static const char *base_of(const char *folder)
{
	const char *slash = strrchr(folder, '/');

	return slash != NULL ? slash + 1 : folder;
}

static void copy_conf(int from_fd, const char *from, int to_fd, const char *to)
{
	_cleanup_free_ char *text = NULL;
	struct kg_err err = { 0 };
	size_t len = 0;
	int r = fd_read_file_in(from_fd, from, CONF_MAX, &text, &len, &err);

	if (r == 0)
		r = fd_replace_at(to_fd, to, text, len, 0644, &err);
	if (r < 0)
		fprintf(stderr, "kmodgate: warning: %s\n", kg_err_text(&err, r));
}

void source_keep(int kept_fd, const char *folder)
{
	_cleanup_close_ int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/dkms.conf", folder) < (int)sizeof(path))
		copy_conf(root_fd, path, kept_fd, base_of(folder));
}

void source_put_stub(const struct owner *owner, const char *folder,
		     const char *name_version)
{
	_cleanup_close_ int kept_fd = leaving_open(owner);
	_cleanup_close_ int stub_fd = -1;
	const char *kept = base_of(folder);
	char path[PATH_MAX];

	if (kept_fd < 0 || faccessat(kept_fd, kept, R_OK, 0) < 0 ||
	    snprintf(path, sizeof(path), TREE_DIR "/%s/source", name_version) >=
		    (int)sizeof(path))
		return;
	if (unlink(path) < 0 || mkdir(path, 0755) < 0)
		return; /* `dkms remove` says what is wrong */
	stub_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (stub_fd >= 0)
		copy_conf(kept_fd, kept, stub_fd, "dkms.conf");
	(void)unlinkat(kept_fd, kept, 0);
}
