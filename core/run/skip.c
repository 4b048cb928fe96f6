// SPDX-License-Identifier: GPL-2.0-or-later
/* The two ways to let a transaction through without the gate, and what is open: status. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/run/run.h"

static int open_state(const struct kg_system *sys, struct kg_err *err)
{
	return fd_make_dir_in(sys->root_fd, sys->state_dir, 0755, err);
}

#define HOLD_TIMEOUT_MS 10000

/* Those with holds of their own. */
static const char *const holders[] = { "apt", "dnf", "zypper", "pacman" };

/* What is held would not come again with the same command. The next stop may hold it anew. */
static void lift_holds(const char *manager)
{
	_cleanup_strv_ struct strv args = { 0 };
	struct kg_spawn how = { .dir_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = 2 };
	int status = 0;

	strv_addf(&args, "%s/%s-hold", KG_LIBEXECDIR, manager);
	strv_add(&args, "clear");
	if (!strv_ok(&args) || access(args.v[0], X_OK) < 0)
		return;
	how.argv = (const char *const *)args.v;
	if (spawn_run(&how, HOLD_TIMEOUT_MS, &status, NULL) < 0 || status != 0)
		kg_warning("the holds of %s were not lifted", manager);
}

int kg_skip_once(const struct kg_system *sys, struct kg_err *err)
{
	_cleanup_close_ int fd = open_state(sys, err);
	int r = fd < 0 ? fd : fd_replace_at(fd, "skip-once", "", 0, 0644, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(holders); i++)
		lift_holds(holders[i]);
	return r;
}

/* "PID START" of the package manager the skip was spent on: its hook may run more than once. */
static bool is_spent_on(int state_fd, const char *owner)
{
	_cleanup_free_ char *text = NULL;

	return fd_read_file_in(state_fd, "skipped", 256, &text, NULL, NULL) == 0 &&
	       strcmp(text, owner) == 0;
}

/* A test only looks: it is for the transaction itself. */
static bool use_skip_once(const struct run *run, const struct kg_plan *plan)
{
	_cleanup_close_ int fd = open_state(run->sys, NULL);
	char owner[64];
	int len = snprintf(owner, sizeof(owner), "%d %" PRIu64, plan->owner_pid,
			   plan->owner_start);

	if (fd < 0)
		return false;
	if (is_spent_on(fd, owner))
		return true;
	if (run->is_test)
		return faccessat(fd, "skip-once", F_OK, 0) == 0;
	if (unlinkat(fd, "skip-once", 0) < 0)
		return false;
	if (fd_replace_at(fd, "skipped", owner, (size_t)len, 0644, NULL) < 0)
		kg_debug("the owner of the skip was not noted");
	return true;
}

bool run_is_skipped(const struct run *run, const struct kg_plan *plan)
{
	const char *env = getenv("KMODGATE");

	if (env != NULL && strcmp(env, "off") == 0) {
		kg_warning(
			"KMODGATE=off: this transaction is not checked; modules are built after "
			"it, as far as they build");
		return true;
	}
	if (!use_skip_once(run, plan))
		return false;
	kg_warning(
		"skip-once: this transaction is not checked; modules are built after it, as "
		"far as they build%s",
		run->is_test ? "" : ". The next one is checked again");
	return true;
}

/* ---- status ---- */

static void add_item(struct kg_status *status, const char *id, const char *text,
		     bool needs_recovery)
{
	struct kg_status_item *item =
		ARENA_ADD(&status->arena, status->items, status->n_items);

	if (item != NULL)
		*item = (struct kg_status_item){ arena_strdup(&status->arena, id),
						 arena_strdup(&status->arena, text),
						 needs_recovery };
}

static void add_transaction(const struct kg_system *sys, const char *id,
			    struct kg_status *status)
{
	_cleanup_txn_ struct txn txn = TXN_INIT;
	struct kg_err err = { 0 };

	if (txn_open(sys, id, &txn, &err) < 0)
		add_item(status, id, err.text, true);
	else if (txn_is_live(&txn))
		add_item(status, id, "is running", false);
	else
		add_item(status, id, "ended unfinished; kmodgate recover looks after it",
			 true);
}

/* Each manager's LIBEXECDIR/MANAGER-hold list prints one held package a line. */
static void add_holds(const char *manager, struct kg_status *status)
{
	_cleanup_str_ struct str out = { 0 };
	const char *const argv[] = { arena_printf(&status->arena, "%s/%s-hold",
						  KG_LIBEXECDIR, manager),
				     "list", NULL };
	const struct kg_spawn how = {
		.argv = argv, .dir_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = 2
	};
	int exit_status = 0;

	if (argv[0] == NULL || access(argv[0], X_OK) < 0 ||
	    spawn_capture(&how, HOLD_TIMEOUT_MS, 1u << 20, &out, &exit_status, NULL) < 0)
		return;
	for (const char *p = str_get(&out); *p != '\0';) {
		size_t len = strcspn(p, "\n");
		const char *line =
			arena_printf(&status->arena, "held: %.*s", (int)len, p);

		if (len > 0 && line != NULL)
			add_item(status, manager, line, false);
		p += len + (p[len] == '\n');
	}
}

int kg_status_read(const struct kg_system *sys, struct kg_status *ret_status,
		   struct kg_err *err)
{
	struct kg_status status = { 0 };
	_cleanup_strv_ struct strv ids = { 0 };
	const char *path = arena_printf(&status.arena, "%s/skip-once", sys->state_dir);
	struct stat st;
	int r = txn_list(sys, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.n; i++)
		add_transaction(sys, ids.v[i], &status);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(holders); i++)
		add_holds(holders[i], &status);
	status.skips_next = path != NULL && fd_lstat_in(sys->root_fd, path, &st) == 0;
	if (r == 0 && status.arena.failed)
		r = kg_fail_errno(err, -ENOMEM, "cannot read the status");
	if (r < 0)
		kg_status_fini(&status);
	else
		*ret_status = status;
	return r;
}

void kg_status_fini(struct kg_status *status)
{
	arena_fini(&status->arena);
}
