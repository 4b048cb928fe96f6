// SPDX-License-Identifier: GPL-2.0-or-later
/* Header trees of several distributions, small. In the view: tests/cases/stage/headers.sh */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fd.h"
#include "core/stage/kconfig.h"
#include "core/stage/roots.h"
#include "core/stage/scan.h"

#define RELEASE "6.1.0-9-amd64"
#define BUILD "/lib/modules/" RELEASE "/build"

struct scratch {
	char path[64];
	int fd;
};

static int scratch_make(void **state)
{
	static struct scratch s;

	snprintf(s.path, sizeof(s.path), "/tmp/kg-headers-XXXXXX");
	if (mkdtemp(s.path) == NULL)
		return -1;
	s.fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &s;
	return s.fd < 0 ? -1 : 0;
}

static int scratch_drop(void **state)
{
	struct scratch *s = *state;
	int r = chdir("/");

	if (r == 0)
		r = fd_empty_dir(s->fd, NULL);
	close(s->fd);
	return r < 0 ? r : rmdir(s->path);
}

/* Parents are made. */
static int put_open_parent(int root_fd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = strndup(path, (size_t)(slash - path));
	int fd = fd_make_dir_in(root_fd, parent, 0755, NULL);

	assert_true(fd >= 0);
	*ret_name = slash + 1;
	return fd;
}

