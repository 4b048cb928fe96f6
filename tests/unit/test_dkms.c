// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line's own files are no part of libcore.a: they are compiled in here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cli/dkms_action.c"
#include "core/cli/dkms_archive.c"
#include "core/cli/dkms_args.c"
#include "core/cli/dkms_kernel.c"
#include "core/cli/dkms_source.c"
#include "core/cli/status.c"

/* Parses the words behind "dkms"; the result is the caller's to free. */
#define PARSE(args, err, ...) \
	({ \
		char *argv__[] = { (char[]){ "dkms" }, __VA_ARGS__ }; \
		dkms_args_parse((int)ARRAY_SIZE(argv__), argv__, (args), (err)); \
	})
#define W(text) ((char[]){ text })

static void old_and_new_forms_are_the_same(void **state)
{
	struct dkms_args a;
	struct dkms_args b;
	struct dkms_args c;

	(void)state;
	assert_int_equal(PARSE(&a, NULL, W("build"), W("-m"), W("zfs"), W("-v"), W("2.1"),
			       W("-k"), W("6.1"), W("-a"), W("x86_64")),
			 0);
	assert_int_equal(
		PARSE(&b, NULL, W("zfs/2.1"), W("build"), W("-k"), W("6.1/x86_64")), 0);
	assert_int_equal(PARSE(&c, NULL, W("build"), W("--module=zfs/2.1"),
			       W("--kernelver=6.1"), W("--arch=x86_64")),
			 0);
	assert_string_equal(a.action, "build");
	assert_string_equal(b.action, "build");
	for (int i = 0; i < 3; i++) {
		struct dkms_args *args = i == 0 ? &a : i == 1 ? &b : &c;

		assert_string_equal(args->module, "zfs");
		assert_string_equal(args->version, "2.1");
		assert_int_equal(args->releases.n, 1);
		assert_string_equal(args->releases.v[0], "6.1");
		assert_string_equal(args->arches.v[0], "x86_64");
		dkms_args_fini(args);
	}
}

static void kernels_repeat_and_share_one_architecture(void **state)
{
	struct dkms_args args;

	(void)state;
	assert_int_equal(PARSE(&args, NULL, W("remove"), W("m/1"), W("-k"), W("1"),
			       W("-k"), W("2"), W("-a"), W("i686"), W("--directive"),
			       W("A=b=c"), W("--directive=D=e")),
			 0);
	assert_int_equal(args.releases.n, 2);
	assert_int_equal(args.arches.n, 1);
	assert_int_equal(args.directives.n, 2);
	assert_string_equal(args.directives.v[0], "A=b=c");
	assert_string_equal(args.directives.v[1], "D=e");
	dkms_args_fini(&args);
}

static void every_option_is_known(void **state)
{
	struct dkms_args args;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		char *name = strdup(options[i].name);
		char *argv[] = { W("dkms"), name, W("1"), NULL };

		/* One value may stay over as a module's name. */
		assert_int_equal(dkms_args_parse(options[i].kind == OPTION_FLAG ? 2 : 3,
						 argv, &args, NULL),
				 0);
		dkms_args_fini(&args);
		free(name);
	}
}

static void refuse_with(int exit_code, struct dkms_args *args, int r)
{
	assert_true(r < 0);
	assert_int_equal(args->exit, exit_code);
	dkms_args_fini(args);
}

static void bad_words_have_dkms_exit_codes(void **state)
{
	struct dkms_args args;

	(void)state;
	refuse_with(2, &args, PARSE(&args, NULL, W("status"), W("--no-such-thing")));
	refuse_with(2, &args, PARSE(&args, NULL, W("status"), W("--all=yes")));
	refuse_with(2, &args, PARSE(&args, NULL, W("status"), W("-m=x")));
	refuse_with(4, &args, PARSE(&args, NULL, W("add"), W("build")));
	refuse_with(8, &args,
		    PARSE(&args, NULL, W("mktarball"), W("--binaries-only"),
			  W("--source-only")));
	refuse_with(1, &args,
		    PARSE(&args, NULL, W("build"), W("-k"), W("1"), W("-a"), W("x"),
			  W("-a"), W("y")));
	refuse_with(
		2, &args,
		PARSE(&args, NULL, W("remove"), W("m/1"), W("--all"), W("-k"), W("1")));
	refuse_with(
		3, &args,
		PARSE(&args, NULL, W("remove"), W("m/1"), W("--all"), W("-a"), W("x")));
	refuse_with(16, &args, PARSE(&args, NULL, W("build"), W("m/1"), W("-k")));
	refuse_with(16, &args,
		    PARSE(&args, NULL, W("build"), W("m/1"), W("-k"), W("6.1/")));
	refuse_with(9, &args, PARSE(&args, NULL, W("add"), W("/nonexistent/tree")));
}

static void trailing_slash_is_no_version(void **state)
{
	struct dkms_args args;

	(void)state;
	assert_int_equal(PARSE(&args, NULL, W("status"), W("zfs/")), 0);
	assert_string_equal(args.module, "zfs");
	assert_null(args.version);
	dkms_args_fini(&args);
}

