/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A root in a temporary folder, for the tests of core/commit. Include after cmocka.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/proc.h"
#include "core/commit/commit.h"
#include "tests/lib/system.h"

#define RELEASE "6.1.0-9-test"

struct commit_root {
	char path[64];
	int sealed_fd; /* a folder with one.ko ("new one") and two.ko ("new two") */
	struct kg_system sys;
};

__attribute__((unused)) static int root_make(void **state)
{
	static struct commit_root t;

	snprintf(t.path, sizeof(t.path), "/tmp/kg-commit-XXXXXX");
	if (mkdtemp(t.path) == NULL)
		return -1;
	t.sys = (struct kg_system){
		.root_fd = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.root = t.path,
		.running = RELEASE,
		TEST_SYSTEM_PLACES,
	};
	t.sealed_fd = fd_make_dir_in(t.sys.root_fd, "sealed", 0755, NULL);
	*state = &t;
	if (t.sealed_fd < 0)
		return -1;
	return fd_replace_at(t.sealed_fd, "one.ko", "new one", 7, 0644, NULL)
		       ?: fd_replace_at(t.sealed_fd, "two.ko", "new two", 7, 0644, NULL);
}

__attribute__((unused)) static int root_drop(void **state)
{
	struct commit_root *t = *state;
	int r = fd_empty_dir(t->sys.root_fd, NULL);

	close(t->sealed_fd);
	close(t->sys.root_fd);
	return r < 0 ? r : rmdir(t->path);
}

/* Writes @text to @path below the root, folders and all. */
__attribute__((unused)) static void root_put(const struct commit_root *t,
					     const char *path, const char *text)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int dir_fd = -1;
	char *slash = strrchr(dir, '/');

	*slash = '\0';
	dir_fd = fd_make_dir_in(t->sys.root_fd, dir, 0755, NULL);
	assert_true(dir_fd >= 0);
	assert_int_equal(fd_replace_at(dir_fd, slash + 1, text, strlen(text), 0644, NULL),
			 0);
}

__attribute__((unused)) static bool root_has(const struct commit_root *t,
					     const char *path)
{
	struct stat st;

	return fd_lstat_in(t->sys.root_fd, path, &st) == 0;
}

/* The file @path holds @text; NULL: there is none. */
__attribute__((unused)) static void root_expect(const struct commit_root *t,
						const char *path, const char *text)
{
	_cleanup_free_ char *data = NULL;

	if (text == NULL) {
		if (root_has(t, path))
			fail_msg("%s is there", path);
		return;
	}
	if (fd_read_file_in(t->sys.root_fd, path, 1u << 20, &data, NULL, NULL) < 0)
		fail_msg("%s is not there", path);
	assert_string_equal(data, text);
}

#define MODULES "lib/modules/" RELEASE
#define DKMS MODULES "/updates/dkms"

__attribute__((unused)) static const char *const one_and_two[] = { "updates/dkms/one.ko",
								   "updates/dkms/two.ko",
								   NULL };

__attribute__((unused)) static struct set root_set(const struct commit_root *t)
{
	return (struct set){ .release = RELEASE,
			     .name = "mod",
			     .version = "1.0",
			     .files = one_and_two,
			     .sealed_fd = t->sealed_fd };
}

/* A transaction of a process that runs no more. */
__attribute__((unused)) static struct kg_plan root_plan(const char *manager)
{
	struct kg_plan plan = { 0 };

	plan.manager = manager;
	plan.owner_pid = 4194303;
	plan.owner_start = 1;
	plan.root = "/";
	assert_int_equal(plan_seal(&plan, NULL), 0);
	return plan;
}

__attribute__((unused)) static void root_begin(const struct commit_root *t,
					       struct txn *txn)
{
	struct kg_plan plan = root_plan("apt");
	struct kg_err err = { 0 };

	if (txn_begin(&t->sys, &plan, txn, &err) < 0)
		fail_msg("%s", err.text);
}

/* Runs @call; says why when it fails. */
#define OK(call) \
	do { \
		struct kg_err err__ = { 0 }; \
		struct kg_err *why = &err__; \
		int r__ = (call); \
		if (r__ < 0) \
			fail_msg("%d: %s", r__, err__.text); \
	} while (0)
