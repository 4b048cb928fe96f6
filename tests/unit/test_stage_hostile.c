// SPDX-License-Identifier: GPL-2.0-or-later
/* Packages made to harm: each is refused with a text, or does no harm inside the stage. */
#include "tests/unit/test_stage_deb.h"

#include <unistd.h>

static void assert_nothing_outside(const struct scratch *s)
{
	_cleanup_close_ int out_fd = fd_open_dir_in(s->fd, "out", NULL);

	assert_int_equal(count_entries(out_fd), 0);
	assert_int_equal(faccessat(s->fd, "evil", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

/* Refused with @code, @text is part of the message, and the stage is as empty as before. */
static void assert_path_refused(const struct scratch *s, const char *path,
				const struct stage_limits *limits, int code,
				const char *text)
{
	struct kg_err err = { 0 };
	int r = stage_unpack(path, s->stage_fd, limits, NULL, &err);

	if (r != code)
		fail_msg("%d instead of %d: %s", r, code, err.text);
	assert_contains(err.text, text);
	assert_contains(err.text, strrchr(path, '/') + 1);
	assert_int_equal(count_entries(s->stage_fd), 0);
	assert_nothing_outside(s);
}

static void assert_refused(const struct scratch *s, struct str *tar, int code,
			   const char *text)
{
	assert_path_refused(s, save_deb(s, "a.deb", tar), NULL, code, text);
}

/* ---- names ---- */

static void test_paths_that_leave_the_stage_are_refused(void **state)
{
	static const char *const names[] = {
		"../evil", "./../evil", "usr/../../evil", "usr/..",
		"..",	   "/evil",	"//evil",
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct str tar = { 0 };

		tar_dir(&tar, "usr");
		tar_file(&tar, names[i], "x");
		assert_refused(s, &tar, -KGE_HOSTILE, names[i]);
		tar_dir(&tar, names[i]);
		assert_refused(s, &tar, -KGE_HOSTILE, names[i]);
		tar_link(&tar, names[i], "x");
		assert_refused(s, &tar, -KGE_HOSTILE, names[i]);
	}
}

static void test_a_listing_refuses_them_too(void **state)
{
	const struct scratch *s = *state;
	_cleanup_strv_ struct strv paths = { 0 };
	struct str tar = { 0 };
	struct kg_err err = { 0 };

	tar_file(&tar, "../evil", "x");
	assert_int_equal(stage_list(save_deb(s, "a.deb", &tar), NULL, &paths, &err),
			 -KGE_HOSTILE);
	assert_int_equal(paths.n, 0);
}

static void test_names_too_long_or_too_deep_are_refused(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };
	char name[5000];

	memset(name, 'n', sizeof(name));
	tar_long_name(&tar, name, 256);
	tar_file(&tar, "x", "");
	assert_refused(s, &tar, -ENAMETOOLONG, "nnnn...");
	for (size_t i = 100; i < sizeof(name); i += 101)
		name[i] = '/';
	tar_long_name(&tar, name, sizeof(name) - 1);
	tar_file(&tar, "x", "");
	assert_refused(s, &tar, -ENAMETOOLONG, "nnnn...");
	for (size_t i = 1; i < sizeof(name); i += 2)
		name[i] = '/';
	tar_long_name(&tar, name, 2000);
	tar_file(&tar, "x", "");
	assert_refused(s, &tar, -KGE_LIMIT, "n/n/n");
}

/* The reader of names ends at the NUL, as every program on the way does. */
static void test_a_nul_in_a_name_ends_it(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_add_raw(&tar, '0', "good\0/../../evil", 16, "", 0644, "x", 1);
	tar_long_name(&tar, "long\0../../evil", 15);
	tar_file(&tar, "x", "x");
	assert_int_equal(
		stage_unpack(save_deb(s, "a.deb", &tar), s->stage_fd, NULL, NULL, NULL),
		0);
	assert_file(s, "good", "x");
	assert_file(s, "long", "x");
	assert_int_equal(count_entries(s->stage_fd), 2);
	assert_nothing_outside(s);
}

static void test_no_escape_sequence_reaches_the_terminal(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_file(&tar, "../\033]0;evil\007\n", "x");
	assert_refused(s, &tar, -KGE_HOSTILE, "../?]0;evil??");
}

/* ---- links ---- */

static void test_members_below_a_link_stay_inside(void **state)
{
	const struct scratch *s = *state;
	const char *targets[] = { "/", "../../../../..", "/tmp", NULL };
	char out[80];

	snprintf(out, sizeof(out), "%s/out", s->path);
	targets[3] = out;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct str tar = { 0 };
		struct kg_err err = { 0 };

		tar_link(&tar, "l", targets[i]);
		tar_file(&tar, "l/evil", "x");
		tar_file(&tar, "l/out/evil", "x");
		if (stage_unpack(save_deb(s, "a.deb", &tar), s->stage_fd, NULL, NULL,
				 &err) < 0)
			assert_contains(err.text, "member l/");
		assert_nothing_outside(s);
		assert_int_equal(access("/evil", F_OK), -1);
		assert_int_equal(access("/tmp/evil", F_OK), -1);
		assert_int_equal(fd_empty_dir(s->stage_fd, NULL), 0);
	}
}

static void test_links_of_an_earlier_package_do_not_lead_out(void **state)
{
	const struct scratch *s = *state;
	struct stage_item items[2] = { 0 };
	struct str tar = { 0 };
	char out[80];

	snprintf(out, sizeof(out), "%s/out", s->path);
	tar_link(&tar, "l", out);
	tar_link(&tar, "up", "../out");
	items[0].path = save_deb(s, "1.deb", &tar);
	tar_dir(&tar, "l");
	tar_file(&tar, "l/evil", "x");
	tar_dir(&tar, "up");
	tar_file(&tar, "up/evil", "x");
	items[1].path = save_deb(s, "2.deb", &tar);
	(void)!stage_unpack_all(items, 2, s->stage_fd, NULL, NULL);
	assert_nothing_outside(s);
}

static void test_links_planted_in_the_stage_do_not_lead_out(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	assert_int_equal(symlinkat("../out", s->stage_fd, "usr"), 0);
	tar_dir(&tar, "usr");
	tar_file(&tar, "usr/evil", "x");
	(void)!stage_unpack(save_deb(s, "a.deb", &tar), s->stage_fd, NULL, NULL, NULL);
	assert_nothing_outside(s);
}

static void test_hard_links_lead_to_members_only(void **state)
{
	static const struct {
		const char *target;
		int code;
	} bad[] = { { "/etc/passwd", -KGE_HOSTILE }, { "../out", -KGE_HOSTILE },
		    { "missing", -ENOENT },	     { "d", -KGE_HOSTILE },
		    { "out/passwd", -ENOENT },	     { "", -KGE_HOSTILE } };
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct str tar = { 0 };

		tar_dir(&tar, "d");
		tar_link(&tar, "out", "/etc");
		tar_add(&tar, '1', "hard", bad[i].target, 0644);
		assert_refused(s, &tar, bad[i].code, "member hard");
	}
}

