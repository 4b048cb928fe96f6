// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/recipe/policy.h"

struct fixture {
	char path[32];
	struct kg_system sys;
	struct kg_policy policy;
	struct kg_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	strcpy(f->path, "/tmp/kg-policy-XXXXXX");
	if (mkdtemp(f->path) == NULL)
		return -1;
	f->sys.root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->sys.root_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	policy_fini(&f->policy);
	if (fd_empty_dir(f->sys.root_fd, NULL) < 0 || rmdir(f->path) < 0)
		return -1;
	close(f->sys.root_fd);
	free(f);
	return 0;
}

static void write_file(struct fixture *f, const char *dir, const char *name,
		       const char *text)
{
	_cleanup_close_ int fd = fd_make_dir_in(f->sys.root_fd, dir, 0755, NULL);

	assert_true(fd >= 0);
	assert_int_equal(fd_replace_at(fd, name, text, strlen(text), 0644, NULL), 0);
}

static void write_main(struct fixture *f, const char *text)
{
	write_file(f, "etc/kmodgate", "kmodgate.yaml", text);
}

static void write_drop_in(struct fixture *f, const char *name, const char *text)
{
	write_file(f, "etc/kmodgate/kmodgate.d", name, text);
}

static const struct kg_policy *read_good(struct fixture *f)
{
	policy_fini(&f->policy);
	f->err = (struct kg_err){ 0 };
	if (policy_read(&f->sys, &f->policy, &f->err) < 0)
		fail_msg("%s", f->err.text);
	return &f->policy;
}

