// SPDX-License-Identifier: GPL-2.0-or-later
/* Archives that people hand to dkms: what is refused, what is found, what comes back. */
#include "tests/unit/test_stage_deb.h"

#include <sys/mman.h>
#include <unistd.h>

#include "core/tarball/tarball.h"

static int memory_file(const char *data, size_t len)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int unpack(const struct scratch *s, struct str *tar, struct kg_err *err)
{
	_cleanup_close_ int fd = -1;
	int r;

	for (int i = 0; i < 1024; i++)
		str_addc(tar, '\0');
	fd = memory_file(tar->p, tar->len);
	str_fini(tar);
	r = tarball_unpack(fd, "a.tar", s->stage_fd, err);
	return r;
}

static void assert_refused(const struct scratch *s, struct str *tar, int code,
			   const char *text)
{
	_cleanup_close_ int out_fd = fd_open_dir_in(s->fd, "out", NULL);
	struct kg_err err = { 0 };

	assert_int_equal(unpack(s, tar, &err), code);
	if (strstr(err.text, text) == NULL || strstr(err.text, "a.tar") == NULL)
		fail_msg("'%s' does not name '%s'", err.text, text);
	assert_int_equal(count_entries(out_fd), 0);
	assert_int_equal(faccessat(s->fd, "evil", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fd_empty_dir(s->stage_fd, NULL), 0);
}

static void names_and_links_that_leave_are_refused(void **state)
{
	static const char *const names[] = { "../evil", "m/../../evil", "/evil", ".." };
	static const char *const targets[] = { "../out", "/out", "x/../../out",
					       "../../../../etc" };
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct str tar = { 0 };

		tar_file(&tar, names[i], "x");
		assert_refused(s, &tar, -KGE_HOSTILE, names[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct str tar = { 0 };

		tar_link(&tar, "link", targets[i]);
		assert_refused(s, &tar, -KGE_HOSTILE, "link");
	}
}

static void a_chain_of_links_is_followed(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_dir(&tar, "a/b/c");
	tar_link(&tar, "a/t", ".");
	tar_link(&tar, "a/b/c/s", "../../t");
	tar_link(&tar, "m", "a/b/c/s/../..");
	assert_refused(s, &tar, -KGE_HOSTILE, "m");
}

static void a_member_behind_a_link_stays_inside(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_link(&tar, "d", "../out");
	tar_file(&tar, "d/evil", "x");
	assert_refused(s, &tar, -KGE_HOSTILE, "d");
}

static void setuid_and_devices_are_refused(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_add(&tar, '0', "su", "", 04755);
	assert_refused(s, &tar, -KGE_HOSTILE, "su");
	tar_add(&tar, '0', "sg", "", 02755);
	assert_refused(s, &tar, -KGE_HOSTILE, "sg");
	tar_add(&tar, '3', "dev", "", 0644);
	assert_refused(s, &tar, -KGE_HOSTILE, "dev");
	tar_add(&tar, '6', "fifo", "", 0644);
	assert_refused(s, &tar, -KGE_HOSTILE, "fifo");
}

static void what_is_no_archive_is_said(void **state)
{
	const struct scratch *s = *state;
	_cleanup_close_ int fd = memory_file("hello world, no archive", 23);
	struct kg_err err = { 0 };

	assert_int_equal(tarball_unpack(fd, "text", s->stage_fd, &err), -KGE_FORMAT);
	assert_non_null(strstr(err.text, "text"));
}

static void the_least_deep_folder_is_found(void **state)
{
	const struct scratch *s = *state;
	_cleanup_str_ struct str path = { 0 };
	struct str tar = { 0 };

	tar_file(&tar, "a/b/c/dkms.conf", "x");
	tar_file(&tar, "z/dkms.conf/no", "x");
	tar_file(&tar, "y/m/dkms.conf", "x");
	tar_file(&tar, "y/n/dkms.conf", "x");
	assert_int_equal(unpack(s, &tar, NULL), 0);
	assert_int_equal(tarball_find_folder(s->stage_fd, "dkms.conf", &path), 0);
	assert_string_equal(str_get(&path), "./y/m");
	assert_int_equal(tarball_find_folder(s->stage_fd, "nothing", &path), -ENOENT);
	assert_int_equal(fd_empty_dir(s->stage_fd, NULL), 0);
}

/* A hole of 3 GiB and not a byte of data, as GNU tar has sparse files. */
static void tar_hole(struct str *tar, const char *name)
{
	size_t at = tar->len;
	unsigned int sum = 0;

	tar_add_raw(tar, 'S', name, strlen(name), "", 0644, "", 0);
	memcpy(tar->p + at + 386, "00000000000", 12);
	memcpy(tar->p + at + 398, "00000000000", 12);
	memcpy(tar->p + at + 483, "30000000000", 12);
	memset(tar->p + at + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)tar->p[at + i];
	snprintf(tar->p + at + 148, 8, "%06o", sum);
}

static void holes_count_as_content(void **state)
{
	const struct scratch *s = *state;
	struct str tar = { 0 };

	tar_hole(&tar, "one");
	assert_int_equal(unpack(s, &tar, NULL), 0);
	tar_hole(&tar, "one");
	tar_hole(&tar, "two");
	assert_refused(s, &tar, -KGE_LIMIT, "two");
}

/* Written, read back: contents, modes and links are the same, in every compression. */
static void what_is_written_can_be_read(void **state)
{
	static const char *const names[] = { "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.zst",
					     "a.tar.bz2" };
	const struct scratch *s = *state;
	_cleanup_close_ int from_fd = fd_make_dir_in(s->fd, "from/sub", 0755, NULL);

	assert_int_equal(fd_replace_at(from_fd, "script", "#!", 2, 0755, NULL), 0);
	assert_int_equal(symlinkat("script", from_fd, "link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_close_ int fd = memory_file("", 0);
		_cleanup_free_ char *target = NULL;
		_cleanup_free_ char *text = NULL;
		struct tarball *t = NULL;
		struct stat st;

		assert_int_equal(tarball_create(fd, names[i], &t, NULL), 0);
		assert_int_equal(tarball_add_folder(t, "", NULL), 0);
		assert_int_equal(tarball_add_tree(t, "dir", from_fd, NULL), 0);
		assert_int_equal(tarball_add_text(t, "NAME", "m\n", NULL), 0);
		assert_int_equal(tarball_finish(t, NULL), 0);
		tarball_free(t);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(tarball_unpack(fd, names[i], s->stage_fd, NULL), 0);
		assert_int_equal(fd_lstat_in(s->stage_fd, "dir/script", &st), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
		assert_int_equal(
			fd_read_file_in(s->stage_fd, "NAME", 10, &text, NULL, NULL), 0);
		assert_string_equal(text, "m\n");
		assert_int_equal(fd_read_link_at(s->stage_fd, "dir/link", &target), 0);
		assert_string_equal(target, "script");
		assert_int_equal(fd_empty_dir(s->stage_fd, NULL), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_and_links_that_leave_are_refused),
		TEST(a_chain_of_links_is_followed),
		TEST(a_member_behind_a_link_stays_inside),
		TEST(setuid_and_devices_are_refused),
		TEST(what_is_no_archive_is_said),
		TEST(the_least_deep_folder_is_found),
		TEST(holes_count_as_content),
		TEST(what_is_written_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