static void test_a_hard_link_to_itself_loses_nothing(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_file(&tar, "a", "text");
	tar_add(&tar, '1', "a", "a", 0644);
	assert_int_equal(
		stage_unpack(save_deb(s, "a.deb", &tar), s->stage_fd, NULL, NULL, NULL),
		0);
	assert_file(s, "a", "text");
}

static void test_a_folder_is_never_replaced(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_dir(&tar, "d");
	tar_link(&tar, "d", "/etc");
	assert_refused(s, &tar, -KGE_HOSTILE, "member d: a link where a folder is");
	tar_dir(&tar, "d");
	tar_file(&tar, "d", "x");
	assert_refused(s, &tar, -EISDIR, "member d");
	tar_file(&tar, "d", "x");
	tar_dir(&tar, "d");
	assert_refused(s, &tar, -KGE_HOSTILE, "member d: a folder where");
	tar_file(&tar, "d", "x");
	tar_file(&tar, "d/below", "x");
	assert_refused(s, &tar, -ENOTDIR, "member d/below");
}

static void test_nor_by_another_package(void **state)
{
	const struct scratch *s = *state;
	struct stage_item items[2] = { 0 };
	struct str tar = { 0 };
	struct kg_err err = { 0 };

	tar_dir(&tar, "d");
	items[0].path = save_deb(s, "1.deb", &tar);
	tar_link(&tar, "d", "/etc");
	items[1].path = save_deb(s, "2.deb", &tar);
	assert_int_equal(stage_unpack_all(items, 2, s->stage_fd, NULL, &err),
			 -KGE_HOSTILE);
	assert_contains(err.text, "2.deb: member d: would replace a folder");
	assert_int_equal(fd_empty_dir(s->stage_fd, NULL), 0);
	tar_file(&tar, "d", "x");
	items[0].path = save_deb(s, "1.deb", &tar);
	tar_dir(&tar, "d");
	items[1].path = save_deb(s, "2.deb", &tar);
	err.code = 0;
	assert_int_equal(stage_unpack_all(items, 2, s->stage_fd, NULL, &err),
			 -KGE_HOSTILE);
	assert_contains(err.text, "2.deb: member d: a folder where another package");
}

