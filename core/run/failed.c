// SPDX-License-Identifier: GPL-2.0-or-later
/* What a command leaves of a build that failed, where DKMS leaves it: M/V/build. */
#include <stdio.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/registry/registry.h"
#include "core/run/run.h"

#define LOG_MAX_BYTES (256u << 20)

/* It is root's then; a disk that is full is not filled further. */
void run_keep_failed_tree(const struct run *run, const struct kg_job *job, int work_fd)
{
	const struct kg_source *source = job->source;
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;
	struct kg_err err = { 0 };

	if (job->outcome != KG_OUTCOME_FAILED || job->err.code == -ENOSPC)
		return;
	from_fd = fd_open_dir_at(work_fd, "build", NULL);
	if (from_fd < 0)
		return;
	to_fd = reg_empty_build(run->sys, source, &err);
	if (to_fd < 0 || fd_copy_tree(from_fd, to_fd, FD_COPY_TO_OWNER, 0, 0, &err) < 0)
		kg_debug("%s/%s: the work tree is not kept: %s", source->name,
			 source->version, err.text);
}

void run_keep_failed_log(const struct run *run, const struct kg_job *job)
{
	char path[1024];
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (job->log == NULL ||
	    snprintf(path, sizeof(path), "%s/%s/%s/build", run->sys->dkms_tree,
		     job->source->name, job->source->version) >= (int)sizeof(path))
		return;
	fd = fd_make_dir_in(run->sys->root_fd, path, 0755, NULL);
	if (fd < 0 || fd_read_file_in(run->sys->root_fd, job->log, LOG_MAX_BYTES, &text,
				      &len, NULL) < 0)
		return;
	if (fd_replace_at(fd, "make.log", text, len, 0644, NULL) < 0)
		kg_debug("%s was not copied", job->log);
}
