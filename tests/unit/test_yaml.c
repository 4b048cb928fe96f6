// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/yaml.h"

static int parse(const char *text, struct arena *a, struct yaml_node **ret,
		 struct kg_err *err)
{
	return yaml_parse(text, strlen(text), a, ret, err);
}

static void assert_refused(const char *text, size_t len, const char *words)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_node *root;
	int rc = yaml_parse(text, len, &a, &root, &err);

	assert_int_equal(rc, -KGE_FORMAT);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void assert_text_refused(const char *text, const char *words)
{
	assert_refused(text, strlen(text), words);
}

static void test_nested_lists_and_maps_are_read_with_lines(void **state)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_node *root;
	const struct yaml_node *list;
	const char *text = NULL;

	(void)state;
	assert_int_equal(
		parse("# note\na: 1\nb:\n  - {c: 'x: y'}\n  - z\n", &a, &root, &err), 0);
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->n, 2);
	assert_int_equal(yaml_get_text(root, "a", &text, &err), 0);
	assert_string_equal(text, "1");
	list = yaml_find(root, "b");
	assert_int_equal(list->kind, YAML_LIST);
	assert_int_equal(list->n, 2);
	assert_int_equal(list->items[1]->line, 5);
	assert_int_equal(yaml_get_text(list->items[0], "c", &text, &err), 0);
	assert_string_equal(text, "x: y");
	assert_null(yaml_find(root, "absent"));
}

static void test_anchors_aliases_and_tags_are_refused(void **state)
{
	(void)state;
	assert_text_refused("a: &x 1\nb: *x\n", "line 1: anchors");
	assert_text_refused("a: 1\nb: *x\n", "line 2: ");
	assert_text_refused("a: !!int 1\n", "tags");
	assert_text_refused("a: &l [*l]\n", "anchors");
}

static void test_duplicate_key_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_text_refused("a: 1\nb: 2\na: 3\n", "line 3: key 'a' is there twice");
	assert_text_refused("x: {a: 1, a: 2}\n", "line 1: key 'a'");
}

static void test_two_documents_or_none_are_refused(void **state)
{
	(void)state;
	assert_text_refused("a: 1\n---\nb: 2\n", "line 2: a second document");
	assert_text_refused("", "empty");
	assert_text_refused("# only a comment\n", "empty");
}

static void test_key_that_is_no_text_is_refused(void **state)
{
	(void)state;
	assert_text_refused("[a, b]: 1\n", "a key must be plain text");
	assert_text_refused("? {a: b}\n: 1\n", "a key must be plain text");
}

static void test_depth_bomb_is_refused(void **state)
{
	char text[4096];

	(void)state;
	memset(text, '[', sizeof(text));
	assert_refused(text, sizeof(text), "nested too deep");
}

static void test_sixteen_levels_are_fine(void **state)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_node *root;

	(void)state;
	assert_int_equal(parse("[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]", &a, &root, &err), 0);
}

static void test_too_many_values_are_refused(void **state)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_node *root;
	const size_t n = YAML_MAX_NODES + 10;
	_cleanup_free_ char *text = malloc(n * 2 + 2);

	(void)state;
	assert_non_null(text);
	text[0] = '[';
	for (size_t i = 0; i < n; i++)
		memcpy(text + 1 + i * 2, "a,", 2);
	text[1 + n * 2] = ']';
	assert_int_equal(yaml_parse(text, n * 2 + 2, &a, &root, &err), -KGE_LIMIT);
}

static void test_bytes_that_are_no_utf8_are_refused_with_their_line(void **state)
{
	static const char bad[] = "a: 1\nb: \xff\xfe\n";
	static const char wide[] = "\xff\xfe\x61\0";

	(void)state;
	assert_refused(bad, sizeof(bad) - 1, "line 2: ");
	assert_refused(wide, sizeof(wide) - 1, "line 1: ");
}

static void test_nul_in_a_text_is_refused(void **state)
{
	(void)state;
	assert_text_refused("a: \"x\\0y\"\n", "NUL");
	assert_text_refused("\"x\\0y\": a\n", "NUL");
}

static void test_syntax_error_names_its_line(void **state)
{
	(void)state;
	assert_text_refused("a: 1\nb: [1, 2\n", "line 3: ");
	assert_text_refused("a:\n\t- x\n", "line 2: ");
}

static void test_unknown_key_is_refused_by_name(void **state)
{
	static const char *const known[] = { "a", NULL };
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_node *root;

	(void)state;
	assert_int_equal(parse("a: 1\nzz: 2\n", &a, &root, &err), 0);
	assert_int_equal(yaml_expect_map(root, "a thing", known, &err), -KGE_FORMAT);
	assert_string_equal(err.text, "line 2: unknown key 'zz' in a thing");
}