static void put(int root_fd, const char *path, const char *text)
{
	const char *name;
	_cleanup_close_ int dir_fd = put_open_parent(root_fd, path, &name);
	_cleanup_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void put_link(int root_fd, const char *path, const char *target)
{
	const char *name;
	_cleanup_close_ int dir_fd = put_open_parent(root_fd, path, &name);

	assert_int_equal(symlinkat(target, dir_fd, name), 0);
}

#define DEBIAN "usr/src/linux-headers-" RELEASE
#define COMMON "usr/src/linux-headers-6.1.0-9-common"

static void put_debian(int root_fd)
{
	put(root_fd, "usr/lib/linux-kbuild-6.1/scripts/mod/modpost", "\177ELF");
	put_link(root_fd, "./lib", "usr/lib");
	put_link(root_fd, "lib/modules/" RELEASE "/build", "/" DEBIAN);
	put(root_fd, DEBIAN "/Makefile", "include /" COMMON "/Makefile\n");
	put(root_fd, DEBIAN "/.config", "CONFIG_MODULES=y\n");
	put(root_fd, DEBIAN "/Module.symvers", "0x1\tprintk\tvmlinux\n");
	put(root_fd, DEBIAN "/include/generated/autoconf.h", "#define X 1\n");
	put_link(root_fd, DEBIAN "/scripts", "../../lib/linux-kbuild-6.1/scripts");
	put(root_fd, COMMON "/Makefile", "VERSION = 6\ninclude scripts/Kbuild.include\n");
	put(root_fd, COMMON "/include/linux/kernel.h", "struct k;\n");
	put_link(root_fd, COMMON "/scripts", "../../lib/linux-kbuild-6.1/scripts");
	put(root_fd, "usr/src/other/file", "not ours\n");
}

static int scan(int root_fd, const struct scan_known *known,
		struct scan_answer *ret_answer, struct kg_err *err)
{
	const struct scan_ask ask = { .release = RELEASE,
				      .source_dir = BUILD,
				      .known = known,
				      .n_known = known != NULL };

	return scan_headers(root_fd, &ask, ret_answer, err);
}

static void scan_well(int root_fd, struct scan_known *ret_found)
{
	struct scan_answer answer;
	struct kg_err err = { 0 };

	if (scan(root_fd, NULL, &answer, &err) != 0)
		fail_msg("%s", err.text);
	*ret_found = answer.found;
	scan_answer_fini(&answer);
}

static void assert_missing(int root_fd, const char *why)
{
	struct scan_answer answer;
	struct kg_err err = { 0 };

	assert_int_equal(scan(root_fd, NULL, &answer, &err), -KGE_NO_HEADERS);
	if (strstr(err.text, why) == NULL || strstr(err.text, RELEASE) == NULL)
		fail_msg("'%s' is not in '%s'", why, err.text);
}

/* ---- which trees ---- */

static void assert_roots(int root_fd, const char *first, const char *expected)
{
	_cleanup_strv_ struct strv roots = { 0 };
	_cleanup_str_ struct str all = { 0 };
	struct kg_err err = { 0 };

	if (roots_find(root_fd, first, &roots, &err) != 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < roots.n; i++)
		str_addf(&all, "%s%s", i > 0 ? " " : "", roots.v[i]);
	assert_string_equal(str_get(&all), expected);
}

static void test_debian_has_three_trees(void **state)
{
	const struct scratch *s = *state;

	put_debian(s->fd);
	assert_roots(s->fd, "/" DEBIAN,
		     "/" DEBIAN " /usr/lib/linux-kbuild-6.1/scripts /" COMMON);
}

static void test_suse_obj_leads_to_the_source_tree(void **state)
{
	const struct scratch *s = *state;

	put(s->fd, "usr/src/linux-6.4-1/Makefile", "VERSION = 6\n");
	put(s->fd, "usr/src/linux-6.4-1-obj/x86_64/default/Makefile",
	    "# Automatically generated\nexport KBUILD_OUTPUT = .\n"
	    "include ../../../linux-6.4-1/Makefile\n");
	assert_roots(s->fd, "/usr/src/linux-6.4-1-obj/x86_64/default",
		     "/usr/src/linux-6.4-1-obj/x86_64/default /usr/src/linux-6.4-1");
}

static void test_old_obj_makefiles_name_the_tree_by_an_option(void **state)
{
	const struct scratch *s = *state;

	put(s->fd, "usr/src/linux-4.4/Makefile", "VERSION = 4\n");
	put(s->fd, "usr/src/obj/Makefile",
	    "MAKEARGS := -C /usr/src/linux-4.4 O=$(CURDIR)\n");
	assert_roots(s->fd, "/usr/src/obj", "/usr/src/obj /usr/src/linux-4.4");
}

static void test_a_lone_include_is_one_file(void **state)
{
	const struct scratch *s = *state;

	put(s->fd, "usr/share/kernel/flags.mk", "F = 1\n");
	put(s->fd, "usr/share/kernel/other", "\n");
	put(s->fd, "usr/src/k/Makefile",
	    "-include /usr/share/kernel/flags.mk /missing $(srctree)/x # not/this\n");
	assert_roots(s->fd, "/usr/src/k", "/usr/src/k /usr/share/kernel/flags.mk");
}

static void test_links_upwards_are_not_followed(void **state)
{
	const struct scratch *s = *state;

	put(s->fd, "usr/src/k/Makefile", "include ../Makefile\ninclude /Makefile\n");
	put(s->fd, "usr/src/Makefile", "\n");
	put(s->fd, "./Makefile", "\n");
	put_link(s->fd, "usr/src/k/root", "/");
	put_link(s->fd, "usr/src/k/usr", "/usr");
	put_link(s->fd, "usr/src/k/up", "..");
	put_link(s->fd, "usr/src/k/out", "../../../../../../../etc");
	put_link(s->fd, "usr/src/k/loop", "loop");
	put_link(s->fd, "usr/src/k/self", "/usr/src/k");
	assert_roots(s->fd, "/usr/src/k", "/usr/src/k");
}

/* ---- identity ---- */

static void test_equal_trees_have_equal_identities(void **state)
{
	const struct scratch *s = *state;
	_cleanup_close_ int a_fd = fd_make_dir_in(s->fd, "a", 0755, NULL);
	_cleanup_close_ int b_fd = fd_make_dir_in(s->fd, "b", 0755, NULL);
	struct scan_known a;
	struct scan_known b;

	put_debian(a_fd);
	put_debian(b_fd);
	scan_well(a_fd, &a);
	scan_well(b_fd, &b);
	assert_string_equal(a.identity, b.identity);
	assert_string_not_equal(a.stat_hex, b.stat_hex);
	put(b_fd, "usr/src/other/file", "nobody's business\n");
	scan_well(b_fd, &b);
	assert_string_equal(a.identity, b.identity);
}

static void test_every_change_changes_the_identity(void **state)
{
	const struct scratch *s = *state;
	_cleanup_close_ int dir_fd = -1;
	struct scan_known seen[7];
	size_t n = 0;

	put_debian(s->fd);
	scan_well(s->fd, &seen[n++]);
	put(s->fd, COMMON "/include/linux/kernel.h", "struct q;\n");
	scan_well(s->fd, &seen[n++]);
	put(s->fd, "usr/lib/linux-kbuild-6.1/scripts/mod/modpost", "\177elf");
	scan_well(s->fd, &seen[n++]);
	put(s->fd, COMMON "/new", "");
	scan_well(s->fd, &seen[n++]);
	dir_fd = fd_open_dir_in(s->fd, COMMON, NULL);
	assert_int_equal(renameat(dir_fd, "new", dir_fd, "newer"), 0);
	scan_well(s->fd, &seen[n++]);
	assert_int_equal(fchmodat(dir_fd, "newer", 0755, 0), 0);
	scan_well(s->fd, &seen[n++]);
	put_link(s->fd, COMMON "/link", "newer");
	scan_well(s->fd, &seen[n++]);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i].identity, seen[k].identity);
}

