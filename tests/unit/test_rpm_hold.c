// SPDX-License-Identifier: GPL-2.0-or-later
/* Our blocks in a client's file of locks: what a person wrote stays, byte for byte. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "plugins/rpm/hold.h"
#include "plugins/rpm/hold_toml.h"

#define OURS "# kmodgate hold 6.5-1 abc\n!kernel-core-0:6.5-1.*\n# kmodgate end\n"
#define OTHER "# kmodgate hold 6.5-1.rt abc\n!kernel-rt-0:6.5-1.*\n# kmodgate end\n"

static void assert_strip(const char *text, const char *release, const char *wanted)
{
	struct str out = { 0 };

	hold_strip(text, release, &out);
	assert_string_equal(str_get(&out), wanted);
	str_fini(&out);
}

static void test_strip(void **state)
{
	(void)state;
	assert_strip("", NULL, "");
	assert_strip("mine\n" OURS "yours\n", NULL, "mine\nyours\n");
	assert_strip("mine\n" OURS "yours", "6.5-1", "mine\nyours");
	assert_strip(OURS OTHER "x\n", "6.5-1", OTHER "x\n");
	assert_strip(OURS OTHER, "6.5", OURS OTHER);
	/* no newline at the end, no end at all */
	assert_strip("mine", NULL, "mine");
	assert_strip("mine\n# kmodgate hold 6.5-1 abc\nx\n", NULL, "mine\n");
}

static void test_list(void **state)
{
	struct strv list = { 0 };
	struct str reason = { 0 };

	(void)state;
	hold_list("mine\n" OURS OTHER, &list, &reason);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.v[0], "6.5-1");
	assert_string_equal(list.v[1], "6.5-1.rt");
	assert_string_equal(str_get(&reason), "abc");
	strv_fini(&list);
	str_fini(&reason);
}

static void test_begin_after_an_open_line(void **state)
{
	struct str out = { 0 };

	(void)state;
	str_add(&out, "mine");
	hold_begin(&out, "6.5-1", "abc");
	hold_end(&out);
	assert_string_equal(str_get(&out),
			    "mine\n# kmodgate hold 6.5-1 abc\n# kmodgate end\n");
	str_fini(&out);
}

static void assert_rejoin(const char *text, const char *record, const char *wanted)
{
	struct str out = { 0 };

	hold_rejoin(&hold_lines, text, record, &out);
	assert_string_equal(str_get(&out), wanted);
	str_fini(&out);
}

/* "dnf versionlock delete" writes the file anew, without comments. */
static void test_lines_that_lost_their_marks(void **state)
{
	(void)state;
	assert_rejoin("mine\n" OURS "yours", OURS, "mine\n" OURS "yours");
	assert_rejoin("mine\n!kernel-core-0:6.5-1.*\nyours", OURS, "mine\nyours\n" OURS);
	assert_rejoin("!kernel-core-0:6.5-1.*\n!kernel-rt-0:6.5-1.*\n", OURS OTHER,
		      OURS OTHER);
	assert_rejoin(OURS "!kernel-rt-0:6.5-1.*\n", OURS OTHER, OURS OTHER);
	/* a person took it out */
	assert_rejoin("mine\n", OURS, "mine\n");
	assert_rejoin("mine\n", "", "mine\n");
}

/* ---- zypper's locks ---- */

#define LOCK(name, version) \
	"\ntype: package\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: " name \
	"\nversion: == " version "\n\n"
#define REWRITTEN(name, version) \
	"\ntype: package\nversion: " version "\nmatch_type: exact\ncase_sensitive: on\n" \
	"solvable_name: " name "\n\n"
#define GLOB(name) \
	"\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: " name \
	"\n\n"
#define BLOCK(release, locks) "# kmodgate hold " release " abc\n" locks "# kmodgate end\n"

static void assert_paragraphs(const char *text, const char *record, const char *wanted)
{
	struct str out = { 0 };

	hold_rejoin(&hold_paragraphs, text, record, &out);
	assert_string_equal(str_get(&out), wanted);
	str_fini(&out);
}

