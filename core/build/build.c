// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

static int phase(struct build *b, enum kg_phase which)
{
	b->result->phase = which;
	return cancel_check(b->err);
}

static int run_phases(struct build *b)
{
	const struct kg_recipe *recipe = b->req->recipe;
	int r = phase(b, KG_PHASE_COPY);

	if (r == 0)
		r = work_prepare(b);
	if (r == 0)
		r = phase(b, KG_PHASE_PATCH);
	if (r == 0)
		r = patch_apply_all(b);
	if (r == 0)
		r = phase(b, KG_PHASE_PRE_BUILD);
	if (r == 0)
		r = script_run(b, "PRE_BUILD", recipe->pre_build);
	if (r == 0)
		r = phase(b, KG_PHASE_MAKE);
	if (r == 0)
		r = make_run(b);
	if (r == 0)
		r = gather_modules(b);
	if (r == 0)
		r = phase(b, KG_PHASE_POST_BUILD);
	if (r == 0)
		r = script_run(b, "POST_BUILD", recipe->post_build);
	return r == 0 ? work_collect(b) : r;
}

int build_run(const struct build_request *req, struct build_result *ret_result,
	      struct kg_err *err)
{
	struct build b = {
		.req = req,
		.result = ret_result,
		.err = err,
		.build_fd = -1,
		.ka_fd = -1,
		.source_fd = -1,
	};
	int r;

	*ret_result = (struct build_result){ .phase = KG_PHASE_COPY };
	step_log(&b, "kmodgate: make.log of %s/%s for kernel %s (%s)\n",
		 req->source->name, req->source->version, req->release, req->arch);
	r = run_phases(&b);
	if (r < 0)
		step_log(&b, "kmodgate: %s\n", kg_err_text(err, r));
	work_fini(&b);
	arena_fini(&b.arena);
	return r;
}
