// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For the cases beside it: reads the dkms.conf that its arguments name and prints what comes of it.
 *   recipe [KEY=VALUE]...   root stage source name version release arch ksrc config way
 *                           (any plain bash identity) directive (repeatable)
 * source is relative to the root, or absolute for a folder that is nowhere below it.
 * Exit: 0; 1 an error, printed as "CODE: TEXT"; 11 -EAGAIN.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/recipe/recipe.h"

static const char *args_find(char **argv, const char *key)
{
	size_t len = strlen(key);

	for (; *argv != NULL; argv++)
		if (strncmp(*argv, key, len) == 0 && (*argv)[len] == '=')
			return *argv + len + 1;
	return NULL;
}

static const char *arg(char **argv, const char *key, const char *otherwise)
{
	return args_find(argv, key) ?: otherwise;
}

static void print_list(const char *name, const char *const *list)
{
	for (; list != NULL && *list != NULL; list++)
		printf("%s: %s\n", name, *list);
}

static void print_text(const char *name, const char *text)
{
	if (text != NULL)
		printf("%s: %s\n", name, text);
}

static void print_recipe(const struct kg_recipe *rc)
{
	char hex[DIGEST_HEX_SIZE];

	printf("source: %s/%s\n", rc->name, rc->version);
	for (size_t i = 0; i < rc->n_modules; i++) {
		const struct kg_recipe_module *m = &rc->modules[i];

		printf("module: %s%s -> %s/%s%s%s\n", m->built_location, m->built_name,
		       m->dest_location, m->dest_name, m->strip ? "" : " unstripped",
		       m->is_excluded ? " excluded" : "");
	}
	print_text("make", rc->make);
	print_list("patch", rc->patches);
	print_text("pre_build", rc->pre_build);
	print_text("post_build", rc->post_build);
	print_text("post_add", rc->post_add);
	print_text("pre_install", rc->pre_install);
	print_text("post_install", rc->post_install);
	print_text("post_remove", rc->post_remove);
	print_list("depends", rc->build_depends);
	print_list("rebuild", rc->build_depends_rebuild);
	print_text("obsolete_by", rc->obsolete_by);
	printf("autoinstall: %d\nno_weak_modules: %d\n", rc->autoinstall,
	       rc->no_weak_modules);
	print_text("excluded", rc->is_excluded ? rc->excluded_why : NULL);
	print_list("warning", rc->warnings);
	if (digest_hex(rc->identity, strlen(rc->identity), hex) == 0)
		printf("identity: %s\n", hex);
}

static int open_source(int root_fd, int stage_fd, const char *path)
{
	int fd = -1;

	if (*path == '/')
		return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stage_fd >= 0)
		fd = fd_try_open_in(stage_fd, path, O_RDONLY | O_DIRECTORY);
	return fd >= 0 ? fd : fd_try_open_in(root_fd, path, O_RDONLY | O_DIRECTORY);
}

static char *read_config(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	return fd < 0 || fd_read_all(fd, 4u << 20, &text, &len) < 0 ? NULL : text;
}

static int fail(const struct kg_err *err, int code)
{
	printf("%s: %s\n", kg_strerror(code), kg_err_text(err, code));
	return code == -EAGAIN ? 11 : 1;
}

static int run_identity(const struct recipe_request *req)
{
	struct arena arena = { 0 };
	struct kg_err err = { 0 };
	const char *name;
	const char *version;
	int r = recipe_read_identity(req->sys, req->source_fd, req->view, &arena, &name,
				     &version, &err);

	if (r == 0)
		printf("%s/%s\n", name, version);
	arena_fini(&arena);
	return r == 0 ? 0 : fail(&err, r);
}

static int run_recipe(const struct recipe_request *req)
{
	struct kg_recipe recipe = { 0 };
	struct kg_err err = { 0 };
	int r = recipe_read(req, &recipe, &err);

	if (r < 0)
		return fail(&err, r);
	print_recipe(&recipe);
	recipe_fini(&recipe);
	return 0;
}

int main(int argc, char **argv)
{
	const char *way = arg(argv, "way", "any");
	const char *stage = arg(argv, "stage", NULL);
	struct sandbox view = SANDBOX_INIT;
	struct kg_system sys = {
		.root = arg(argv, "root", "/"),
		.running = arg(argv, "release", "6.1.0-50-amd64"),
		.arch = "x86_64",
		.dkms_tree = "var/lib/dkms",
		.source_tree = "usr/src",
		.install_tree = "lib/modules",
		.state_dir = "var/lib/kmodgate",
		.build_uid = 64990,
		.build_gid = 64990,
	};
	struct kg_source source = { .name = arg(argv, "name", "m"),
				    .version = arg(argv, "version", "1"),
				    .path = arg(argv, "source", "usr/src/m-1") };
	const char **directives = calloc((size_t)argc, sizeof(*directives));
	struct recipe_request req = { .sys = &sys,
				      .source = &source,
				      .view = &view,
				      .release = sys.running,
				      .arch = arg(argv, "arch", "x86_64"),
				      .kernel_source_dir = arg(argv, "ksrc",
							       "/lib/modules/none/build"),
				      .directives = directives };
	char *config = read_config(arg(argv, "config", "/dev/null"));
	size_t n = 0;
	int r;

	sys.root_fd = open(sys.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	view.root_fd = sys.root_fd;
	view.stage_fd =
		stage != NULL ? open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	view.uid = sys.build_uid;
	view.gid = sys.build_gid;
	req.config = config ?: "";
	req.way = strcmp(way, "plain") == 0  ? RECIPE_PLAIN_ONLY
		  : strcmp(way, "bash") == 0 ? RECIPE_BASH_ONLY
					     : RECIPE_ANY;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "directive=", 10) == 0)
			directives[n++] = argv[i] + 10;
	req.source_fd = open_source(sys.root_fd, view.stage_fd, source.path);
	if (*source.path == '/')
		source.path++;
	r = strcmp(way, "identity") == 0 ? run_identity(&req) : run_recipe(&req);
	free(config);
	free(directives);
	return r;
}
