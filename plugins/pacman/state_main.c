// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pacman-state NAME...: what pacman's database says of these packages, as kmodgate-plan(5) describes.
 * One whose files are not as they should be is broken. While pacman runs whose transaction is in
 * question, it is the database that this one was called with.
 */
#include <alpm.h>
#include <stdio.h>

#include "core/base/name.h"
#include "plugins/common/state_answer.h"
#include "plugins/pacman/config.h"
#include "plugins/pacman/open.h"
#include "plugins/pacman/whole.h"

static int fill_one(alpm_handle_t *alpm, struct kg_state *state, const char *name,
		    struct kg_err *err)
{
	alpm_pkg_t *pkg = alpm_db_get_pkg(alpm_get_localdb(alpm), name);
	struct kg_state_package *p =
		ARENA_ADD(&state->arena, state->packages, state->n_packages);
	enum kg_package_state found = KG_STATE_ABSENT;

	if (pkg != NULL)
		found = package_is_whole(alpm, pkg) ? KG_STATE_INSTALLED
						    : KG_STATE_BROKEN;
	if (p != NULL)
		*p = (struct kg_state_package){
			name,
			arena_strdup(&state->arena,
				     pkg != NULL ? alpm_pkg_get_version(pkg) : ""),
			found,
		};
	return state->arena.failed ? kg_fail_errno(err, -ENOMEM, "asking libalpm") : 0;
}

static int read_config(struct config *ret, struct kg_err *err)
{
	const pid_t owner = open_owner();
	struct cmdline cmd = { 0 };
	int r = owner > 0 ? cmdline_of(owner, &cmd, err) : 0;

	if (r == 0)
		r = config_read(owner, &cmd, ret, err);
	cmdline_fini(&cmd);
	return r;
}

static int open_alpm(alpm_handle_t **ret, struct kg_err *err)
{
	struct config config;
	alpm_errno_t why = 0;
	int r = read_config(&config, err);

	if (r < 0)
		return r;
	*ret = alpm_initialize(config.root, config.dbpath, &why);
	if (*ret == NULL)
		r = kg_fail(err, -EIO, "libalpm: %s", alpm_strerror(why));
	for (size_t i = 0; r == 0 && i < config.no_extract.n; i++)
		if (alpm_option_add_noextract(*ret, config.no_extract.v[i]) != 0)
			r = kg_fail_errno(err, -ENOMEM, "reading pacman.conf");
	config_fini(&config);
	return r;
}

static int fill(int n, char **names, struct kg_state *state, struct kg_err *err)
{
	alpm_handle_t *alpm = NULL;
	int r = open_alpm(&alpm, err);

	/* Else a database that cannot be read looks like an empty one. */
	if (r == 0 && alpm_db_get_pkgcache(alpm_get_localdb(alpm)) == NULL &&
	    alpm_errno(alpm) != 0)
		r = kg_fail(err, -EIO, "pacman's database: %s",
			    alpm_strerror(alpm_errno(alpm)));
	for (int i = 0; r == 0 && i < n; i++)
		r = name_is_word(names[i])
			    ? fill_one(alpm, state, names[i], err)
			    : kg_fail(err, -EINVAL, "not a package name: %s", names[i]);
	if (alpm != NULL)
		(void)alpm_release(alpm);
	return r;
}

int main(int argc, char **argv)
{
	struct kg_state state = { 0 };
	struct kg_err err = { 0 };
	int r = fill(argc - 1, argv + 1, &state, &err);

	return state_answer(&state, r, &err);
}
