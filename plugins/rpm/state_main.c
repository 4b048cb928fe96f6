// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpm-state NAME...: what rpm's database says of these packages (NAME-VERSION-RELEASE.ARCH), as
 * kmodgate-plan(5) describes. Also called dnf-state, zypper-state. Any failure is a non-zero exit:
 * "not known" must not be taken for "not installed".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmts.h>

#include "core/base/name.h"
#include "core/plan/plan.h"
#include "plugins/common/state_answer.h"

/* In the database means unpacked: rpm adds a package after its files, and takes nothing back. */
static int fill_one(rpmts ts, struct kg_state *state, const char *name,
		    struct kg_err *err)
{
	rpmdbMatchIterator it = rpmtsInitIterator(ts, RPMDBI_LABEL, name, 0);
	Header h = rpmdbNextIterator(it);
	struct kg_state_package *p =
		ARENA_ADD(&state->arena, state->packages, state->n_packages);
	char *evr = h != NULL ? headerGetAsString(h, RPMTAG_EVR) : NULL;

	if (p != NULL)
		*p = (struct kg_state_package){
			name, arena_strdup(&state->arena, evr != NULL ? evr : ""),
			h != NULL ? KG_STATE_INSTALLED : KG_STATE_ABSENT
		};
	free(evr);
	rpmdbFreeIterator(it);
	return state->arena.failed ? kg_fail_errno(err, -ENOMEM, "asking rpm") : 0;
}

static int fill(int n, char **names, struct kg_state *state, struct kg_err *err)
{
	rpmts ts;
	int r = 0;

	if (rpmReadConfigFiles(NULL, NULL) != 0)
		return kg_fail(err, -EIO, "rpm's own configuration cannot be read");
	ts = rpmtsCreate();
	/* Else a database that cannot be opened looks like an empty one. */
	if (ts == NULL || rpmtsOpenDB(ts, O_RDONLY) != 0)
		r = kg_fail(err, -EIO, "rpm's database cannot be opened");
	for (int i = 0; r == 0 && i < n; i++)
		r = name_is_package(names[i])
			    ? fill_one(ts, state, names[i], err)
			    : kg_fail(err, -EINVAL, "not a package name: %s", names[i]);
	if (ts != NULL)
		rpmtsFree(ts);
	return r;
}

int main(int argc, char **argv)
{
	struct kg_state state = { 0 };
	struct kg_err err = { 0 };
	int r = fill(argc - 1, argv + 1, &state, &err);

	return state_answer(&state, r, &err);
}