static void test_devices_and_fifos_are_refused(void **state)
{
	const struct scratch *s = *state;

	for (const char *type = "346"; *type != '\0'; type++) {
		struct str tar = { 0 };

		tar_add(&tar, *type, "node", "", 0666);
		assert_refused(s, &tar, -KGE_HOSTILE,
			       "member node: a device, fifo or socket");
	}
}

/* ---- size ---- */

static void test_too_many_members_are_refused(void **state)
{
	const struct stage_limits limits = { .max_entries = 1000 };
	const struct scratch *s = *state;
	_cleanup_strv_ struct strv paths = { 0 };
	struct str tar = { 0 };
	char name[32];
	const char *path;

	for (int i = 0; i < 1001; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tar_dir(&tar, name);
	}
	path = save_deb(s, "a.deb", &tar);
	assert_path_refused(s, path, &limits, -KGE_LIMIT, "more than 1000 members");
	assert_int_equal(stage_list(path, &limits, &paths, NULL), -KGE_LIMIT);
}

static void test_a_bomb_is_stopped(void **state)
{
	const struct stage_limits limits = { .max_bytes = 1 << 20 };
	const struct scratch *s = *state;
	_cleanup_free_ char *zeros = calloc(1, 96 << 20);
	struct str tar = { 0 };

	assert_non_null(zeros);
	tar_add_raw(&tar, '0', "zeros", 5, "", 0644, zeros, 2 << 20);
	assert_path_refused(s, save_packed(s, "a.deb", &tar, ARCHIVE_FILTER_XZ, ".xz"),
			    &limits, -KGE_LIMIT, "a.deb");
	tar_add_raw(&tar, '0', "zeros", 5, "", 0644, zeros, 96 << 20);
	assert_path_refused(s, save_packed(s, "a.deb", &tar, ARCHIVE_FILTER_ZSTD, ".zst"),
			    NULL, -KGE_LIMIT, "over 1000 times its size");
}

/* Behind the end of the tar nobody looks, but it is decompressed to check the whole. */
static void test_a_bomb_behind_the_end_is_stopped(void **state)
{
	const struct stage_limits limits = { .max_bytes = 1 << 20 };
	const struct scratch *s = *state;
	_cleanup_free_ char *zeros = calloc(1, 2 << 20);
	struct str tar = { 0 };

	assert_non_null(zeros);
	tar_file(&tar, "a", "x");
	tar_end(&tar);
	str_addn(&tar, zeros, 2 << 20);
	assert_path_refused(s, save_packed(s, "a.deb", &tar, ARCHIVE_FILTER_XZ, ".xz"),
			    &limits, -KGE_LIMIT, "unpacks to more than 1 MiB");
}

