// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/name.h"
#include "core/commit/commit.h"
#include "core/commit/index.h"
#include "core/commit/swap.h"
#include "core/commit/modtree.h"

static int close_open(const struct kg_system *sys, const char *release,
		      struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = swap_find(sys, release, &s, err);

	if (r <= 0)
		return r;
	r = swap_finish(&s, err);
	if (r < 0)
		(void)!swap_undo(&s, NULL);
	return r;
}

int depmod_skip(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	int r = modtree_check_names(release, NULL, err);

	return r < 0 ? r : close_open(sys, release, err);
}

int depmod_run(const struct kg_system *sys, const char *release, const char *const *files,
	       struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = modtree_check_names(release, files, err);

	if (r < 0)
		return r;
	if (!modtree_has_kernel(sys, release))
		return close_open(sys, release, err);
	r = swap_open(sys, release, SWAP_FORGET, NULL, &s, err);
	if (r < 0)
		return r;
	r = index_build(&s, index_depmod_paths, files, err);
	if (r == 0)
		r = swap_finish_indexed(&s, err);
	if (r < 0 && s.phase == SWAP_OPEN)
		(void)!swap_undo(&s, NULL);
	return r;
}

bool set_has_changes(const struct kg_system *sys, const char *release)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	bool has = false;

	if (swap_find(sys, release, &s, NULL) > 0)
		for (size_t i = 0; i < s.n_steps; i++)
			has = has || s.steps[i].kind == SWAP_PUT ||
			      s.steps[i].kind == SWAP_DROP;
	return has;
}

int set_undo(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = modtree_check_names(release, NULL, err);

	if (r == 0)
		r = swap_find(sys, release, &s, err);
	return r <= 0 ? r : swap_undo(&s, err);
}