static void test_missing_or_wrong_values_are_refused(void **state)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_node *root;
	const char *text = "old";
	uint64_t n = 7;

	(void)state;
	assert_int_equal(parse("l: [1]\nn: -3\nbig: 99999999999999999999\nok: 12\n", &a,
			       &root, &err),
			 0);
	assert_int_equal(yaml_get_text(root, "absent", &text, &err), -KGE_FORMAT);
	assert_string_equal(err.text, "line 1: 'absent' is missing");
	assert_int_equal(yaml_get_optional(root, "absent", &text, NULL), 0);
	assert_int_equal(yaml_get_text(root, "l", &text, NULL), -KGE_FORMAT);
	assert_string_equal(text, "old");
	assert_int_equal(yaml_get_u64(root, "n", &n, NULL), -KGE_FORMAT);
	assert_int_equal(yaml_get_u64(root, "big", &n, NULL), -KGE_FORMAT);
	assert_int_equal(n, 7);
	assert_int_equal(yaml_get_u64(root, "ok", &n, NULL), 0);
	assert_int_equal(n, 12);
	assert_int_equal(yaml_expect_list(yaml_find(root, "ok"), "ok", NULL),
			 -KGE_FORMAT);
}

static void test_what_is_written_reads_back(void **state)
{
	static const char *const hard[] = { "",	      "a: b",  "- x",	     "#c",
					    "1.10",   "yes",   "'q\"",	     "~",
					    "* x",    "{",     "line\nline", "\t",
					    "umläut", " lead", "0:1",	     "&x" };
	_cleanup_arena_ struct arena a = { 0 };
	struct kg_err err = { 0 };
	struct yaml_writer w;
	struct yaml_node *root;
	const struct yaml_node *list;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(yaml_write_begin(&w), 0);
	yaml_write_map(&w);
	yaml_write_pair(&w, "left-out", NULL);
	yaml_write_pair_u64(&w, "n", UINT64_MAX);
	yaml_write_key(&w, "list");
	yaml_write_list(&w);
	for (size_t i = 0; i < ARRAY_SIZE(hard); i++)
		yaml_write_text(&w, hard[i]);
	yaml_write_flow_map(&w);
	yaml_write_pair(&w, "k", "v");
	yaml_write_map_end(&w);
	yaml_write_list_end(&w);
	yaml_write_map_end(&w);
	assert_int_equal(yaml_write_end(&w), 0);
	assert_int_equal(yaml_parse(w.out.p, w.out.len, &a, &root, &err), 0);
	assert_int_equal(root->n, 2);
	assert_int_equal(yaml_get_u64(root, "n", &n, &err), 0);
	assert_true(n == UINT64_MAX);
	list = yaml_find(root, "list");
	assert_int_equal(list->n, ARRAY_SIZE(hard) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(hard); i++)
		assert_string_equal(list->items[i]->text, hard[i]);
	yaml_write_fini(&w);
}

static void test_text_that_is_no_utf8_fails_the_writer(void **state)
{
	struct yaml_writer w;

	(void)state;
	assert_int_equal(yaml_write_begin(&w), 0);
	yaml_write_list(&w);
	yaml_write_text(&w, "\xff");
	yaml_write_list_end(&w);
	assert_int_equal(yaml_write_end(&w), -KGE_FORMAT);
	yaml_write_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested_lists_and_maps_are_read_with_lines),
		cmocka_unit_test(test_anchors_aliases_and_tags_are_refused),
		cmocka_unit_test(test_duplicate_key_is_refused_with_its_line),
		cmocka_unit_test(test_two_documents_or_none_are_refused),
		cmocka_unit_test(test_key_that_is_no_text_is_refused),
		cmocka_unit_test(test_depth_bomb_is_refused),
		cmocka_unit_test(test_sixteen_levels_are_fine),
		cmocka_unit_test(test_too_many_values_are_refused),
		cmocka_unit_test(test_bytes_that_are_no_utf8_are_refused_with_their_line),
		cmocka_unit_test(test_nul_in_a_text_is_refused),
		cmocka_unit_test(test_syntax_error_names_its_line),
		cmocka_unit_test(test_unknown_key_is_refused_by_name),
		cmocka_unit_test(test_missing_or_wrong_values_are_refused),
		cmocka_unit_test(test_what_is_written_reads_back),
		cmocka_unit_test(test_text_that_is_no_utf8_fails_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
