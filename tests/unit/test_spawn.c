// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/proc.h"
#include "core/base/spawn.h"

static struct kg_spawn shell(const char *const argv[])
{
	return (struct kg_spawn){
		.argv = argv, .dir_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1
	};
}

static void the_child_sees_three_fds_and_a_clean_environment(void **state)
{
	/* The fourth is ls's own, and no pipe of the shell's is about. */
	const char *const argv[] = { "/bin/sh", "-c",
				     "pwd; echo ${FOO-unset}; exec ls /proc/self/fd",
				     NULL };
	const struct kg_spawn how = shell(argv);
	struct str out = { 0 };
	int status = -1;

	(void)state;
	assert_int_equal(setenv("FOO", "leaks", 1), 0);
	assert_true(dup(0) >= 0);
	assert_int_equal(spawn_capture(&how, 10000, 4096, &out, &status, NULL), 0);
	assert_int_equal(status, 0);
	assert_string_equal(str_get(&out), "/\nunset\n0\n1\n2\n3\n");
	str_fini(&out);
}

static void exit_codes_and_signals_are_told_apart(void **state)
{
	const char *const seven[] = { "/bin/sh", "-c", "exit 7", NULL };
	const char *const dies[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
	struct kg_spawn how = shell(seven);
	int status = -1;

	(void)state;
	assert_int_equal(spawn_run(&how, 10000, &status, NULL), 0);
	assert_int_equal(status, 7);
	how = shell(dies);
	assert_int_equal(spawn_run(&how, 10000, &status, NULL), 0);
	assert_int_equal(status, 128 + SIGKILL);
}

static void a_missing_program_is_named(void **state)
{
	const char *const argv[] = { "/nonexistent/program", NULL };
	const struct kg_spawn how = shell(argv);
	struct kg_err err = { 0 };
	int status;

	(void)state;
	assert_int_equal(spawn_run(&how, 1000, &status, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/program"));
}

static void a_time_limit_ends_the_whole_group(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "sleep 100 & echo $!; wait", NULL };
	const struct kg_spawn how = shell(argv);
	struct str out = { 0 };
	uint64_t pid = 0;
	uint64_t ticks;
	int status;

	(void)state;
	assert_int_equal(spawn_capture(&how, 2000, 4096, &out, &status, NULL),
			 -KGE_TIMEOUT);
	assert_int_equal(parse_u64n(str_get(&out), strcspn(str_get(&out), "\n"), &pid),
			 0);
	/* killed, but it may not have been its turn to die yet */
	for (int i = 0; i < 1000 && proc_start_time((pid_t)pid, &ticks) == 0 &&
			proc_is_running((pid_t)pid, ticks);
	     i++)
		usleep(10000);
	assert_true(proc_start_time((pid_t)pid, &ticks) < 0 ||
		    !proc_is_running((pid_t)pid, ticks));
	str_fini(&out);
}

static void endless_output_is_cut_off(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "while :; do echo y; done", NULL };
	const struct kg_spawn how = shell(argv);
	struct str out = { 0 };
	int status;

	(void)state;
	assert_int_equal(spawn_capture(&how, 10000, 100000, &out, &status, NULL),
			 -KGE_LIMIT);
	assert_true(out.len <= 100000);
	str_fini(&out);
}

static void a_process_is_its_pid_and_its_start(void **state)
{
	uint64_t ticks = 0;
	pid_t parent = 0;

	(void)state;
	assert_int_equal(proc_start_time(getpid(), &ticks), 0);
	assert_true(proc_is_running(getpid(), ticks));
	assert_false(proc_is_running(getpid(), ticks + 1));
	assert_false(proc_is_running(0, 0));
	assert_int_equal(proc_parent(getpid(), &parent), 0);
	assert_int_equal(parent, getppid());
	assert_true(proc_is_ancestor(getpid(), ticks));
	assert_int_equal(proc_start_time(1 << 22, &ticks), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_child_sees_three_fds_and_a_clean_environment),
		cmocka_unit_test(exit_codes_and_signals_are_told_apart),
		cmocka_unit_test(a_missing_program_is_named),
		cmocka_unit_test(a_time_limit_ends_the_whole_group),
		cmocka_unit_test(endless_output_is_cut_off),
		cmocka_unit_test(a_process_is_its_pid_and_its_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
