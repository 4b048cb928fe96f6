// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zypp-commit: commit plugin of libzypp. It cannot stop a commit; it writes down what the commit will
 * do, so that kmodgate.so in the first of its rpm processes judges all of it, and settles when
 * the plugin is let go, however the commit ended. Frames on stdin and stdout: a command, header lines,
 * a blank line, a body, a NUL.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/err.h"
#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/str.h"

#define RUN_DIR "/run/kmodgate"
#define FRAME_MAX (64u << 20)

static const char core_program[] = KG_SBINDIR "/kmodgate";
static const char hold_program[] = KG_LIBEXECDIR "/zypper-hold";

/* ---- frames ---- */

/* The next frame with its NUL left out; false at the end. */
static bool read_frame(FILE *in, struct str *ret)
{
	int c;

	str_clear(ret);
	while ((c = getc(in)) != EOF && c != '\0' && ret->len < FRAME_MAX)
		str_addc(ret, (char)c);
	return c == '\0' && str_ok(ret);
}

static void answer(const char *command)
{
	printf("%s\n\n", command);
	putchar('\0');
	fflush(stdout);
}

static bool frame_is(const char *frame, const char *command)
{
	size_t n = strlen(command);

	frame += strspn(frame, "\n");
	return strncmp(frame, command, n) == 0 && frame[n] == '\n';
}

static const char *frame_body(const char *frame)
{
	const char *body;

	frame += strspn(frame, "\n");
	body = strstr(frame, "\n\n");
	return body != NULL ? body + 2 : "";
}

/* ---- the steps ---- */

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		return "";
	return json_object_get_string(value) ?: "";
}

/* A name that is none is left out: it is a line of a file, and part of a file's name. */
static void add_step(struct json_object *step, struct str *out)
{
	struct json_object *what = NULL;
	const char *type = text_of(step, "type");
	_cleanup_str_ struct str name = { 0 };

	if (strcmp(type, "M") == 0)
		type = "+"; /* comes, and leaves older versions where they are: kernels */
	if ((strcmp(type, "+") != 0 && strcmp(type, "-") != 0) ||
	    !json_object_object_get_ex(step, "solvable", &what))
		return;
	str_addf(&name, "%s-%s-%s.%s", text_of(what, "n"), text_of(what, "v"),
		 text_of(what, "r"), text_of(what, "a"));
	if (str_ok(&name) && name_is_plain(name.p))
		str_addf(out, "%s %s\n", type, name.p);
}

static int list_steps(const char *body, struct str *out)
{
	struct json_object *root = json_tokener_parse(body);
	struct json_object *list = NULL;
	int r = -KGE_FORMAT;

	if (root != NULL &&
	    json_object_object_get_ex(root, "TransactionStepList", &list) &&
	    json_object_is_type(list, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(list); i++)
			add_step(json_object_array_get_idx(list, i), out);
		r = str_ok(out) ? 0 : -ENOMEM;
	}
	json_object_put(root);
	return r;
}

/* ---- files for kmodgate.so and rpm-plan, by zypper's pid (plugins/rpm/client.h) ---- */

static void file_name(char *name, size_t size, const char *what)
{
	snprintf(name, size, "zypp-%d.%s", getppid(), what);
}

static int open_run_dir(void)
{
	(void)mkdir(RUN_DIR, 0755);
	return open(RUN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void drop_files(void)
{
	_cleanup_close_ int dir_fd = open_run_dir();
	char name[64];

	if (dir_fd < 0)
		return;
	file_name(name, sizeof(name), "steps");
	(void)unlinkat(dir_fd, name, 0);
	file_name(name, sizeof(name), "judged");
	(void)unlinkat(dir_fd, name, 0);
}

static void begin_commit(const char *body)
{
	_cleanup_str_ struct str text = { 0 };
	_cleanup_close_ int dir_fd = open_run_dir();
	struct kg_err err = { 0 };
	char name[64];
	int r = list_steps(body, &text);

	drop_files();
	file_name(name, sizeof(name), "steps");
	if (r == 0 && dir_fd >= 0)
		r = fd_replace_at(dir_fd, name, str_get(&text), text.len, 0600, &err);
	/* Without it every rpm process is judged for itself. */
	if (r < 0)
		fprintf(stderr, "kmodgate: the steps of the commit are not noted: %s\n",
			kg_err_text(&err, r));
}

static void run_program(const char *const argv[])
{
	pid_t child = fork();

	if (child == 0) {
		/* stdout is a conversation */
		dup2(2, 1);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Whatever became of it: the package database knows. */
static void end_commit(pid_t zypper)
{
	char owner[24];
	const char *const settle[] = { core_program, "settle", "--owner", owner, NULL };

	drop_files();
	snprintf(owner, sizeof(owner), "%d", zypper);
	run_program(settle);
}

int main(void)
{
	static const char *const check[] = { hold_program, "check", NULL };
	_cleanup_str_ struct str frame = { 0 };
	const pid_t zypper = getppid();
	bool has_begun = false;

	while (read_frame(stdin, &frame)) {
		if (frame_is(str_get(&frame), "_DISCONNECT")) {
			answer("ACK");
			break;
		}
		if (frame_is(str_get(&frame), "PLUGINBEGIN"))
			run_program(check);
		if (frame_is(str_get(&frame), "COMMITBEGIN")) {
			begin_commit(frame_body(str_get(&frame)));
			has_begun = true;
		}
		if (frame_is(str_get(&frame), "PLUGINEND") && has_begun) {
			end_commit(zypper);
			has_begun = false;
		}
		answer("ACK");
	}
	if (has_begun)
		end_commit(zypper);
	return 0;
}
