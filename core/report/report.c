// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/report/report.h"

#include <string.h>

#include "core/base/str.h"

static const char *const phase_text[] = {
	[KG_PHASE_HEADERS] = "finding the kernel's headers",
	[KG_PHASE_RECIPE] = "reading dkms.conf",
	[KG_PHASE_DEPENDS] = "BUILD_DEPENDS",
	[KG_PHASE_COPY] = "preparing the build",
	[KG_PHASE_PATCH] = "PATCH",
	[KG_PHASE_PRE_BUILD] = "PRE_BUILD",
	[KG_PHASE_MAKE] = "MAKE",
	[KG_PHASE_POST_BUILD] = "POST_BUILD",
	[KG_PHASE_CHECK] = "checking the built module",
	[KG_PHASE_SIGN] = "signing",
	[KG_PHASE_PLACE] = "putting the module in place",
	[KG_PHASE_INSTALL] = "installing",
};

const char *kg_phase_text(enum kg_phase phase)
{
	return phase_text[phase];
}

/* How each package manager's user goes on without this kernel. */
static const struct way_on {
	const char *manager;
	const char *without;
	const char *separator; /* NULL: the kernel's first package will do */
} ways_on[] = {
	{ "apt", "apt-mark hold", NULL },
	{ "dpkg", NULL, NULL },
	{ "dnf", "--exclude", "," },
	{ "pacman", "--ignore", "," },
};

static const struct way_on *way_without(const char *manager)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways_on); i++)
		if (strcmp(ways_on[i].manager, manager) == 0)
			return ways_on[i].without != NULL ? &ways_on[i] : NULL;
	return NULL;
}

static void print_packages(FILE *out, const struct kg_package *packages, size_t n,
			   const char *before)
{
	for (size_t i = 0; i < n; i++)
		if (plan_comes(packages[i].change))
			fprintf(out, "%s%s", before, packages[i].name);
}

void report_progress(FILE *out, const struct kg_job *job, const char *what)
{
	fprintf(out, "kmodgate: %s: %s %s/%s\n", job->release, what, job->source->name,
		job->source->version);
}

/* The first job of each release writes the line for all of them. */
static bool is_first_of_release(const struct report_context *ctx, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (kg_job_is_made(&ctx->jobs[i]) &&
		    strcmp(ctx->jobs[i].release, ctx->jobs[at].release) == 0)
			return false;
	return kg_job_is_made(&ctx->jobs[at]);
}

/* Headers that stay though their package file is part of the plan were fetched for the gate. */
static void print_fetched(FILE *out, const struct kg_plan *plan)
{
	for (size_t i = 0; i < plan->n_kernels; i++) {
		const struct kg_plan_kernel *k = &plan->kernels[i];

		for (size_t n = 0; n < plan->n_archives; n++) {
			const struct kg_plan_archive *a = &plan->archives[n];

			if (a->change != KG_CHANGE_STAYS || k->n_headers == 0 ||
			    strcmp(a->package, k->headers[0].name) != 0)
				continue;
			fprintf(out,
				"kmodgate: %s: built with headers fetched for it; "
				"%s installs them for good\n",
				k->release, a->package);
			break;
		}
	}
}

void report_pass(FILE *out, const struct report_context *ctx)
{
	print_fetched(out, ctx->plan);
	for (size_t i = 0; i < ctx->n_jobs; i++) {
		if (!is_first_of_release(ctx, i))
			continue;
		fprintf(out, "kmodgate: %s: ready:", ctx->jobs[i].release);
		for (size_t k = i; k < ctx->n_jobs; k++)
			if (kg_job_is_made(&ctx->jobs[k]) &&
			    strcmp(ctx->jobs[k].release, ctx->jobs[i].release) == 0)
				fprintf(out, " %s/%s", ctx->jobs[k].source->name,
					ctx->jobs[k].source->version);
		fputc('\n', out);
	}
}

/* The text may have several lines: each under the one before. */
static void print_field(FILE *out, const char *name, const char *text)
{
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");

		fprintf(out, "  %-8s %.*s\n", p == text ? name : "", (int)len, p);
		p += len + (p[len] == '\n');
	}
}

static void print_kernel(FILE *out, const struct kg_job *job)
{
	const struct kg_plan_kernel *k = job->kernel;

	if (k == NULL || k->n_packages == 0)
		fprintf(out, "  %-8s %s\n", "kernel", job->release);
	else
		fprintf(out, "  %-8s %s (%s %s)\n", "kernel", job->release,
			k->packages[0].name, k->packages[0].version);
}

static void print_failure(FILE *out, const struct kg_job *job)
{
	print_kernel(out, job);
	fprintf(out, "  %-8s %s/%s\n", "module", job->source->name, job->source->version);
	fprintf(out, "  %-8s %s\n", "phase", kg_phase_text(job->phase));
	print_field(out, "error", kg_err_text(&job->err, job->err.code));
	if (job->log != NULL)
		fprintf(out, "  %-8s %s\n", "log", job->log);
}

static bool fails(const struct kg_job *job, bool is_required)
{
	return job->outcome == KG_OUTCOME_FAILED && job->is_required == is_required;
}

void report_warnings(FILE *out, const struct report_context *ctx)
{
	for (size_t i = 0; i < ctx->n_jobs; i++) {
		const struct kg_job *job = &ctx->jobs[i];

		if (!fails(job, false))
			continue;
		fprintf(out,
			"kmodgate: warning: %s: stays without %s/%s, which is not required there\n",
			job->release, job->source->name, job->source->version);
		print_failure(out, job);
	}
}

static void print_without_kernel(FILE *out, const struct report_context *ctx)
{
	const struct way_on *way = way_without(ctx->plan->manager);

	if (way == NULL)
		return;
	for (size_t i = 0; i < ctx->n_jobs; i++) {
		const struct kg_plan_kernel *k = ctx->jobs[i].kernel;

		if (!fails(&ctx->jobs[i], true) || k == NULL || k->n_packages == 0)
			continue;
		fprintf(out, "  %s %s", way->without, k->packages[0].name);
		if (way->separator != NULL) {
			print_packages(out, k->packages + 1, k->n_packages - 1,
				       way->separator);
			print_packages(out, k->headers, k->n_headers, way->separator);
		}
		fputs("\n      and the same command again: everything but this kernel\n",
		      out);
		return;
	}
}

static void print_ways_on(FILE *out, const struct report_context *ctx)
{
	fputs("To go on:\n", out);
	if (ctx->is_hold_set)
		fprintf(out,
			"  the same command again\n"
			"      everything else is installed; this kernel is held by %s\n"
			"      until it, the module or the compiler changes\n",
			ctx->hold_path);
	else
		print_without_kernel(out, ctx);
	fputs("  kmodgate skip-once\n"
	      "      and the same command again: this once without the check, the kernel\n"
	      "      then comes without the module\n",
	      out);
}

void report_stop(FILE *out, const struct report_context *ctx)
{
	fputs("kmodgate: error: stopped: a module that matters would be missing\n", out);
	for (size_t i = 0; i < ctx->n_jobs; i++) {
		if (!fails(&ctx->jobs[i], true))
			continue;
		fputc('\n', out);
		print_failure(out, &ctx->jobs[i]);
	}
	fputs("\nNothing was changed: no package was unpacked; the running kernel and its modules\n"
	      "are as they were.\n\n",
	      out);
	print_ways_on(out, ctx);
	for (size_t i = 0; i < ctx->n_jobs; i++)
		if (fails(&ctx->jobs[i], false)) {
			fputs("\nNot the reason, but failed too:\n", out);
			print_failure(out, &ctx->jobs[i]);
		}
}
