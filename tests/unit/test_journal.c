// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/commit/journal.h"

struct folder {
	char path[64];
	int fd;
};

static int make_folder(void **state)
{
	static struct folder f;

	snprintf(f.path, sizeof(f.path), "/tmp/kg-journal-XXXXXX");
	if (mkdtemp(f.path) == NULL)
		return -1;
	f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &f;
	return f.fd < 0 ? -1 : 0;
}

static int drop_folder(void **state)
{
	struct folder *f = *state;
	int r = fd_empty_dir(f->fd, NULL);

	close(f->fd);
	return r < 0 ? r : rmdir(f->path);
}

/* A journal with the lines "begin 1", "step 2 a b", "done". */
static void write_three(const struct folder *f)
{
	_cleanup_journal_ struct journal j = JOURNAL_INIT;

	assert_int_equal(journal_create(f->fd, "test", &j, NULL), 0);
	journal_add(&j, "begin %d", 1);
	assert_int_equal(journal_sync(&j, NULL), 0);
	journal_add(&j, "step 2 a b");
	journal_add(&j, "done");
	assert_int_equal(journal_sync(&j, NULL), 0);
	assert_int_equal(j.lines.n, 3);
}

static char *read_text(const struct folder *f, size_t *ret_len)
{
	char *text = NULL;

	assert_int_equal(
		fd_read_file_in(f->fd, JOURNAL_NAME, 1u << 20, &text, ret_len, NULL), 0);
	return text;
}

static void put_text(const struct folder *f, const char *text, size_t len)
{
	assert_int_equal(fd_replace_at(f->fd, JOURNAL_NAME, text, len, 0644, NULL), 0);
}

static int open_it(const struct folder *f, struct journal *j, struct kg_err *err)
{
	return journal_open(f->fd, "test", j, err);
}

static void what_was_synced_is_read_back(void **state)
{
	_cleanup_journal_ struct journal j = JOURNAL_INIT;

	write_three(*state);
	assert_int_equal(open_it(*state, &j, NULL), 0);
	assert_int_equal(j.lines.n, 3);
	assert_string_equal(j.lines.v[0], "begin 1");
	assert_string_equal(j.lines.v[1], "step 2 a b");
	assert_string_equal(journal_subject(j.lines.v[1], "step"), "2 a b");
	assert_string_equal(journal_subject(j.lines.v[2], "done"), "");
	assert_null(journal_subject(j.lines.v[1], "ste"));
}

static void nothing_is_there_before_the_first_sync(void **state)
{
	struct folder *f = *state;
	_cleanup_journal_ struct journal j = JOURNAL_INIT;
	_cleanup_journal_ struct journal again = JOURNAL_INIT;

	assert_int_equal(open_it(f, &again, NULL), -ENOENT);
	assert_int_equal(journal_create(f->fd, "test", &j, NULL), 0);
	journal_add(&j, "begin");
	assert_int_equal(open_it(f, &again, NULL), -ENOENT);
}

/* Cut at every byte: what is left is a beginning of the lines, never an error, and goes on. */
static void a_torn_tail_does_not_count_wherever_it_was_cut(void **state)
{
	struct folder *f = *state;
	_cleanup_free_ char *text = NULL;
	size_t len;
	size_t most = 0;

	write_three(f);
	text = read_text(f, &len);
	for (size_t cut = 0; cut <= len; cut++) {
		_cleanup_journal_ struct journal j = JOURNAL_INIT;
		_cleanup_journal_ struct journal after = JOURNAL_INIT;
		int r;

		put_text(f, text, cut);
		r = open_it(f, &j, NULL);
		if (r == -ENOENT) {
			assert_int_equal(most, 0);
			continue;
		}
		assert_int_equal(r, 0);
		assert_true(j.lines.n == most || j.lines.n == most + 1);
		most = j.lines.n;
		journal_add(&j, "later");
		assert_int_equal(journal_sync(&j, NULL), 0);
		assert_int_equal(open_it(f, &after, NULL), 0);
		assert_int_equal(after.lines.n, most + 1);
		assert_string_equal(after.lines.v[most], "later");
	}
	assert_int_equal(most, 3);
}

