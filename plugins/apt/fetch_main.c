// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt-fetch: what apt's package lists know.
 *   headers RELEASE VERSION [NAME...]          archives of the headers, downloaded if need be
 *   headers-at-hand RELEASE VERSION [NAME...]  the same, nothing is downloaded
 *   dependents NAME=VERSION...                 versions that cannot do without one of these
 *   offered NAME=VERSION...                    those of them that apt could install today
 * One line for each result, fields separated by tabs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/str.h"
#include "plugins/apt/kept.h"
#include "plugins/apt/shim.h"

static void print_archive(const struct shim_archive *a, void *data)
{
	(void)data;
	printf("%s\t%s\t%s\n", a->name, a->version, a->path);
}

/* apt may clean its own folder at any time; what the gate used stays, if links can be made. */
static void keep_archive(const struct shim_archive *a, void *data)
{
	const char *dir = data;
	_cleanup_str_ struct str path = { 0 };

	print_archive(a, NULL);
	str_addf(&path, "%s/%s", dir, strrchr(a->path, '/') + 1);
	if (str_ok(&path) && link(a->path, str_get(&path)) < 0)
		return;
}

static void print_version(const char *name, const char *version, void *data)
{
	(void)data;
	printf("%s\t%s\n", name, version);
}

static int make_folder(const char *path)
{
	_cleanup_close_ int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = fd_make_dir_in(root_fd, path + 1, 0755, NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Nothing came: what apt made for its work goes, what was kept before stays. */
static void tidy_folder(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fd_remove_tree_at(fd, "partial", NULL);
	(void)unlinkat(fd, "lock", 0);
	(void)rmdir(path);
}

static int find_headers(int argc, char **argv, bool may_download, struct kg_err *err)
{
	_cleanup_str_ struct str package = { 0 };
	_cleanup_str_ struct str dir = { 0 };
	struct shim_headers what = { 0 };
	int r;

	if (argc < 2 || !name_is_word(argv[0]) || !name_is_word(argv[1]))
		return kg_fail(err, -EINVAL, "not a kernel release and version");
	str_addf(&package, "linux-headers-%s", argv[0]);
	str_addf(&dir, "%s/%s/%s", KEPT_DIR, argv[0], argv[1]);
	if (!str_ok(&package) || !str_ok(&dir))
		return kg_fail_errno(err, -ENOMEM, "looking for headers");
	what.package = str_get(&package);
	what.version = argv[1];
	what.present = (const char *const *)(argv + 2);
	what.kept_dir = str_get(&dir);
	/* Without a folder for it, what is on disk may still do. */
	what.may_download = may_download && make_folder(what.kept_dir) == 0;
	r = shim_find_headers(&what, what.may_download ? keep_archive : print_archive,
			      dir.p, err);
	if (r < 0 && what.may_download)
		tidy_folder(what.kept_dir);
	return r;
}

/* "NAME=VERSION"s, cut apart; the caller frees. NULL: @err says why. */
static struct shim_version *read_versions(int argc, char **argv, struct kg_err *err)
{
	_cleanup_free_ struct shim_version *all = calloc((size_t)argc + 1, sizeof(*all));

	if (all == NULL) {
		(void)kg_fail_errno(err, -ENOMEM, "asking apt");
		return NULL;
	}
	for (int i = 0; i < argc; i++) {
		char *equal = strchr(argv[i], '=');

		if (equal == NULL) {
			(void)kg_fail(err, -EINVAL, "not NAME=VERSION: %s", argv[i]);
			return NULL;
		}
		*equal = '\0';
		all[i] = (struct shim_version){ argv[i], equal + 1 };
	}
	return TAKE_PTR(all);
}

static int list_dependents(int argc, char **argv, struct kg_err *err)
{
	_cleanup_free_ struct shim_version *held = read_versions(argc, argv, err);

	if (held == NULL)
		return err->code;
	shim_each_dependent(held, (size_t)argc, print_version, NULL);
	return 0;
}

static int list_offered(int argc, char **argv, struct kg_err *err)
{
	_cleanup_free_ struct shim_version *all = read_versions(argc, argv, err);

	if (all == NULL)
		return err->code;
	for (int i = 0; i < argc; i++)
		if (shim_is_offered(&all[i]))
			print_version(all[i].name, all[i].version, NULL);
	return 0;
}

static int run_verb(int argc, char **argv, struct kg_err *err)
{
	int r = shim_open(err);

	if (r < 0)
		return r;
	if (strcmp(argv[1], "headers") == 0)
		return find_headers(argc - 2, argv + 2, true, err);
	if (strcmp(argv[1], "headers-at-hand") == 0)
		return find_headers(argc - 2, argv + 2, false, err);
	if (strcmp(argv[1], "dependents") == 0)
		return list_dependents(argc - 2, argv + 2, err);
	if (strcmp(argv[1], "offered") == 0)
		return list_offered(argc - 2, argv + 2, err);
	return kg_fail(err, -EINVAL, "unknown verb '%s'", argv[1]);
}

int main(int argc, char **argv)
{
	struct kg_err err = { 0 };
	int r = argc < 2 ? kg_fail(&err, -EINVAL, "usage: apt-fetch VERB ARGUMENT...")
			 : run_verb(argc, argv, &err);

	shim_close();
	if (r < 0)
		fprintf(stderr, "kmodgate: %s\n", kg_err_text(&err, r));
	return r < 0 || fflush(stdout) != 0;
}
