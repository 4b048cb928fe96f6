// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/store/store.h"
#include "tests/lib/system.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define STORE "var/cache/kmodgate/store"

static struct kg_recipe_module modules[] = {
	{ "loop", "", "v4l2loopback", "/updates/dkms", true, false, NULL },
	{ "left", "sub/", "left_out", "/extra", true, true, NULL },
	{ "two", "sub/", "second", "/kernel/drivers", false, false,
	  "second.ko: no: \"a\"" },
};
static const struct kg_recipe recipe = {
	.name = "v4l2loopback",
	.version = "0.12.7",
	.modules = modules,
	.n_modules = ARRAY_SIZE(modules),
	.identity = "recipe one",
};

struct fixture {
	char path[64];
	struct kg_system sys;
	struct arena arena;
	int out_fd;
	int log_fd;
};

static void write_at(int dir_fd, const char *path, const char *text)
{
	_cleanup_close_ int fd =
		openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int make_dir(int dir_fd, const char *path)
{
	int fd = fd_make_dir_in(dir_fd, path, 0755, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void make_out(struct fixture *f)
{
	f->out_fd = make_dir(f->sys.root_fd, "work/out");
	close(make_dir(f->out_fd, "module"));
	close(make_dir(f->out_fd, "ka/include"));
	write_at(f->out_fd, "module/v4l2loopback.ko", "\177ELF one");
	write_at(f->out_fd, "module/second.ko", "\177ELF two");
	write_at(f->out_fd, "ka/Module.symvers", "0x1\tsymbol\n");
	write_at(f->out_fd, "ka/include/config.h", "#define X\n");
	assert_int_equal(symlinkat("include/config.h", f->out_fd, "ka/config.h"), 0);
	write_at(f->sys.root_fd, "work/log", "make: done\n");
	f->log_fd = openat(f->sys.root_fd, "work/log", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(f->log_fd >= 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	/* a store is fsynced a lot: in memory where there is some */
	strcpy(f->path, "/dev/shm/kg-store-XXXXXX");
	if (mkdtemp(f->path) == NULL) {
		strcpy(f->path, "/tmp/kg-store-XXXXXX");
		assert_non_null(mkdtemp(f->path));
	}
	f->sys = (struct kg_system){
		.root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		TEST_SYSTEM_PLACES,
	};
	make_out(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	close(f->out_fd);
	close(f->log_fd);
	assert_int_equal(fd_empty_dir(f->sys.root_fd, NULL), 0);
	close(f->sys.root_fd);
	assert_int_equal(rmdir(f->path), 0);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *key)
{
	struct kg_artefact artefact;
	struct kg_err err = { 0 };

	assert_int_equal(store_put(&f->sys, key, &recipe, f->out_fd, f->log_fd, &f->arena,
				   &artefact, &err),
			 0);
	assert_int_equal(err.code, 0);
	assert_string_equal(artefact.key, key);
	assert_int_equal(artefact.n_modules, 2);
}

static int get(struct fixture *f, const char *key)
{
	struct kg_artefact artefact;
	struct kg_err err = { 0 };
	int r = store_get(&f->sys, key, &f->arena, &artefact, &err);

	assert_int_equal(err.code, 0); /* a miss is not an error to be shown */
	return r;
}

static int open_entry(struct fixture *f, const char *key)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), STORE "/%s", key);
	fd = fd_try_open_in(f->sys.root_fd, path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static bool is_there(struct fixture *f, const char *path)
{
	struct stat st;

	return fd_lstat_in(f->sys.root_fd, path, &st) == 0;
}

static int count_store(struct fixture *f)
{
	_cleanup_close_ int fd =
		fd_try_open_in(f->sys.root_fd, STORE, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = fd_list(fd);
	int n = 0;

	assert_non_null(dir);
	while (fd_list_next(dir) != NULL)
		n++;
	return n;
}

static void assert_content(struct fixture *f, const char *path, const char *text)
{
	_cleanup_free_ char *found = NULL;

	assert_int_equal(fd_read_file_in(f->sys.root_fd, path, 4096, &found, NULL, NULL),
			 0);
	assert_string_equal(found, text);
}

/* ---- put and get ---- */

static void test_what_was_put_is_got(void **state)
{
	struct fixture *f = *state;
	struct kg_artefact a;
	struct kg_err err = { 0 };

	put(f, KEY_A);
	assert_int_equal(store_get(&f->sys, KEY_A, &f->arena, &a, &err), 0);
	assert_string_equal(a.key, KEY_A);
	assert_string_equal(a.dir, STORE "/" KEY_A);
	assert_int_equal(a.n_modules, 2);
	assert_string_equal(a.modules[0].dest_name, "v4l2loopback");
	assert_string_equal(a.modules[0].built_name, "loop");
	assert_string_equal(a.modules[0].built_location, "");
	assert_string_equal(a.modules[0].dest_location, "/updates/dkms");
	assert_true(a.modules[0].strip);
	assert_string_equal(a.modules[1].dest_name, "second");
	assert_string_equal(a.modules[1].built_location, "sub/");
	assert_false(a.modules[1].strip);
	assert_null(a.modules[0].lacks);
	assert_string_equal(a.modules[1].lacks, modules[2].lacks);
	assert_content(f, STORE "/" KEY_A "/module/v4l2loopback.ko", "\177ELF one");
	assert_content(f, STORE "/" KEY_A "/ka/include/config.h", "#define X\n");
	assert_content(f, STORE "/" KEY_A "/ka/config.h", "#define X\n");
	assert_content(f, STORE "/" KEY_A "/make.log", "make: done\n");
	assert_int_equal(count_store(f), 1);
}

static void test_an_unknown_key_is_absent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, KEY_A), -ENOENT); /* no store at all */
	put(f, KEY_A);
	assert_int_equal(get(f, KEY_B), -ENOENT);
}

static void test_a_key_is_64_hex_digits(void **state)
{
	static const char *const bad[] = { "",		"..",	   "abc",
					   "../" KEY_A, KEY_A "a", ".new-1" };
	struct fixture *f = *state;
	struct kg_artefact a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kg_err err = { 0 };

		assert_int_equal(store_get(&f->sys, bad[i], &f->arena, &a, &err),
				 -EINVAL);
		memset(&err, 0, sizeof(err));
		assert_int_equal(store_put(&f->sys, bad[i], &recipe, f->out_fd, -1,
					   &f->arena, &a, &err),
				 -EINVAL);
	}
}

static void test_an_entry_that_is_there_wins(void **state)
{
	struct fixture *f = *state;

	put(f, KEY_A);
	write_at(f->out_fd, "module/second.ko", "another");
	put(f, KEY_A);
	assert_content(f, STORE "/" KEY_A "/module/second.ko", "\177ELF two");
}

static void test_a_build_without_ka_and_log_is_kept(void **state)
{
	struct fixture *f = *state;
	struct kg_artefact a;
	struct kg_err err = { 0 };

	assert_int_equal(fd_remove_tree_at(f->out_fd, "ka", NULL), 0);
	assert_int_equal(
		store_put(&f->sys, KEY_A, &recipe, f->out_fd, -1, &f->arena, &a, &err),
		0);
	assert_int_equal(get(f, KEY_A), 0);
	assert_false(is_there(f, STORE "/" KEY_A "/make.log"));
}

static void test_a_build_may_leave_hidden_files(void **state)
{
	struct fixture *f = *state;

	write_at(f->out_fd, "ka/.config", "x");
	close(make_dir(f->out_fd, "ka/..odd"));
	put(f, KEY_A);
	assert_int_equal(get(f, KEY_A), 0);
	assert_content(f, STORE "/" KEY_A "/ka/.config", "x");
}

static void test_modes_of_a_build_do_not_stay(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(fchmodat(f->out_fd, "module/second.ko", 04777, 0), 0);
	assert_int_equal(fchmodat(f->out_fd, "ka", 0777, 0), 0);
	put(f, KEY_A);
	assert_int_equal(
		fd_lstat_in(f->sys.root_fd, STORE "/" KEY_A "/module/second.ko", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fd_lstat_in(f->sys.root_fd, STORE "/" KEY_A "/ka", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(get(f, KEY_A), 0);
}

static void assert_not_put(struct fixture *f, const char *words)
{
	struct kg_artefact a;
	struct kg_err err = { 0 };

	assert_true(store_put(&f->sys, KEY_A, &recipe, f->out_fd, f->log_fd, &f->arena,
			      &a, &err) < 0);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
	assert_int_equal(get(f, KEY_A), -ENOENT);
	assert_int_equal(count_store(f), 0);
}

static void test_a_missing_module_is_not_put(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlinkat(f->out_fd, "module/second.ko", 0), 0);
	assert_not_put(f, "module/second.ko");
}

static void test_a_linked_module_is_not_put(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlinkat(f->out_fd, "module/second.ko", 0), 0);
	assert_int_equal(symlinkat("/etc/shadow", f->out_fd, "module/second.ko"), 0);
	assert_not_put(f, "module/second.ko");
}

static void test_a_fifo_is_not_put(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifoat(f->out_fd, "ka/pipe", 0600), 0);
	assert_not_put(f, "pipe");
}

static void test_a_name_that_is_not_plain_is_not_put(void **state)
{
	struct fixture *f = *state;

	write_at(f->out_fd, "ka/new\nline", "x");
	assert_not_put(f, "plain name");
}

static void test_a_store_that_others_can_write_is_not_used(void **state)
{
	struct fixture *f = *state;
	struct kg_artefact a;
	struct kg_err err = { 0 };
	_cleanup_close_ int fd = -1;

	put(f, KEY_A);
	fd = fd_try_open_in(f->sys.root_fd, STORE, O_RDONLY | O_DIRECTORY);
	assert_int_equal(fchmod(fd, 0775), 0);
	assert_int_equal(get(f, KEY_A), -ENOENT);
	assert_int_equal(
		store_put(&f->sys, KEY_B, &recipe, f->out_fd, -1, &f->arena, &a, &err),
		-EPERM);
	assert_non_null(strstr(err.text, STORE));
}

static void test_a_store_that_cannot_be_made_is_an_error_of_put_only(void **state)
{
	struct fixture *f = *state;
	struct kg_artefact a;
	struct kg_err err = { 0 };

	close(make_dir(f->sys.root_fd, "var/cache"));
	write_at(f->sys.root_fd, "var/cache/kmodgate", "a file");
	assert_int_equal(get(f, KEY_A), -ENOENT);
	assert_true(store_put(&f->sys, KEY_A, &recipe, f->out_fd, -1, &f->arena, &a,
			      &err) < 0);
	assert_non_null(strstr(err.text, STORE));
	memset(&err, 0, sizeof(err));
	assert_true(store_evict(&f->sys, 0, &err) < 0);
}

/* ---- damage ---- */

static void damage_truncate(int fd)
{
	_cleanup_close_ int m = openat(fd, "manifest.yaml", O_RDWR | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(m, &st), 0);
	assert_int_equal(ftruncate(m, st.st_size / 2), 0);
}
static void damage_empty_manifest(int fd)
{
	write_at(fd, "manifest.yaml", "");
}
static void damage_no_manifest(int fd)
{
	assert_int_equal(unlinkat(fd, "manifest.yaml", 0), 0);
}
static void damage_manifest_link(int fd)
{
	assert_int_equal(renameat(fd, "manifest.yaml", fd, "../elsewhere"), 0);
	assert_int_equal(symlinkat("../elsewhere", fd, "manifest.yaml"), 0);
}
static void damage_manifest_key(int fd)
{
	_cleanup_close_ int m = openat(fd, "manifest.yaml", O_RDWR | O_CLOEXEC);
	char text[8192];
	ssize_t n = read(m, text, sizeof(text) - 1);
	char *at;

	assert_true(n > 0);
	text[n] = '\0';
	at = strstr(text, "aaaa");
	assert_non_null(at);
	assert_int_equal(pwrite(m, "bbbb", 4, at - text), 4);
}
static void damage_extra_file(int fd)
{
	write_at(fd, "module/extra.ko", "x");
}
static void damage_extra_at_top(int fd)
{
	write_at(fd, "extra", "x");
}
static void damage_hidden_file(int fd)
{
	write_at(fd, "ka/.hidden", "x");
}
static void damage_flip(int fd)
{
	_cleanup_close_ int m = openat(fd, "module/second.ko", O_RDWR | O_CLOEXEC);

	assert_int_equal(pwrite(m, "T", 1, 5), 1);
}
static void damage_append(int fd)
{
	_cleanup_close_ int m = openat(fd, "make.log", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(m, "x", 1), 1);
}
static void damage_missing(int fd)
{
	assert_int_equal(unlinkat(fd, "ka/Module.symvers", 0), 0);
}
static void damage_link(int fd)
{
	assert_int_equal(renameat(fd, "module/second.ko", fd, "../elsewhere"), 0);
	assert_int_equal(symlinkat("../../elsewhere", fd, "module/second.ko"), 0);
}
static void damage_hard_link(int fd)
{
	assert_int_equal(linkat(fd, "module/second.ko", fd, "../elsewhere", 0), 0);
}
static void damage_link_target(int fd)
{
	assert_int_equal(unlinkat(fd, "ka/config.h", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", fd, "ka/config.h"), 0);
}
static void damage_mode(int fd)
{
	assert_int_equal(fchmodat(fd, "module/second.ko", 0600, 0), 0);
}
static void damage_group_write(int fd)
{
	assert_int_equal(fchmodat(fd, "module/second.ko", 0664, 0), 0);
}
static void damage_entry_mode(int fd)
{
	assert_int_equal(fchmod(fd, 0777), 0);
}
static void damage_owner(int fd)
{
	if (geteuid() == 0)
		assert_int_equal(fchownat(fd, "module/second.ko", 1, -1, 0), 0);
	else
		damage_mode(fd);
}
static void damage_entry_owner(int fd)
{
	if (geteuid() == 0)
		assert_int_equal(fchown(fd, 1, -1), 0);
	else
		damage_entry_mode(fd);
}
static void damage_fifo(int fd)
{
	assert_int_equal(unlinkat(fd, "make.log", 0), 0);
	assert_int_equal(mkfifoat(fd, "make.log", 0644), 0);
}

static void test_a_damaged_entry_is_removed_and_absent(void **state)
{
	static void (*const damages[])(int) = {
		damage_truncate,      damage_empty_manifest, damage_no_manifest,
		damage_manifest_link, damage_manifest_key,   damage_extra_file,
		damage_extra_at_top,  damage_hidden_file,    damage_flip,
		damage_append,	      damage_missing,	     damage_link,
		damage_hard_link,     damage_link_target,    damage_mode,
		damage_group_write,   damage_entry_mode,     damage_owner,
		damage_entry_owner,   damage_fifo,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		int fd;

		put(f, KEY_A);
		put(f, KEY_B);
		fd = open_entry(f, KEY_A);
		damages[i](fd);
		close(fd);
		if (get(f, KEY_A) != -ENOENT)
			fail_msg("damage %zu was not seen", i);
		if (is_there(f, STORE "/" KEY_A))
			fail_msg("damage %zu stayed", i);
		assert_int_equal(get(f, KEY_B), 0);
		put(f, KEY_A); /* and can be put again */
		assert_int_equal(get(f, KEY_A), 0);
		fd = fd_try_open_in(f->sys.root_fd, STORE, O_RDONLY | O_DIRECTORY);
		unlinkat(fd, "elsewhere", 0);
		close(fd);
	}
}

static void test_every_truncation_of_the_manifest_is_seen(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t len;

	put(f, KEY_A);
	assert_int_equal(fd_read_file_in(f->sys.root_fd, STORE "/" KEY_A "/manifest.yaml",
					 65536, &text, &len, NULL),
			 0);
	/* without its last byte, the newline, it still says everything */
	for (size_t n = len - 2; n > 0; n -= n > 60 ? 37 : 1) {
		put(f, KEY_A);
		fd = open_entry(f, KEY_A);
		assert_int_equal(fd_replace_at(fd, "manifest.yaml", text, n, 0644, NULL),
				 0);
		close(fd);
		fd = -1;
		if (get(f, KEY_A) != -ENOENT)
			fail_msg("%zu of %zu bytes were taken for a manifest", n, len);
	}
}

static void test_something_else_under_the_name_is_removed(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int store_fd = -1;

	put(f, KEY_B);
	store_fd = fd_try_open_in(f->sys.root_fd, STORE, O_RDONLY | O_DIRECTORY);
	write_at(store_fd, KEY_A, "a file");
	assert_int_equal(get(f, KEY_A), -ENOENT);
	put(f, KEY_A);
	assert_int_equal(get(f, KEY_A), 0);
	assert_int_equal(symlinkat(KEY_B, store_fd, KEY_C), 0);
	assert_int_equal(get(f, KEY_C), -ENOENT);
	put(f, KEY_C);
	assert_int_equal(get(f, KEY_C), 0);
	assert_int_equal(get(f, KEY_B), 0);
}

/* ---- more than one process ---- */

static pid_t in_child(struct fixture *f, void (*run)(struct fixture *))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		run(f);
		_exit(0);
	}
	return pid;
}

static void put_for_ever(struct fixture *f)
{
	struct kg_artefact a;

	for (;;) {
		_cleanup_close_ int store_fd =
			fd_try_open_in(f->sys.root_fd, STORE, O_RDONLY | O_DIRECTORY);

		if (store_fd >= 0)
			(void)fd_remove_tree_at(store_fd, KEY_A, NULL);
		(void)!store_put(&f->sys, KEY_A, &recipe, f->out_fd, f->log_fd, &f->arena,
				 &a, NULL);
	}
}

static void test_a_killed_writer_leaves_a_whole_entry_or_none(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 40; i++) {
		pid_t pid = in_child(f, put_for_ever);
		int r;

		usleep(1000 + 731 * (useconds_t)i);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		r = get(f, KEY_A);
		assert_true(r == 0 || r == -ENOENT);
	}
	put(f, KEY_A);
	assert_int_equal(get(f, KEY_A), 0);
	put(f, KEY_B); /* sweeps what the dead left */
	assert_int_equal(count_store(f), 2);
}

static void put_and_get(struct fixture *f)
{
	static const char *const keys[] = { KEY_A, KEY_B, KEY_C };
	unsigned int seed = (unsigned int)getpid();

	kg_log_set(NULL, NULL);
	for (int i = 0; i < 60; i++) {
		const char *key = keys[rand_r(&seed) % 3];
		struct kg_artefact a;
		struct kg_err err = { 0 };
		int r = store_put(&f->sys, key, &recipe, f->out_fd, f->log_fd, &f->arena,
				  &a, &err);

		if (r < 0 && r != -EEXIST && r != -ENOENT)
			_exit(1);
		r = store_get(&f->sys, key, &f->arena, &a, &err);
		if (r < 0 && r != -ENOENT)
			_exit(2);
		if (rand_r(&seed) % 4 == 0 && store_evict(&f->sys, 0, NULL) < 0)
			_exit(3);
	}
}

static int warnings;
static void count_warning(enum kg_level level, const char *text, void *data)
{
	(void)text;
	(void)data;
	warnings += level == KG_WARNING;
}

static void test_many_processes_put_get_and_evict_at_once(void **state)
{
	struct fixture *f = *state;
	pid_t pids[6];

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = in_child(f, put_and_get);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	kg_log_set(count_warning, NULL);
	(void)get(f, KEY_A);
	(void)get(f, KEY_B);
	(void)get(f, KEY_C);
	kg_log_set(NULL, NULL);
	assert_int_equal(warnings, 0); /* whatever is there is whole */
}

/* ---- evict ---- */

static void set_used(struct fixture *f, const char *key, time_t when)
{
	const struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
	_cleanup_close_ int fd = open_entry(f, key);

	assert_int_equal(futimens(fd, times), 0);
}

static void test_the_least_recently_used_goes_first(void **state)
{
	struct fixture *f = *state;
	struct kg_err err = { 0 };

	put(f, KEY_A);
	put(f, KEY_B);
	put(f, KEY_C);
	set_used(f, KEY_A, 1000);
	set_used(f, KEY_B, 2000);
	set_used(f, KEY_C, 3000);
	assert_int_equal(get(f, KEY_A), 0); /* now the newest */
	assert_int_equal(store_evict(&f->sys, UINT64_MAX, &err), 0);
	assert_int_equal(count_store(f), 3);
	/* room for one: each takes eight blocks and some folders */
	assert_int_equal(store_evict(&f->sys, 60 * 1024, &err), 0);
	assert_int_equal(get(f, KEY_A), 0);
	assert_int_equal(get(f, KEY_B), -ENOENT);
	assert_int_equal(store_evict(&f->sys, 0, &err), 0);
	assert_int_equal(count_store(f), 0);
	assert_int_equal(err.code, 0);
}

static void test_evicting_sweeps_leftovers_and_keeps_what_is_not_ours(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int store_fd = make_dir(f->sys.root_fd, STORE);

	close(make_dir(store_fd, ".new-0123456789abcdef/module"));
	close(make_dir(store_fd, ".gone-" KEY_A "/module"));
	write_at(store_fd, ".new-0123456789abcdef/module/half.ko", "\177E");
	write_at(store_fd, "README", "somebody's");
	assert_int_equal(store_evict(&f->sys, 0, NULL), 0);
	assert_false(is_there(f, STORE "/.new-0123456789abcdef"));
	assert_false(is_there(f, STORE "/.gone-" KEY_A));
	assert_true(is_there(f, STORE "/README"));
}

static void test_no_store_is_nothing_to_evict(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_evict(&f->sys, 0, NULL), 0);
}

