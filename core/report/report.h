/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the user reads. Only this and cli/ turn jobs into text. */
#include <stdio.h>

#include "core/job.h"

struct report_context {
	const struct kg_plan *plan;
	const struct kg_job *jobs;
	size_t n_jobs;
	bool is_hold_set;      /* a hold was set on the failing kernel's packages */
	const char *hold_path; /* file of the hold, NULL none */
};

/* One line while working: "kmodgate: 6.1.0-56-amd64: building v4l2loopback/0.12.7". */
void report_progress(FILE *out, const struct kg_job *job, const char *what);
/* After a pass: one line per kernel. */
void report_pass(FILE *out, const struct report_context *ctx);
/* The stop: kernel, module, phase, first real errors, log, what was not changed, what to type. */
void report_stop(FILE *out, const struct report_context *ctx);
/* Warnings for jobs that failed and are not required. */
void report_warnings(FILE *out, const struct report_context *ctx);