/* "zypper addlock" writes the file anew: keys in another order, all locks by name, no comments. */
static void test_paragraphs_that_lost_their_marks(void **state)
{
	const char *both = BLOCK("6.5-1", LOCK("kernel", "6.5-1") LOCK("devel", "6.5-1"));

	(void)state;
	assert_paragraphs(REWRITTEN("devel", "== 6.5-1") REWRITTEN("kernel", "== 6.5-1")
				  GLOB("mine"),
			  both,
			  GLOB("mine") BLOCK("6.5-1", LOCK("kernel", "6.5-1")
							      LOCK("devel", "6.5-1")));
	/* libzypp of 2025 */
	assert_paragraphs(GLOB("a") REWRITTEN("kernel", "= 6.5-1") GLOB("mine"), both,
			  GLOB("a") GLOB("mine") BLOCK("6.5-1", LOCK("kernel", "6.5-1")));
	/* a person's own, about another version or more of them */
	assert_paragraphs(REWRITTEN("kernel", "== 6.6-1") REWRITTEN("kernel", "> 6.5-1")
				  GLOB("kernel"),
			  both,
			  REWRITTEN("kernel", "== 6.6-1") REWRITTEN("kernel", "> 6.5-1")
				  GLOB("kernel"));
	/* nobody has touched it; a person's comment; nothing in it */
	assert_paragraphs("# why\n" GLOB("mine") BLOCK("6.5-1", LOCK("kernel", "6.5-1")),
			  both,
			  "# why\n" GLOB("mine") BLOCK("6.5-1", LOCK("kernel", "6.5-1")));
	assert_paragraphs("\n\n# why\n\n" REWRITTEN("kernel", "= 6.5-1") "\n", both,
			  "\n\n# why\n\n" BLOCK("6.5-1", LOCK("kernel", "6.5-1")));
	assert_paragraphs("", both, "");
	assert_paragraphs("\n\n", both, "\n\n");
}

/* ---- versionlock.toml ---- */

#define VERSION_LINE "version = \"1.0\"\n\n"
#define ENTRY(name, comment, conditions) \
	"[[packages]]\nname = \"" name "\"\n" comment "\n" conditions
#define COMMENT(text) "comment = \"" text "\"\n"
#define CONDITION(comparator, evr) \
	"[[packages.conditions]]\nkey = \"evr\"\ncomparator = \"" comparator \
	"\"\nvalue = \"" evr "\"\n\n"
#define HELD(release, line) "# kmodgate hold " release " abc\n" line "\n# kmodgate end\n"
#define MINE \
	ENTRY("mine", "", CONDITION("<", "2")) \
	"# said of yours\n" ENTRY("yours", COMMENT("why"), CONDITION("!=", "1-1"))

static void assert_toml(const char *file, const char *split)
{
	struct str out = { 0 };

	hold_toml_split(file, &out);
	assert_string_equal(str_get(&out), split);
	str_fini(&out);
}

/* What is joined can be split again, also behind dnf5, which drops what is said in lines of its own. */
static void assert_join(const char *text, const char *file)
{
	struct str out = { 0 };

	assert_int_equal(hold_toml_join(text, &out), 0);
	assert_string_equal(str_get(&out), file);
	str_fini(&out);
	assert_toml(file, text);
}

static void test_toml_of_a_person(void **state)
{
	(void)state;
	assert_join("", "");
	assert_join("x", "x");
	assert_join(VERSION_LINE MINE, VERSION_LINE MINE);
}

/* One entry a package: of two, dnf5 is content with either. */
static void test_toml_of_two_kernels(void **state)
{
	(void)state;
	assert_join(VERSION_LINE MINE HELD("6.5-1", "kernel-core 1:6.5-1"),
		    VERSION_LINE MINE "[[packages]]\nname = \"kernel-core\"\n" COMMENT(
			    "held by kmodgate: abc 6.5-1=1:6.5-1")
			    CONDITION("!=", "1:6.5-1"));
	assert_join(VERSION_LINE HELD("6.5-1", "kernel-core 6.5-1")
			    HELD("6.6-1", "kernel-core 6.6-1"),
		    VERSION_LINE "[[packages]]\nname = \"kernel-core\"\n" COMMENT(
			    "held by kmodgate: abc 6.5-1=6.5-1 6.6-1=6.6-1")
			    CONDITION("!=", "6.5-1") CONDITION("!=", "6.6-1"));
}

