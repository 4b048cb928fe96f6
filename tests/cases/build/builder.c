// SPDX-License-Identifier: GPL-2.0-or-later
/* builder [options]: one build_run() with a recipe by hand, for the script cases. */
#include "core/build/build.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "tests/lib/system.h"

struct options {
	struct kg_system sys;
	struct kg_source source;
	struct kg_recipe recipe;
	struct kg_recipe_module modules[64];
	struct kg_headers headers;
	struct sandbox view;
	struct build_depend depends[4];
	struct build_request req;
	const char *patches[8];
	const char *source_dir;
	const char *work;
	const char *log;
	bool asks_identity;
};

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(126);
	}
	return fd;
}

/* LOCATION/NAME[=DEST]; '-' before it: not stripped */
static void add_module(struct options *o, char *text)
{
	struct kg_recipe_module *m = &o->modules[o->recipe.n_modules++];
	bool keeps = *text == '-';
	char *dest = strchr(text, '=');
	char *slash = strrchr(text, '/');

	text += keeps;
	if (dest != NULL)
		*dest++ = '\0';
	m->built_name = slash != NULL ? slash + 1 : text;
	m->built_location = "";
	if (slash != NULL)
		m->built_location = strndup(text, (size_t)(slash + 1 - text));
	m->dest_name = dest != NULL ? dest : m->built_name;
	m->strip = !keeps;
}

static void add_patch(struct options *o, const char *name)
{
	size_t n = 0;

	while (o->patches[n] != NULL)
		n++;
	o->patches[n] = name;
	o->recipe.patches = o->patches;
}

/* NAME/VERSION=DIR */
static void add_depend(struct options *o, char *text)
{
	struct build_depend *d = &o->depends[o->req.n_depends++];
	char *equals = strchr(text, '=');
	char *slash = strchr(text, '/');

	*equals = *slash = '\0';
	*d = (struct build_depend){ .name = text,
				    .version = slash + 1,
				    .dir_fd = open_dir(equals + 1) };
}

static void parse(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "R:S:r:n:v:s:h:m:k:p:a:z:w:l:j:t:u:d:i")) >= 0) {
		switch (c) {
		case 'R':
			o->sys.root_fd = open_dir(optarg);
			break;
		case 'S':
			o->view.stage_fd = open_dir(optarg);
			break;
		case 'r':
			o->req.release = optarg;
			break;
		case 'n':
			o->source.name = optarg;
			break;
		case 'v':
			o->source.version = optarg;
			break;
		case 's':
			o->source_dir = optarg;
			break;
		case 'h':
			o->headers.source_dir = optarg;
			break;
		case 'm':
			add_module(o, optarg);
			break;
		case 'k':
			o->recipe.make = optarg;
			break;
		case 'p':
			add_patch(o, optarg);
			break;
		case 'a':
			o->recipe.pre_build = optarg;
			break;
		case 'z':
			o->recipe.post_build = optarg;
			break;
		case 'w':
			o->work = optarg;
			break;
		case 'l':
			o->log = optarg;
			break;
		case 'j':
			o->req.jobs = (unsigned int)atoi(optarg);
			break;
		case 't':
			o->req.timeout_ms = atoi(optarg);
			break;
		case 'u':
			o->sys.build_uid = o->sys.build_gid = (uid_t)atoi(optarg);
			break;
		case 'd':
			add_depend(o, optarg);
			break;
		case 'i':
			o->asks_identity = true;
			break;
		default:
			exit(126);
		}
	}
}

/* The .config as headers_find() would hand it over, from wherever it is. */
static void read_config(struct options *o)
{
	int fds[2] = { o->view.stage_fd, o->sys.root_fd };
	char path[512];
	char *text = NULL;

	snprintf(path, sizeof(path), "%s/.config", o->headers.source_dir);
	o->headers.config = "";
	for (size_t i = 0; i < 2 && text == NULL; i++)
		if (fds[i] >= 0 &&
		    fd_read_file_in(fds[i], path, 1 << 24, &text, NULL, NULL) == 0)
			o->headers.config = text;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int identify(struct options *o, struct kg_err *err)
{
	struct arena arena = { 0 };
	const char *identity = NULL;
	double start = now_s();
	int r = build_toolchain_identity(&o->view, &o->headers, &arena, &identity, err);

	if (r == 0)
		printf("%s\n", identity);
	fprintf(stderr, "identity: %.1f ms\n", (now_s() - start) * 1e3);
	arena_fini(&arena);
	return r;
}

int main(int argc, char **argv)
{
	static struct options o = {
		.sys = { .root_fd = -1,
			 .root = "/",
			 .running = "6.1.0-1",
			 TEST_SYSTEM_PLACES,
			 .build_uid = 990,
			 .build_gid = 990 },
		.source = { .name = "m", .version = "1" },
		.view = SANDBOX_INIT,
		.req = { .arch = "x86_64", .timeout_ms = 600000, .log_fd = -1 },
	};
	struct build_result result = { 0 };
	struct kg_err err = { 0 };
	char path[512];
	int r;

	parse(&o, argc, argv);
	if (o.sys.root_fd < 0)
		o.sys.root_fd = open_dir("/");
	if (o.headers.source_dir == NULL) {
		snprintf(path, sizeof(path), "/lib/modules/%s/build", o.req.release);
		o.headers.source_dir = strdup(path);
	}
	read_config(&o);
	o.recipe.modules = o.modules;
	o.recipe.name = o.source.name;
	o.recipe.version = o.source.version;
	o.view.root_fd = o.sys.root_fd;
	o.view.uid = o.sys.build_uid;
	o.view.gid = o.sys.build_gid;
	o.view.release = o.req.release;
	snprintf(path, sizeof(path), "usr/src/%s-%s", o.source.name, o.source.version);
	o.source.path = path;
	o.req.sys = &o.sys;
	o.req.source = &o.source;
	o.req.recipe = &o.recipe;
	o.req.headers = &o.headers;
	o.req.depends = o.depends;
	o.req.view = &o.view;
	if (o.asks_identity) {
		r = identify(&o, &err);
	} else {
		o.req.source_fd = open_dir(o.source_dir);
		o.req.work_fd = open_dir(o.work);
		o.req.log_fd = open(o.log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		r = build_run(&o.req, &result, &err);
		printf("%d phase %d status %d %s\n", r, (int)result.phase, result.status,
		       r < 0 ? kg_err_text(&err, r) : "built");
		fprintf(stderr, "commands: %d ms\n", (int)result.command_ms);
	}
	if (r < 0 && o.asks_identity)
		fprintf(stderr, "%s\n", kg_err_text(&err, r));
	return r < 0 ? 1 : 0;
}
