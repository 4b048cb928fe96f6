/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* In whose process librpm runs. libc only. */
#include <stdbool.h>
#include <sys/types.h>

struct client {
	const char *manager; /* of the plan: rpm, dnf, zypper */
	pid_t owner;	     /* the process that lives as long as the transaction */
	bool is_step;	     /* one of several rpm processes of one zypper commit */
	bool hides_stderr;   /* what is to be read must go through rpmlog */
};

void client_find(struct client *ret);

/* What zypper's commit plugin has noted for process PID, see plugins/zypper. */
#define CLIENT_STEPS_FORMAT "/run/kmodgate/zypp-%d.steps"
/* Which archives a gate of that commit has judged. */
#define CLIENT_JUDGED_FORMAT "/run/kmodgate/zypp-%d.judged"
