/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to core/run: what a command holds while it works. */
#include "core/run/run.h"

struct run_command {
	struct run run;
	struct txn
		txn; /* the live transaction we are a child of, if any: then run.txn is it */
	int lock_fd;
};
#define RUN_COMMAND_INIT \
	{ \
		.run = { .stage_fd = -1, .work_fd = -1, .log_dir_fd = -1 }, \
		.txn = TXN_INIT, .lock_fd = -1 \
	}

/* Takes the lock, recovers, joins a live transaction. run_command_end() in every case. */
int run_command_begin(struct run_command *c, const struct kg_system *sys,
		      struct kg_err *err) _must_check_;
/* The same, with what @target asks for; it must outlive the command. */
int run_command_begin_for(struct run_command *c, const struct kg_system *sys,
			  const struct kg_target *target,
			  struct kg_err *err) _must_check_;
void run_command_end(struct run_command *c);
#define _cleanup_run_command_ __attribute__((cleanup(run_command_end)))
