// SPDX-License-Identifier: GPL-2.0-or-later
/* What pacman's plugin reads: paths, a command line, pacman-conf's words, its own holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/pacman/cmdline.h"
#include "plugins/pacman/config.h"
#include "plugins/pacman/content.h"
#include "plugins/pacman/hold.h"

static void assert_content(const char *path, unsigned int bit, const char *release)
{
	char found[CONTENT_RELEASE_SIZE];

	assert_int_equal(content_of(path, found), bit);
	assert_string_equal(found, release);
}

static void test_paths_say_what_they_are(void **state)
{
	(void)state;
	assert_content("usr/lib/modules/6.6.1-arch1-1/vmlinuz", CONTENT_IMAGE,
		       "6.6.1-arch1-1");
	assert_content("usr/lib/modules/6.6.1-1-lts/pkgbase", CONTENT_IMAGE,
		       "6.6.1-1-lts");
	assert_content("usr/lib/modules/6.6.1-arch1-1/build/include/", CONTENT_HEADERS,
		       "6.6.1-arch1-1");
	assert_content("usr/lib/modules/6.6.1-arch1-1/kernel/fs/x.ko.zst",
		       CONTENT_MODULES, "6.6.1-arch1-1");
	assert_content("usr/src/zfs-2.2.2/dkms.conf", CONTENT_SOURCE, "");
	assert_int_equal(content_source_length("usr/src/zfs-2.2.2/dkms.conf"), 17);
}

static void test_other_paths_are_nothing(void **state)
{
	static const char *const paths[] = {
		"",
		"usr/lib/modules/",
		"usr/lib/modules/6.6.1-arch1-1/",
		"usr/lib/modules/.kmodgate/x",
		"usr/lib/modules-load.d/x",
		"usr/src/zfs-2.2.2/",
		"usr/src/zfs-2.2.2/sub/dkms.conf",
		"usr/src/dkms.conf",
		"boot/vmlinuz-linux",
	};
	char release[CONTENT_RELEASE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_int_equal(content_of(paths[i], release), 0);
}

static void parse(const char *const words[], struct cmdline *ret)
{
	_cleanup_strv_ struct strv args = { 0 };

	for (size_t i = 0; words[i] != NULL; i++)
		strv_add(&args, words[i]);
	assert_int_equal(cmdline_parse(&args, ret), 0);
}

static void test_a_command_line_is_read_as_getopt_would(void **state)
{
	static const char *const words[] = { "/usr/bin/pacman",
					     "-Ub",
					     "/db",
					     "--cachedir=/a",
					     "./x.pkg.tar.zst",
					     "--cachedir",
					     "/b",
					     "--config",
					     "/c",
					     "--ignore",
					     "linux",
					     "-r/root",
					     "--noconfirm",
					     "--",
					     "-y.pkg.tar.zst",
					     NULL };
	struct cmdline c;

	(void)state;
	parse(words, &c);
	assert_true(c.is_pacman);
	assert_int_equal(c.operation, 'U');
	assert_false(c.is_sysupgrade);
	assert_int_equal(c.targets.n, 2);
	assert_string_equal(c.targets.v[0], "./x.pkg.tar.zst");
	assert_string_equal(c.targets.v[1], "-y.pkg.tar.zst");
	assert_int_equal(c.caches.n, 2);
	assert_string_equal(c.caches.v[1], "/b");
	assert_string_equal(c.dbpath, "/db");
	assert_string_equal(c.config, "/c");
	assert_string_equal(c.root, "/root");
	cmdline_fini(&c);
}

static void test_an_upgrade_of_all_is_known(void **state)
{
	static const char *const brief[] = { "pacman", "-Syu", "linux", NULL };
	static const char *const whole[] = { "pacman", "--sync", "--sysupgrade", NULL };
	static const char *const other[] = { "pamac-daemon", "-S", "x", NULL };
	struct cmdline c;

	(void)state;
	parse(brief, &c);
	assert_int_equal(c.operation, 'S');
	assert_true(c.is_sysupgrade);
	assert_string_equal(c.targets.v[0], "linux");
	cmdline_fini(&c);
	parse(whole, &c);
	assert_int_equal(c.operation, 'S');
	assert_true(c.is_sysupgrade);
	cmdline_fini(&c);
	parse(other, &c);
	assert_false(c.is_pacman);
	assert_int_equal(c.operation, '\0');
	assert_int_equal(c.targets.n, 0);
	cmdline_fini(&c);
}

/* A last option whose value is missing is pacman's to complain about. */
static void test_a_missing_value_is_survived(void **state)
{
	static const char *const words[] = { "pacman", "-S", "--cachedir", NULL };
	static const char *const none[] = { NULL };
	struct cmdline c;

	(void)state;
	parse(words, &c);
	assert_int_equal(c.caches.n, 0);
	cmdline_fini(&c);
	parse(none, &c);
	assert_false(c.is_pacman);
	cmdline_fini(&c);
}

static void test_pacman_conf_is_read(void **state)
{
	static const char text[] =
		"[options]\nRootDir = /\nDBPath = /var/lib/pacman/\n"
		"CacheDir = /one/\nCacheDir = /two/\nNoExtract = usr/x/*\n"
		"CheckSpace\n[core]\nServer = https://a/CacheDir = x\n"
		"[extra]\nUsage = All\n";
	struct config c;

	(void)state;
	assert_int_equal(config_parse(text, &c), 0);
	assert_string_equal(c.root, "/");
	assert_string_equal(c.dbpath, "/var/lib/pacman/");
	assert_int_equal(c.caches.n, 2);
	assert_string_equal(c.caches.v[1], "/two/");
	assert_int_equal(c.repos.n, 2);
	assert_string_equal(c.repos.v[1], "extra");
	assert_int_equal(c.no_extract.n, 1);
	config_fini(&c);
	assert_true(config_parse("[options]\nRootDir = /\n", &c) < 0);
}

static void test_holds_come_back_as_they_were_written(void **state)
{
	_cleanup_str_ struct str text = { 0 };
	struct hold_list list = { 0 };
	struct hold_list again;
	struct hold *hold = hold_take(&list, "6.6.1-arch1-1");

	(void)state;
	assert_non_null(hold);
	strv_add(&hold->packages, "linux");
	strv_add(&hold->packages, "linux-headers");
	list.reason = strdup("abc");
	assert_int_equal(hold_print(&list, &text), 0);
	assert_non_null(
		strstr(text.p, "\nIgnorePkg = linux\nIgnorePkg = linux-headers\n"));
	assert_int_equal(hold_parse(text.p, &again), 0);
	assert_string_equal(again.reason, "abc");
	assert_int_equal(again.n, 1);
	assert_string_equal(again.v[0].release, "6.6.1-arch1-1");
	assert_int_equal(again.v[0].packages.n, 2);
	hold_drop(&again, "another");
	assert_int_equal(again.n, 1);
	hold_drop(&again, "6.6.1-arch1-1");
	assert_int_equal(again.n, 0);
	hold_fini(&again);
	hold_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_say_what_they_are),
		cmocka_unit_test(test_other_paths_are_nothing),
		cmocka_unit_test(test_a_command_line_is_read_as_getopt_would),
		cmocka_unit_test(test_an_upgrade_of_all_is_known),
		cmocka_unit_test(test_a_missing_value_is_survived),
		cmocka_unit_test(test_pacman_conf_is_read),
		cmocka_unit_test(test_holds_come_back_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
