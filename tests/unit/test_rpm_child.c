// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs started from a process that is not ours. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "plugins/rpm/child.h"

static char said[4096];

static void keep_line(const char *line)
{
	const size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s|", line);
}

static int run_logged(const char *script)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	const struct child_how how = {
		.argv = argv, .in_fd = -1, .err = CHILD_STDERR_LOGGED, .log = keep_line
	};

	said[0] = '\0';
	return child_run(&how);
}

static void test_lines_and_code(void **state)
{
	(void)state;
	assert_int_equal(run_logged("echo one >&2; echo >&2; printf two >&2; exit 4"), 4);
	assert_string_equal(said, "one||two|");
	assert_int_equal(run_logged("kill -INT $$"), 128 + SIGINT);
	assert_string_equal(said, "");
}

static void test_a_daemon_with_its_stderr(void **state)
{
	const time_t from = time(NULL);

	(void)state;
	assert_int_equal(run_logged("sleep 6 & echo one >&2; exit 3"), 3);
	assert_string_equal(said, "one|");
	assert_true(time(NULL) - from < 5);
}

/* It goes on although nobody listens any more. */
static void test_a_daemon_that_speaks_later(void **state)
{
	char dir[] = "/tmp/kg-child-XXXXXX";
	char script[256];
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lives", dir);
	snprintf(script, sizeof(script),
		 "(sleep 0.5; echo late >&2; echo later >&2; touch %s) & exit 3", path);
	assert_int_equal(run_logged(script), 3);
	for (int i = 0; i < 200 && access(path, F_OK) < 0; i++)
		usleep(50 * 1000);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void reap_all(int signo)
{
	const int saved = errno;

	(void)signo;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	errno = saved;
}

/* A client that waits for whatever ends takes the answer (without the daemon our own wait is the first). */
static void test_an_answer_that_is_taken(void **state)
{
	const struct sigaction reaper = { .sa_handler = reap_all };
	struct sigaction old;

	(void)state;
	sigaction(SIGCHLD, &reaper, &old);
	assert_int_equal(run_logged("sleep 1 & echo one >&2; exit 3"), CHILD_LOST);
	assert_string_equal(said, "one|");
	sigaction(SIGCHLD, &old, NULL);
}

static void on_child(int signo)
{
	(void)signo;
}

static void test_sigchld_is_the_hosts(void **state)
{
	const struct sigaction choices[] = {
		{ .sa_handler = SIG_IGN },
		{ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
		{ .sa_handler = on_child },
	};
	struct sigaction old;
	struct sigaction after;

	(void)state;
	sigaction(SIGCHLD, NULL, &old);
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		sigaction(SIGCHLD, &choices[i], NULL);
		assert_int_equal(run_logged("sleep 0.2; exit 5"), 5);
		sigaction(SIGCHLD, &old, &after);
		assert_true(after.sa_handler == choices[i].sa_handler);
		assert_int_equal(after.sa_flags & SA_NOCLDWAIT,
				 choices[i].sa_flags & SA_NOCLDWAIT);
	}
}

/* Until the child has ended, and not a moment longer. */
static void test_a_beat_while_it_runs(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "sleep 2.5; exit 5", NULL };
	const struct child_how how = { .argv = argv, .in_fd = -1, .beat = "beat|" };
	const int saved = dup(STDOUT_FILENO);
	char text[64] = "";
	int ends[2];
	int code;

	(void)state;
	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	code = child_run(&how);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(code, 5);
	assert_true(read(ends[0], text, sizeof(text) - 1) >= 5);
	assert_memory_equal(text, "beat|", 5);
	assert_int_equal(read(ends[0], text, sizeof(text)), 0);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_and_code),
		cmocka_unit_test(test_a_daemon_with_its_stderr),
		cmocka_unit_test(test_a_daemon_that_speaks_later),
		cmocka_unit_test(test_sigchld_is_the_hosts),
		cmocka_unit_test(test_an_answer_that_is_taken),
		cmocka_unit_test(test_a_beat_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
