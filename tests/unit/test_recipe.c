// SPDX-License-Identifier: GPL-2.0-or-later
/* What the directives mean. All confs here are read by C; bash and files: cases/recipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/recipe/interpret.h"
#include "core/recipe/recipe.h"

#define HEAD "PACKAGE_NAME=m\nPACKAGE_VERSION=1\n"
#define ONE HEAD "DEST_MODULE_LOCATION=/updates\n"

struct fixture {
	char path[32];
	int root_fd;
	struct kg_recipe recipe;
	struct kg_err err;
	const char *release;
	const char *arch;
	const char *config;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	strcpy(f->path, "/tmp/kg-recipe-XXXXXX");
	if (mkdtemp(f->path) == NULL)
		return -1;
	f->root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->release = "6.1.0-50-amd64";
	f->arch = "x86_64";
	f->config = "CONFIG_PCI=y\n# CONFIG_USB is not set\nCONFIG_I2C=m\n";
	*state = f;
	return f->root_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	recipe_fini(&f->recipe);
	if (fd_empty_dir(f->root_fd, NULL) < 0 || rmdir(f->path) < 0)
		return -1;
	close(f->root_fd);
	free(f);
	return 0;
}

static int read_conf(struct fixture *f, const char *text)
{
	_cleanup_close_ int dir_fd =
		fd_make_dir_in(f->root_fd, "usr/src/m-1", 0755, NULL);
	const struct kg_system sys = { .root_fd = f->root_fd,
				       .dkms_tree = "var/lib/dkms",
				       .source_tree = "usr/src",
				       .install_tree = "lib/modules",
				       .state_dir = "var/lib/kmodgate" };
	const struct kg_source source = { .name = "m",
					  .version = "1",
					  .path = "usr/src/m-1" };
	const struct recipe_request req = { .sys = &sys,
					    .source = &source,
					    .source_fd = dir_fd,
					    .release = f->release,
					    .arch = f->arch,
					    .kernel_source_dir = "/ksrc",
					    .config = f->config,
					    .way = RECIPE_PLAIN_ONLY };

	assert_true(dir_fd >= 0);
	assert_int_equal(
		fd_replace_at(dir_fd, "dkms.conf", text, strlen(text), 0644, NULL), 0);
	recipe_fini(&f->recipe);
	f->err = (struct kg_err){ 0 };
	return recipe_read(&req, &f->recipe, &f->err);
}

static const struct kg_recipe *read_good(struct fixture *f, const char *text)
{
	if (read_conf(f, text) < 0)
		fail_msg("%s", f->err.text);
	return &f->recipe;
}

static void assert_refused(struct fixture *f, const char *text, const char *words)
{
	assert_int_equal(read_conf(f, text), -KGE_RECIPE);
	if (strstr(f->err.text, words) == NULL ||
	    strstr(f->err.text, "/usr/src/m-1/") == NULL)
		fail_msg("'%s' does not say '%s'", f->err.text, words);
}

static void test_a_single_module_takes_its_defaults(void **state)
{
	const struct kg_recipe *rc = read_good(*state, ONE);

	assert_int_equal(rc->n_modules, 1);
	assert_string_equal(rc->modules[0].built_name, "m");
	assert_string_equal(rc->modules[0].dest_name, "m");
	assert_string_equal(rc->modules[0].built_location, "");
	assert_string_equal(rc->modules[0].dest_location, "/updates");
	assert_true(rc->modules[0].strip);
	assert_false(rc->modules[0].is_excluded);
	assert_false(rc->autoinstall);
	assert_false(rc->is_excluded);
	assert_null(rc->make);
	assert_null(rc->pre_build);
	assert_null(rc->patches[0]);
	assert_null(rc->build_depends[0]);
	assert_null(rc->warnings[0]);
	assert_non_null(strstr(rc->identity, "DEST_MODULE_LOCATION[0] 8:/updates\n"));
}

static void test_sparse_families_make_a_module_per_index(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state,
		HEAD "BUILT_MODULE_NAME[7]=b\nDEST_MODULE_LOCATION[7]=/extra//x/./\n"
		     "BUILT_MODULE_NAME[2]=a\nDEST_MODULE_LOCATION[2]=/kernel/../misc/\n"
		     "BUILT_MODULE_LOCATION[2]=./src//a\nDEST_MODULE_NAME[7]=c\n");

	assert_int_equal(rc->n_modules, 2);
	assert_string_equal(rc->modules[0].built_name, "a");
	assert_string_equal(rc->modules[0].built_location, "src/a/");
	assert_string_equal(rc->modules[0].dest_location, "/misc");
	assert_string_equal(rc->modules[1].built_name, "b");
	assert_string_equal(rc->modules[1].dest_name, "c");
	assert_string_equal(rc->modules[1].dest_location, "/extra/x");
}

static void test_no_module_is_a_warning(void **state)
{
	const struct kg_recipe *rc = read_good(*state, HEAD);

	assert_int_equal(rc->n_modules, 0);
	assert_non_null(strstr(rc->warnings[0], "no modules"));
	assert_null(rc->warnings[1]);
}

static void test_strip_of_the_first_is_the_default_of_the_others(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state,
		HEAD "BUILT_MODULE_NAME[0]=a\nBUILT_MODULE_NAME[1]=b\n"
		     "BUILT_MODULE_NAME[2]=c\nDEST_MODULE_LOCATION[0]=/extra\n"
		     "DEST_MODULE_LOCATION[1]=/extra\nDEST_MODULE_LOCATION[2]=/extra\n"
		     "STRIP[0]=No\nSTRIP[2]=yes\n");

	assert_false(rc->modules[0].strip);
	assert_false(rc->modules[1].strip);
	assert_true(rc->modules[2].strip);
}

static void test_the_last_make_that_fits_wins(void **state)
{
	static const char conf[] =
		ONE "MAKE=plain\nMAKE[1]=six\nMAKE_MATCH[1]='^6'\n"
		    "MAKE[2]=nothing\nMAKE[3]=amd\nMAKE_MATCH[3]='amd64$'\n";
	struct fixture *f = *state;

	assert_string_equal(read_good(f, conf)->make, "amd");
	f->release = "6.1.0";
	assert_string_equal(read_good(f, conf)->make, "six");
	f->release = "5.9";
	assert_string_equal(read_good(f, conf)->make, "plain");
	assert_null(read_good(f, ONE "MAKE=six\nMAKE_MATCH='^6'\n")->make);
}

static void test_patches_of_this_release_keep_their_order(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state, ONE "PATCH[9]=c\nPATCH[1]=a\nPATCH[3]=b/b.patch\nPATCH[2]=x\n"
			    "PATCH_MATCH[2]='^5'\nPATCH_MATCH[9]='^6'\n");

	assert_string_equal(rc->patches[0], "a");
	assert_string_equal(rc->patches[1], "b/b.patch");
	assert_string_equal(rc->patches[2], "c");
	assert_null(rc->patches[3]);
}

static void assert_excluded(struct fixture *f, const char *conf, const char *why)
{
	_cleanup_str_ struct str text = { 0 };
	const struct kg_recipe *rc;

	str_addf(&text, "%s%s\n", ONE, conf);
	rc = read_good(f, text.p);
	assert_int_equal(rc->is_excluded, why != NULL);
	if (why == NULL)
		assert_null(rc->excluded_why);
	else if (strstr(rc->excluded_why, why) != rc->excluded_why)
		fail_msg("'%s' is not because of '%s'", rc->excluded_why, why);
}

static void test_exclusions_name_their_directive(void **state)
{
	struct fixture *f = *state;

	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL='^6\\.1'", NULL);
	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL='^5'", "BUILD_EXCLUSIVE_KERNEL=^5");
	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL='NOT ON RT'",
			"BUILD_EXCLUSIVE_KERNEL=");
	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MIN=6.1", NULL);
	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MIN=6.2",
			"BUILD_EXCLUSIVE_KERNEL_MIN=6.2");
	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MAX=6.2", NULL);
	assert_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MAX=6.1",
			"BUILD_EXCLUSIVE_KERNEL_MAX=6.1");
	assert_excluded(f, "BUILD_EXCLUSIVE_ARCH='x86'", NULL);
	assert_excluded(f, "BUILD_EXCLUSIVE_ARCH='^aarch64$'", "BUILD_EXCLUSIVE_ARCH=");
	assert_excluded(f, "OBSOLETE_BY=6.0", "OBSOLETE_BY=6.0");
	assert_excluded(f, "OBSOLETE_BY=6.0 BUILD_EXCLUSIVE_KERNEL_MAX=6.5", NULL);
}

static void test_exclusion_by_config_needs_a_config(void **state)
{
	struct fixture *f = *state;

	assert_excluded(f, "BUILD_EXCLUSIVE_CONFIG='CONFIG_PCI CONFIG_I2C'", NULL);
	assert_excluded(f, "BUILD_EXCLUSIVE_CONFIG='!CONFIG_USB  !CONFIG_PC'", NULL);
	assert_excluded(f, "BUILD_EXCLUSIVE_CONFIG='CONFIG_PCI CONFIG_USB'",
			"BUILD_EXCLUSIVE_CONFIG=CONFIG_USB ");
	assert_excluded(f, "BUILD_EXCLUSIVE_CONFIG='!CONFIG_I2C'",
			"BUILD_EXCLUSIVE_CONFIG=!CONFIG_I2C ");
	f->config = "";
	assert_excluded(f, "BUILD_EXCLUSIVE_CONFIG='CONFIG_USB'", NULL);
}

static void test_one_module_can_be_excluded_alone(void **state)
{
	static const char two[] =
		HEAD "BUILT_MODULE_NAME[0]=a\nDEST_MODULE_LOCATION[0]=/extra\n"
		     "BUILT_MODULE_NAME[1]=b\nDEST_MODULE_LOCATION[1]=/extra\n"
		     "BUILD_EXCLUSIVE_KERNEL_MIN[0]=5.0\n"
		     "BUILD_EXCLUSIVE_KERNEL_MIN[1]=6.2\n";
	struct fixture *f = *state;
	const struct kg_recipe *rc = read_good(f, two);

	assert_false(rc->is_excluded);
	assert_null(rc->excluded_why);
	assert_false(rc->modules[0].is_excluded);
	assert_true(rc->modules[1].is_excluded);
	f->release = "4.9";
	rc = read_good(f, two);
	assert_true(rc->is_excluded);
	assert_non_null(strstr(rc->excluded_why, "5.0"));
}

/* Of a and b only b says it. */
static void assert_b_is_excluded(struct fixture *f, const char *line)
{
	_cleanup_str_ struct str text = { 0 };
	const struct kg_recipe *rc;

	str_addf(&text,
		 HEAD "BUILT_MODULE_NAME[0]=a\nDEST_MODULE_LOCATION[0]=/extra\n"
		      "BUILT_MODULE_NAME[1]=b\nDEST_MODULE_LOCATION[1]=/extra\n%s\n",
		 line);
	rc = read_good(f, text.p);
	assert_false(rc->is_excluded);
	assert_false(rc->modules[0].is_excluded);
	if (!rc->modules[1].is_excluded)
		fail_msg("%s", line);
}

