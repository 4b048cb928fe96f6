// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A module that was just built is somebody else's bytes: it is opened by verify.c only, without
 * privileges. What comes back is text, believed no further than a name in a message.
 */
#include "core/seal/seal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/libkmod.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/seal/verify.h"

#define CHECK_BASE "/run/kmodgate-check"
#define CHECK_CPU_S 120
#define CHECK_TIMEOUT_MS 300000
#define REPORT_MAX_BYTES (1U << 20)

static int run_inside(void *data)
{
	return (int)verify_run(data);
}

/* ---- the view ---- */

static int add_mask(struct sandbox *how, struct arena *arena)
{
	const char **masks;
	size_t n = 0;

	while (how->masks != NULL && how->masks[n] != NULL)
		n++;
	masks = arena_array(arena, n + 2, sizeof(*masks));
	if (masks == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		masks[i] = how->masks[i];
	masks[n] = CHECK_BASE;
	how->masks = masks;
	return 0;
}

static int add_binds(struct sandbox *how, const struct seal_check_request *req,
		     struct arena *arena)
{
	size_t n = how->n_binds;
	struct sandbox_bind *binds =
		arena_array(arena, n + 1 + req->n_depend_fds, sizeof(*binds));

	if (binds == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(binds, how->binds, n * sizeof(*binds));
	binds[n++] = (struct sandbox_bind){ .at = CHECK_BASE "/out", .fd = req->out_fd };
	for (size_t i = 0; i < req->n_depend_fds; i++)
		binds[n++] = (struct sandbox_bind){
			.at = arena_printf(arena, CHECK_BASE "/depend%zu", i),
			.fd = req->depend_fds[i],
		};
	how->binds = binds;
	how->n_binds = n;
	return arena->failed ? -ENOMEM : 0;
}

/* ---- the report ---- */

struct report {
	const char *file; /* looked at last */
	struct str failures;
	struct seal_findings *findings;
	size_t n_modules;
};

void seal_findings_fini(struct seal_findings *findings)
{
	strv_fini(&findings->depends);
	arena_fini(&findings->arena);
	*findings = (struct seal_findings){ 0 };
}

/* Bytes of a hostile module end on a terminal otherwise, or in a manifest. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

/* "3 x.ko: symbol a is not in ..." */
static void take_lack(struct report *report, const char *text)
{
	struct seal_findings *found = report->findings;
	char *end;
	const unsigned long i = strtoul(text, &end, 10);

	if (end != text && *end == ' ' && i < report->n_modules)
		found->lacks[i] = arena_strdup(&found->arena, end + 1);
}

static void report_take(struct report *report, char *line)
{
	const char *text = line + 2;

	if (line[0] == '\0' || line[1] != ' ')
		return;
	make_printable(line);
	switch (line[0]) {
	case 'M':
		report->file = text;
		break;
	case 'F':
		str_addf(&report->failures, "%s%s", report->failures.len > 0 ? "; " : "",
			 text);
		break;
	case 'W':
		kg_warning("%s", text);
		break;
	case 'D':
		if (name_is_word(text))
			strv_add(&report->findings->depends, text);
		break;
	case 'L':
		take_lack(report, text);
		break;
	}
}

static void report_read(struct report *report, char *text)
{
	while (*text != '\0') {
		char *end = text + strcspn(text, "\n");
		char *next = *end == '\n' ? end + 1 : end;

		*end = '\0';
		report_take(report, text);
		text = next;
	}
}

static int judge(const struct report *report, int status, struct kg_err *err)
{
	const char *file = report->file != NULL ? report->file : "the modules";

	switch (status) {
	case VERIFY_FITS:
		return 0;
	case VERIFY_FAILS:
		return kg_fail(err, -KGE_CHECK, "%s", str_get(&report->failures));
	case VERIFY_BROKE:
		return kg_fail(err, -KGE_CHECK, "%s: cannot be checked: %s", file,
			       str_get(&report->failures));
	default:
		/* libkmod stumbled: no kernel should be given such a file */
		return kg_fail(err, -KGE_CHECK,
			       "%s: damaged: the check of it ended with %d", file,
			       status);
	}
}

static int check_in(const struct sandbox *how, struct report *report, struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	const struct seal_findings *found = report->findings;
	int status = -1;
	int r = sandbox_capture(how, CHECK_TIMEOUT_MS, REPORT_MAX_BYTES, &text, &status,
				err);

	if (r < 0)
		return r;
	if (text.len > 0)
		report_read(report, text.p);
	r = judge(report, status, err);
	str_fini(&report->failures);
	if (r == 0 && (!strv_ok(&found->depends) || found->arena.failed))
		return kg_fail_errno(err, -ENOMEM, "checking modules");
	return r;
}

int seal_check(const struct seal_check_request *req, struct seal_findings *ret_findings,
	       struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct verify verify = {
		.recipe = req->recipe,
		.headers = req->headers,
		.release = req->release,
		.arch = req->sys->arch,
		.base = CHECK_BASE,
		.n_depends = req->n_depend_fds,
		.report_fd = STDOUT_FILENO,
	};
	struct report report = { .findings = ret_findings,
				 .n_modules = req->recipe->n_modules };
	struct sandbox how = *req->view;
	int r = libkmod_load(err); /* ours, not the view's */

	*ret_findings = (struct seal_findings){ 0 };
	if (r < 0)
		return r;
	ret_findings->lacks = arena_array(&ret_findings->arena, report.n_modules + 1,
					  sizeof(*ret_findings->lacks));
	how.release = req->release;
	how.cwd = "/";
	how.argv = NULL;
	how.call = run_inside;
	how.data = &verify;
	how.in_fd = how.out_fd = how.err_fd = -1;
	how.cpu_limit_s = CHECK_CPU_S;
	how.file_limit_bytes = 0;
	/* a name with a slash would lead the check elsewhere */
	for (size_t i = 0; i < req->recipe->n_modules; i++)
		if (!name_is_plain(req->recipe->modules[i].dest_name))
			return kg_fail(err, -KGE_HOSTILE, "not a module name: '%s'",
				       req->recipe->modules[i].dest_name);
	if (!name_is_word(req->release))
		return kg_fail(err, -EINVAL, "not a kernel release: '%s'", req->release);
	if (ret_findings->lacks == NULL || add_mask(&how, &arena) < 0 ||
	    add_binds(&how, req, &arena) < 0)
		return kg_fail_errno(err, -ENOMEM, "checking modules");
	return check_in(&how, &report, err);
}
