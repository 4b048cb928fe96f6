// SPDX-License-Identifier: GPL-2.0-or-later
/* What good packages become. Bad ones: test_stage_hostile.c */
#include "tests/unit/test_stage_deb.h"

static void unpack(const struct scratch *s, const char *path)
{
	struct kg_err err = { 0 };

	if (stage_unpack(path, s->stage_fd, NULL, NULL, &err) != 0)
		fail_msg("%s", err.text);
}

static void test_every_compression_is_read(void **state)
{
	static const struct {
		int filter;
		const char *suffix;
	} ways[] = { { ARCHIVE_FILTER_NONE, "" },      { ARCHIVE_FILTER_GZIP, ".gz" },
		     { ARCHIVE_FILTER_XZ, ".xz" },     { ARCHIVE_FILTER_ZSTD, ".zst" },
		     { ARCHIVE_FILTER_BZIP2, ".bz2" }, { ARCHIVE_FILTER_LZMA, ".lzma" } };
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct str tar = { 0 };
		char text[32];

		snprintf(text, sizeof(text), "by %s", ways[i].suffix);
		tar_dir(&tar, "./");
		tar_dir(&tar, "./usr/");
		tar_file(&tar, "./usr/a", text);
		unpack(s, save_packed(s, "a.deb", &tar, ways[i].filter, ways[i].suffix));
		assert_file(s, "usr/a", text);
		assert_int_equal(count_entries(s->stage_fd), 1);
	}
}