static void test_toml_in_a_persons_own_entry(void **state)
{
	(void)state;
	assert_join(VERSION_LINE ENTRY("mine", "", CONDITION("<", "2"))
			    HELD("6.5-1", "mine 6.5-1"),
		    VERSION_LINE ENTRY("mine",
				       COMMENT("held by kmodgate: abc 6.5-1=6.5-1"),
				       CONDITION("<", "2") CONDITION("!=", "6.5-1")));
	assert_join(VERSION_LINE ENTRY("yours", COMMENT("why"), CONDITION("!=", "1-1"))
			    HELD("6.5-1", "yours 6.5-1"),
		    VERSION_LINE ENTRY("yours",
				       COMMENT("why; held by kmodgate: abc 6.5-1=6.5-1"),
				       CONDITION("!=", "1-1") CONDITION("!=", "6.5-1")));
	/* dnf5 has added a person's condition behind ours */
	assert_toml(ENTRY("kernel", COMMENT("held by kmodgate: abc 6.5-1=6.5-1"),
			  CONDITION("!=", "6.5-1") CONDITION("!=", "1-1")),
		    ENTRY("kernel", "", CONDITION("!=", "1-1"))
			    HELD("6.5-1", "kernel 6.5-1"));
}

/* Whoever wrote it: what is added is found again, and what is left then is what was there. */
#define KERNEL_HOLDS HELD("6.5-1", "kernel-core 6.5-1") HELD("6.6-1", "kernel-core 6.6-1")

static void assert_added(const char *mine, const char *part)
{
	struct str text = { 0 };
	struct str file = { 0 };

	str_addf(&text, "%s%s", mine, KERNEL_HOLDS);
	assert_int_equal(hold_toml_join(str_get(&text), &file), 0);
	if (strstr(str_get(&file), part) == NULL)
		fail_msg("no %s in %s", part, str_get(&file));
	assert_toml(str_get(&file), str_get(&text));
	str_fini(&text);
	str_fini(&file);
}

#define TAGGED "held by kmodgate: abc 6.5-1=6.5-1 6.6-1=6.6-1"
#define BRACES(evr) "{ key = \"evr\", comparator = \"!=\", value = \"" evr "\" },"
#define LIST \
	"{ key = \"evr\", comparator = \"!=\", value = \"6.5-1\" }, " \
	"{ key = \"evr\", comparator = \"!=\", value = \"6.6-1\" }"
#define BOTH BRACES("6.5-1") " " BRACES("6.6-1")

