// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/registry/framework.h"
#include "tests/unit/test_registry.h"

#define CONF "etc/dkms/framework.conf"

static struct kg_framework read_text(struct fixture *f, const char *text)
{
	struct kg_framework fw;

	make_file(f, CONF, text);
	if (framework_read(f->sys.root_fd, &fw, &f->err) < 0)
		fail_msg("%s", f->err.text);
	return fw;
}

static void absent_files_leave_everything_unset(void **state)
{
	struct fixture *f = *state;
	struct kg_framework fw;

	assert_int_equal(framework_read(f->sys.root_fd, &fw, &f->err), 0);
	assert_null(fw.dkms_tree);
	assert_null(fw.post_transaction);
	framework_fini(&fw);
}

static void values_are_read_in_all_quotings(void **state)
{
	struct kg_framework fw = read_text(
		*state,
		"# comment\n\ndkms_tree=/srv/dkms\nsource_tree=\"/srv/src\" # why\n"
		"  install_tree='/srv/lib';\r\n"
		"compress_xz_opts=\"--check=crc32 --lzma2=dict=1MiB -6\"\n"
		"mok_signing_key=\"/k/$kernelver/a \\\"b\\\".key\"\n"
		"mok_certificate='$kernelver.pub'\nexport sign_file=/x/\"sign\"-file\n");

	assert_string_equal(fw.dkms_tree, "/srv/dkms");
	assert_string_equal(fw.source_tree, "/srv/src");
	assert_string_equal(fw.install_tree, "/srv/lib");
	assert_string_equal(fw.compress_xz_opts, "--check=crc32 --lzma2=dict=1MiB -6");
	assert_string_equal(fw.mok_signing_key, "/k/$kernelver/a \"b\".key");
	assert_string_equal(fw.mok_certificate, "$kernelver.pub");
	assert_string_equal(fw.sign_file, "/x/sign-file");
	framework_fini(&fw);
}

static void empty_means_unset(void **state)
{
	struct kg_framework fw =
		read_text(*state, "autoinstall_all_kernels=\"yes\"\n"
				  "autoinstall_all_kernels=\"\"\nverbose=\n");

	assert_null(fw.autoinstall_all_kernels);
	assert_null(fw.verbose);
	framework_fini(&fw);
}

static unsigned int jobs_of(struct fixture *f, const char *text)
{
	struct kg_framework fw = read_text(f, text);
	unsigned int jobs = framework_jobs(&fw);

	framework_fini(&fw);
	return jobs;
}

static void parallel_jobs_are_a_number_or_nothing(void **state)
{
	assert_int_equal(jobs_of(*state, "parallel_jobs=3\n"), 3);
	assert_int_equal(jobs_of(*state, "parallel_jobs=0\n"), FRAMEWORK_NO_LIMIT);
	assert_int_equal(jobs_of(*state, "parallel_jobs=99999999\n"), FRAMEWORK_NO_LIMIT);
	assert_int_equal(jobs_of(*state, "parallel_jobs=many\n"), 0);
	assert_int_equal(jobs_of(*state, "\n"), 0);
}

static void odd_lines_are_skipped_and_the_rest_is_read(void **state)
{
	struct kg_framework fw = read_text(
		*state,
		"if true; then\nnonsense\nunknown_key=1\ntmp_location=$(mktemp -d)\n"
		"verbose=\"open\nparallel_jobs=`nproc`\nsign_file=a; rm x\n"
		"try_sign_modules=false\n");

	assert_null(fw.tmp_location);
	assert_null(fw.verbose);
	assert_null(fw.parallel_jobs);
	assert_null(fw.sign_file);
	assert_string_equal(fw.try_sign_modules, "false");
	framework_fini(&fw);
}

static void later_files_win_in_name_order(void **state)
{
	struct fixture *f = *state;
	struct kg_framework fw;

	make_file(f, CONF ".d/20-b.conf", "verbose=twenty\n");
	make_file(f, CONF ".d/10-a.conf", "verbose=ten\nsign_file=/ten\n");
	make_file(f, CONF ".d/30-c.conf.dpkg-old", "verbose=thirty\n");
	make_file(f, CONF ".d/.hidden.conf", "verbose=hidden\n");
	fw = read_text(f, "verbose=first\nsign_file=/first\ndkms_tree=/t\n");
	assert_string_equal(fw.verbose, "twenty");
	assert_string_equal(fw.sign_file, "/ten");
	assert_string_equal(fw.dkms_tree, "/t");
	framework_fini(&fw);
}

static void file_that_is_none_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct kg_framework fw;

	make_dir(f, CONF);
	assert_true(framework_read(f->sys.root_fd, &fw, &f->err) < 0);
	assert_non_null(strstr(f->err.text, CONF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(absent_files_leave_everything_unset),
		TEST(values_are_read_in_all_quotings),
		TEST(empty_means_unset),
		TEST(parallel_jobs_are_a_number_or_nothing),
		TEST(odd_lines_are_skipped_and_the_rest_is_read),
		TEST(later_files_win_in_name_order),
		TEST(file_that_is_none_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
