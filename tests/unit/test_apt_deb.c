// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/fd.h"
#include "plugins/apt/deb.h"

static char dir[64];
static char path[128];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/kg-deb-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/x.deb", dir);
	return 0;
}

static int drop_dir(void **state)
{
	(void)state;
	fd_remove_tree_at(AT_FDCWD, dir, NULL);
	return 0;
}

static void add_padding(struct str *s, size_t unit)
{
	while (s->len % unit != 0)
		str_addc(s, '\0');
}

static void put_octal(char *field, int digits, size_t value)
{
	for (int i = digits - 1; i >= 0; i--, value >>= 3)
		field[i] = (char)('0' + (value & 7));
	field[digits] = '\0';
}

/* Over the header at @h, whose checksum field counts as spaces. */
static void put_checksum(char *h)
{
	size_t sum = 0;

	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	put_octal(h + 148, 6, sum);
}

static void add_tar(struct str *tar, const char *name, char type, const char *content)
{
	char h[512] = { 0 };

	memcpy(h, name, strnlen(name, 100));
	memcpy(h + 100, "0000644", 8);
	put_octal(h + 124, 11, strlen(content));
	h[156] = type;
	memcpy(h + 257, "ustar", 6);
	put_checksum(h);
	str_addn(tar, h, sizeof(h));
	str_add(tar, content);
	add_padding(tar, 512);
}

static void end_tar(struct str *tar)
{
	char zero[1024] = { 0 };

	str_addn(tar, zero, sizeof(zero));
}

static void add_ar(struct str *ar, const char *name, const struct str *content)
{
	if (ar->len == 0)
		str_add(ar, "!<arch>\n");
	str_addf(ar, "%-16s%-12s%-6s%-6s%-8s%-10zu`\n", name, "0", "0", "0", "100644",
		 content->len);
	str_addn(ar, content->p, content->len);
	if (ar->len % 2 != 0)
		str_addc(ar, '\n');
}

static void write_deb(const struct str *ar, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(fd_write_all(fd, ar->p, len), 0);
	close(fd);
}

#define SUM "0123456789abcdef0123456789abcdef  "

static void make_control(struct str *tar, const char *md5sums, const char *postinst)
{
	add_tar(tar, "./", '5', "");
	add_tar(tar, "./control", '0',
		"Package: x\nVersion: 1\nDepends: a,\n b (>= 2) | c\nArchitecture: all\n");
	add_tar(tar, "./md5sums", '0', md5sums);
	if (postinst != NULL)
		add_tar(tar, "./postinst", '0', postinst);
	end_tar(tar);
}

static void make_deb(struct str *ar, const struct str *control, const struct str *data)
{
	struct str version = { 0 };

	str_add(&version, "2.0\n");
	add_ar(ar, "debian-binary", &version);
	add_ar(ar, "control.tar", control);
	add_ar(ar, "data.tar", data);
	str_fini(&version);
}

static void note_name(const char *name, size_t len, void *data)
{
	struct str *names = data;

	str_addn(names, name, len);
	str_addc(names, ' ');
}

static int list_names(enum deb_names which, struct str *names)
{
	_cleanup_deb_ struct deb deb = DEB_INIT;
	int r = deb_open(path, &deb, NULL);

	return r < 0 ? r : deb_each_name(&deb, path, which, note_name, names, NULL);
}

static void test_control_and_names_are_read(void **state)
{
	_cleanup_str_ struct str control = { 0 };
	_cleanup_str_ struct str data = { 0 };
	_cleanup_str_ struct str ar = { 0 };
	_cleanup_str_ struct str names = { 0 };
	_cleanup_deb_ struct deb deb = DEB_INIT;
	_cleanup_free_ char *depends = NULL;

	(void)state;
	make_control(&control, SUM "usr/a\n" SUM "usr/b c\n", "#!/bin/sh\ndkms add\n");
	add_tar(&data, "./usr/", '5', "");
	add_tar(&data, "./usr/a", '0', "content");
	add_tar(&data, "./usr/link", '2', "");
	end_tar(&data);
	make_deb(&ar, &control, &data);
	write_deb(&ar, ar.len);
	assert_int_equal(deb_open(path, &deb, NULL), 0);
	assert_true(deb.talks_of_modules);
	depends = deb_field(deb.control.p, "depends");
	assert_string_equal(depends, "a, b (>= 2) | c");
	assert_null(deb_field(deb.control.p, "Dep"));
	assert_int_equal(deb_each_name(&deb, path, DEB_NAMES, note_name, &names, NULL),
			 0);
	assert_string_equal(names.p, "usr/a usr/b c ");
	str_clear(&names);
	assert_int_equal(
		deb_each_name(&deb, path, DEB_EVERY_NAME, note_name, &names, NULL), 0);
	assert_string_equal(names.p, "./usr/a ./usr/link ");
}

