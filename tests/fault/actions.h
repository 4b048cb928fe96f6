/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is tried with calls that fail: each begins with one of the driver's trees. */
#include "core/base/err.h"
#include "core/job.h"

#define HERE "1.0-here"
#define ENTERING "2.0-enters"

struct action {
	const char *name;
	int (*act)(const struct kg_system *sys, struct kg_err *err);
	const char *from; /* the tree it begins with */
	const char *
		back; /* the tree a roll-back must give, NULL: no transaction to roll back */
};

extern const struct action actions[]; /* a NULL name ends them */
extern int action_sets_fd;	      /* the folder of the new set */

/* What the next command does after a kill. */
int act_recover(const struct kg_system *sys, struct kg_err *err);

/* Those the driver makes its trees with. */
int act_back(const struct kg_system *sys, struct kg_err *err);
int act_change(const struct kg_system *sys, struct kg_err *err);
int act_place(const struct kg_system *sys, struct kg_err *err);
int act_replace(const struct kg_system *sys, struct kg_err *err);