/* A hole costs no room, but whoever reads the file reads it. */
static void test_a_sparse_file_counts_in_full(void **state)
{
	const struct stage_limits limits = { .max_bytes = 1 << 20 };
	/* the map of its only piece, in a block of its own, and that piece */
	static const char data[513] = "1\n1099511626\n1\n";
	const struct scratch *s = *state;
	struct str tar = { 0 };
	struct str attr = { 0 };

	str_add(&attr, "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
		       "23 GNU.sparse.name=big\n"
		       "34 GNU.sparse.realsize=1099511627\n");
	tar_add_raw(&tar, 'x', "head", 4, "", 0644, attr.p, attr.len);
	tar_add_raw(&tar, '0', "big", 3, "", 0644, data, sizeof(data));
	str_fini(&attr);
	assert_path_refused(s, save_deb(s, "a.deb", &tar), &limits, -KGE_LIMIT,
			    "too large");
}

static void test_room_is_left_on_the_file_system(void **state)
{
	const struct stage_limits limits = { .reserve_bytes = UINT64_MAX };
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_file(&tar, "a", "x");
	assert_path_refused(s, save_deb(s, "a.deb", &tar), &limits, -ENOSPC,
			    "must stay free");
}

/* ---- damage ---- */

static void test_a_truncated_package_is_refused_wherever_it_ends(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
				       ARCHIVE_FILTER_NONE };
	static const char *const suffixes[] = { ".xz", ".zst", "" };
	const struct scratch *s = *state;

	for (size_t way = 0; way < ARRAY_SIZE(filters); way++) {
		_cleanup_str_ struct str tar = { 0 };
		_cleanup_free_ char *bytes = NULL;
		size_t len;
		struct str cut;

		tar_file(&tar, "a", "some text that is long enough to matter");
		tar_file(&tar, "b", "more of it");
		save_packed(s, "whole.deb", &tar, filters[way], suffixes[way]);
		assert_int_equal(
			fd_read_file_in(s->fd, "whole.deb", 1 << 20, &bytes, &len, NULL),
			0);
		cut.p = bytes;
		for (cut.len = 0; cut.len < len; cut.len += 1 + cut.len / 64)
			assert_path_refused(s, save(s, "cut.deb", &cut), NULL,
					    -KGE_FORMAT, "cut.deb: ");
	}
}

static void test_a_flipped_bit_is_noticed(void **state)
{
	const struct scratch *s = *state;
	_cleanup_free_ char *bytes = NULL;
	struct str tar = { 0 };
	struct str bad;
	size_t len;

	for (int i = 0; i < 50; i++)
		tar_file(&tar, "a", "some text");
	save_packed(s, "whole.deb", &tar, ARCHIVE_FILTER_XZ, ".xz");
	assert_int_equal(fd_read_file_in(s->fd, "whole.deb", 1 << 20, &bytes, &len, NULL),
			 0);
	bad.p = bytes;
	bad.len = len;
	/* the data member begins behind magic, two heads with content, and its own head */
	for (size_t i = 8 + 60 + 4 + 60 + 6 + 60; i < len; i++) {
		bytes[i] = (char)(bytes[i] ^ 4);
		assert_path_refused(s, save(s, "bad.deb", &bad), NULL, -KGE_FORMAT,
				    "bad.deb: data.tar.xz: ");
		bytes[i] = (char)(bytes[i] ^ 4);
	}
}