static void test_data_is_listed_when_md5sums_is_empty(void **state)
{
	_cleanup_str_ struct str control = { 0 };
	_cleanup_str_ struct str data = { 0 };
	_cleanup_str_ struct str ar = { 0 };
	_cleanup_str_ struct str names = { 0 };

	(void)state;
	make_control(&control, "", NULL);
	add_tar(&data, "././@LongLink", 'L', "./boot/vmlinuz-of-a-name-told-beforehand");
	add_tar(&data, "./boot/vmlinuz-of-a-n", '0', "k");
	add_tar(&data, "pax", 'x', "29 path=./boot/vmlinuz-pax-1\n");
	add_tar(&data, "short", '0', "k");
	end_tar(&data);
	make_deb(&ar, &control, &data);
	write_deb(&ar, ar.len);
	assert_int_equal(list_names(DEB_NAMES, &names), 0);
	assert_string_equal(names.p, "./boot/vmlinuz-of-a-name-told-beforehand "
				     "./boot/vmlinuz-pax-1 ");
}

static void test_cut_off_anywhere_is_an_error_or_less(void **state)
{
	_cleanup_str_ struct str control = { 0 };
	_cleanup_str_ struct str data = { 0 };
	_cleanup_str_ struct str ar = { 0 };

	(void)state;
	make_control(&control, "", NULL);
	add_tar(&data, "./usr/a", '0', "content");
	make_deb(&ar, &control, &data); /* no end blocks: every byte counts */
	for (size_t len = 0; len < ar.len; len += 97) {
		_cleanup_str_ struct str names = { 0 };

		write_deb(&ar, len);
		assert_true(list_names(DEB_NAMES, &names) < 0);
	}
}

static void test_damaged_bytes_do_not_crash(void **state)
{
	_cleanup_str_ struct str control = { 0 };
	_cleanup_str_ struct str data = { 0 };
	_cleanup_str_ struct str ar = { 0 };

	(void)state;
	make_control(&control, "", NULL);
	add_tar(&data, "pax", 'x', "99999999999999999999 path=x\n5 pa\n");
	add_tar(&data, "./usr/a", '0', "content");
	end_tar(&data);
	make_deb(&ar, &control, &data);
	for (size_t at = 0; at < ar.len; at += 13) {
		_cleanup_str_ struct str names = { 0 };
		char old = ar.p[at];

		ar.p[at] = (char)(old ^ 0xff);
		write_deb(&ar, ar.len);
		(void)!list_names(DEB_NAMES, &names);
		ar.p[at] = old;
	}
}

static void test_not_a_package_is_refused_by_name(void **state)
{
	_cleanup_str_ struct str text = { 0 };
	_cleanup_deb_ struct deb deb = DEB_INIT;
	struct kg_err err = { 0 };

	(void)state;
	str_add(&text, "just some text, longer than a magic\n");
	write_deb(&text, text.len);
	assert_true(deb_open(path, &deb, &err) < 0);
	assert_non_null(strstr(err.text, path));
	assert_true(deb_open("/nonexistent.deb", &deb, NULL) < 0);
	assert_true(deb_open("/dev/null", &deb, NULL) < 0);
	assert_true(deb_open("/tmp", &deb, NULL) < 0);
}

static void test_unknown_compression_is_refused(void **state)
{
	_cleanup_str_ struct str text = { 0 };
	_cleanup_str_ struct str ar = { 0 };
	_cleanup_deb_ struct deb deb = DEB_INIT;

	(void)state;
	str_add(&text, "BZh9");
	add_ar(&ar, "debian-binary", &text);
	add_ar(&ar, "control.tar.bz2", &text);
	write_deb(&ar, ar.len);
	assert_int_equal(deb_open(path, &deb, NULL), -EPROTONOSUPPORT);
}

/* 1 GiB of zeros in 1 MiB, as a script of the package. */
static void test_bomb_in_the_control_member_is_refused(void **state)
{
	_cleanup_str_ struct str tar = { 0 };
	_cleanup_str_ struct str ar = { 0 };
	_cleanup_str_ struct str packed = { 0 };
	_cleanup_deb_ struct deb deb = DEB_INIT;
	static unsigned char zero[1 << 16];
	unsigned char out[1 << 16];
	z_stream z = { 0 };

	(void)state;
	add_tar(&tar, "./postinst", '0', "x");
	put_octal(tar.p + 124, 11, 1u << 30);
	put_checksum(tar.p);
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, 0), Z_OK);
	for (int i = 0; i <= 1 << 11; i++) {
		z.next_in = i == 0 ? (unsigned char *)tar.p : zero;
		z.avail_in = i == 0 ? 512 : sizeof(zero);
		do {
			z.next_out = out;
			z.avail_out = sizeof(out);
			deflate(&z, i == 1 << 11 ? Z_FINISH : Z_NO_FLUSH);
			str_addn(&packed, (char *)out, sizeof(out) - z.avail_out);
		} while (z.avail_out == 0);
	}
	deflateEnd(&z);
	add_ar(&ar, "control.tar.gz", &packed);
	write_deb(&ar, ar.len);
	assert_int_equal(deb_open(path, &deb, NULL), -KGE_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_control_and_names_are_read),
		TEST(test_data_is_listed_when_md5sums_is_empty),
		TEST(test_cut_off_anywhere_is_an_error_or_less),
		TEST(test_damaged_bytes_do_not_crash),
		TEST(test_not_a_package_is_refused_by_name),
		TEST(test_unknown_compression_is_refused),
		TEST(test_bomb_in_the_control_member_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
