// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/plan/plan.h"

static void assert_refused(const char *text, const char *words)
{
	struct kg_state st = { 0 };
	struct kg_err err = { 0 };

	assert_int_equal(state_read(text, strlen(text), &st, &err), -KGE_FORMAT);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void test_states_are_written_and_read_back(void **state)
{
	struct kg_state_package all[] = {
		{ "gone", "", KG_STATE_ABSENT },
		{ "half", "1:2~3", KG_STATE_BROKEN },
		{ "unpacked", "2", KG_STATE_PENDING },
		{ "libc6:i386", "2.36-9", KG_STATE_INSTALLED },
	};
	const struct kg_state out = { .packages = all, .n_packages = ARRAY_SIZE(all) };
	struct kg_state back;
	struct kg_err err = { 0 };
	struct str text = { 0 };

	(void)state;
	assert_int_equal(state_write(&out, &text, &err), 0);
	assert_int_equal(state_read(text.p, text.len, &back, &err), 0);
	assert_int_equal(back.n_packages, ARRAY_SIZE(all));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const struct kg_state_package *p = state_find(&back, all[i].name);

		assert_non_null(p);
		assert_string_equal(p->version, all[i].version);
		assert_int_equal(p->state, all[i].state);
	}
	assert_null(state_find(&back, "never heard of"));
	state_fini(&back);
	str_fini(&text);
}

static void test_malformed_states_are_refused(void **state)
{
	(void)state;
	assert_refused("kmodgate-state: 2\npackages: []\n", "state format 2");
	assert_refused("kmodgate-state: 1\n", "'packages' is missing");
	assert_refused("packages: []\n", "'kmodgate-state' is missing");
	assert_refused("kmodgate-state: 1\npackages: {}\n", "must be a list");
	assert_refused("kmodgate-state: 1\npackages: [{name: a, version: '1'}]\n",
		       "'state'");
	assert_refused(
		"kmodgate-state: 1\npackages: [{name: a, version: '1', state: fine}]\n",
		"not a valid state");
	assert_refused("kmodgate-state: 1\npackages: [{name: ../a, version: '1', "
		       "state: absent}]\n",
		       "not a package name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_are_written_and_read_back),
		cmocka_unit_test(test_malformed_states_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
