// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/handover.h"

#include <sys/mman.h>
#include <unistd.h>

#include "core/base/fd.h"

static int write_plan(const struct kg_plan *plan, int fd, struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	int r = plan_write(plan, &text, err);

	if (r < 0)
		return r;
	r = fd_write_all(fd, text.p, text.len);
	return r < 0 ? kg_fail_errno(err, r, "writing the plan") : 0;
}

int handover_print(const struct kg_plan *plan, struct kg_err *err)
{
	return write_plan(plan, STDOUT_FILENO, err);
}

int handover_open(const struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_close_ int fd = memfd_create("plan", MFD_CLOEXEC);
	int r = fd < 0 ? kg_fail_errno(err, -errno, "writing the plan")
		       : write_plan(plan, fd, err);

	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = kg_fail_errno(err, -errno, "writing the plan");
	return r < 0 ? r : TAKE_FD(fd);
}

int handover_exec(const struct kg_plan *plan, const char *option, struct kg_err *err)
{
	_cleanup_close_ int fd = handover_open(plan, err);

	if (fd < 0)
		return fd;
	if (dup2(fd, STDIN_FILENO) < 0)
		return kg_fail_errno(err, -errno, "writing the plan");
	execl(GATE_PROGRAM, GATE_PROGRAM, "gate", option, (char *)NULL);
	return kg_fail_errno(err, -errno, "cannot start %s", GATE_PROGRAM);
}
