// SPDX-License-Identifier: GPL-2.0-or-later
/* Where apport is (Ubuntu), a build that failed becomes a report, as DKMS does it. */
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/run/run.h"

#define APPORT "/usr/share/apport/apport"
#define HOOK "/usr/share/apport/package-hooks/dkms_packages.py"
#define TIMEOUT_MS (60 * 1000)

void run_report_to_apport(const struct run *run, const struct kg_job *job)
{
	const char *const argv[] = { "/usr/bin/python3",
				     HOOK,
				     "-m",
				     job->source->name,
				     "-v",
				     job->source->version,
				     "-k",
				     job->release,
				     NULL };
	const struct kg_spawn how = { .argv = argv,
				      .dir_fd = -1,
				      .in_fd = -1,
				      .out_fd = STDERR_FILENO,
				      .err_fd = STDERR_FILENO };
	struct kg_err err = { 0 };
	int status = 0;

	if (strcmp(run->sys->root, "/") != 0 || access(APPORT, X_OK) < 0 ||
	    access(HOOK, R_OK) < 0 || access(argv[0], X_OK) < 0)
		return;
	if (spawn_run(&how, TIMEOUT_MS, &status, &err) < 0)
		kg_warning("apport: %s", err.text);
}
