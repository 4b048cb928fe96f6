// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/state_answer.h"

#include <stdio.h>

int state_answer(struct kg_state *state, int r, struct kg_err *err)
{
	_cleanup_str_ struct str out = { 0 };

	if (r == 0)
		r = state_write(state, &out, err);
	state_fini(state);
	if (r < 0) {
		fprintf(stderr, "kmodgate: %s\n", kg_err_text(err, r));
		return 1;
	}
	return fputs(str_get(&out), stdout) < 0 || fflush(stdout) != 0;
}
