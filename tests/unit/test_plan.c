// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/plan/plan.h"

#define HEAD \
	"kmodgate-plan: 1\n" \
	"id: apt-42-1000-0011223344556677\n" \
	"manager: apt\n" \
	"owner: {pid: 42, start: 1000}\n" \
	"root: /\n"
#define KERNEL \
	"kernels:\n" \
	"  - release: 6.1.0-56-amd64\n" \
	"    arch: x86_64\n" \
	"    flavour: amd64\n" \
	"    change: enters\n" \
	"    hint: linux-headers-6.1.0-56-amd64\n" \
	"    packages:\n" \
	"      - {name: linux-image-6.1.0-56-amd64, version: 6.1.192-2, role: image, " \
	"change: enters}\n" \
	"    headers:\n" \
	"      - {name: linux-headers-6.1.0-56-amd64, version: 6.1.192-2, change: enters}\n"
#define SOURCE \
	"sources:\n" \
	"  - path: usr/src/v4l2loopback-0.13.2/dkms.conf\n" \
	"    change: enters\n" \
	"    package: v4l2loopback-dkms\n"
#define ARCHIVE \
	"archives:\n" \
	"  - {package: linux-headers-6.1.0-56-amd64, version: 6.1.192-2, path: " \
	"/var/cache/apt/archives/h.deb, change: enters, role: headers}\n"
#define TAIL "removed: /run/kmodgate/removed-1\n"
#define WHOLE HEAD KERNEL SOURCE ARCHIVE TAIL

static void assert_refused(const char *text, const char *words)
{
	struct kg_plan plan = { 0 };
	struct kg_err err = { 0 };
	int rc = plan_read(text, strlen(text), &plan, &err);

	if (rc != -KGE_FORMAT)
		fail_msg("rc %d (%s) for:\n%s", rc, err.text, text);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
	assert_null(plan.arena.blocks);
}

/* WHOLE with the first @from replaced by @to. */
static void assert_edit_refused(const char *from, const char *to, const char *words)
{
	const char *at = strstr(WHOLE, from);
	char text[8192];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - WHOLE), WHOLE, to,
		 at + strlen(from));
	assert_refused(text, words);
}

static void read_ok(const char *text, struct kg_plan *plan)
{
	struct kg_err err = { 0 };
	int rc = plan_read(text, strlen(text), plan, &err);

	if (rc != 0)
		fail_msg("rc %d: %s", rc, err.text);
}

static void test_every_field_is_read(void **state)
{
	struct kg_plan plan;

	(void)state;
	read_ok(WHOLE, &plan);
	assert_string_equal(plan.id, "apt-42-1000-0011223344556677");
	assert_string_equal(plan.manager, "apt");
	assert_int_equal(plan.owner_pid, 42);
	assert_int_equal(plan.owner_start, 1000);
	assert_int_equal(plan.n_kernels, 1);
	assert_string_equal(plan.kernels[0].flavour, "amd64");
	assert_string_equal(plan.kernels[0].hint, "linux-headers-6.1.0-56-amd64");
	assert_int_equal(plan.kernels[0].change, KG_CHANGE_ENTERS);
	assert_int_equal(plan.kernels[0].n_packages, 1);
	assert_int_equal(plan.kernels[0].packages[0].role, KG_ROLE_IMAGE);
	assert_int_equal(plan.kernels[0].headers[0].role, KG_ROLE_HEADERS);
	assert_int_equal(plan.n_sources, 1);
	assert_null(plan.sources[0].version);
	assert_int_equal(plan.n_archives, 1);
	assert_null(plan.archives[0].release);
	assert_string_equal(plan.removed, "/run/kmodgate/removed-1");
	plan_fini(&plan);
}

static void test_written_plan_reads_back_the_same(void **state)
{
	struct kg_plan plan;
	struct kg_plan again;
	struct kg_err err = { 0 };
	struct str a = { 0 };
	struct str b = { 0 };

	(void)state;
	read_ok(WHOLE, &plan);
	plan.growth_bytes = 123456789012;
	assert_int_equal(plan_write(&plan, &a, &err), 0);
	read_ok(a.p, &again);
	assert_int_equal(plan_write(&again, &b, &err), 0);
	assert_string_equal(a.p, b.p);
	str_fini(&a);
	str_fini(&b);
	plan_fini(&plan);
	plan_fini(&again);
}