/* ---- keys ---- */

struct key_case {
	struct kg_source source;
	struct kg_recipe recipe;
	struct kg_headers headers;
	struct store_inputs in;
};

static struct key_case make_case(struct fixture *f)
{
	return (struct key_case){
		.source = { .name = "m", .version = "1" },
		.recipe = { .identity = "recipe" },
		.headers = { .identity = "headers",
			     .source_dir = "/lib/modules/R/build" },
		.in = { .source_fd = f->out_fd,
			.release = "R",
			.arch = "x86_64",
			.toolchain = "gcc" },
	};
}

static void key_of(struct fixture *f, struct key_case *c, char ret_key[65])
{
	struct kg_err err = { 0 };

	c->in.source = &c->source;
	c->in.recipe = &c->recipe;
	c->in.headers = &c->headers;
	assert_int_equal(store_key(&f->sys, &c->in, ret_key, &err), 0);
	assert_int_equal(strlen(ret_key), 64);
}

static void test_each_input_changes_the_key(void **state)
{
	static const char *const one[] = { KEY_A, NULL };
	static const char *const two[] = { KEY_A, KEY_B, NULL };
	static const char *const other[] = { KEY_B, KEY_A, NULL };
	struct fixture *f = *state;
	char keys[15][65];
	size_t n = 0;

#define CHANGE(what) \
	do { \
		struct key_case c = make_case(f); \
		what; \
		key_of(f, &c, keys[n++]); \
	} while (0)
	CHANGE((void)c);
	CHANGE(c.source.name = "n");
	CHANGE(c.source.version = "2");
	CHANGE(c.recipe.identity = "other");
	CHANGE(c.headers.identity = "other");
	CHANGE(c.headers.source_dir = "/elsewhere");
	CHANGE(c.headers.config = "CONFIG_PCI=m\n");
	CHANGE(c.in.release = "S");
	CHANGE(c.in.arch = "i686");
	CHANGE(c.in.toolchain = "clang");
	CHANGE(c.in.depend_keys = one);
	CHANGE(c.in.depend_keys = two);
	CHANGE(c.in.depend_keys = other);
	write_at(f->out_fd, "patches", "");
	CHANGE((void)c);
	close(make_dir(f->sys.root_fd, "etc/dkms/m/patches"));
	CHANGE((void)c);
#undef CHANGE
	assert_int_equal(n, ARRAY_SIZE(keys));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(keys[i], keys[j]) == 0)
				fail_msg("cases %zu and %zu have the same key", j, i);
}