static void test_toml_in_other_styles(void **state)
{
	(void)state;
	/* tables, but written by hand */
	assert_added(
		"# locks\nversion = '1.0' # of dnf5\n\n[[ packages ]] # one\nname='one'\n"
		"  [[packages.\"conditions\"]]\n  value='1-1'\n  key = 'evr'\n"
		"  comparator = '!='\n[[packages]]\ncomment = 'it\"s'\n"
		"\"name\" = 'kernel-core'\n" CONDITION("<",
						       "7") "# the end\n[other]\nx = 1\n",
		"comment = 'it\"s; " TAGGED
		"'\n\"name\" = 'kernel-core'\n" CONDITION("<", "7")
			CONDITION("!=", "6.5-1") CONDITION("!=", "6.6-1") "# the end\n");
	/* an array in an entry */
	assert_added("version = \"1.0\"\n[[packages]]\nconditions = [{key = \"evr\", "
		     "comparator = \"<\", value = \"6\"}]\nname = \"kernel-core\"\n",
		     "conditions = [" BOTH " {key = \"evr\", comparator = \"<\", "
		     "value = \"6\"}]\nname = \"kernel-core\"\ncomment = \"" TAGGED
		     "\"\n");
	/* arrays only */
	assert_added("version = \"1.0\"\npackages = []\n",
		     "packages = [{ name = \"kernel-core\", comment = \"" TAGGED
		     "\", conditions = [ " LIST " ] }, ]\n");
	assert_added("version = \"1.0\"\npackages = [\n    { name = \"mine\" }, # why\n"
		     "    { name = 'kernel', comment = \"\"\"a\nb\"\"\" }\n]\n",
		     "packages = [\n  { name = \"kernel-core\"");
	assert_added(
		"packages = [ { conditions = [\n    { key = \"evr\", value = \"6\", "
		"comparator = \"<\" },\n], name = \"kernel-core\" } ]\n"
		"version = \"1.0\"\n",
		"conditions = [\n  " BRACES("6.5-1") "\n  " BRACES("6.6-1") "\n    {");
	/* two entries for it, either of which would do */
	assert_added(VERSION_LINE ENTRY("kernel-core", "", CONDITION("<", "7"))
			     ENTRY("kernel-core", "", CONDITION("<", "6")),
		     CONDITION("<", "6") CONDITION("!=", "6.5-1"));
}

/* What another program has made of ours. */
static void test_toml_rewritten_in_another_style(void **state)
{
	(void)state;
	assert_toml(
		"version = '1.0'\npackages = [\n  { comment = '" TAGGED
		"', name = 'kernel-core', conditions = [\n    { value = '6.5-1', "
		"comparator = '!=', key = 'evr' },\n    { value = '6.6-1', "
		"comparator = '!=', key = 'evr' }\n  ] },\n  { name = 'mine' }\n]\n",
		"version = '1.0'\npackages = [\n  { name = 'mine' }\n]\n" KERNEL_HOLDS);
	assert_toml(
		"version = '1.0'\npackages = [ { name = 'kernel-core', conditions = [{"
		"value='6.5-1',comparator='!='}, {value='9',comparator='='}], comment = '" TAGGED
		"'} ]\n",
		"version = '1.0'\npackages = [ { name = 'kernel-core', conditions = [{"
		"value='9',comparator='='}]} ]\n" KERNEL_HOLDS);
}

/* dnf5 is ended by a file that is no TOML: then rather no hold. */
static void test_toml_that_is_not_changed(void **state)
{
	static const char *const files[] = {
		"x",
		"version = \"9.0\"\n",
		"[[packages]]\nname = \"kernel-core\"\n",
		VERSION_LINE "packages.x = 1\n",
		VERSION_LINE "packages = 1\n",
		VERSION_LINE "packages = [ \"x\" ]\n",
		VERSION_LINE "packages = [ { name = \"x\" }\n",
		VERSION_LINE
		"packages = [ { name = \"x\", } ]\n[[packages]]\nname = \"y\"\n",
		VERSION_LINE "[packages]\n",
		VERSION_LINE "[packages.x]\n",
		VERSION_LINE "[[packages.conditions]]\n",
		VERSION_LINE "[[packages]]\nname = \"kernel\\u002dcore\"\n",
		VERSION_LINE "[[packages]]\ncomment = \"no name\"\n",
		VERSION_LINE "[[packages]]\nname = \"kernel-core\"\n",
		VERSION_LINE
		"packages = [ { name = \"a\", conditions = [ { key = 1 } ] } ]\n[x",
		VERSION_LINE "packages = [ , ]\n",
		VERSION_LINE "packages = [ { name = \"a\" } { name = \"b\" } ]\n",
		VERSION_LINE "[[packages]]\nname = \"open\n",
		VERSION_LINE "[[packages]]\nname = \"a\"\nconditions = []\n"
			     "[[packages.conditions]]\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct str text = { 0 };
		struct str file = { 0 };

		str_addf(&text, "%s\n%s", files[i], KERNEL_HOLDS);
		if (hold_toml_join(str_get(&text), &file) != -EOPNOTSUPP)
			fail_msg("changed: %s", files[i]);
		str_fini(&text);
		str_fini(&file);
		assert_toml(files[i], files[i]);
	}
}

