// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Headers of each kernel: in the transaction, installed, or fetched by apt-fetch. They count
 * only in the version of the image: other content of one release has the same vermagic and
 * wrong symbol CRCs.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "core/base/spawn.h"
#include "plugins/apt/content.h"
#include "plugins/apt/kept.h"
#include "plugins/apt/planner.h"
#include "plugins/apt/version.h"
#include "plugins/common/say.h"

#define FETCH_PROGRAM KG_LIBEXECDIR "/apt-fetch"
#define FETCH_TIMEOUT_MS (30 * 60 * 1000)
#define FETCH_MAX_OUTPUT (1u << 20)

static void add_header(struct planner *p, struct kg_plan_kernel *k, const char *name,
		       const char *version, enum kg_change change)
{
	struct kg_package *slot = ARENA_ADD(&p->plan->arena, k->headers, k->n_headers);

	if (slot != NULL)
		*slot = (struct kg_package){ name, version, KG_ROLE_HEADERS, change };
}

static bool fits(const char *headers_version, const char *image_version)
{
	/* A kernel of no package, made by hand: its headers are what is there. */
	return image_version == NULL ||
	       version_same_source(headers_version, image_version);
}

/* ---- in the transaction ---- */

/* Headers of @k come in @version, and are those of its image. */
static bool is_needed_by(const struct planner *p, size_t k, const char *version)
{
	const struct kg_plan_kernel *kernel = &p->plan->kernels[k];

	if (kernel->change == KG_CHANGE_LEAVES || p->image_versions[k] == NULL ||
	    !version_same_source(version, p->image_versions[k]))
		return false;
	for (size_t i = 0; i < p->txn->n; i++) {
		const struct txn_package *pkg = &p->txn->packages[i];

		if ((txn_bits_of(&pkg->after, kernel->release) & CONTENT_HEADERS) != 0 &&
		    version_same_source(pkg->new_version, version))
			return true;
	}
	return false;
}

/*
 * Headers of another version come for a kernel that stays: until they are unpacked, it has
 * those that are there. A build then sees nothing of that version. false: another kernel's
 * build has to.
 */
static bool pass_over(const struct planner *p, const char *version)
{
	struct txn *txn = p->txn;

	for (size_t k = 0; k < p->n_image_versions; k++)
		if (is_needed_by(p, k, version))
			return false;
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].new_version != NULL &&
		    version_same_source(txn->packages[i].new_version, version))
			txn->packages[i].is_passed_over = true;
	return true;
}

/* true: the transaction decides about headers of @k, whether they fit or not. */
static bool take_coming(struct planner *p, struct kg_plan_kernel *k,
			const char *image_version)
{
	bool is_decided = false;

	for (size_t i = 0; i < p->txn->n; i++) {
		struct txn_package *pkg = &p->txn->packages[i];
		bool after =
			(txn_bits_of(&pkg->after, k->release) & CONTENT_HEADERS) != 0;
		bool before =
			(txn_bits_of(&pkg->before, k->release) & CONTENT_HEADERS) != 0;

		if (after && k->change == KG_CHANGE_STAYS &&
		    !fits(pkg->new_version, image_version) &&
		    pass_over(p, pkg->new_version))
			continue;
		is_decided = is_decided || before || after;
		if (!after || !fits(pkg->new_version, image_version))
			continue;
		add_header(p, k, pkg->name, pkg->new_version,
			   planning_change(before, after));
		pkg->is_wanted = true;
	}
	return is_decided;
}

/* ---- installed ---- */

struct header_search {
	const char *release;
	bool is_found;
};

static bool note_headers(const char *path, size_t len, void *data)
{
	struct header_search *s = data;
	struct content what = content_of(path, len);

	s->is_found = what.bit == CONTENT_HEADERS &&
		      strlen(s->release) == what.release_len &&
		      memcmp(s->release, what.release, what.release_len) == 0;
	return !s->is_found;
}

const struct db_package *planner_headers_package(struct planner *p, const char *release)
{
	static const char *const dirs[] = { "/lib", "/usr/lib" };
	const struct db *db = &p->txn->db;
	struct header_search s = { .release = release };
	const char *name = arena_printf(&p->txn->arena, "linux-headers-%s", release);
	const struct db_package *pkg = name != NULL ? db_find(db, name, NULL) : NULL;

	if (pkg != NULL)
		(void)db_each_file_of(pkg, note_headers, &s);
	if (s.is_found)
		return pkg;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		const char *path = arena_printf(&p->txn->arena, "%s/modules/%s/build",
						dirs[i], release);

		if (path != NULL && access(path, F_OK) == 0) {
			pkg = db_owner(db, path);
			if (pkg != NULL)
				return pkg;
		}
	}
	return NULL;
}

static void take_installed(struct planner *p, struct kg_plan_kernel *k,
			   const char *image_version)
{
	const struct db_package *pkg = planner_headers_package(p, k->release);

	if (pkg != NULL && fits(pkg->version, image_version))
		add_header(p, k, pkg->name, pkg->version, KG_CHANGE_STAYS);
}

