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
#include "core/base/proc.h"
#include "plugins/common/owner.h"

#define TXN_DIR "/var/lib/kmodgate/txn"
#define HOLD_FILE "/etc/apt/preferences.d/00kmodgate-hold.pref"
#define HOLD_PROGRAM KG_LIBEXECDIR "/apt-hold"
#define CORE_PROGRAM KG_SBINDIR "/kmodgate"

/* MANAGER-PID-START-DIGEST (kmodgate-plan(5)): whose transaction is it? */
static bool parse_id(const char *id, const char **ret_manager_end, struct owner *ret)
{
	const char *pid = strchr(id, '-');
	const char *start = pid != NULL ? strchr(pid + 1, '-') : NULL;
	const char *end = start != NULL ? strchr(start + 1, '-') : NULL;
	uint64_t number;

	if (end == NULL || parse_u64n(pid + 1, (size_t)(start - pid - 1), &number) < 0 ||
	    parse_u64n(start + 1, (size_t)(end - start - 1), &ret->start) < 0)
		return false;
	ret->pid = (pid_t)number;
	*ret_manager_end = pid;
	return true;
}

/*
 * The owner of an open transaction that this process descends from. Looked for by id, not by
 * parents: apt runs Post-Invoke from a fork of itself, and that is not the owner.
 */
static bool find_owned(const char *manager, struct owner *ret, bool *ret_is_any)
{
	_cleanup_dir_ DIR *dir = opendir(TXN_DIR);
	struct dirent *entry;
	const char *end;

	*ret_is_any = false;
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		if (entry->d_name[0] == '.' || !parse_id(entry->d_name, &end, ret))
			continue;
		*ret_is_any = true;
		if ((size_t)(end - entry->d_name) == strlen(manager) &&
		    strncmp(entry->d_name, manager, strlen(manager)) == 0 &&
		    proc_is_ancestor(ret->pid, ret->start))
			return true;
	}
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

int main(int argc, char **argv)
{
	const char *manager = argc > 1 ? argv[1] : "apt";
	bool is_apt = strcmp(manager, "apt") == 0;
	struct owner owner;
	bool is_any;
	bool is_ours;
	char pid[24];

	if (is_apt)
		check_holds();
	is_ours = find_owned(manager, &owner, &is_any);
	/* Under apt every one of its dpkg runs comes here: only a bare dpkg's own gate counts. */
	if (!is_ours && !(is_apt && is_any))
		return 0;
	snprintf(pid, sizeof(pid), "%d", is_ours ? owner.pid : 0);
	execl(CORE_PROGRAM, CORE_PROGRAM, "settle", "--owner", pid, (char *)NULL);
	return 0;
}