static void test_unknown_key_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused(WHOLE "extra: 1\n", "line 23: unknown key 'extra'");
	assert_edit_refused("    arch:", "    ark: x\n    arch:", "unknown key 'ark'");
	assert_edit_refused("role: image,", "rule: image,", "unknown key 'rule'");
	assert_edit_refused("start: 1000", "start: 1000, uid: 0", "unknown key 'uid'");
	assert_edit_refused("role: headers}", "role: headers, mode: 4755}", "'mode'");
}

static void test_missing_key_is_refused(void **state)
{
	(void)state;
	assert_refused(HEAD SOURCE ARCHIVE, "'kernels' is missing");
	assert_refused(HEAD KERNEL ARCHIVE, "'sources' is missing");
	assert_refused(HEAD KERNEL SOURCE, "'archives' is missing");
	assert_edit_refused("manager: apt\n", "", "'manager' is missing");
	assert_edit_refused("owner: {pid: 42, start: 1000}\n", "", "'owner' is missing");
	assert_edit_refused("pid: 42, ", "", "'pid' is missing");
	assert_edit_refused("root: /\n", "", "'root' is missing");
	assert_edit_refused("    arch: x86_64\n", "", "'arch' is missing");
	assert_edit_refused("version: 6.1.192-2, ", "", "'version' is missing");
	assert_edit_refused("    package: v4l2loopback-dkms\n", "",
			    "'package' is missing");
}

static void test_names_that_lead_elsewhere_are_refused(void **state)
{
	(void)state;
	assert_edit_refused("release: 6.1.0-56-amd64", "release: ../../etc", "release");
	assert_edit_refused("release: 6.1.0-56-amd64", "release: .hidden", "release");
	assert_edit_refused("release: 6.1.0-56-amd64", "release: \"\"", "release");
	assert_edit_refused("release: 6.1.0-56-amd64", "release: \"a b\"", "release");
	assert_edit_refused("release: 6.1.0-56-amd64", "release: \"a\\nb\"", "release");
	assert_edit_refused("id: apt-", "id: ../apt-", "id");
	assert_edit_refused("id: apt-", "id: -apt-", "id");
	assert_edit_refused("manager: apt", "manager: ../bin/sh", "manager");
	assert_edit_refused("name: linux-image", "name: ../linux-image", "name");
	assert_edit_refused("path: usr/src/v4l", "path: ../usr/src/v4l", "path");
	assert_edit_refused("path: usr/src/v4l", "path: usr/../../etc/v4l", "path");
	assert_edit_refused("path: usr/src/v4l", "path: /usr/src/v4l", "path");
	assert_edit_refused("path: /var/cache", "path: var/cache", "path");
	assert_edit_refused("path: /var/cache", "path: /var/../cache", "path");
	assert_edit_refused("removed: /run", "removed: run", "removed");
	assert_edit_refused("removed: /run", "removed: /run/../x", "removed");
	assert_edit_refused("root: /", "root: here", "root");
	assert_edit_refused("version: 6.1.192-2", "version: \"6 1\"", "version");
	assert_edit_refused("version: 6.1.192-2", "version: a/b", "version");
}

static void test_malformed_documents_are_refused(void **state)
{
	(void)state;
	assert_refused("", "empty");
	assert_refused("just text\n", "must be a map");
	assert_refused("[1, 2]\n", "must be a map");
	assert_refused(HEAD "kernels: {}\n" SOURCE ARCHIVE, "kernels must be a list");
	assert_refused(HEAD "kernels: [1]\n" SOURCE ARCHIVE, "a kernel must be a map");
	assert_refused(HEAD HEAD, "is there twice");
	assert_edit_refused("kmodgate-plan: 1", "kmodgate-plan: 2", "plan format 2");
	assert_edit_refused("kmodgate-plan: 1", "kmodgate-plan: one", "not a number");
	assert_edit_refused("pid: 42", "pid: 0", "not a process id");
	assert_edit_refused("pid: 42", "pid: 99999999999", "not a process id");
	assert_edit_refused("pid: 42", "pid: -1", "not a number");
	assert_edit_refused("change: enters", "change: explodes", "change");
	assert_edit_refused("role: image", "role: king", "role");
	assert_edit_refused("arch: x86_64", "arch: [x86_64]", "single value");
	assert_edit_refused("arch: x86_64", "arch: \"\\xff\\xfe\"", "arch");
	assert_edit_refused("arch: x86_64", "arch: \xff", "line 8");
	assert_edit_refused("arch: x86_64", "arch: &a x86_64", "anchors");
	assert_edit_refused("arch: x86_64", "arch: *a", "line 8");
}