static void test_what_is_no_package_is_refused(void **state)
{
	const struct scratch *s = *state;
	struct str none = { 0 };
	struct str ar = { 0 };

	assert_path_refused(s, save(s, "empty.deb", &none), NULL, -KGE_FORMAT,
			    "not a package archive");
	str_add(&ar, "!<arsch>\ndebian-binary   ");
	assert_path_refused(s, save(s, "magic.deb", &ar), NULL, -KGE_FORMAT,
			    "not a package archive");
	str_clear(&ar);
	ar_add(&ar, "control.tar.xz", "x", 1);
	assert_path_refused(s, save(s, "first.deb", &ar), NULL, -KGE_FORMAT,
			    "not a Debian package");
	str_clear(&ar);
	ar_add(&ar, "debian-binary", "3.0\n", 4);
	assert_path_refused(s, save(s, "three.deb", &ar), NULL, -KGE_FORMAT,
			    "not a Debian package");
	str_clear(&ar);
	deb_begin(&ar);
	assert_path_refused(s, save(s, "nodata.deb", &ar), NULL, -KGE_FORMAT,
			    "no data member");
	ar_add(&ar, "data.tar.evil", "x", 1);
	assert_path_refused(s, save(s, "evil.deb", &ar), NULL, -KGE_FORMAT,
			    "data.tar.evil: unknown compression");
	str_clear(&ar);
	deb_begin(&ar);
	ar_add(&ar, "data.tar.xz", "no xz at all, just text", 23);
	assert_path_refused(s, save(s, "text.deb", &ar), NULL, -KGE_FORMAT,
			    "data.tar.xz: not xz data");
	str_fini(&ar);
}

static void test_only_regular_files_are_opened(void **state)
{
	const struct scratch *s = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo.deb", s->path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_path_refused(s, path, NULL, -KGE_FORMAT, "not a package archive");
	snprintf(path, sizeof(path), "%s/out", s->path);
	assert_path_refused(s, path, NULL, -KGE_FORMAT, "not a package archive");
	snprintf(path, sizeof(path), "%s/missing.deb", s->path);
	assert_path_refused(s, path, NULL, -ENOENT, "cannot open package");
}

static void test_one_bad_package_ends_all_and_leaves_no_part(void **state)
{
	const struct scratch *s = *state;
	struct stage_item items[6] = { 0 };
	struct kg_err err = { 0 };
	struct str tar = { 0 };
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		tar_file(&tar, "a", "x");
		if (i == 4)
			tar_file(&tar, "../evil", "x");
		snprintf(name, sizeof(name), "%zu.deb", i);
		items[i].path = save_packed(s, name, &tar, ARCHIVE_FILTER_XZ, ".xz");
	}
	assert_int_equal(
		stage_unpack_all(items, ARRAY_SIZE(items), s->stage_fd, NULL, &err),
		-KGE_HOSTILE);
	assert_contains(err.text, "4.deb: member ../evil");
	assert_int_equal(count_entries(s->stage_fd), 0);
	assert_nothing_outside(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_drop)
	const struct CMUnitTest tests[] = {
		T(test_paths_that_leave_the_stage_are_refused),
		T(test_a_listing_refuses_them_too),
		T(test_names_too_long_or_too_deep_are_refused),
		T(test_a_nul_in_a_name_ends_it),
		T(test_no_escape_sequence_reaches_the_terminal),
		T(test_members_below_a_link_stay_inside),
		T(test_links_of_an_earlier_package_do_not_lead_out),
		T(test_links_planted_in_the_stage_do_not_lead_out),
		T(test_hard_links_lead_to_members_only),
		T(test_a_hard_link_to_itself_loses_nothing),
		T(test_a_folder_is_never_replaced),
		T(test_nor_by_another_package),
		T(test_devices_and_fifos_are_refused),
		T(test_too_many_members_are_refused),
		T(test_a_bomb_is_stopped),
		T(test_a_bomb_behind_the_end_is_stopped),
		T(test_a_sparse_file_counts_in_full),
		T(test_room_is_left_on_the_file_system),
		T(test_a_truncated_package_is_refused_wherever_it_ends),
		T(test_a_flipped_bit_is_noticed),
		T(test_what_is_no_package_is_refused),
		T(test_only_regular_files_are_opened),
		T(test_one_bad_package_ends_all_and_leaves_no_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
