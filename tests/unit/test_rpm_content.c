// SPDX-License-Identifier: GPL-2.0-or-later
/* What paths in rpm packages say, in the layouts of Fedora and SUSE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "plugins/rpm/content.h"

static void assert_content(const char *dir, const char *base, unsigned int bit,
			   const char *release)
{
	char found[CONTENT_RELEASE_SIZE];

	assert_int_equal(content_of(dir, base, found), bit);
	if (bit != 0)
		assert_string_equal(found, release);
}

static void test_fedora(void **state)
{
	static const char r[] = "6.5.6-300.fc39.x86_64";

	(void)state;
	assert_content("/lib/modules/6.5.6-300.fc39.x86_64/", "vmlinuz", CONTENT_IMAGE,
		       r);
	assert_content("/usr/lib/modules/6.5.6-300.fc39.x86_64/", "vmlinuz",
		       CONTENT_IMAGE, r);
	assert_content("/lib/modules/6.5.6-300.fc39.x86_64/", "build", CONTENT_HEADERS,
		       r);
	assert_content("/lib/modules/6.5.6-300.fc39.x86_64/kernel/fs/", "ext4.ko.xz",
		       CONTENT_MODULES, r);
	assert_content("/usr/src/kernels/6.5.6-300.fc39.x86_64/", "Makefile",
		       CONTENT_HEADERS, r);
}

static void test_suse(void **state)
{
	(void)state;
	assert_content("/boot/", "vmlinuz-6.4.0-150600.23-default", CONTENT_IMAGE,
		       "6.4.0-150600.23-default");
	assert_content("/usr/src/linux-6.4.0-150600.23-obj/x86_64/default/", "Makefile",
		       CONTENT_HEADERS, "6.4.0-150600.23-default");
	assert_content("/usr/src/linux-6.4.0-150600.23/", "Makefile", 0, "");
	assert_content("/usr/src/linux-6.4.0-150600.23-obj/", "x86_64", 0, "");
}

static void test_sources(void **state)
{
	(void)state;
	assert_content("/usr/src/zfs-2.2.2/", "dkms.conf", CONTENT_SOURCE, "");
	assert_content("/usr/src/zfs-2.2.2/module/", "dkms.conf", 0, "");
	assert_content("/usr/src/", "dkms.conf", 0, "");
}

static void test_trees_without_a_name(void **state)
{
	char dir[400];

	(void)state;
	assert_content("/usr/src/linux-/", "x", 0, "");
	assert_content("/usr/src/linux-/x/", "Makefile", 0, "");
	assert_content("/usr/src/linux-", "x", 0, "");
	snprintf(dir, sizeof(dir), "/usr/src/linux-%0300d/x86_64/default/", 1);
	assert_content(dir, "Makefile", 0, "");
	snprintf(dir, sizeof(dir), "/lib/modules/%0300d/", 1);
	assert_content(dir, "vmlinuz", 0, "");
}

static void test_nothing(void **state)
{
	(void)state;
	assert_content("/boot/", "grub2", 0, "");
	assert_content("/boot/", "vmlinuz-..", 0, "");
	assert_content("/lib/modules/", "x", 0, "");
	assert_content("/lib/modules/../", "vmlinuz", 0, "");
	assert_content("/usr/bin/", "vmlinuz", 0, "");
	assert_true(content_is_elsewhere("/usr/bin/"));
	assert_true(content_is_elsewhere("/usr/share/doc/kernel/"));
	assert_false(content_is_elsewhere("/boot/"));
	assert_false(content_is_elsewhere("/usr/src/x/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fedora),
		cmocka_unit_test(test_suse),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_trees_without_a_name),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