static void test_same_release_twice_is_refused(void **state)
{
	static const char two[] = HEAD
		"kernels:\n"
		"  - {release: a, arch: b, change: stays, packages: [], headers: []}\n"
		"  - {release: a, arch: b, change: enters, packages: [], headers: []}\n"
		"sources: []\narchives: []\n";

	(void)state;
	assert_refused(two, "kernel a is there twice");
}

static void test_empty_plan_is_fine_and_gets_an_id_when_it_has_none(void **state)
{
	struct kg_plan plan;

	(void)state;
	read_ok("kmodgate-plan: 1\nmanager: hand\nowner: {pid: 7, start: 8}\nroot: /\n"
		"kernels: []\nsources: []\narchives: []\n",
		&plan);
	assert_int_equal(strncmp(plan.id, "hand-7-8-", 9), 0);
	assert_int_equal(strlen(plan.id), 9 + 16);
	plan_fini(&plan);
}

/* Two packages in either order. */
static void make_plan(struct kg_plan *plan, pid_t owner, bool turned)
{
	struct kg_package *p;

	*plan = (struct kg_plan){ .manager = "apt", .root = "/", .owner_pid = owner };
	ARENA_ADD(&plan->arena, plan->kernels, plan->n_kernels);
	assert_non_null(plan->kernels);
	plan->kernels[0] = (struct kg_plan_kernel){ .release = "r", .arch = "x86_64" };
	for (int i = 0; i < 2; i++) {
		p = ARENA_ADD(&plan->arena, plan->kernels[0].packages,
			      plan->kernels[0].n_packages);
		assert_non_null(p);
		p->name = (i == 1) != turned ? "b" : "a";
		p->version = "1";
	}
}

static void test_equal_body_has_an_equal_id_in_any_order(void **state)
{
	struct kg_plan a;
	struct kg_plan b;
	struct kg_plan other;
	struct kg_err err = { 0 };

	(void)state;
	make_plan(&a, 1, false);
	make_plan(&b, 1, true);
	make_plan(&other, 2, true);
	assert_int_equal(plan_seal(&a, &err), 0);
	assert_int_equal(plan_seal(&b, &err), 0);
	assert_int_equal(plan_seal(&other, &err), 0);
	assert_string_equal(a.id, b.id);
	assert_string_equal(b.kernels[0].packages[0].name, "a");
	assert_string_not_equal(a.id, other.id);
	assert_string_equal(strrchr(a.id, '-'), strrchr(other.id, '-'));
	plan_fini(&a);
	plan_fini(&b);
	plan_fini(&other);
}

static void test_digest_ignores_order_and_leaves_the_plan_alone(void **state)
{
	struct kg_plan a;
	struct kg_plan b;
	struct kg_err err = { 0 };
	char one[65];
	char two[65];

	(void)state;
	make_plan(&a, 1, false);
	make_plan(&b, 9, true);
	assert_int_equal(plan_digest(&a, one, &err), 0);
	assert_int_equal(plan_digest(&b, two, &err), 0);
	assert_string_equal(one, two);
	assert_string_equal(b.kernels[0].packages[0].name, "b");
	b.kernels[0].packages[0].version = "2";
	assert_int_equal(plan_digest(&b, two, &err), 0);
	assert_string_not_equal(one, two);
	plan_fini(&a);
	plan_fini(&b);
}

static void test_name_that_is_no_utf8_cannot_be_written(void **state)
{
	struct kg_plan plan;
	struct kg_err err = { 0 };
	struct str out = { 0 };

	(void)state;
	make_plan(&plan, 1, false);
	plan.removed = "/tmp/\xff";
	assert_int_equal(plan_write(&plan, &out, &err), -KGE_FORMAT);
	assert_int_equal(plan_seal(&plan, NULL), -KGE_FORMAT);
	str_fini(&out);
	plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_is_read),
		cmocka_unit_test(test_written_plan_reads_back_the_same),
		cmocka_unit_test(test_unknown_key_is_refused_with_its_line),
		cmocka_unit_test(test_missing_key_is_refused),
		cmocka_unit_test(test_names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(test_malformed_documents_are_refused),
		cmocka_unit_test(test_same_release_twice_is_refused),
		cmocka_unit_test(test_empty_plan_is_fine_and_gets_an_id_when_it_has_none),
		cmocka_unit_test(test_equal_body_has_an_equal_id_in_any_order),
		cmocka_unit_test(test_digest_ignores_order_and_leaves_the_plan_alone),
		cmocka_unit_test(test_name_that_is_no_utf8_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