static void test_each_exclusion_can_be_one_modules(void **state)
{
	struct fixture *f = *state;

	assert_b_is_excluded(f, "BUILD_EXCLUSIVE_KERNEL[1]='^5'");
	assert_b_is_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MIN[1]=6.2");
	assert_b_is_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MAX[1]=6.0");
	assert_b_is_excluded(f, "BUILD_EXCLUSIVE_KERNEL_MAX[1]=6.0\nOBSOLETE_BY=6.5");
	assert_b_is_excluded(f, "BUILD_EXCLUSIVE_ARCH[1]='^arm'");
	assert_b_is_excluded(f, "BUILD_EXCLUSIVE_CONFIG[1]=CONFIG_USB");
}

static void test_a_plain_exclusion_counts_for_all_modules(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state, HEAD "BUILT_MODULE_NAME[0]=a\nDEST_MODULE_LOCATION[0]=/extra\n"
			     "BUILT_MODULE_NAME[1]=b\nDEST_MODULE_LOCATION[1]=/extra\n"
			     "BUILD_EXCLUSIVE_ARCH=arm\n");

	assert_true(rc->modules[0].is_excluded);
	assert_true(rc->modules[1].is_excluded);
	assert_true(rc->is_excluded);
}

static void test_releases_compare_naturally(void **state)
{
	static const char *const order[] = {
		"",	    "2.6.9",	      "3.4.999", "3.5",
		"3.5-rc2",  "3.5.0",	      "3.6.18",	 "3.10",
		"6.1.0-9",  "6.1.0-50-amd64", "6.1.1",	 "6.12.107+deb13-amd64",
		"6.12.1000"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (size_t j = 0; j < ARRAY_SIZE(order); j++) {
			int d = release_compare(order[i], order[j]);

			if ((d > 0) - (d < 0) != (i > j) - (i < j))
				fail_msg("'%s' and '%s'", order[i], order[j]);
		}
	assert_int_equal(release_compare("6.01", "6.1"), 0);
	assert_true(release_compare("6.0", "6.00.1") < 0);
}

static void test_yes_and_no_in_any_case(void **state)
{
	struct fixture *f = *state;

	assert_true(read_good(f, ONE "AUTOINSTALL=YES\n")->autoinstall);
	assert_true(read_good(f, ONE "AUTOINSTALL=yes\n")->autoinstall);
	assert_false(read_good(f, ONE "AUTOINSTALL=No\n")->autoinstall);
	assert_false(read_good(f, ONE "AUTOINSTALL=''\n")->autoinstall);
	assert_true(read_good(f, ONE "NO_WEAK_MODULES=yes\n")->no_weak_modules);
	assert_refused(f, ONE "AUTOINSTALL=y\n",
		       "AUTOINSTALL is neither yes nor no: 'y'");
	assert_refused(f, ONE "NO_WEAK_MODULES=1\n", "NO_WEAK_MODULES is neither");
}

static void test_dependencies_and_scripts_are_kept(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state, ONE "BUILD_DEPENDS[0]=spl\nBUILD_DEPENDS[3]=x-y\n"
			    "BUILD_DEPENDS_REBUILD=yes\nPRE_BUILD='a.sh  $'\n"
			    "POST_ADD=b\nPOST_REMOVE=c\nPRE_INSTALL=d\nPOST_INSTALL=e\n"
			    "POST_BUILD=\n");

	assert_string_equal(rc->build_depends[0], "spl");
	assert_string_equal(rc->build_depends[1], "x-y");
	assert_null(rc->build_depends[2]);
	assert_string_equal(rc->build_depends_rebuild[1], "x-y");
	assert_string_equal(rc->pre_build, "a.sh $");
	assert_null(rc->post_build);
	assert_string_equal(rc->post_add, "b");
	assert_string_equal(rc->post_remove, "c");
	assert_string_equal(rc->pre_install, "d");
	assert_string_equal(rc->post_install, "e");
}

