// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/apt/stream.h"

static int parse(const char *text, struct stream *s, struct kg_err *err)
{
	return stream_parse(strdup(text), strlen(text), s, err);
}

#define CONFIG \
	"VERSION 3\nDir=/\nDir::State::status=/var/lib/dpkg/status\nRootDir=\n" \
	"DPkg::Options::=--force-confold\nDebug::pkgDPkgPM=\n"

static void test_lines_that_change_files_are_read(void **state)
{
	struct stream s;
	struct kg_err err = { 0 };

	(void)state;
	assert_int_equal(parse(CONFIG
			       "\nnew - - none < 1:2-3 amd64 same /a/new 1.deb\n"
			       "new - - none < 1:2-3 amd64 same **CONFIGURE**\n"
			       "gone 1 amd64 none > - - none **REMOVE**\n"
			       "local 1 all foreign > 0.9 all foreign ./local.deb\n",
			       &s, &err),
			 0);
	assert_int_equal(s.n_ops, 3);
	assert_string_equal(s.ops[0].name, "new");
	assert_null(s.ops[0].old_version);
	assert_string_equal(s.ops[0].new_version, "1:2-3");
	assert_string_equal(s.ops[0].new_arch, "amd64");
	assert_string_equal(s.ops[0].path, "/a/new 1.deb");
	assert_string_equal(s.ops[1].old_version, "1");
	assert_null(s.ops[1].new_version);
	assert_null(s.ops[1].path);
	assert_string_equal(s.ops[2].old_multi_arch, "foreign");
	assert_string_equal(s.ops[2].path, "./local.deb");
	assert_string_equal(stream_config(&s, "Dir"), "/");
	assert_string_equal(stream_config(&s, "Di"), "");
	assert_null(stream_foreign_root(&s));
	stream_fini(&s);
}

static void test_paths_alone_are_read(void **state)
{
	struct stream s;
	struct kg_err err = { 0 };

	(void)state;
	assert_int_equal(parse("/a/b.deb\n/c d.deb", &s, &err), 0);
	assert_int_equal(s.n_ops, 2);
	assert_null(s.ops[0].name);
	assert_string_equal(s.ops[1].path, "/c d.deb");
	stream_fini(&s);
	assert_int_equal(parse("", &s, &err), 0);
	assert_int_equal(s.n_ops, 0);
	stream_fini(&s);
}

static void test_what_is_not_the_protocol_is_refused(void **state)
{
	struct stream s = { 0 };
	const char nul[] = "/a\0b\n";

	(void)state;
	assert_int_equal(parse("VERSION 4\n\n", &s, NULL), -KGE_FORMAT);
	assert_int_equal(parse("VERSION 2\n\na 1 < 2 /a\n", &s, NULL), -KGE_FORMAT);
	assert_int_equal(parse("VERSION 3\n\na b c\n", &s, NULL), -KGE_FORMAT);
	assert_int_equal(parse("relative.deb\n", &s, NULL), -KGE_FORMAT);
	assert_int_equal(stream_parse(memcpy(malloc(sizeof(nul)), nul, sizeof(nul)),
				      sizeof(nul) - 1, &s, NULL),
			 -KGE_FORMAT);
	assert_null(s.text);
}

static void test_cut_off_anywhere_does_not_crash(void **state)
{
	static const char whole[] = CONFIG "\na - - none < 1 amd64 same /a.deb\n";

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *text = strndup(whole, len);
		struct stream s;

		if (stream_parse(text, len, &s, NULL) == 0) {
			(void)stream_foreign_root(&s);
			stream_fini(&s);
		}
	}
}

static void assert_foreign(const char *line, const char *why)
{
	char text[512];
	struct stream s;
	struct kg_err err = { 0 };

	snprintf(text, sizeof(text), "VERSION 3\n%s\n\n", line);
	assert_int_equal(parse(text, &s, &err), 0);
	assert_string_equal(stream_foreign_root(&s), why);
	stream_fini(&s);
}

/* unattended-upgrades' own cache is made with rootdir="/". */
static void test_doubled_slashes_are_this_root(void **state)
{
	struct stream s;

	(void)state;
	assert_int_equal(
		parse("VERSION 3\nDir=//\nDir::State::status=//var/lib//dpkg/status\n\n",
		      &s, NULL),
		0);
	assert_null(stream_foreign_root(&s));
	stream_fini(&s);
	assert_foreign("Dir::State::status=/var/lib/dpkg/status/", "Dir::State::status");
	assert_foreign("Dir::State::status=/var/lib/dpkg/statu", "Dir::State::status");
	assert_foreign("Dir::State::status=var/lib/dpkg/status", "Dir::State::status");
}

static void test_foreign_roots_are_seen(void **state)
{
	(void)state;
	assert_foreign("Dir=/mnt/", "Dir");
	assert_foreign("RootDir=/mnt", "RootDir");
	assert_foreign("DPkg::Chroot-Directory=/mnt", "DPkg::Chroot-Directory");
	assert_foreign("Dir::State::status=/mnt/status", "Dir::State::status");
	assert_foreign("DPkg::Options::=--root=/mnt", "DPkg::Options");
	assert_foreign("DPkg::Options::=--instdir=/mnt", "DPkg::Options");
	assert_foreign("DPkg::Options::=--admindir=/mnt", "DPkg::Options");
	assert_foreign("Debug::pkgDPkgPM=1", "Debug::pkgDPkgPM");
	assert_foreign("Debug::pkgDPkgPM=true", "Debug::pkgDPkgPM");
	setenv("DPKG_ROOT", "/mnt", 1);
	assert_foreign("Dir=/", "DPKG_ROOT");
	unsetenv("DPKG_ROOT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_that_change_files_are_read),
		cmocka_unit_test(test_paths_alone_are_read),
		cmocka_unit_test(test_what_is_not_the_protocol_is_refused),
		cmocka_unit_test(test_cut_off_anywhere_does_not_crash),
		cmocka_unit_test(test_foreign_roots_are_seen),
		cmocka_unit_test(test_doubled_slashes_are_this_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
