// SPDX-License-Identifier: GPL-2.0-or-later
/* The functions of core/seal for the case scripts beside this file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/seal/seal.h"
#include "core/store/store.h"

#define FILE_MAX (512U << 20)

static void print_log(enum kg_level level, const char *text, void *data)
{
	(void)data;
	if (level >= KG_WARNING)
		fprintf(stderr, "warning: %s\n", text);
}

static int finish(int r, const struct kg_err *err)
{
	if (r < 0)
		fprintf(stderr, "%s\n", kg_err_text(err, r));
	return r < 0;
}

static char *read_path(const char *path, size_t *ret_len)
{
	char *data = NULL;
	struct kg_err err = { 0 };

	if (fd_read_file_in(AT_FDCWD, path, FILE_MAX, &data, ret_len, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	return data;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

static int put_out(const struct str *s)
{
	return fwrite(s->p, 1, s->len, stdout) == s->len && fflush(stdout) == 0 ? 0
										: -EIO;
}

/* SUFFIX FILE */
static int cmd_compress(char **argv)
{
	_cleanup_str_ struct str out = { 0 };
	struct kg_err err = { 0 };
	size_t len;
	_cleanup_free_ char *data = read_path(argv[1], &len);
	int r = seal_compress(data, len, argv[0], &out, &err);

	return finish(r < 0 ? r : put_out(&out), &err);
}

/* DIR */
static int cmd_make_key(char **argv)
{
	struct kg_err err = { 0 };

	return finish(seal_make_key(open_dir(argv[0]), "mok.key", "mok.pub", &err), &err);
}

/* HASH DIR KEY CERT FILE */
static int cmd_sign(char **argv)
{
	_cleanup_str_ struct str out = { 0 };
	struct kg_err err = { 0 };
	size_t len;
	_cleanup_free_ char *data = read_path(argv[4], &len);
	const struct seal_key with = { .key_dir_fd = open_dir(argv[1]),
				       .key = argv[2],
				       .cert_dir_fd = open_dir(argv[1]),
				       .cert = argv[3],
				       .hash = argv[0] };
	int r = seal_sign(data, len, &with, &out, &err);

	return finish(r < 0 ? r : put_out(&out), &err);
}

/* FILE */
static int cmd_version(char **argv)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct kg_err err = { 0 };
	struct seal_version v;
	_cleanup_close_ int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : seal_read_version(fd, &arena, &v, &err);

	if (r == 0)
		printf("%s\n", v.version[0] != '\0' ? v.version : v.srcversion);
	return finish(r, &err);
}

/* Modules by their names; "-NAME" is excluded. */
static size_t read_modules(char *names, struct kg_recipe_module *modules, size_t max)
{
	size_t n = 0;

	for (char *name = strtok(names, ","); name != NULL && n < max;
	     name = strtok(NULL, ","))
		modules[n++] =
			(struct kg_recipe_module){ .dest_name = name + (name[0] == '-'),
						   .is_excluded = name[0] == '-',
						   .built_name = name,
						   .built_location = "",
						   .dest_location = "/extra" };
	return n;
}

/* The headers that the stage has for @release; NO_CONFIG, NO_SYMVERS, SYMVERS change them. */
static int find_headers(int stage_fd, const char *release, struct arena *arena,
			struct kg_headers *ret_headers, struct kg_err *err)
{
	const char *dir = arena_printf(arena, "/lib/modules/%s/build", release);
	const char *config = arena_printf(arena, "lib/modules/%s/build/.config", release);
	char *text = NULL;
	size_t len;
	int r;

	*ret_headers = (struct kg_headers){ .source_dir = dir, .config = "" };
	if (getenv("NO_SYMVERS") == NULL)
		ret_headers->symvers =
			getenv("SYMVERS") != NULL
				? getenv("SYMVERS")
				: arena_printf(arena, "%s/Module.symvers", dir);
	if (getenv("NO_CONFIG") != NULL)
		return 0;
	r = fd_read_file_in(stage_fd, config, FILE_MAX, &text, &len, err);
	if (r < 0)
		return r;
	ret_headers->config = arena_strdup(arena, text);
	free(text);
	return 0;
}