static void test_deprecated_directives_are_warned_about(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state, ONE "CLEAN='make clean'\nREMAKE_INITRD=no\nUNKNOWN=1\n");

	assert_non_null(strstr(rc->warnings[0], "CLEAN is deprecated"));
	assert_non_null(strstr(rc->warnings[1], "REMAKE_INITRD is deprecated"));
	assert_null(rc->warnings[2]);
	rc = read_good(*state, ONE
		       "MODULES_CONF[0]=x\nMODULES_CONF[1]=y\nMODULES_CONF_OBSOLETES=x\n"
		       "MODULES_CONF_ALIAS_TYPE=x\nMODULES_CONF_OBSOLETE_ONLY=x\n");
	assert_non_null(strstr(rc->warnings[0], "MODULES_CONF is deprecated"));
	assert_non_null(strstr(rc->warnings[1], "MODULES_CONF_OBSOLETES is"));
	assert_non_null(strstr(rc->warnings[2], "MODULES_CONF_ALIAS_TYPE is"));
	assert_non_null(strstr(rc->warnings[3], "MODULES_CONF_OBSOLETE_ONLY is"));
	assert_null(rc->warnings[4]);
	assert_null(read_good(*state, ONE "CLEAN=true\n")->warnings[0]);
}

static void test_rules_of_the_format_are_enforced(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "", "no PACKAGE_NAME");
	assert_refused(f, "PACKAGE_NAME=m\n", "no PACKAGE_VERSION");
	assert_refused(f, HEAD "BUILT_MODULE_NAME=m\n",
		       "no DEST_MODULE_LOCATION for module #0");
	assert_refused(f, ONE "DEST_MODULE_LOCATION[1]=/extra\n", "no BUILT_MODULE_NAME");
	assert_refused(f, ONE "BUILT_MODULE_NAME=m.ko\n", "must be without .ko");
	assert_refused(f, ONE "BUILT_MODULE_NAME=m.o\n", "must be without .ko");
	assert_refused(f, ONE "DEST_MODULE_NAME=m.ko\n", "must be without .ko");
	assert_refused(f, ONE "DEST_MODULE_NAME=m.o\n",
		       "DEST_MODULE_NAME[0] must be without");
	assert_refused(f, ONE "BUILT_MODULE_NAME=a/b\n", "not a module name: 'a/b'");
	assert_refused(f, HEAD "DEST_MODULE_LOCATION=/lib\n", "must begin with /kernel");
	assert_refused(f, HEAD "DEST_MODULE_LOCATION=/kernel/../..\n", "leads out");
	assert_refused(f, ONE "BUILT_MODULE_LOCATION=a/../b\n", "below the build folder");
	/* dkms has an exit code of its own for this one */
	assert_int_equal(read_conf(f, ONE "PATCH=../x\n"), -KGE_PATCH);
	assert_refused(f, ONE "BUILD_DEPENDS='a b'\n", "BUILD_DEPENDS");
	assert_refused(f, ONE "BUILD_EXCLUSIVE_KERNEL='('\n", "not a regular expression");
	assert_refused(f,
		       HEAD
		       "BUILT_MODULE_NAME[0]=a BUILT_MODULE_NAME[1]=a\n"
		       "DEST_MODULE_LOCATION[0]=/extra DEST_MODULE_LOCATION[1]=/extra\n",
		       "BUILT_MODULE_NAME: 'a' twice");
	assert_refused(
		f,
		HEAD
		"BUILT_MODULE_NAME[0]=a BUILT_MODULE_NAME[1]=b DEST_MODULE_NAME[1]=a\n"
		"DEST_MODULE_LOCATION[0]=/extra DEST_MODULE_LOCATION[1]=/extra\n",
		"DEST_MODULE_NAME: 'a' twice");
}

