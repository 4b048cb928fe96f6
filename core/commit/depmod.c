// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/commit/commit.h"
#include "core/commit/index.h"
#include "core/commit/swap.h"
#include "core/commit/modtree.h"

static int finish(struct swap *s, struct kg_err *err)
{
	int r = swap_finish(s, err);

	if (r < 0)
		(void)!swap_undo(s, NULL);
	return r;
}

static int close_open(const struct kg_system *sys, const char *release,
		      struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = swap_find(sys, release, &s, err);

	return r <= 0 ? r : finish(&s, err);
}

int depmod_skip(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	int r = modtree_check_names(release, NULL, err);

	return r < 0 ? r : close_open(sys, release, err);
}

static int build_and_finish(struct swap *s, const char *const *files, struct kg_err *err)
{
	int r = index_build(s, index_depmod_paths, files, err);

	return r < 0 ? r : swap_finish_indexed(s, err);
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
	r = build_and_finish(&s, files, err);
	if (r < 0 && s.phase == SWAP_OPEN)
		(void)!swap_undo(&s, NULL);
	return r;
}

int depmod_after_take_back(const struct kg_system *sys, const char *release,
			   struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	struct kg_err why = { 0 };
	int r = swap_find(sys, release, &s, err);

	if (r <= 0)
		return r;
	if (!modtree_has_kernel(sys, release))
		return finish(&s, err);
	r = build_and_finish(&s, NULL, &why);
	if (r == 0)
		return 0;
	if (s.phase != SWAP_OPEN)
		return kg_fail(err, r, "%s", kg_err_text(&why, r));
	kg_warning("%s. Its indexes may name modules that are gone; later: \"depmod %s\"",
		   kg_err_text(&why, r), release);
	return finish(&s, err);
}

int set_undo(const struct kg_system *sys, const char *release, struct kg_err *err)
{
	_cleanup_swap_ struct swap s = SWAP_INIT;
	int r = modtree_check_names(release, NULL, err);

	if (r == 0)
		r = swap_find(sys, release, &s, err);
	return r <= 0 ? r : swap_undo(&s, err);
}
