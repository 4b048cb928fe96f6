// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt-settle apt|dpkg: runs after every dpkg run of apt (DPkg::Post-Invoke), and after dpkg
 * itself (post-invoke). Ends at once when no transaction is open. Never fails: a non-zero exit
 * here would turn a finished installation into an error.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/apt/owner.h"

#define TXN_DIR "/var/lib/kmodgate/txn"
#define HOLD_FILE "/etc/apt/preferences.d/kmodgate-hold.pref"
#define HOLD_PROGRAM KG_LIBEXECDIR "/apt-hold"
#define CORE_PROGRAM KG_SBINDIR "/kmodgate"

/* A transaction whose id begins with @prefix is open. */
static bool is_open(const char *prefix)
{
	_cleanup_dir_ DIR *dir = opendir(TXN_DIR);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (entry->d_name[0] != '.' && str_starts(entry->d_name, prefix))
			return true;
	return false;
}

/* Lifts holds whose reason is gone: another module source, compiler or policy. */
static void check_holds(void)
{
	pid_t child;

	if (access(HOLD_FILE, F_OK) < 0)
		return;
	child = fork();
	if (child == 0) {
		execl(HOLD_PROGRAM, HOLD_PROGRAM, "check", (char *)NULL);
		_exit(0);
	}
	if (child > 0)
		(void)waitpid(child, NULL, 0);
}

static bool has_work(const char *manager, const struct owner *owner)
{
	char prefix[64];

	if (strcmp(manager, "dpkg") != 0)
		return is_open("");
	/* Under apt every one of its dpkg runs comes here: only a bare dpkg's own gate counts. */
	snprintf(prefix, sizeof(prefix), "dpkg-%d-%llu-", owner->pid,
		 (unsigned long long)owner->start);
	return is_open(prefix);
}

int main(int argc, char **argv)
{
	const char *manager = argc > 1 ? argv[1] : "apt";
	struct owner owner;
	char pid[24];

	if (strcmp(manager, "apt") == 0)
		check_holds();
	if (!is_open(""))
		return 0;
	owner_find(&owner);
	if (!has_work(manager, &owner))
		return 0;
	snprintf(pid, sizeof(pid), "%d", owner.pid);
	execl(CORE_PROGRAM, CORE_PROGRAM, "settle", "--owner", pid, (char *)NULL);
	return 0;
}