static void test_modes_and_times_are_kept_but_not_special_bits(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };
	struct stat st;

	tar_add(&tar, '5', "d", "", 01777);
	tar_add(&tar, '5', "d/private", "", 0700);
	tar_add(&tar, '0', "d/suid", "", 06755);
	tar_add(&tar, '0', "d/open", "", 0666);
	unpack(s, save_deb(s, "a.deb", &tar));
	assert_int_equal(fd_lstat_in(s->stage_fd, "d/suid", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_mtime, MTIME);
	assert_int_equal(fd_lstat_in(s->stage_fd, "d/open", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(fd_lstat_in(s->stage_fd, "d", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0777);
	assert_int_equal(st.st_mtime, MTIME);
	assert_int_equal(fd_lstat_in(s->stage_fd, "d/private", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_lib_lands_in_usr_lib(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };
	struct stat st;

	assert_int_equal(stage_prepare(s->stage_fd, NULL), 0);
	tar_dir(&tar, "./lib/");
	tar_dir(&tar, "./lib/modules/");
	tar_file(&tar, "./lib/modules/x", "old place");
	tar_dir(&tar, "./usr/");
	tar_dir(&tar, "./usr/lib/");
	tar_file(&tar, "./usr/lib/y", "new place");
	tar_file(&tar, "./sbin/z", "no folder of its own");
	unpack(s, save_deb(s, "a.deb", &tar));
	assert_file(s, "usr/lib/modules/x", "old place");
	assert_file(s, "usr/lib/y", "new place");
	assert_file(s, "usr/sbin/z", "no folder of its own");
	assert_int_equal(fd_lstat_in(s->stage_fd, "lib", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	/* an empty folder here would open up the machine's in the view */
	assert_absent(s, "usr/bin");
}

static void test_links_of_all_kinds(void **state)
{
	const struct scratch *s = *state;
	_cleanup_close_ int dir_fd = -1;
	_cleanup_free_ char *target = NULL;
	struct str tar = { 0 };
	struct stat a;
	struct stat b;

	tar_dir(&tar, "d");
	tar_file(&tar, "d/a", "text");
	tar_add(&tar, '1', "d/hard", "./d/a", 0644);
	tar_link(&tar, "d/soft", "/usr/src/elsewhere");
	unpack(s, save_deb(s, "a.deb", &tar));
	assert_int_equal(fd_lstat_in(s->stage_fd, "d/a", &a), 0);
	assert_int_equal(fd_lstat_in(s->stage_fd, "d/hard", &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	dir_fd = fd_open_dir_in(s->stage_fd, "d", NULL);
	assert_int_equal(fd_read_link_at(dir_fd, "soft", &target), 0);
	assert_string_equal(target, "/usr/src/elsewhere");
}

static void test_long_names_and_odd_characters(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };
	char name[300];

	memset(name, 'n', sizeof(name));
	memcpy(name, "deep/", 5);
	name[5 + 250] = '\0';
	tar_long_name(&tar, name, strlen(name));
	tar_file(&tar, "ignored", "long");
	tar_file(&tar, "a b\tc", "spaces");
	tar_file(&tar, "\xc3\xa4", "utf-8");
	tar_file(&tar, "\xe4", "latin-1");
	unpack(s, save_deb(s, "a.deb", &tar));
	assert_file(s, name, "long");
	assert_file(s, "a b\tc", "spaces");
	assert_file(s, "\xc3\xa4", "utf-8");
	assert_file(s, "\xe4", "latin-1");
}

/* pacman's packages and tar --format=pax: names in extended headers, in UTF-8. */
static void test_pax_names_are_taken_as_they_are(void **state)
{
	static const char record[] = "17 path=p/\xc3\xa4.txt\n";
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_add_raw(&tar, 'x', "head", 4, "", 0644, record, strlen(record));
	tar_file(&tar, "short", "pax");
	unpack(s, save_deb(s, "a.deb", &tar));
	assert_file(s, "p/\xc3\xa4.txt", "pax");
}

static void test_a_later_member_replaces_an_earlier_one(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_file(&tar, "a", "first");
	tar_file(&tar, "a", "second");
	tar_link(&tar, "l", "a");
	tar_file(&tar, "l", "was a link");
	tar_file(&tar, "f", "was a file");
	tar_link(&tar, "f", "a");
	unpack(s, save_deb(s, "a.deb", &tar));
	assert_file(s, "a", "second");
	assert_file(s, "l", "was a link");
	assert_file(s, "f", "second");
}

/* The second is tiny and would be done long before the first. */
static void test_a_later_package_replaces_whichever_is_ready_first(void **state)
{
	const struct scratch *s = *state;
	struct stage_item items[3] = { 0 };
	struct kg_err err = { 0 };
	struct str tar = { 0 };
	char name[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		tar_file(&tar, name, "content");
	}
	tar_file(&tar, "same", "first");
	items[0].path = save_packed(s, "1.deb", &tar, ARCHIVE_FILTER_XZ, ".xz");
	tar_file(&tar, "same", "second");
	tar_file(&tar, "many/7", "second");
	items[1].path = save_deb(s, "2.deb", &tar);
	tar_file(&tar, "same", "third");
	tar_link(&tar, "many/8", "7");
	items[2].path = save_deb(s, "3.deb", &tar);
	assert_int_equal(stage_unpack_all(items, 3, s->stage_fd, NULL, &err), 0);
	assert_file(s, "same", "third");
	assert_file(s, "many/7", "second");
	assert_file(s, "many/8", "second");
	assert_file(s, "many/9", "content");
	assert_int_equal(count_entries(s->stage_fd), 2);
}

static void test_a_folder_over_a_link_to_a_folder_keeps_the_link(void **state)
{
	const struct scratch *s = *state;
	struct stage_item items[2] = { 0 };
	struct str tar = { 0 };
	struct stat st;

	tar_dir(&tar, "usr/src/kbuild");
	tar_link(&tar, "usr/share", "/usr/src");
	items[0].path = save_deb(s, "1.deb", &tar);
	tar_dir(&tar, "usr/share");
	tar_dir(&tar, "usr/share/kbuild");
	tar_file(&tar, "usr/share/kbuild/file", "through it");
	items[1].path = save_deb(s, "2.deb", &tar);
	assert_int_equal(stage_unpack_all(items, 2, s->stage_fd, NULL, NULL), 0);
	assert_int_equal(fd_lstat_in(s->stage_fd, "usr/share", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_file(s, "usr/src/kbuild/file", "through it");
}

static bool want_boot(const char *path, void *data)
{
	(void)data;
	return str_starts(path, "boot/config-") || str_starts(path, "boot/System.map-");
}

static bool is_past_boot(const char *path, void *data)
{
	++*(unsigned int *)data;
	return str_starts(path, "lib");
}

static void test_a_filter_takes_what_it_wants_and_stops_early(void **state)
{
	const struct scratch *s = *state;
	unsigned int n_seen = 0;
	const struct stage_filter filter = { want_boot, is_past_boot, &n_seen };
	struct str tar = { 0 };
	struct kg_err err = { 0 };

	tar_dir(&tar, "./");
	tar_dir(&tar, "./boot/");
	tar_file(&tar, "./boot/System.map-1", "map");
	tar_file(&tar, "./boot/config-1", "config");
	tar_file(&tar, "./boot/vmlinuz-1", "kernel");
	tar_dir(&tar, "./lib/");
	tar_file(&tar, "../never/looked/at", "");
	assert_int_equal(stage_unpack(save_deb(s, "a.deb", &tar), s->stage_fd, NULL,
				      &filter, &err),
			 0);
	assert_int_equal(n_seen, 6);
	assert_file(s, "boot/config-1", "config");
	assert_file(s, "boot/System.map-1", "map");
	assert_absent(s, "boot/vmlinuz-1");
	assert_absent(s, "lib");
}

static void test_a_list_has_every_name(void **state)
{
	const struct scratch *s = *state;
	_cleanup_strv_ struct strv paths = { 0 };
	struct str tar = { 0 };
	struct kg_err err = { 0 };

	tar_dir(&tar, "./");
	tar_dir(&tar, "./usr/");
	tar_file(&tar, "./usr//src/./x", "");
	tar_link(&tar, "./lib", "usr/lib");
	assert_int_equal(stage_list(save_deb(s, "a.deb", &tar), NULL, &paths, &err), 0);
	assert_int_equal(paths.n, 3);
	assert_string_equal(paths.v[0], "usr");
	assert_string_equal(paths.v[1], "usr/src/x");
	assert_string_equal(paths.v[2], "lib");
}

static void test_a_package_without_files_is_fine(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	unpack(s, save_deb(s, "a.deb", &tar));
	tar_dir(&tar, "./");
	unpack(s, save_packed(s, "a.deb", &tar, ARCHIVE_FILTER_XZ, ".xz"));
	assert_int_equal(count_entries(s->stage_fd), 0);
}

static void test_nothing_to_unpack_is_fine(void **state)
{
	const struct scratch *s = *state;

	assert_int_equal(stage_unpack_all(NULL, 0, s->stage_fd, NULL, NULL), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_drop)
	const struct CMUnitTest tests[] = {
		T(test_every_compression_is_read),
		T(test_modes_and_times_are_kept_but_not_special_bits),
		T(test_lib_lands_in_usr_lib),
		T(test_links_of_all_kinds),
		T(test_long_names_and_odd_characters),
		T(test_pax_names_are_taken_as_they_are),
		T(test_a_later_member_replaces_an_earlier_one),
		T(test_a_later_package_replaces_whichever_is_ready_first),
		T(test_a_folder_over_a_link_to_a_folder_keeps_the_link),
		T(test_a_filter_takes_what_it_wants_and_stops_early),
		T(test_a_list_has_every_name),
		T(test_a_package_without_files_is_fine),
		T(test_nothing_to_unpack_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
