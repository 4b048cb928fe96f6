// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void step_log(const struct build *b, const char *fmt, ...)
{
	va_list args;

	if (b->req->log_fd < 0)
		return;
	va_start(args, fmt);
	vdprintf(b->req->log_fd, fmt, args);
	va_end(args);
}

off_t step_log_end(const struct build *b)
{
	struct stat st;

	return fstat(b->req->log_fd, &st) == 0 ? st.st_size : 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* How often the kernel ran out of memory and killed something, anywhere. */
static uint64_t count_oom_kills(void)
{
	_cleanup_close_ int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	uint64_t n = 0;
	const char *p;

	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, NULL) < 0)
		return 0;
	p = strstr(text, "\noom_kill ");
	if (p != NULL) {
		p += strlen("\noom_kill ");
		(void)!parse_u64n(p, strcspn(p, "\n"), &n);
	}
	return n;
}

int step_run(struct build *b, const char *what, const char *const *argv, int in_fd,
	     int *ret_status)
{
	struct sandbox box = b->box;
	struct kg_err err = { 0 };
	uint64_t start = now_ms();
	int r;

	box.argv = argv;
	box.in_fd = in_fd;
	b->oom_kills = count_oom_kills();
	r = sandbox_run(&box, b->req->timeout_ms, ret_status, &err);
	b->result->command_ms += now_ms() - start;
	if (r == -KGE_TIMEOUT)
		return kg_fail(b->err, r, "%s did not end within %d s", what,
			       b->req->timeout_ms / 1000);
	return r == 0 ? 0 : kg_fail(b->err, r, "%s: %s", what, kg_err_text(&err, r));
}

int step_fail(struct build *b, int code, const char *what, int status, off_t log_start)
{
	_cleanup_strv_ struct strv lines = { 0 };
	int log_fd = b->req->log_fd;

	b->result->status = status;
	if (errors_mention(log_fd, log_start, "No space left on device"))
		return kg_fail_errno(b->err, -ENOSPC, "%s failed (exit %d)", what,
				     status);
	if (count_oom_kills() > b->oom_kills &&
	    (status == 137 || errors_mention(log_fd, log_start, "Killed")))
		return kg_fail(b->err, -ENOMEM,
			       "%s failed (exit %d): the kernel killed it, as "
			       "memory ran out",
			       what, status);
	if (errors_find(log_fd, log_start, 1, &lines) == 0 && lines.n > 0)
		return kg_fail(b->err, code, "%s failed (exit %d): %s", what, status,
			       lines.v[0]);
	return kg_fail(b->err, code, "%s failed (exit %d)", what, status);
}
