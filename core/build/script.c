// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <string.h>

#include "core/base/log.h"

/*
 * Split into words and patterns as DKMS does, by the shell; quotes are not special there.
 */
#define RUN_WORDS "exec $1"

struct script {
	const char *dir; /* absolute, in the view */
	bool is_executable;
};

/* The administrator's own in /etc/dkms/M/, else the source's. */
static struct script find_script(struct build *b, const char *name)
{
	struct script script = { .dir = b->build_dir };
	const char *dir = arena_printf(&b->arena, "/etc/dkms/%s", b->req->source->name);
	const char *path = arena_printf(&b->arena, "%s/%s", dir, name);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (b->arena.failed)
		return script;
	fd = fd_try_open_in(b->req->sys->root_fd, path, O_PATH);
	if (fd >= 0)
		script.dir = dir;
	else
		fd = fd_try_open_in(b->build_fd, name, O_PATH);
	script.is_executable = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
			       (st.st_mode & 0111) != 0;
	return script;
}

int script_run(struct build *b, const char *name, const char *text)
{
	const char *argv[] = { "/bin/bash", "-c", RUN_WORDS, "bash", NULL, NULL };
	const char *word;
	struct script script;
	off_t start;
	int status = 0;
	int r;

	if (text == NULL || text[strspn(text, " \t\n")] == '\0')
		return 0;
	text += strspn(text, " \t\n");
	word = arena_strndup(&b->arena, text, strcspn(text, " \t\n"));
	script = find_script(b, word != NULL ? word : "");
	argv[4] = arena_printf(&b->arena, "%s/%s", script.dir, text);
	if (b->arena.failed)
		return kg_fail_errno(b->err, -ENOMEM, "cannot run %s", name);
	if (!script.is_executable) {
		step_log(b, "warning: the %s script %s is not executable\n", name, word);
		kg_warning("%s/%s: the %s script %s is not executable",
			   b->req->source->name, b->req->source->version, name, word);
		return 0;
	}
	start = step_log_end(b);
	step_log(b, "$ %s\n", argv[4]);
	r = step_run(b, name, argv, -1, &status);
	if (r < 0 || status == 0)
		return r;
	b->result->status = status;
	if (status == 77)
		return kg_fail(b->err, -KGE_EXCLUDED, "its %s says: not for this kernel",
			       name);
	return step_fail(b, -KGE_SCRIPT, name, status, start);
}
