// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/apt/content.h"
#include "plugins/apt/version.h"

static void assert_content(const char *path, unsigned int bit, const char *release)
{
	struct content c = content_of(path, strlen(path));

	if (c.bit != bit)
		fail_msg("%s: bit %u, not %u", path, c.bit, bit);
	if (release == NULL) {
		assert_null(c.release);
		return;
	}
	assert_int_equal(c.release_len, strlen(release));
	assert_memory_equal(c.release, release, c.release_len);
}

static void test_kernel_is_found_by_its_image(void **state)
{
	(void)state;
	assert_content("boot/vmlinuz-6.1.0-50-amd64", CONTENT_IMAGE, "6.1.0-50-amd64");
	assert_content("/boot/vmlinuz-6.1.0-50-amd64", CONTENT_IMAGE, "6.1.0-50-amd64");
	assert_content("./boot/vmlinux-6.1.0-50-powerpc64le", CONTENT_IMAGE,
		       "6.1.0-50-powerpc64le");
	assert_content("./usr/lib/modules/7.2.3+deb14-amd64/vmlinuz", CONTENT_IMAGE,
		       "7.2.3+deb14-amd64");
	assert_content("lib/modules/7.2.3/vmlinuz", CONTENT_IMAGE, "7.2.3");
}

static void test_anything_else_below_lib_modules_is_modules(void **state)
{
	(void)state;
	assert_content("lib/modules/6.8.0-31-generic/kernel/net/x.ko.zst",
		       CONTENT_MODULES, "6.8.0-31-generic");
	assert_content("usr/lib/modules/6.1/System.map", CONTENT_MODULES, "6.1");
	assert_content("usr/lib/modules/6.1/vmlinuz/x", CONTENT_MODULES, "6.1");
}

static void test_header_trees_are_headers(void **state)
{
	(void)state;
	assert_content("/lib/modules/6.1/build", CONTENT_HEADERS, "6.1");
	assert_content("usr/lib/modules/6.1/build/Makefile", CONTENT_HEADERS, "6.1");
	assert_content("usr/lib/modules/6.1/source", CONTENT_HEADERS, "6.1");
	assert_content("usr/src/linux-headers-6.1/.config", CONTENT_HEADERS, "6.1");
}

static void test_module_source_is_a_dkms_conf_right_below_its_tree(void **state)
{
	(void)state;
	assert_content("./usr/src/zfs-2.1/dkms.conf", CONTENT_SOURCE, NULL);
	assert_content("usr/src/zfs-2.1/scripts/dkms.conf", 0, NULL);
	assert_content("usr/src/dkms.conf", 0, NULL);
	assert_content("usr/share/doc/dkms/dkms.conf", 0, NULL);
}

static void test_other_paths_say_nothing(void **state)
{
	(void)state;
	assert_content("", 0, NULL);
	assert_content("/", 0, NULL);
	assert_content(".", 0, NULL);
	assert_content("boot/grub/grub.cfg", 0, NULL);
	assert_content("boot/vmlinuz-", 0, NULL);
	assert_content("lib/modules/6.1", 0, NULL);
	assert_content("lib/modules/6.1/", 0, NULL);
	assert_content("lib/modules-load.d/x.conf", 0, NULL);
	assert_content("usr/lib/debug/boot/vmlinux-6.1", 0, NULL);
	assert_content("usr/src/linux-headers-6.1", 0, NULL);
}

static void test_release_that_is_no_name_is_ignored(void **state)
{
	(void)state;
	assert_content("lib/modules/../x/vmlinuz", 0, NULL);
	assert_content("lib/modules//vmlinuz", 0, NULL);
	assert_content("boot/vmlinuz-../../etc/passwd", 0, NULL);
	assert_content("boot/vmlinuz-a b", 0, NULL);
	assert_content("lib/modules/-rf/vmlinuz", 0, NULL);
}

static void test_rebuilt_version_is_of_the_same_source(void **state)
{
	(void)state;
	assert_true(version_same_source("6.1.176-1", "6.1.176-1"));
	assert_true(version_same_source("6.1.176-1", "6.1.176-1+b1"));
	assert_true(version_same_source("6.1.176-1+1", "6.1.176-1"));
	assert_false(version_same_source("6.1.176-1", "6.1.176-2"));
	assert_false(version_same_source("6.1.176-1", "6.1.176-1+deb12u1"));
	assert_false(version_same_source("6.1.176-1+", "6.1.176-1"));
	assert_false(version_same_source("6.1.176-1+b", "6.1.176-1"));
	assert_false(version_same_source("", "6.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_is_found_by_its_image),
		cmocka_unit_test(test_anything_else_below_lib_modules_is_modules),
		cmocka_unit_test(test_header_trees_are_headers),
		cmocka_unit_test(test_module_source_is_a_dkms_conf_right_below_its_tree),
		cmocka_unit_test(test_other_paths_say_nothing),
		cmocka_unit_test(test_release_that_is_no_name_is_ignored),
		cmocka_unit_test(test_rebuilt_version_is_of_the_same_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
