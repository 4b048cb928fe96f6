/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into a test root (case option uname=): answers the release of /etc/bed-uname where the kernel would
 * answer the machine's own one. A release that somebody else already changed (a build sandbox) is left alone. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *buf)
{
	char real[65], wanted[65];
	int rc = (int)syscall(SYS_uname, buf);
	FILE *f = rc == 0 ? fopen("/etc/bed-uname", "re") : NULL;

	if (!f)
		return rc;
	if (fscanf(f, "%64s %64s", real, wanted) == 2 && !strcmp(real, buf->release))
		strcpy(buf->release, wanted);
	fclose(f);
	return rc;
}