static void test_time_owner_and_place_do_not_change_the_key(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct fixture *f = *state;
	struct key_case c = make_case(f);
	char one[65];
	char two[65];

	key_of(f, &c, one);
	assert_int_equal(utimensat(f->out_fd, "module/second.ko", times, 0), 0);
	c.source.path = "usr/src/elsewhere";
	c.source.change = KG_CHANGE_ENTERS;
	c.headers.sig_hash = "sha512";
	c.headers.compression = ".xz";
	key_of(f, &c, two);
	assert_string_equal(one, two);
}

static void test_a_name_with_a_slash_has_no_key(void **state)
{
	struct fixture *f = *state;
	struct key_case c = make_case(f);
	struct kg_err err = { 0 };
	char key[65];

	c.source.name = "../m";
	c.in.source = &c.source;
	c.in.recipe = &c.recipe;
	c.in.headers = &c.headers;
	assert_int_equal(store_key(&f->sys, &c.in, key, &err), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_put_is_got),
		TEST(test_an_unknown_key_is_absent),
		TEST(test_a_key_is_64_hex_digits),
		TEST(test_an_entry_that_is_there_wins),
		TEST(test_a_build_without_ka_and_log_is_kept),
		TEST(test_a_build_may_leave_hidden_files),
		TEST(test_modes_of_a_build_do_not_stay),
		TEST(test_a_missing_module_is_not_put),
		TEST(test_a_linked_module_is_not_put),
		TEST(test_a_fifo_is_not_put),
		TEST(test_a_name_that_is_not_plain_is_not_put),
		TEST(test_a_store_that_others_can_write_is_not_used),
		TEST(test_a_store_that_cannot_be_made_is_an_error_of_put_only),
		TEST(test_a_damaged_entry_is_removed_and_absent),
		TEST(test_every_truncation_of_the_manifest_is_seen),
		TEST(test_something_else_under_the_name_is_removed),
		TEST(test_a_killed_writer_leaves_a_whole_entry_or_none),
		TEST(test_many_processes_put_get_and_evict_at_once),
		TEST(test_the_least_recently_used_goes_first),
		TEST(test_evicting_sweeps_leftovers_and_keeps_what_is_not_ours),
		TEST(test_no_store_is_nothing_to_evict),
		TEST(test_each_input_changes_the_key),
		TEST(test_time_owner_and_place_do_not_change_the_key),
		TEST(test_a_name_with_a_slash_has_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
