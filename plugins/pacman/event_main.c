// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pacman-event gate|leave|arrive|remove: what the hooks of libalpm run (hooks/pacman), with the files
 * of a transaction on stdin, one a line. Exit code 3 stops it; nothing else does.
 *   leave   before it, and before the gate: module sources that go
 *   gate    before it: files that come
 *   arrive  after it: files that came; before the initramfs is made
 *   remove  after it: files that went
 */
#include <stdio.h>
#include <string.h>

#include "plugins/common/child.h"
#include "plugins/pacman/after.h"
#include "plugins/pacman/open.h"

static const char plan_program[] = KG_LIBEXECDIR "/pacman-plan";
static const char hold_program[] = KG_LIBEXECDIR "/pacman-hold";

static void check_holds(const struct owner *owner)
{
	const char *const argv[] = { hold_program, "check", NULL };

	(void)child_run(argv, -1, owner);
}

static void watch_if_open(const struct owner *owner)
{
	_cleanup_strv_ struct strv ids = { 0 };

	if (open_find(owner, &ids))
		watch_start(owner);
}

static enum event_exit gate(const struct owner *owner)
{
	char pid[24];
	const char *const argv[] = { plan_program, pid, NULL };
	enum event_exit verdict;

	/* pacstrap, pacman --root: the archives are not to be seen from here. */
	if (owner_is_outside(owner))
		return EVENT_GO_ON;
	snprintf(pid, sizeof(pid), "%d", owner->pid);
	verdict = child_judge(argv, -1, owner);
	if (verdict == EVENT_GO_ON)
		watch_if_open(owner);
	return verdict;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*act)(const struct owner *owner);
	} verbs[] = { { "leave", after_leave },
		      { "arrive", after_arrive },
		      { "remove", after_remove } };
	const char *verb = argc > 1 ? argv[1] : "";
	struct owner owner;

	owner_find(&owner);
	check_holds(&owner);
	if (strcmp(verb, "gate") == 0)
		return (int)gate(&owner);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, verb) == 0) {
			verbs[i].act(&owner);
			return EVENT_GO_ON;
		}
	fputs("usage: pacman-event gate|leave|arrive|remove\n", stderr);
	return EVENT_GO_ON;
}