static void a_tail_of_zeroes_does_not_count(void **state)
{
	struct folder *f = *state;
	_cleanup_journal_ struct journal j = JOURNAL_INIT;
	_cleanup_free_ char *text = NULL;
	char longer[1024] = { 0 };
	size_t len;

	write_three(f);
	text = read_text(f, &len);
	memcpy(longer, text, len);
	put_text(f, longer, len + 100);
	assert_int_equal(open_it(f, &j, NULL), 0);
	assert_int_equal(j.lines.n, 3);
}

static void a_damaged_middle_is_refused_and_kept(void **state)
{
	struct folder *f = *state;
	struct journal j = JOURNAL_INIT;
	struct kg_err err = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *now = NULL;
	size_t len;
	size_t at;

	write_three(f);
	text = read_text(f, &len);
	for (at = 0; memcmp(text + at, "a b", 3) != 0; at++)
		assert_true(at + 3 < len);
	text[at] = 'x';
	put_text(f, text, len);
	assert_int_equal(open_it(f, &j, &err), -KGE_FORMAT);
	assert_non_null(strstr(err.text, "line 3 is damaged"));
	now = read_text(f, NULL);
	assert_string_equal(now, text);
}

static void a_newer_version_is_refused_and_kept(void **state)
{
	static const char newer[] = "kmodgate-journal 2 test\nwhatever there will be\n";
	struct folder *f = *state;
	struct journal j = JOURNAL_INIT;
	struct kg_err err = { 0 };
	_cleanup_free_ char *now = NULL;

	put_text(f, newer, strlen(newer));
	assert_int_equal(open_it(f, &j, &err), -KGE_FORMAT);
	assert_non_null(strstr(err.text, "version 2"));
	now = read_text(f, NULL);
	assert_string_equal(now, newer);
}

static void other_kinds_and_other_files_are_refused(void **state)
{
	static const char *const texts[] = {
		"kmodgate-journal 1 tests\n",
		"kmodgate-journal 1 tes\n",
		"kmodgate-journal 1\n",
		"kmodgate-journal x test\n",
		"#!/bin/sh\n",
		"\n",
	};
	struct folder *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct journal j = JOURNAL_INIT;

		put_text(f, texts[i], strlen(texts[i]));
		assert_int_equal(open_it(f, &j, NULL), -KGE_FORMAT);
	}
}

static void a_sync_that_fails_leaves_what_was_there(void **state)
{
	struct folder *f = *state;
	_cleanup_journal_ struct journal j = JOURNAL_INIT;
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;
	struct rlimit old;
	struct rlimit small;
	size_t len;
	int r;

	write_three(f);
	before = read_text(f, &len);
	assert_int_equal(open_it(f, &j, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = len + 5; /* half a line has room: a short write, then none */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	journal_add(&j, "a line that does not fit");
	r = journal_sync(&j, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
	assert_false(j.is_unsure);
	after = read_text(f, NULL);
	assert_string_equal(after, before);
	journal_add(&j, "one that does");
	assert_int_equal(journal_sync(&j, NULL), 0);
	assert_int_equal(j.lines.n, 4);
}

static void a_journal_is_not_made_twice_nor_through_a_link(void **state)
{
	struct folder *f = *state;
	struct journal j = JOURNAL_INIT;

	assert_int_equal(symlinkat("elsewhere", f->fd, JOURNAL_NAME), 0);
	assert_int_equal(journal_create(f->fd, "test", &j, NULL), -EEXIST);
	assert_int_equal(open_it(f, &j, NULL), -ELOOP);
	assert_int_equal(unlinkat(f->fd, JOURNAL_NAME, 0), 0);
	write_three(f);
	assert_int_equal(journal_create(f->fd, "test", &j, NULL), -EEXIST);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_was_synced_is_read_back),
		CASE(nothing_is_there_before_the_first_sync),
		CASE(a_torn_tail_does_not_count_wherever_it_was_cut),
		CASE(a_tail_of_zeroes_does_not_count),
		CASE(a_damaged_middle_is_refused_and_kept),
		CASE(a_newer_version_is_refused_and_kept),
		CASE(other_kinds_and_other_files_are_refused),
		CASE(a_sync_that_fails_leaves_what_was_there),
		CASE(a_journal_is_not_made_twice_nor_through_a_link),
	};

	return cmocka_run_group_tests_name("commit/journal", tests, NULL, NULL);
}