/* ---- fetched ---- */

/* A module source is registered, or comes: else nothing would be built with the headers. */
static bool has_sources(const struct planner *p)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;

	if (p->plan->n_sources > 0)
		return true;
	dir = opendir("/var/lib/dkms");
	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return true;
	return false;
}

/* apt-fetch must leave out of its closure what this transaction brings itself. */
static void name_transaction(const struct txn *txn, struct strv *args)
{
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].path != NULL && !txn->packages[i].is_fetched)
			strv_add(args, txn->packages[i].plain_name);
}

/* Nothing is downloaded for a kernel that stays as it is. */
static const char *fetch_verb(const struct planner *p, const struct kg_plan_kernel *k)
{
	return p->fetch == PLANNER_FETCH && k->change != KG_CHANGE_STAYS
		       ? "headers"
		       : "headers-at-hand";
}

static int run_fetch(struct planner *p, const struct kg_plan_kernel *k,
		     const char *version, struct str *out, struct kg_err *err)
{
	_cleanup_strv_ struct strv args = { 0 };
	/* The user's own environment: proxies and APT_CONFIG are in it. */
	struct kg_spawn how = { .env = (const char *const *)environ,
				.dir_fd = -1,
				.in_fd = -1,
				.out_fd = -1,
				.err_fd = 2 };
	int status = 0;
	int r;

	strv_add(&args, FETCH_PROGRAM);
	strv_add(&args, fetch_verb(p, k));
	strv_add(&args, k->release);
	strv_add(&args, version);
	name_transaction(p->txn, &args);
	if (!strv_ok(&args))
		return kg_fail_errno(err, -ENOMEM, "looking for headers");
	how.argv = (const char *const *)args.v;
	r = spawn_capture(&how, FETCH_TIMEOUT_MS, FETCH_MAX_OUTPUT, out, &status, err);
	if (r == 0 && status != 0)
		r = kg_fail(err, -KGE_NO_HEADERS, "%s ended with %d", FETCH_PROGRAM,
			    status);
	return r;
}

/* Two kernels may share a package of headers. */
static struct txn_package *find_fetched(struct txn *txn, const char *name,
					const char *version)
{
	for (size_t i = 0; i < txn->n; i++) {
		struct txn_package *pkg = &txn->packages[i];

		if (pkg->is_fetched && strcmp(pkg->plain_name, name) == 0 &&
		    strcmp(pkg->new_version, version) == 0)
			return pkg;
	}
	return NULL;
}

/* "NAME\tVERSION\tPATH": the first line is the headers' own package. */
static int take_fetched_line(struct planner *p, struct kg_plan_kernel *k,
			     const char *line, size_t len, struct kg_err *err)
{
	char text[8192];
	char name[256];
	char version[256];
	char path[4096];
	struct txn_package *pkg;

	if (len >= sizeof(text))
		return kg_fail(err, -KGE_FORMAT, "%s printed an overlong line",
			       FETCH_PROGRAM);
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text, "%255[^\t]\t%255[^\t]\t%4095[^\t]", name, version, path) != 3)
		return kg_fail(err, -KGE_FORMAT, "%s printed: %s", FETCH_PROGRAM, text);
	pkg = find_fetched(p->txn, name, version);
	if (pkg == NULL) {
		int r = txn_add_fetched(p->txn, path, err);

		if (r < 0)
			return r;
		pkg = &p->txn->packages[p->txn->n - 1];
		pkg->is_wanted = true;
	}
	if (k->n_headers == 0)
		add_header(p, k, pkg->name, pkg->new_version, KG_CHANGE_STAYS);
	return 0;
}

static void fetch_headers(struct planner *p, struct kg_plan_kernel *k,
			  const char *version)
{
	_cleanup_str_ struct str out = { 0 };
	struct kg_err err = { 0 };
	int r = run_fetch(p, k, version, &out, &err);

	for (const char *line = str_get(&out); r == 0 && *line != '\0';) {
		size_t len = strcspn(line, "\n");

		r = take_fetched_line(p, k, line, len, &err);
		line += len + (line[len] == '\n');
	}
	/* The core's policy says what a kernel without headers means. */
	if (r < 0)
		say("headers of %s: %s", k->release, kg_err_text(&err, r));
}

static void find_headers(struct planner *p, struct kg_plan_kernel *k, const char *version)
{
	if (!take_coming(p, k, version))
		take_installed(p, k, version);
	if (k->n_headers > 0 || version == NULL || !has_sources(p))
		return;
	/* A kernel that stays had no modules without headers; what was kept for it may serve. */
	if (k->change != KG_CHANGE_STAYS || kept_has(k->release, version))
		fetch_headers(p, k, version);
}

int planner_add_headers(struct planner *p, struct kg_err *err)
{
	for (size_t i = 0; i < p->plan->n_kernels; i++)
		if (p->plan->kernels[i].change != KG_CHANGE_LEAVES)
			find_headers(p, &p->plan->kernels[i], p->image_versions[i]);
	return p->plan->arena.failed ? kg_fail_errno(err, -ENOMEM, "making the plan") : 0;
}