static void test_a_record_is_kept(void **state)
{
	char dir[] = "/tmp/kmodgate-hold-XXXXXX";
	char record[sizeof(dir) + 8];
	struct hold_format f = {
		.dir = dir, .file = "list", .head = "", .needs_file = true
	};
	struct str text = { 0 };
	int dir_fd;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(record, sizeof(record), "%s/record", dir);
	assert_int_equal(mkdir(record, 0700), 0);
	f.record_dir = record;
	f.unit = &hold_lines;
	str_add(&text, "mine\n" OURS);
	assert_int_equal(hold_write(&f, &text, NULL), 0);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	str_fini(&text);
	text = (struct str){ 0 };
	str_add(&text, "!kernel-core-0:6.5-1.*\nmine\n");
	unlinkat(dir_fd, "list", 0);
	fd = openat(dir_fd, "list", O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, text.p, text.len), text.len);
	close(fd);
	str_fini(&text);
	text = (struct str){ 0 };
	assert_int_equal(hold_read(&f, &text, NULL), 0);
	assert_string_equal(str_get(&text), "mine\n" OURS);
	str_fini(&text);
	text = (struct str){ 0 };
	assert_int_equal(hold_write(&f, &text, NULL), 0);
	assert_int_equal(faccessat(dir_fd, "record/list", F_OK, 0), -1);
	assert_int_equal(unlinkat(dir_fd, "list", 0), 0);
	close(dir_fd);
	assert_int_equal(rmdir(record), 0);
	assert_int_equal(rmdir(dir), 0);
	str_fini(&text);
}

/* The file after a hold was set on an empty one and lifted; its size, -1: there is none. */
static long size_after_a_hold(bool needs_file)
{
	char dir[] = "/tmp/kmodgate-hold-XXXXXX";
	struct hold_format f = { .file = "locks", .head = "", .needs_file = needs_file };
	struct str held = { 0 };
	struct str read_back = { 0 };
	struct str lifted = { 0 };
	struct stat st = { .st_size = -1 };
	int dir_fd;

	f.dir = mkdtemp(dir);
	assert_non_null(f.dir);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	close(openat(dir_fd, f.file, O_WRONLY | O_CREAT, 0644));
	str_add(&held, OURS);
	assert_int_equal(hold_write(&f, &held, NULL), 0);
	assert_int_equal(hold_read(&f, &read_back, NULL), 0);
	assert_string_equal(str_get(&read_back), OURS);
	hold_strip(str_get(&read_back), NULL, &lifted);
	assert_int_equal(hold_write(&f, &lifted, NULL), 0);
	fstatat(dir_fd, f.file, &st, 0);
	unlinkat(dir_fd, f.file, 0);
	close(dir_fd);
	rmdir(dir);
	str_fini(&held);
	str_fini(&read_back);
	str_fini(&lifted);
	return (long)st.st_size;
}

static void test_the_empty_list_stays_where_the_client_needs_it(void **state)
{
	(void)state;
	assert_int_equal(size_after_a_hold(true), 0);
	assert_int_equal(size_after_a_hold(false), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strip),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_begin_after_an_open_line),
		cmocka_unit_test(test_lines_that_lost_their_marks),
		cmocka_unit_test(test_paragraphs_that_lost_their_marks),
		cmocka_unit_test(test_toml_of_a_person),
		cmocka_unit_test(test_toml_of_two_kernels),
		cmocka_unit_test(test_toml_in_a_persons_own_entry),
		cmocka_unit_test(test_toml_in_other_styles),
		cmocka_unit_test(test_toml_rewritten_in_another_style),
		cmocka_unit_test(test_toml_that_is_not_changed),
		cmocka_unit_test(test_a_record_is_kept),
		cmocka_unit_test(test_the_empty_list_stays_where_the_client_needs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
