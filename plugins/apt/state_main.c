// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt-state NAME...: what dpkg's database says of these packages, as kmodgate-plan(5) describes.
 * Any failure is a non-zero exit: "not known" must not be taken for "not installed".
 */
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/spawn.h"
#include "core/plan/plan.h"
#include "plugins/common/state_answer.h"

#define QUERY_PROGRAM "/usr/bin/dpkg-query"
#define QUERY_TIMEOUT_MS 60000
#define QUERY_MAX (16u << 20)
#define FIELDS 4

/* One line of dpkg-query. */
struct row {
	char *fields[FIELDS]; /* name, architecture, version, status */
};

static enum kg_package_state state_of(const char *status)
{
	static const struct {
		const char *status;
		enum kg_package_state state;
	} all[] = {
		{ "installed", KG_STATE_INSTALLED },
		/* its own scripts have run, another package's trigger has not */
		{ "triggers-awaited", KG_STATE_INSTALLED },
		{ "triggers-pending", KG_STATE_INSTALLED },
		{ "unpacked", KG_STATE_PENDING },
		{ "half-configured", KG_STATE_PENDING },
		{ "half-installed", KG_STATE_BROKEN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(all[i].status, status) == 0)
			return all[i].state;
	return KG_STATE_ABSENT; /* not-installed, config-files */
}

static bool split_row(char *line, struct row *ret)
{
	for (size_t i = 0; i < FIELDS; i++) {
		ret->fields[i] = line;
		line += strcspn(line, "\t");
		if ((*line == '\t') != (i < FIELDS - 1))
			return false;
		*line++ = '\0';
	}
	return true;
}

/* "name", or "name:arch". */
static bool is_asked_for(const char *asked, const struct row *row)
{
	size_t len = strlen(row->fields[0]);

	if (strncmp(asked, row->fields[0], len) != 0)
		return false;
	return asked[len] == '\0' ||
	       (asked[len] == ':' && strcmp(asked + len + 1, row->fields[1]) == 0);
}

/* The row says more than what is known so far of the package. */
static void take_row(struct kg_state *state, const struct row *row)
{
	enum kg_package_state found = state_of(row->fields[3]);

	for (size_t i = 0; i < state->n_packages; i++) {
		struct kg_state_package *p = &state->packages[i];

		if (!is_asked_for(p->name, row) || found <= p->state)
			continue;
		p->state = found;
		p->version = row->fields[2];
	}
}

static int query(const struct kg_state *state, struct str *out, struct kg_err *err)
{
	_cleanup_strv_ struct strv args = { 0 };
	_cleanup_close_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct kg_spawn how = {
		.dir_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = null_fd
	};
	int status = 0;
	int r;

	strv_add(&args, QUERY_PROGRAM);
	strv_add(&args, "-W");
	strv_add(&args, "-f");
	strv_add(&args,
		 "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Status}\\n");
	for (size_t i = 0; i < state->n_packages; i++)
		strv_add(&args, state->packages[i].name);
	if (!strv_ok(&args))
		return kg_fail_errno(err, -ENOMEM, "asking dpkg");
	how.argv = (const char *const *)args.v;
	r = spawn_capture(&how, QUERY_TIMEOUT_MS, QUERY_MAX, out, &status, err);
	/* 1: some of them it has never heard of (said on stderr, and no reason to worry). */
	if (r == 0 && status > 1)
		r = kg_fail(err, -EIO, "%s ended with %d", QUERY_PROGRAM, status);
	return r;
}

static int fill_states(struct kg_state *state, struct str *rows, struct kg_err *err)
{
	int r = query(state, rows, err);

	for (char *line = rows->p; r == 0 && line != NULL && *line != '\0';) {
		char *end = strchrnul(line, '\n');
		bool is_last = *end == '\0';
		struct row row;

		*end = '\0';
		if (!split_row(line, &row))
			return kg_fail(err, -KGE_FORMAT, "%s printed: %s", QUERY_PROGRAM,
				       line);
		take_row(state, &row);
		line = is_last ? end : end + 1;
	}
	return r;
}

static int name_packages(struct kg_state *state, int n, char **names, struct kg_err *err)
{
	for (int i = 0; i < n; i++) {
		struct kg_state_package *p =
			ARENA_ADD(&state->arena, state->packages, state->n_packages);

		if (p == NULL)
			return kg_fail_errno(err, -ENOMEM, "asking dpkg");
		if (!name_is_word(names[i]))
			return kg_fail(err, -EINVAL, "not a package name: %s", names[i]);
		*p = (struct kg_state_package){ names[i], "", KG_STATE_ABSENT };
	}
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_str_ struct str rows = { 0 };
	struct kg_state state = { 0 };
	struct kg_err err = { 0 };
	int r = name_packages(&state, argc - 1, argv + 1, &err);

	if (r == 0 && state.n_packages > 0)
		r = fill_states(&state, &rows, &err);
	return state_answer(&state, r, &err);
}