static void test_one_name_in_two_places_is_no_duplicate(void **state)
{
	const struct kg_recipe *rc = read_good(
		*state, HEAD
		"BUILT_MODULE_NAME[0]=a BUILT_MODULE_NAME[1]=a BUILT_MODULE_LOCATION[1]=x\n"
		"DEST_MODULE_NAME[1]=b DEST_MODULE_LOCATION[0]=/extra\n"
		"DEST_MODULE_LOCATION[1]=/extra\n");

	assert_int_equal(rc->n_modules, 2);
	assert_string_equal(rc->modules[1].built_location, "x/");
}

static void test_identity_follows_every_input(void **state)
{
	struct fixture *f = *state;
	char first[1024];

	snprintf(first, sizeof(first), "%s", read_good(f, ONE)->identity);
	assert_string_equal(read_good(f, ONE)->identity, first);
	assert_string_not_equal(read_good(f, ONE "#\n")->identity, first);
	assert_string_not_equal(read_good(f, ONE "MAKE=x\n")->identity, first);
	f->release = "6.1.0-51-amd64";
	assert_string_not_equal(read_good(f, ONE)->identity, first);
	f->release = "6.1.0-50-amd64";
	f->arch = "aarch64";
	assert_string_not_equal(read_good(f, ONE)->identity, first);
	f->arch = "x86_64";
	assert_string_equal(read_good(f, ONE)->identity, first);
}

static void test_reading_twice_without_bash_says_so(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_conf(f, ONE "MAKE=$(x)\n"), -EAGAIN);
	assert_non_null(strstr(f->err.text, "needs bash"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_single_module_takes_its_defaults),
		TEST(sparse_families_make_a_module_per_index),
		TEST(no_module_is_a_warning),
		TEST(strip_of_the_first_is_the_default_of_the_others),
		TEST(the_last_make_that_fits_wins),
		TEST(patches_of_this_release_keep_their_order),
		TEST(exclusions_name_their_directive),
		TEST(exclusion_by_config_needs_a_config),
		TEST(one_module_can_be_excluded_alone),
		TEST(each_exclusion_can_be_one_modules),
		TEST(a_plain_exclusion_counts_for_all_modules),
		TEST(releases_compare_naturally),
		TEST(yes_and_no_in_any_case),
		TEST(dependencies_and_scripts_are_kept),
		TEST(deprecated_directives_are_warned_about),
		TEST(rules_of_the_format_are_enforced),
		TEST(one_name_in_two_places_is_no_duplicate),
		TEST(identity_follows_every_input),
		TEST(reading_twice_without_bash_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
