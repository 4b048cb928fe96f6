// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pacman-state NAME...: what pacman's database says of these packages, as kmodgate-plan(5) describes.
 * While pacman runs whose transaction is in question, it is the database that this one was called with.
 *
 * One whose files are not as they should be is broken. But where that pacman has us run, these are its
 * last hooks, for which it needs to have unpacked everything: what they did to the files since (signed,
 * stripped, replaced by modules of ours) is as it is to be.
 */
#include <alpm.h>
#include <stdio.h>

#include "core/base/name.h"
#include "core/base/proc.h"
#include "plugins/common/state_answer.h"
#include "plugins/pacman/config.h"
#include "plugins/pacman/open.h"
#include "plugins/pacman/whole.h"

struct asked {
	struct owner owner; /* that still runs; pid 0: none */
	bool is_below;	    /* it waits for us */
	alpm_handle_t *alpm;
};

static int fill_one(const struct asked *asked, struct kg_state *state, const char *name,
		    struct kg_err *err)
{
	alpm_pkg_t *pkg = alpm_db_get_pkg(alpm_get_localdb(asked->alpm), name);
	struct kg_state_package *p =
		ARENA_ADD(&state->arena, state->packages, state->n_packages);
	enum kg_package_state found = KG_STATE_ABSENT;

	if (pkg != NULL)
		found = asked->is_below || package_is_whole(asked->alpm, pkg)
				? KG_STATE_INSTALLED
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

static int read_config(pid_t owner, struct config *ret, struct kg_err *err)
{
	struct cmdline cmd = { 0 };
	int r = owner > 0 ? cmdline_of(owner, &cmd, err) : 0;

	if (r == 0)
		r = config_read(owner, &cmd, ret, err);
	cmdline_fini(&cmd);
	return r;
}

static int open_alpm(struct asked *asked, struct kg_err *err)
{
	struct config config;
	alpm_errno_t why = 0;
	int r = read_config(asked->owner.pid, &config, err);

	if (r < 0)
		return r;
	asked->alpm = alpm_initialize(config.root, config.dbpath, &why);
	if (asked->alpm == NULL)
		r = kg_fail(err, -EIO, "libalpm: %s", alpm_strerror(why));
	for (size_t i = 0; r == 0 && i < config.no_extract.n; i++)
		if (alpm_option_add_noextract(asked->alpm, config.no_extract.v[i]) != 0)
			r = kg_fail_errno(err, -ENOMEM, "reading pacman.conf");
	config_fini(&config);
	return r;
}

static int fill(int n, char **names, struct kg_state *state, struct kg_err *err)
{
	struct asked asked = { 0 };
	int r;

	open_owner(&asked.owner);
	asked.is_below = asked.owner.pid > 0 &&
			 proc_is_ancestor(asked.owner.pid, asked.owner.start);
	r = open_alpm(&asked, err);
	/* Else a database that cannot be read looks like an empty one. */
	if (r == 0 && alpm_db_get_pkgcache(alpm_get_localdb(asked.alpm)) == NULL &&
	    alpm_errno(asked.alpm) != 0)
		r = kg_fail(err, -EIO, "pacman's database: %s",
			    alpm_strerror(alpm_errno(asked.alpm)));
	for (int i = 0; r == 0 && i < n; i++)
		r = name_is_word(names[i])
			    ? fill_one(&asked, state, names[i], err)
			    : kg_fail(err, -EINVAL, "not a package name: %s", names[i]);
	if (asked.alpm != NULL)
		(void)alpm_release(asked.alpm);
	return r;
}

int main(int argc, char **argv)
{
	struct kg_state state = { 0 };
	struct kg_err err = { 0 };
	int r = fill(argc - 1, argv + 1, &state, &err);

	return state_answer(&state, r, &err);
}
