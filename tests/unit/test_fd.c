// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/digest.h"
#include "core/base/fd.h"

struct folder {
	char path[64];
	int fd;
};

static int make_folder(void **state)
{
	static struct folder f;

	snprintf(f.path, sizeof(f.path), "/tmp/kg-fd-XXXXXX");
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

static void put(int dir_fd, const char *name, const char *text)
{
	assert_int_equal(fd_replace_at(dir_fd, name, text, strlen(text), 0644, NULL), 0);
}

static void no_link_leads_out_of_the_root(void **state)
{
	const struct folder *f = *state;
	char *text = NULL;

	assert_int_equal(symlinkat("/etc", f->fd, "outside"), 0);
	assert_int_equal(symlinkat("../../../../etc/passwd", f->fd, "passwd"), 0);
	assert_int_equal(fd_try_open_in(f->fd, "outside/passwd", O_RDONLY), -ENOENT);
	assert_int_equal(fd_try_open_in(f->fd, "passwd", O_RDONLY), -ENOENT);
	assert_int_equal(
		fd_read_file_in(f->fd, "../../etc/passwd", 1u << 20, &text, NULL, NULL),
		-ENOENT);
}

static void make_dir_follows_links_inside_only(void **state)
{
	const struct folder *f = *state;
	int fd;

	assert_int_equal(mkdirat(f->fd, "usr", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "usr/lib", 0755), 0);
	assert_int_equal(symlinkat("usr/lib", f->fd, "lib"), 0);
	fd = fd_make_dir_in(f->fd, "lib/modules/6.1/updates", 0755, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(faccessat(f->fd, "usr/lib/modules/6.1/updates", F_OK, 0), 0);
}

static void replace_leaves_no_temporary_and_survives_a_stale_one(void **state)
{
	const struct folder *f = *state;
	DIR *dir;
	int n = 0;

	close(openat(f->fd, ".state.kmodgate-new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	put(f->fd, "state", "one");
	put(f->fd, "state", "two");
	dir = fd_list(f->fd);
	while (fd_list_next(dir) != NULL)
		n++;
	closedir(dir);
	assert_int_equal(n, 1);
}

static void reading_has_a_limit(void **state)
{
	const struct folder *f = *state;
	char *text = NULL;
	size_t len;

	put(f->fd, "ten", "0123456789");
	assert_int_equal(fd_read_file_in(f->fd, "ten", 9, &text, &len, NULL), -KGE_LIMIT);
	assert_int_equal(fd_read_file_in(f->fd, "ten", 10, &text, &len, NULL), 0);
	assert_int_equal(len, 10);
	free(text);
}

static void a_copied_tree_has_the_same_digest(void **state)
{
	const struct folder *f = *state;
	char a[DIGEST_HEX_SIZE];
	char b[DIGEST_HEX_SIZE];
	char *out[2] = { a, b };
	const char *names[2] = { "from", "to" };
	int from_fd = fd_make_dir_in(f->fd, "from/sub", 0755, NULL);
	int to_fd = fd_make_dir_in(f->fd, "to", 0755, NULL);

	put(from_fd, "file", "text");
	assert_int_equal(symlinkat("/nowhere", from_fd, "link"), 0);
	close(from_fd);
	from_fd = fd_open_dir_at(f->fd, "from", NULL);
	assert_int_equal(fd_copy_tree(from_fd, to_fd, FD_COPY_KEEP_OWNER, 0, 0, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct digest d;
		int fd = fd_open_dir_at(f->fd, names[i], NULL);

		assert_int_equal(digest_init(&d), 0);
		assert_int_equal(digest_add_tree(&d, fd, NULL), 0);
		assert_int_equal(digest_final(&d, out[i]), 0);
		digest_fini(&d);
		close(fd);
	}
	assert_string_equal(a, b);
	close(from_fd);
	close(to_fd);
}

static void a_fifo_in_a_tree_is_refused(void **state)
{
	const struct folder *f = *state;
	struct kg_err err = { 0 };
	int from_fd = fd_make_dir_in(f->fd, "from", 0755, NULL);
	int to_fd = fd_make_dir_in(f->fd, "to", 0755, NULL);

	assert_int_equal(mkfifoat(from_fd, "pipe", 0644), 0);
	assert_int_equal(fd_copy_tree(from_fd, to_fd, FD_COPY_KEEP_OWNER, 0, 0, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "pipe"));
	close(from_fd);
	close(to_fd);
}

static void removing_a_tree_follows_no_link(void **state)
{
	const struct folder *f = *state;
	int keep_fd = fd_make_dir_in(f->fd, "keep", 0755, NULL);
	int gone_fd = fd_make_dir_in(f->fd, "gone/deep", 0755, NULL);

	put(keep_fd, "precious", "x");
	assert_int_equal(symlinkat("../../keep", gone_fd, "link"), 0);
	assert_int_equal(fd_remove_tree_at(f->fd, "gone", NULL), 0);
	assert_int_equal(faccessat(f->fd, "keep/precious", F_OK, 0), 0);
	assert_int_equal(faccessat(f->fd, "gone", F_OK, 0), -1);
	assert_int_equal(fd_remove_tree_at(f->fd, "gone", NULL), 0);
	close(keep_fd);
	close(gone_fd);
}

static void pruning_stops_at_the_first_folder_in_use(void **state)
{
	const struct folder *f = *state;
	int fd = fd_make_dir_in(f->fd, "m/R/updates/dkms", 0755, NULL);

	close(fd);
	fd = fd_open_dir_in(f->fd, "m/R", NULL);
	put(fd, "other", "x");
	close(fd);
	fd_prune_empty_in(f->fd, "m/R/updates/dkms", "m");
	assert_int_equal(faccessat(f->fd, "m/R/updates", F_OK, 0), -1);
	assert_int_equal(faccessat(f->fd, "m/R/other", F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)
		CASE(no_link_leads_out_of_the_root),
		CASE(make_dir_follows_links_inside_only),
		CASE(replace_leaves_no_temporary_and_survives_a_stale_one),
		CASE(reading_has_a_limit),
		CASE(a_copied_tree_has_the_same_digest),
		CASE(a_fifo_in_a_tree_is_refused),
		CASE(removing_a_tree_follows_no_link),
		CASE(pruning_stops_at_the_first_folder_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