static void test_times_do_not_count_but_are_noticed(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	const struct scratch *s = *state;
	_cleanup_close_ int dir_fd = -1;
	struct scan_known a;
	struct scan_known b;

	put_debian(s->fd);
	scan_well(s->fd, &a);
	dir_fd = fd_open_dir_in(s->fd, COMMON, NULL);
	assert_int_equal(utimensat(dir_fd, "Makefile", times, 0), 0);
	scan_well(s->fd, &b);
	assert_string_equal(a.identity, b.identity);
	assert_string_not_equal(a.stat_hex, b.stat_hex);
}

static void test_what_is_known_is_not_read_again(void **state)
{
	const struct scratch *s = *state;
	struct scan_answer answer;
	struct scan_known known;
	struct kg_err err = { 0 };

	put_debian(s->fd);
	scan_well(s->fd, &known);
	memset(known.identity, 'f', DIGEST_HEX_SIZE - 1);
	assert_int_equal(scan(s->fd, &known, &answer, &err), 0);
	assert_string_equal(answer.found.identity, known.identity);
	scan_answer_fini(&answer);
	/* same size: its ctime tells */
	put(s->fd, COMMON "/include/linux/kernel.h", "struct q;\n");
	assert_int_equal(scan(s->fd, &known, &answer, &err), 0);
	assert_string_not_equal(answer.found.identity, known.identity);
	scan_answer_fini(&answer);
}

/* ---- headers or not ---- */

static void test_a_missing_piece_is_named(void **state)
{
	const struct scratch *s = *state;

	assert_missing(s->fd, BUILD " is not there");
	put_link(s->fd, "lib/modules/" RELEASE "/build", "/" DEBIAN);
	assert_missing(s->fd, BUILD " leads to /" DEBIAN ": No such file");
	put(s->fd, DEBIAN "/Module.symvers", "");
	assert_missing(s->fd, "/" DEBIAN " has no Makefile");
	put(s->fd, DEBIAN "/Makefile", "");
	assert_missing(s->fd, "not configured");
	put(s->fd, DEBIAN "/.config", "");
	assert_int_equal(unlinkat(s->fd, DEBIAN "/Module.symvers", 0), 0);
	assert_missing(s->fd, "/" DEBIAN " has no Module.symvers");
}

static void test_the_configuration_may_be_in_boot(void **state)
{
	const struct scratch *s = *state;
	struct scan_answer answer;
	struct kg_err err = { 0 };

	put_debian(s->fd);
	assert_int_equal(scan(s->fd, NULL, &answer, &err), 0);
	assert_string_equal(answer.config, "CONFIG_MODULES=y\n");
	scan_answer_fini(&answer);
	put(s->fd, "boot/config-" RELEASE, "CONFIG_BOOT=y\n");
	put(s->fd, DEBIAN "/include/config/auto.conf", "");
	assert_int_equal(unlinkat(s->fd, DEBIAN "/.config", 0), 0);
	assert_int_equal(scan(s->fd, NULL, &answer, &err), 0);
	assert_string_equal(answer.config, "CONFIG_BOOT=y\n");
	scan_answer_fini(&answer);
	assert_int_equal(unlinkat(s->fd, "boot/config-" RELEASE, 0), 0);
	assert_int_equal(scan(s->fd, NULL, &answer, &err), 0);
	assert_string_equal(answer.config, "");
	scan_answer_fini(&answer);
}

static void test_the_kernels_own_modules_tell_the_compression(void **state)
{
	static const char *const names[] = { "a.ko", "a.ko.gz", "a.ko.xz", "a.ko.zst" };
	const struct scratch *s = *state;
	struct scan_answer answer;
	struct kg_err err = { 0 };

	put_debian(s->fd);
	put(s->fd, "lib/modules/" RELEASE "/kernel/a.ko.sig/b.kow", "");
	assert_int_equal(scan(s->fd, NULL, &answer, &err), 0);
	assert_string_equal(answer.suffix, SCAN_NO_SUFFIX);
	scan_answer_fini(&answer);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_close_ int dir_fd = fd_make_dir_in(
			s->fd, "lib/modules/" RELEASE "/kernel/drivers/net", 0755, NULL);

		put(s->fd, "lib/modules/" RELEASE "/kernel/drivers/net/x", "");
		assert_int_equal(renameat(dir_fd, "x", dir_fd, names[i]), 0);
		assert_int_equal(scan(s->fd, NULL, &answer, &err), 0);
		assert_string_equal(answer.suffix, names[i] + strlen("a.ko"));
		scan_answer_fini(&answer);
		assert_int_equal(unlinkat(dir_fd, names[i], 0), 0);
	}
}

