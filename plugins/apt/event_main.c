// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt-event: runs before every dpkg run of apt (DPkg::Pre-Install-Pkgs). Ends in milliseconds
 * when nothing in the transaction has to do with kernels or module sources.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "plugins/apt/event.h"
#include "plugins/common/say.h"

#define STREAM_MAX (64u << 20)

/* Where apt writes: stdin, unless DPkg::Tools::Options says another. */
static int stream_fd(void)
{
	const char *text = getenv("APT_HOOK_INFO_FD");
	uint64_t fd;

	if (text == NULL || parse_u64(text, &fd) < 0 || fd > INT_MAX)
		return 0;
	return (int)fd;
}

static enum event_exit judge_transaction(const char *text, size_t len,
					 const struct stream *s)
{
	struct owner owner;

	if (stream_foreign_root(s) != NULL || event_is_off() || !event_matters(s))
		return EVENT_GO_ON;
	owner_find(&owner);
	return event_plan("apt", text, len, &owner);
}

int main(void)
{
	_cleanup_free_ char *text = NULL;
	struct stream s = { 0 };
	struct kg_err err = { 0 };
	enum event_exit verdict;
	size_t len = 0;
	char *copy;
	int r = fd_read_all(stream_fd(), STREAM_MAX, &text, &len);

	copy = r == 0 ? malloc(len + 1) : NULL;
	if (copy == NULL) {
		say("warning: cannot read what apt sent: kernel modules are not checked");
		return EVENT_GO_ON;
	}
	memcpy(copy, text, len + 1);
	r = stream_parse(copy, len, &s, &err);
	if (r < 0) {
		say("warning: %s: kernel modules are not checked", kg_err_text(&err, r));
		return EVENT_GO_ON;
	}
	verdict = judge_transaction(text, len, &s);
	stream_fini(&s);
	return (int)verdict;
}
