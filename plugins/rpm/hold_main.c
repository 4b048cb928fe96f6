// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Called as dnf-hold or zypper-hold (rpm itself has no holds):
 *   set [RELEASE...]    hold these kernels of the plan on stdin (none named: all that come);
 *                       prints the files
 *   clear [RELEASE...]  lift them (none named: all)
 *   list                one release a line
 *   check               lift what has lost its reason
 */
#include <stdio.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/plan/plan.h"
#include "plugins/rpm/hold.h"
#include "plugins/common/hold_reason.h"

struct request {
	const char *verb;
	char **releases;
	int n;
};

static bool is_named(const struct request *req, const char *release)
{
	for (int i = 0; i < req->n; i++)
		if (strcmp(req->releases[i], release) == 0)
			return true;
	return req->n == 0;
}

/* NAME-VERSION-RELEASE.ARCH and [EPOCH:]VERSION-RELEASE: what is before, what behind. */
static void print_package(const struct hold_format *f, const struct kg_package *pkg,
			  struct str *out)
{
	const char *colon = strchr(pkg->version, ':');
	const char *vr = colon != NULL ? colon + 1 : pkg->version;
	const size_t n_vr = strlen(vr);
	char name[256];

	if (!plan_comes(pkg->change))
		return;
	for (const char *p = strchr(pkg->name, '-'); p != NULL; p = strchr(p + 1, '-'))
		if (strncmp(p + 1, vr, n_vr) == 0 && p[1 + n_vr] == '.') {
			snprintf(name, sizeof(name), "%.*s", (int)(p - pkg->name),
				 pkg->name);
			f->print(out, name, pkg->version);
			return;
		}
}

static void print_kernel(const struct hold_format *f, const struct kg_plan_kernel *k,
			 const char *reason, struct str *out)
{
	hold_begin(out, k->release, reason);
	for (size_t i = 0; i < k->n_packages; i++)
		print_package(f, &k->packages[i], out);
	for (size_t i = 0; i < k->n_headers; i++)
		print_package(f, &k->headers[i], out);
	hold_end(out);
}

static int set_in(const struct hold_format *f, const struct request *req,
		  const struct kg_plan *plan, struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	char reason[65];
	int r = hold_read(f, &text, err);

	if (text.len == 0)
		str_add(&text, f->head);
	if (r == 0)
		r = hold_reason(reason, err);
	for (size_t i = 0; r == 0 && i < plan->n_kernels; i++) {
		const struct kg_plan_kernel *k = &plan->kernels[i];
		struct str next = { 0 };

		if (!plan_comes(k->change) || !is_named(req, k->release))
			continue;
		hold_strip(str_get(&text), k->release, &next);
		print_kernel(f, k, reason, &next);
		str_fini(&text);
		text = next;
	}
	if (r == 0)
		r = hold_write(f, &text, err);
	if (r == 0)
		printf("%s/%s\n", f->dir, f->file);
	return r;
}

static int clear_in(const struct hold_format *f, const struct request *req,
		    struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	_cleanup_str_ struct str old = { 0 };
	int r = hold_read(f, &old, err);

	str_add(&text, str_get(&old));
	for (int i = 0; i < (req->n > 0 ? req->n : 1); i++) {
		struct str next = { 0 };

		hold_strip(str_get(&text), req->n > 0 ? req->releases[i] : NULL, &next);
		str_fini(&text);
		text = next;
	}
	if (r < 0 || (str_ok(&text) && text.len == old.len))
		return r;
	return hold_write(f, &text, err);
}

static int list_in(const struct hold_format *f, const struct request *req,
		   struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };
	_cleanup_str_ struct str reason = { 0 };
	_cleanup_strv_ struct strv list = { 0 };
	int r = hold_read(f, &text, err);

	(void)req;
	hold_list(str_get(&text), &list, &reason);
	for (size_t i = 0; i < list.n; i++)
		puts(list.v[i]);
	return r;
}

static int check_in(const struct hold_format *f, const struct request *req,
		    struct kg_err *err)
{
	const struct request all = { .verb = req->verb };
	_cleanup_str_ struct str text = { 0 };
	_cleanup_str_ struct str reason = { 0 };
	_cleanup_strv_ struct strv list = { 0 };
	char now[65];
	int r = hold_read(f, &text, err);

	hold_list(str_get(&text), &list, &reason);
	if (r < 0 || list.n == 0)
		return r;
	r = hold_reason(now, err);
	if (r < 0 || strcmp(now, str_get(&reason)) == 0)
		return r;
	fputs("kmodgate: what held kernels back has changed: the hold is lifted\n",
	      stderr);
	return clear_in(f, &all, err);
}

static int set_all(const char *manager, const struct request *req, struct kg_err *err)
{
	const struct hold_format *f = hold_format_next(manager, NULL);
	struct kg_plan plan = { 0 };
	int r = plan_read_fd(0, &plan, err);

	if (r == 0 && f == NULL)
		r = -EOPNOTSUPP; /* nothing to say: what to type instead is said by the report */
	for (; r == 0 && f != NULL; f = hold_format_next(manager, f))
		r = set_in(f, req, &plan, err);
	plan_fini(&plan);
	return r;
}

static int run_verb(const char *manager, const struct request *req, struct kg_err *err)
{
	static const struct {
		const char *verb;
		int (*act)(const struct hold_format *, const struct request *,
			   struct kg_err *);
	} verbs[] = { { "clear", clear_in }, { "list", list_in }, { "check", check_in } };
	int r = 0;

	if (strcmp(req->verb, "set") == 0)
		return set_all(manager, req, err);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].verb, req->verb) != 0)
			continue;
		for (const struct hold_format *f = hold_format_next(manager, NULL);
		     r == 0 && f != NULL; f = hold_format_next(manager, f))
			r = verbs[i].act(f, req, err);
		return r;
	}
	return kg_fail(err, -EINVAL, "unknown verb '%s'", req->verb);
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argv[0];
	const struct request req = { .verb = argc > 1 ? argv[1] : "",
				     .releases = argv + 2,
				     .n = argc > 2 ? argc - 2 : 0 };
	char manager[32];
	struct kg_err err = { 0 };
	int r;

	snprintf(manager, sizeof(manager), "%.*s", (int)strcspn(name, "-"), name);
	r = run_verb(manager, &req, &err);
	if (r < 0 && err.code != 0)
		fprintf(stderr, "kmodgate: %s\n", kg_err_text(&err, r));
	return r < 0 || fflush(stdout) != 0;
}
