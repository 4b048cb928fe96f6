// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/build/internal.h"

static void assert_command(const char *make, const struct build_tools *tools,
			   const char *want)
{
	const struct kg_headers headers = { .source_dir = "/lib/modules/R/build" };
	const struct kg_recipe recipe = { .make = make };
	const struct build_request req = {
		.release = "R", .recipe = &recipe, .headers = &headers, .jobs = 3
	};
	_cleanup_arena_ struct arena arena = { 0 };

	assert_string_equal(make_command(&req, tools, "/var/lib/dkms/m/1/build", &arena),
			    want);
}

static void test_leading_make_gets_jobs_and_release(void **state)
{
	const struct build_tools gcc = { 0 };

	(void)state;
	assert_command("make all", &gcc, "make -j3 KERNELRELEASE=R all");
	assert_command("make", &gcc, "make -j3 KERNELRELEASE=R");
	assert_command("make&& make b", &gcc, "make -j3 KERNELRELEASE=R&& make b");
	assert_command("'make' all", &gcc, "'make' all");
	assert_command("makeit all", &gcc, "makeit all");
	assert_command("cd src && make", &gcc, "cd src && make");
}

static void test_default_command_builds_the_build_folder(void **state)
{
	const struct build_tools gcc = { 0 };

	(void)state;
	assert_command(
		NULL, &gcc,
		"make -j3 KERNELRELEASE=R -C /lib/modules/R/build M=/var/lib/dkms/m/1/build");
}

static void test_kernels_built_by_clang_get_llvm(void **state)
{
	const struct build_tools clang = { .is_clang = true };

	(void)state;
	assert_command("make all", &clang, "make -j3 KERNELRELEASE=R LLVM=1 all");
}

static void test_config_values_are_whole_lines(void **state)
{
	const char *config =
		"# CONFIG_A is not set\nCONFIG_AB=y\nCONFIG_T=\"gcc-12 (Debian) 12\"\n"
		"XCONFIG_B=n\nCONFIG_B=m\nCONFIG_E=\"\"";
	_cleanup_arena_ struct arena arena = { 0 };

	(void)state;
	assert_null(config_value(config, "A", &arena));
	assert_string_equal(config_value(config, "AB", &arena), "y");
	assert_string_equal(config_value(config, "T", &arena), "gcc-12 (Debian) 12");
	assert_string_equal(config_value(config, "B", &arena), "m");
	assert_string_equal(config_value(config, "E", &arena), "");
	assert_null(config_value("", "A", &arena));
	assert_null(config_value("CONFIG", "A", &arena));
}

/* A cgroup tree of files in a folder of our own. */
static char root_path[] = "/tmp/kg-cpu-XXXXXX";

static void put(int root_fd, const char *dir, const char *name, const char *text)
{
	_cleanup_close_ int dir_fd = fd_make_dir_in(root_fd, dir, 0755, NULL);

	assert_true(dir_fd >= 0);
	assert_int_equal(fd_replace_at(dir_fd, name, text, strlen(text), 0644, NULL), 0);
}

static int make_root(void **state)
{
	int fd;

	if (mkdtemp(root_path) == NULL)
		return -1;
	fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = (void *)(intptr_t)fd;
	return fd < 0;
}

static int remove_root(void **state)
{
	int fd = (int)(intptr_t)*state;

	if (fd_empty_dir(fd, NULL) < 0)
		return -1;
	close(fd);
	return rmdir(root_path);
}

static void test_quota_of_any_group_above_counts(void **state)
{
	int fd = (int)(intptr_t)*state;

	assert_int_equal(cpu_count_in(fd, 8), 8);
	put(fd, "proc/self", "cgroup", "0::/user/job\n");
	put(fd, "sys/fs/cgroup/user/job", "cpu.max", "max 100000\n");
	assert_int_equal(cpu_count_in(fd, 8), 8);
	put(fd, "sys/fs/cgroup/user", "cpu.max", "250000 100000\n");
	assert_int_equal(cpu_count_in(fd, 8), 3);
	put(fd, "sys/fs/cgroup/user/job", "cpu.max", "10000 100000\n");
	assert_int_equal(cpu_count_in(fd, 8), 1);
	assert_int_equal(cpu_count_in(fd, 0), 1);
}

static void test_quota_of_the_first_version_counts(void **state)
{
	int fd = (int)(intptr_t)*state;

	put(fd, "proc/self", "cgroup", "4:memory:/a\n3:cpu,cpuacct:/a\n2:cpuset:/b\n");
	put(fd, "sys/fs/cgroup/cpu/a", "cpu.cfs_period_us", "100000\n");
	put(fd, "sys/fs/cgroup/cpu/a", "cpu.cfs_quota_us", "-1\n");
	assert_int_equal(cpu_count_in(fd, 8), 8);
	put(fd, "sys/fs/cgroup/cpu/a", "cpu.cfs_quota_us", "150000\n");
	assert_int_equal(cpu_count_in(fd, 8), 2);
	assert_int_equal(cpu_count_in(fd, 1), 1);
	put(fd, "proc/self", "cgroup", "nonsense\n3:cpu:/../..\n:\n");
	assert_int_equal(cpu_count_in(fd, 8), 8);
}

static void test_programs_have_an_identity(void **state)
{
	_cleanup_strv_ struct strv seen = { 0 };
	_cleanup_str_ struct str a = { 0 };
	_cleanup_str_ struct str b = { 0 };
	int fd = (int)(intptr_t)*state;
	_cleanup_str_ struct str path = { 0 };

	elf_identify("/proc/self/exe", &seen, &a);
	assert_non_null(strstr(a.p, "libc.so"));
	elf_identify("/proc/self/exe", &seen, &b);
	assert_int_equal(b.len, 0); /* once is enough */
	put(fd, "bin", "script", "#!/bin/sh\n");
	str_addf(&path, "%s/bin/script", root_path);
	elf_identify(str_get(&path), &seen, &b);
	assert_non_null(strstr(b.p, " 10 ")); /* its size, and a digest */
	assert_true(b.len > path.len + 64);
	put(fd, "bin", "torn", "\177ELF\2\1\1 and no more");
	str_clear(&path);
	str_addf(&path, "%s/bin/torn", root_path);
	str_clear(&b);
	elf_identify(str_get(&path), &seen, &b);
	assert_true(b.len > 64);
	str_clear(&b);
	elf_identify("/no/such", &seen, &b);
	assert_string_equal(str_get(&b), "/no/such none\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leading_make_gets_jobs_and_release),
		cmocka_unit_test(test_default_command_builds_the_build_folder),
		cmocka_unit_test(test_kernels_built_by_clang_get_llvm),
		cmocka_unit_test(test_config_values_are_whole_lines),
		cmocka_unit_test(test_quota_of_any_group_above_counts),
		cmocka_unit_test(test_quota_of_the_first_version_counts),
		cmocka_unit_test(test_programs_have_an_identity),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