static void test_the_configuration_is_understood(void **state)
{
	_cleanup_arena_ struct arena arena = { 0 };

	(void)state;
	assert_string_equal(kconfig_sig_hash("CONFIG_MODULE_SIG=y\n"
					     "CONFIG_MODULE_SIG_HASH=\"sha256\"\n",
					     &arena),
			    "sha256");
	assert_null(kconfig_sig_hash("# CONFIG_MODULE_SIG is not set\n"
				     "CONFIG_MODULE_SIG_HASH=\"sha256\"\n",
				     &arena));
	assert_null(kconfig_sig_hash("CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"\"\n",
				     &arena));
	assert_null(kconfig_sig_hash("CONFIG_MODULE_SIG=y", &arena));
	assert_null(kconfig_sig_hash("", &arena));
	assert_string_equal(kconfig_compression(""), "");
	assert_string_equal(kconfig_compression("CONFIG_MODULE_COMPRESS_NONE=y\n"), "");
	assert_string_equal(kconfig_compression("X=1\nCONFIG_MODULE_COMPRESS_XZ=y"),
			    ".xz");
	assert_string_equal(kconfig_compression("CONFIG_MODULE_COMPRESS=y\n"
						"CONFIG_MODULE_COMPRESS_ZSTD=y\n"
						"CONFIG_MODULE_COMPRESS_ALL=y\n"),
			    ".zst");
	assert_string_equal(
		kconfig_compression("CONFIG_MODULE_COMPRESS=y\n"
				    "CONFIG_MODULE_COMPRESS_ZSTD=y\n"
				    "# CONFIG_MODULE_COMPRESS_ALL is not set\n"),
		"");
}

/* ---- the pipe ---- */

static void make_answer(struct scan_answer *answer)
{
	*answer =
		(struct scan_answer){ .config = strdup("CONFIG_A=y\n"), .suffix = ".xz" };
	answer->config_len = strlen(answer->config);
	memset(answer->found.stat_hex, 'a', DIGEST_HEX_SIZE - 1);
	memset(answer->found.identity, 'b', DIGEST_HEX_SIZE - 1);
}

static void test_an_answer_comes_through_the_pipe(void **state)
{
	_cleanup_str_ struct str text = { 0 };
	struct scan_answer sent;
	struct scan_answer got;

	(void)state;
	make_answer(&sent);
	assert_int_equal(scan_write(&sent, 0, NULL, &text), 0);
	assert_int_equal(scan_read(text.p, text.len, &got, NULL), 0);
	assert_string_equal(got.config, sent.config);
	assert_string_equal(got.suffix, sent.suffix);
	assert_memory_equal(&got.found, &sent.found, sizeof(got.found));
	scan_answer_fini(&sent);
	scan_answer_fini(&got);
}

static void test_an_error_comes_through_the_pipe(void **state)
{
	const struct scan_answer none = { 0 };
	_cleanup_str_ struct str text = { 0 };
	struct kg_err sent = { 0 };
	struct kg_err got = { 0 };
	struct scan_answer answer;

	(void)state;
	kg_fail(&sent, -KGE_NO_HEADERS, "none here");
	assert_int_equal(scan_write(&none, -KGE_NO_HEADERS, &sent, &text), 0);
	assert_int_equal(scan_read(text.p, text.len, &answer, &got), -KGE_NO_HEADERS);
	assert_string_equal(got.text, "none here");
}

static void test_a_malformed_answer_is_refused(void **state)
{
	static const char *const bad[] = {
		"",	"x",	   "0",		"0:",
		"0:0:", "-1:0:",   "99999:0:",	"0:99999999999999999999:",
		"0:5:", "0:0:1:?", "1024:900:x"
	};
	_cleanup_str_ struct str text = { 0 };
	struct scan_answer answer;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(scan_read(bad[i], strlen(bad[i]), &answer, NULL),
				 -KGE_FORMAT);
	make_answer(&answer);
	assert_int_equal(scan_write(&answer, 0, NULL, &text), 0);
	scan_answer_fini(&answer);
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(scan_read(text.p, len, &answer, NULL), -KGE_FORMAT);
	str_addc(&text, 'x');
	assert_int_equal(scan_read(text.p, text.len, &answer, NULL), -KGE_FORMAT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_drop)
	const struct CMUnitTest tests[] = {
		T(test_debian_has_three_trees),
		T(test_suse_obj_leads_to_the_source_tree),
		T(test_old_obj_makefiles_name_the_tree_by_an_option),
		T(test_a_lone_include_is_one_file),
		T(test_links_upwards_are_not_followed),
		T(test_equal_trees_have_equal_identities),
		T(test_every_change_changes_the_identity),
		T(test_times_do_not_count_but_are_noticed),
		T(test_what_is_known_is_not_read_again),
		T(test_a_missing_piece_is_named),
		T(test_the_configuration_may_be_in_boot),
		T(test_the_kernels_own_modules_tell_the_compression),
		T(test_the_configuration_is_understood),
		T(test_an_answer_comes_through_the_pipe),
		T(test_an_error_comes_through_the_pipe),
		T(test_a_malformed_answer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
