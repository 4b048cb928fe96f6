// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/run/command.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/base/fd.h"
#include "core/base/lock.h"

#define LOCK_WAIT_MS (30 * 60 * 1000)

int run_command_begin(struct run_command *c, const struct kg_system *sys,
		      struct kg_err *err)
{
	char id[64];
	int r;

	c->lock_fd = lock_take(sys->root_fd, LOCK_WAIT_MS, err);
	if (c->lock_fd < 0)
		return c->lock_fd;
	r = run_recover(sys, err);
	if (r == 0)
		r = run_init(&c->run, sys, err);
	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "dkms-%d", getpid());
	r = run_open_folders(&c->run, id, "work", err);
	if (r == 0)
		r = run_join_live(sys, &c->txn, err);
	if (r == 1)
		c->run.txn = &c->txn;
	return r < 0 ? r : 0;
}

int run_command_begin_for(struct run_command *c, const struct kg_system *sys,
			  const struct kg_target *target, struct kg_err *err)
{
	int r = run_command_begin(c, sys, err);

	c->run.kernel_source_dir = target->kernel_source_dir;
	c->run.directives = target->directives;
	c->run.conf = target->conf;
	c->run.kernel_config = target->kernel_config;
	c->run.target = target;
	if (r == 0 && target->jobs > 0)
		c->run.policy.jobs = target->jobs;
	return r;
}

void run_command_end(struct run_command *c)
{
	/* A log folder without a log is nobody's to read. */
	if (c->run.log_dir != NULL)
		(void)unlinkat(c->run.sys->root_fd, c->run.log_dir + 1, AT_REMOVEDIR);
	run_fini(&c->run);
	txn_fini(&c->txn);
	closep(&c->lock_fd);
	c->lock_fd = -1;
}