static void assert_refused(struct fixture *f, const char *words)
{
	policy_fini(&f->policy);
	f->err = (struct kg_err){ 0 };
	assert_int_equal(policy_read(&f->sys, &f->policy, &f->err), -KGE_FORMAT);
	if (strstr(f->err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", f->err.text, words);
}

static void assert_text_refused(struct fixture *f, const char *text, const char *words)
{
	write_main(f, text);
	assert_refused(f, words);
}

static void assert_defaults(const struct kg_policy *policy)
{
	assert_int_equal(policy->required, KG_REQUIRE_WHEN_WORKING);
	assert_int_equal(policy->on_failure, KG_ON_FAILURE_HOLD);
	assert_int_equal(policy->headers_missing, KG_MISSING_FETCH);
	assert_int_equal(policy->build_timeout_s, 3600);
	assert_int_equal(policy->jobs, 0);
	assert_int_equal(policy->store_mb, 1024);
	assert_int_equal(policy->n_rules, 0);
}

static void test_no_file_means_the_defaults(void **state)
{
	assert_defaults(read_good(*state));
}

static void test_a_file_of_comments_means_the_defaults(void **state)
{
	write_main(*state, "# nothing\n\n   # here\n\t\n#");
	assert_defaults(read_good(*state));
	write_main(*state, "");
	assert_defaults(read_good(*state));
}

static void test_every_key_is_read(void **state)
{
	const struct kg_policy *policy;

	write_main(*state,
		   "required: always\non_failure: stop\nheaders_missing: warn\n"
		   "build_timeout: 60\njobs: 3\nstore_size: 0\n"
		   "modules:\n  - {module: zfs, release: '6.1*', required: never}\n");
	policy = read_good(*state);
	assert_int_equal(policy->required, KG_REQUIRE_ALWAYS);
	assert_int_equal(policy->on_failure, KG_ON_FAILURE_STOP);
	assert_int_equal(policy->headers_missing, KG_MISSING_WARN);
	assert_int_equal(policy->build_timeout_s, 60);
	assert_int_equal(policy->jobs, 3);
	assert_int_equal(policy->store_mb, 0);
	assert_int_equal(policy->n_rules, 1);
	assert_string_equal(policy->rules[0].module, "zfs");
	assert_string_equal(policy->rules[0].release, "6.1*");
}

static void test_the_last_rule_that_fits_wins(void **state)
{
	const struct kg_policy *policy;

	write_main(
		*state,
		"modules:\n- {module: 'nvidia*', required: always}\n"
		"- {release: '*-rt-amd64', required: never}\n"
		"- {module: nvidia-open, release: 6.12.0-rt-amd64, required: when-working}\n");
	policy = read_good(*state);
	assert_int_equal(kg_policy_require(policy, "zfs", "6.1"),
			 KG_REQUIRE_WHEN_WORKING);
	assert_int_equal(kg_policy_require(policy, "nvidia", "6.1"), KG_REQUIRE_ALWAYS);
	assert_int_equal(kg_policy_require(policy, "nvidia", "6.1-rt-amd64"),
			 KG_REQUIRE_NEVER);
	assert_int_equal(kg_policy_require(policy, "nvidia-open", "6.12.0-rt-amd64"),
			 KG_REQUIRE_WHEN_WORKING);
}

static void test_drop_ins_come_later_in_name_order(void **state)
{
	const struct kg_policy *policy;

	write_main(
		*state,
		"required: never\njobs: 1\nmodules:\n- {module: a, required: never}\n");
	write_drop_in(*state, "20-b.yaml", "modules:\n- {module: a, required: always}\n");
	write_drop_in(*state, "10-a.yaml",
		      "required: always\nmodules:\n- {module: a, required: never}\n");
	write_drop_in(*state, "30.yaml.dpkg-old", "required: wrong\n");
	write_drop_in(*state, ".hidden.yaml", "required: wrong\n");
	policy = read_good(*state);
	assert_int_equal(policy->required, KG_REQUIRE_ALWAYS);
	assert_int_equal(policy->jobs, 1);
	assert_int_equal(kg_policy_require(policy, "a", "1"), KG_REQUIRE_ALWAYS);
}

static void test_errors_name_file_and_line(void **state)
{
	struct fixture *f = *state;

	assert_text_refused(f, "#\nrequire: always\n",
			    "/etc/kmodgate/kmodgate.yaml: line 2: unknown key");
	assert_text_refused(
		f, "required: maybe\n",
		"line 1: required is 'maybe', not one of when-working, always, never");
	assert_text_refused(f, "\non_failure: wait\n",
			    "line 2: on_failure is 'wait', not one of hold, stop");
	assert_text_refused(f, "headers_missing: ''\n", "not one of fetch, fail, warn");
	assert_text_refused(f, "build_timeout: 0\n", "not a number from 1 to");
	assert_text_refused(f, "build_timeout: 99999999\n",
			    "build_timeout is '99999999'");
	assert_text_refused(f, "jobs: -1\n", "jobs is '-1', not a number from 0 to");
	assert_text_refused(f, "jobs: [1]\n", "line 1: 'jobs'");
	assert_text_refused(f, "modules: zfs\n", "line 1: modules must be a list");
	assert_text_refused(f, "modules:\n- zfs\n", "line 2: modules must be a map");
	assert_text_refused(f, "modules:\n- {module: a}\n",
			    "line 2: a rule without 'required'");
	assert_text_refused(f, "modules:\n- {module: a, required: x}\n",
			    "line 2: required is 'x'");
	assert_text_refused(f, "modules:\n- {module: a, needed: always}\n",
			    "unknown key 'needed'");
	assert_text_refused(f, "- a\n", "line 1: the policy must be a map");
	assert_text_refused(f, "required: [\n", "line 2: ");
	write_main(f, "");
	write_drop_in(f, "a.yaml", "\n\nx: 1\n");
	assert_refused(f, "/etc/kmodgate/kmodgate.d/a.yaml: line 3: unknown key 'x'");
}

static void test_what_is_no_file_is_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd =
		fd_make_dir_in(f->sys.root_fd, "etc/kmodgate", 0755, NULL);

	assert_int_equal(mkfifoat(fd, "kmodgate.yaml", 0644), 0);
	assert_refused(f, "/etc/kmodgate/kmodgate.yaml: not a file");
}

static void test_the_installed_file_is_the_defaults(void **state)
{
	_cleanup_close_ int fd = open("hooks/kmodgate.yaml", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fd < 0)
		skip();
	assert_int_equal(fd_read_all(fd, 65536, &text, &len), 0);
	write_main(*state, text);
	assert_defaults(read_good(*state));
	/* and what it shows is right */
	for (char *p = text; *p != '\0'; p = strchr(p, '\n') + 1)
		if (p[0] == '#' && p[1] != '\n' &&
		    (p[1] != ' ' || strncmp(p, "#  - ", 5) == 0))
			memmove(p, p + 1, strlen(p));
	write_main(*state, text);
	assert_int_equal(kg_policy_require(read_good(*state), "zfs", "6.1"),
			 KG_REQUIRE_ALWAYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_file_means_the_defaults),
		TEST(a_file_of_comments_means_the_defaults),
		TEST(every_key_is_read),
		TEST(the_last_rule_that_fits_wins),
		TEST(drop_ins_come_later_in_name_order),
		TEST(errors_name_file_and_line),
		TEST(what_is_no_file_is_refused),
		TEST(the_installed_file_is_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
