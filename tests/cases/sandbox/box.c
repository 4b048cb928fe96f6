// SPDX-License-Identifier: GPL-2.0-or-later
/* box [options] -- PROGRAM ARGS: runs a program in the sandbox, for the script cases. */
#include "core/sandbox/sandbox.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct options {
	struct sandbox box;
	struct sandbox_bind binds[64];
	const char *removed[64];
	const char *masks[64];
	size_t n_removed;
	size_t n_masks;
	int timeout_ms;
	int repeat;
	bool captures;
	bool blocks_signals;
};

static int open_path(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(126);
	}
	return fd;
}

/* AT=PATH */
static void add_bind(struct options *o, char *text, bool is_writable)
{
	char *equals = strchr(text, '=');

	*equals = '\0';
	o->binds[o->box.n_binds++] = (struct sandbox_bind){ .at = text,
							    .fd = open_path(equals + 1),
							    .is_writable = is_writable };
}

static void add_link(struct options *o, char *text)
{
	char *equals = strchr(text, '=');

	*equals = '\0';
	o->binds[o->box.n_binds++] =
		(struct sandbox_bind){ .at = text, .fd = -1, .target = equals + 1 };
}

static int call_uname(void *data)
{
	struct utsname name;

	(void)data;
	uname(&name);
	dprintf(1, "%s uid %u\n", name.release, (unsigned int)getuid());
	return 7;
}

static int call_list(void *data)
{
	(void)data;
	for (int fd = 0; fd < 100; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dprintf(1, "%d\n", fd);
	return 0;
}

static void parse(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+R:S:d:m:b:w:l:r:u:C:t:c:f:n:xLoB")) >= 0) {
		switch (c) {
		case 'R':
			o->box.root_fd = open_path(optarg);
			break;
		case 'S':
			o->box.stage_fd = open_path(optarg);
			break;
		case 'd':
			o->removed[o->n_removed++] = optarg;
			break;
		case 'm':
			o->masks[o->n_masks++] = optarg;
			break;
		case 'b':
			add_bind(o, optarg, false);
			break;
		case 'w':
			add_bind(o, optarg, true);
			break;
		case 'l':
			add_link(o, optarg);
			break;
		case 'r':
			o->box.release = optarg;
			break;
		case 'u':
			o->box.uid = o->box.gid = (uid_t)atoi(optarg);
			break;
		case 'C':
			o->box.cwd = optarg;
			break;
		case 't':
			o->timeout_ms = atoi(optarg);
			break;
		case 'c':
			o->box.cpu_limit_s = (unsigned int)atoi(optarg);
			break;
		case 'f':
			o->box.file_limit_bytes = (size_t)atol(optarg);
			break;
		case 'n':
			o->repeat = atoi(optarg);
			break;
		case 'x':
			o->box.call = call_uname;
			break;
		case 'L':
			o->box.call = call_list;
			break;
		case 'o':
			o->captures = true;
			break;
		case 'B':
			o->blocks_signals = true;
			break;
		default:
			exit(126);
		}
	}
	if (o->box.call == NULL)
		o->box.argv = (const char *const *)(argv + optind);
}

static int run(struct options *o, int *ret_status, struct kg_err *err)
{
	_cleanup_str_ struct str out = { 0 };
	int r;

	if (!o->captures)
		return sandbox_run(&o->box, o->timeout_ms, ret_status, err);
	r = sandbox_capture(&o->box, o->timeout_ms, 1 << 20, &out, ret_status, err);
	fputs(str_get(&out), stdout);
	fflush(stdout);
	return r;
}

int main(int argc, char **argv)
{
	static struct options o = { .box = SANDBOX_INIT,
				    .timeout_ms = 60000,
				    .repeat = 1 };
	struct kg_err err = { 0 };
	struct timespec from;
	struct timespec to;
	int status = 0;
	int r = 0;

	o.box.out_fd = 1;
	o.box.err_fd = 2;
	o.box.in_fd = -1;
	o.box.uid = o.box.gid = 990;
	o.box.removed = o.removed;
	o.box.masks = o.masks;
	o.box.binds = o.binds;
	parse(&o, argc, argv);
	if (o.box.root_fd < 0)
		o.box.root_fd = open_path("/");
	if (o.blocks_signals) {
		sigset_t all;

		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		signal(SIGCHLD, SIG_DFL);
		signal(SIGPIPE, SIG_IGN);
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < o.repeat && r == 0; i++)
		r = run(&o, &status, &err);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (o.repeat > 1)
		fprintf(stderr, "%.2f ms each\n",
			((double)(to.tv_sec - from.tv_sec) * 1e3 +
			 (double)(to.tv_nsec - from.tv_nsec) / 1e6) /
				o.repeat);
	if (r < 0) {
		fprintf(stderr, "box: %d: %s\n", r, kg_err_text(&err, r));
		return 125;
	}
	return status;
}
