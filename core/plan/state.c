// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "core/base/name.h"
#include "core/base/yaml.h"
#include "core/plan/plan.h"

#define STATE_VERSION 1

static const char *const state_texts[] = {
	[KG_STATE_ABSENT] = "absent",
	[KG_STATE_BROKEN] = "broken",
	[KG_STATE_PENDING] = "pending",
	[KG_STATE_INSTALLED] = "installed",
};

void state_fini(struct kg_state *state)
{
	arena_fini(&state->arena);
	*state = (struct kg_state){ 0 };
}

static int read_state_word(const struct yaml_node *node, enum kg_package_state *ret_state,
			   struct kg_err *err)
{
	const char *text = NULL;
	int rc = yaml_get_text(node, "state", &text, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(state_texts); i++) {
		if (strcmp(state_texts[i], text) == 0) {
			*ret_state = (enum kg_package_state)i;
			return 0;
		}
	}
	return kg_fail(err, -KGE_FORMAT, "line %u: not a valid state: '%.40s'",
		       node->line, text);
}

static int read_package(const struct yaml_node *node, struct kg_state_package *ret,
			struct kg_err *err)
{
	static const char *const known[] = { "name", "version", "state", NULL };
	int rc = yaml_expect_map(node, "a package", known, err);

	if (rc == 0)
		rc = yaml_get_text(node, "name", &ret->name, err);
	if (rc == 0)
		rc = yaml_get_text(node, "version", &ret->version, err);
	if (rc == 0)
		rc = read_state_word(node, &ret->state, err);
	if (rc == 0 && !name_is_package(ret->name))
		rc = kg_fail(err, -KGE_FORMAT, "line %u: not a package name: '%.80s'",
			     node->line, ret->name);
	return rc;
}

static int read_packages(const struct yaml_node *list, struct kg_state *state,
			 struct kg_err *err)
{
	int rc = 0;

	state->packages = arena_array(&state->arena, list->n, sizeof(*state->packages));
	if (state->packages == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading package states");
	state->n_packages = list->n;
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		rc = read_package(list->items[i], &state->packages[i], err);
	return rc;
}

static int read_state(const struct yaml_node *root, struct kg_state *state,
		      struct kg_err *err)
{
	static const char *const known[] = { "kmodgate-state", "packages", NULL };
	const struct yaml_node *list;
	uint64_t version = 0;
	int rc = yaml_expect_map(root, "a state", known, err);

	if (rc == 0)
		rc = yaml_get_u64(root, "kmodgate-state", &version, err);
	if (rc < 0)
		return rc;
	if (version != STATE_VERSION)
		return kg_fail(err, -KGE_FORMAT,
			       "state format %llu, this kmodgate reads %d",
			       (unsigned long long)version, STATE_VERSION);
	list = yaml_find(root, "packages");
	if (list == NULL)
		return kg_fail(err, -KGE_FORMAT, "line %u: 'packages' is missing",
			       root->line);
	rc = yaml_expect_list(list, "packages", err);
	return rc < 0 ? rc : read_packages(list, state, err);
}

int state_read(const char *text, size_t len, struct kg_state *ret_state,
	       struct kg_err *err)
{
	struct kg_state state = { 0 };
	struct yaml_node *root;
	int rc = yaml_parse(text, len, &state.arena, &root, err);

	if (rc == 0)
		rc = read_state(root, &state, err);
	if (rc < 0) {
		state_fini(&state);
		return rc;
	}
	*ret_state = state;
	return 0;
}

static void write_state(struct yaml_writer *w, const struct kg_state *state)
{
	yaml_write_map(w);
	yaml_write_pair_u64(w, "kmodgate-state", STATE_VERSION);
	yaml_write_key(w, "packages");
	yaml_write_list(w);
	for (size_t i = 0; i < state->n_packages; i++) {
		yaml_write_flow_map(w);
		yaml_write_pair(w, "name", state->packages[i].name);
		yaml_write_pair(w, "version", state->packages[i].version);
		yaml_write_pair(w, "state", state_texts[state->packages[i].state]);
		yaml_write_map_end(w);
	}
	yaml_write_list_end(w);
	yaml_write_map_end(w);
}

int state_write(const struct kg_state *state, struct str *out, struct kg_err *err)
{
	struct yaml_writer w;
	int rc = yaml_write_begin(&w);

	if (rc == 0) {
		write_state(&w, state);
		rc = yaml_write_end(&w);
	}
	if (rc == 0) {
		str_addn(out, w.out.p, w.out.len);
		rc = str_ok(out) ? 0 : -ENOMEM;
	}
	yaml_write_fini(&w);
	return rc < 0 ? kg_fail_errno(err, rc, "writing package states") : 0;
}

const struct kg_state_package *state_find(const struct kg_state *state, const char *name)
{
	for (size_t i = 0; i < state->n_packages; i++)
		if (strcmp(state->packages[i].name, name) == 0)
			return &state->packages[i];
	return NULL;
}