/* STAGE RELEASE OUT NAME,NAME... [DEPEND]... */
static int cmd_check(char **argv)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct seal_findings found = { 0 };
	struct kg_recipe_module modules[16] = { 0 };
	struct kg_recipe recipe = { .name = "m", .version = "1", .modules = modules };
	struct kg_system sys = { .root_fd = open_dir("/"), .arch = "x86_64" };
	struct sandbox view = SANDBOX_INIT;
	struct kg_headers headers;
	struct seal_check_request req = { .sys = &sys,
					  .recipe = &recipe,
					  .headers = &headers,
					  .release = argv[1],
					  .view = &view };
	struct kg_err err = { 0 };
	int fds[16];
	int r;

	view.root_fd = sys.root_fd;
	view.stage_fd = open_dir(argv[0]);
	view.uid = view.gid = 65534;
	req.out_fd = open_dir(argv[2]);
	recipe.n_modules = read_modules(argv[3], modules, ARRAY_SIZE(modules));
	for (argv += 4; *argv != NULL && req.n_depend_fds < ARRAY_SIZE(fds); argv++)
		fds[req.n_depend_fds++] = open_dir(*argv);
	req.depend_fds = fds;
	r = find_headers(view.stage_fd, req.release, &arena, &headers, &err);
	if (r == 0)
		r = seal_check(&req, &found, &err);
	for (size_t i = 0; i < found.depends.n; i++)
		printf("%s\n", found.depends.v[i]);
	for (size_t i = 0; r == 0 && i < recipe.n_modules; i++)
		if (found.lacks[i] != NULL)
			printf("lacks: %s\n", found.lacks[i]);
	seal_findings_fini(&found);
	return finish(r, &err);
}

/* STAGE RELEASE WORK PROGRAM [ARGUMENT]...: in the sandbox, WORK is writable */
static int cmd_run(char **argv)
{
	const char *const masks[] = { "/run/kmodgate-test", NULL };
	const struct sandbox_bind work = { .at = "/run/kmodgate-test/work",
					   .fd = open_dir(argv[2]),
					   .is_writable = true };
	struct sandbox how = SANDBOX_INIT;
	struct kg_err err = { 0 };
	int status = 0;
	int r;

	how.root_fd = open_dir("/");
	how.stage_fd = open_dir(argv[0]);
	how.release = argv[1];
	how.uid = how.gid = 65534;
	how.masks = masks;
	how.binds = &work;
	how.n_binds = 1;
	how.cwd = work.at;
	how.argv = (const char *const *)argv + 3;
	how.out_fd = how.err_fd = STDERR_FILENO;
	r = sandbox_run(&how, 600000, &status, &err);
	return r < 0 ? finish(r, &err) : status;
}

/* ROOT KEY OUT NAME,NAME... */
static int cmd_put(char **argv)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct kg_recipe_module modules[16] = { 0 };
	struct kg_recipe recipe = { .name = "m", .version = "1", .modules = modules };
	struct kg_system sys = { .root_fd = open_dir(argv[0]), .cache_dir = "cache" };
	struct kg_artefact artefact = { 0 };
	struct kg_err err = { 0 };

	recipe.n_modules = read_modules(argv[3], modules, ARRAY_SIZE(modules));
	return finish(store_put(&sys, argv[1], &recipe, open_dir(argv[2]), -1, &arena,
				&artefact, &err),
		      &err);
}

/* ROOT KEY */
static int cmd_get(char **argv)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct kg_system sys = { .root_fd = open_dir(argv[0]), .cache_dir = "cache" };
	struct kg_artefact artefact = { 0 };
	struct kg_err err = { 0 };

	return finish(store_get(&sys, argv[1], &arena, &artefact, &err), &err);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **argv);
		int n_args;
	} commands[] = {
		{ "compress", cmd_compress, 2 }, { "make-key", cmd_make_key, 1 },
		{ "sign", cmd_sign, 5 },	 { "version", cmd_version, 1 },
		{ "check", cmd_check, 4 },	 { "run", cmd_run, 4 },
		{ "put", cmd_put, 4 },		 { "get", cmd_get, 2 },
	};

	kg_log_set(print_log, NULL);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    argc - 2 >= commands[i].n_args)
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: seal-tool COMMAND ARGUMENTS\n");
	return 2;
}