static void paths_are_told_from_modules(void **state)
{
	char dir[] = "/tmp/kg-dkms-XXXXXX";
	char conf[64];
	struct dkms_args args;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/dkms.conf", dir);
	fd = open(conf, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(PARSE(&args, NULL, W("add"), dir), 0);
	assert_string_equal(args.source_dir, dir);
	assert_null(args.module);
	dkms_args_fini(&args);
	assert_int_equal(PARSE(&args, NULL, W("add"), conf), 0);
	assert_string_equal(args.source_dir + strlen(dir), "/.");
	dkms_args_fini(&args);
	assert_int_equal(PARSE(&args, NULL, W("add"), W("/proc/version")), 0);
	assert_string_equal(args.archive, "/proc/version");
	dkms_args_fini(&args);
	unlink(conf);
	rmdir(dir);
}

static void jobs_are_a_number(void **state)
{
	struct dkms_args args;

	(void)state;
	assert_int_equal(PARSE(&args, NULL, W("build"), W("m/1")), 0);
	assert_int_equal(args.n_jobs, 0);
	dkms_args_fini(&args);
	assert_int_equal(PARSE(&args, NULL, W("build"), W("m/1"), W("-j"), W("4")), 0);
	assert_int_equal(args.n_jobs, 4);
	dkms_args_fini(&args);
	assert_int_equal(PARSE(&args, NULL, W("build"), W("m/1"), W("-j"), W("0")), 0);
	assert_true(args.n_jobs > 100);
	dkms_args_fini(&args);
	refuse_with(1, &args,
		    PARSE(&args, NULL, W("build"), W("m/1"), W("-j"), W("many")));
}

static void a_lost_archive_is_ldtarballs_business(void **state)
{
	struct dkms_args args;

	(void)state;
	assert_int_equal(PARSE(&args, NULL, W("/no/such.tar.gz"), W("ldtarball")), 0);
	assert_string_equal(args.lost_path, "/no/such.tar.gz");
	dkms_args_fini(&args);
	refuse_with(9, &args, PARSE(&args, NULL, W("/no/such.tar.gz"), W("install")));
}

static void check_exit(const char *action, int code, int expected)
{
	const struct kg_err err = { .code = -code, .status = code == KGE_PATCH };

	assert_int_equal(dkms_action_exit(dkms_action_find(action), &err, -code),
			 expected);
}

static void results_become_dkms_exit_codes(void **state)
{
	(void)state;
	check_exit("add", 0, 0);
	check_exit("add", ENOENT, 2);
	check_exit("add", KGE_EXISTS, 3);
	check_exit("add", EACCES, 1);
	check_exit("add", KGE_RECIPE, 8);
	check_exit("build", KGE_NOT_ADDED, 3);
	check_exit("build", KGE_BROKEN, 4);
	check_exit("build", KGE_HOSTILE, 5);
	check_exit("build", KGE_PATCH, 6);
	check_exit("build", KGE_CHECK, 7);
	check_exit("build", KGE_BUILD, 10);
	check_exit("build", ENOSPC, 10);
	check_exit("build", KGE_DEPENDS, 13);
	check_exit("build", KGE_NO_HEADERS, 21);
	check_exit("build", KGE_EXCLUDED, 77);
	check_exit("install", KGE_DEPMOD, 6);
	check_exit("install", KGE_PLACE, 6);
	check_exit("install", KGE_SCRIPT, 101);
	check_exit("install", KGE_BUILD, 10);
	check_exit("install", EPERM, 1);
	check_exit("install", ENOSPC, 6);
	check_exit("remove", KGE_NOT_ADDED, 3);
	check_exit("remove", KGE_BROKEN, 4);
	check_exit("autoinstall", KGE_BUILD, 11);
	check_exit("autoinstall", EBUSY, 1);
	check_exit("mktarball", ENOENT, 6);
	check_exit("mktarball", EACCES, 9);
	check_exit("ldtarball", ENOENT, 2);
	check_exit("ldtarball", KGE_NOT_ADDED, 3);
	check_exit("ldtarball", KGE_HOSTILE, 3);
	check_exit("ldtarball", KGE_CHECK, 7);
	check_exit("ldtarball", KGE_EXISTS, 8);
	check_exit("kernel_prerm", KGE_BUILD, 14);
	check_exit("kernel_postinst", KGE_BUILD, 11);
}

static void all_actions_are_known(void **state)
{
	static const char *const names[] = {
		"add",
		"build",
		"install",
		"uninstall",
		"unbuild",
		"remove",
		"status",
		"match",
		"mktarball",
		"ldtarball",
		"autoinstall",
		"generate_mok",
		"kernel_preinst",
		"kernel_postinst",
		"kernel_prerm",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_non_null(dkms_action_find(names[i]));
	assert_null(dkms_action_find("frobnicate"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_and_new_forms_are_the_same),
		cmocka_unit_test(kernels_repeat_and_share_one_architecture),
		cmocka_unit_test(every_option_is_known),
		cmocka_unit_test(bad_words_have_dkms_exit_codes),
		cmocka_unit_test(trailing_slash_is_no_version),
		cmocka_unit_test(paths_are_told_from_modules),
		cmocka_unit_test(jobs_are_a_number),
		cmocka_unit_test(a_lost_archive_is_ldtarballs_business),
		cmocka_unit_test(results_become_dkms_exit_codes),
		cmocka_unit_test(all_actions_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
