// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/txn.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "plugins/apt/content.h"
#include "plugins/apt/deb.h"
#include "plugins/common/say.h"

/* ---- verdicts ---- */

static void add_bits(const char *path, size_t len, void *data)
{
	unsigned int *bits = data;

	*bits |= content_of(path, len).bit;
}

static bool add_line_bits(const char *path, size_t len, void *data)
{
	add_bits(path, len, data);
	return true;
}

static uint64_t installed_size(const struct deb *deb)
{
	_cleanup_free_ char *text = deb_field(str_get(&deb->control), "Installed-Size");
	uint64_t kib = 0;

	if (text == NULL || parse_u64(text, &kib) < 0)
		return 0;
	return kib;
}

static int scan_archive(const char *path, unsigned int *ret_bits, uint64_t *ret_kib,
			struct kg_err *err)
{
	_cleanup_deb_ struct deb deb = DEB_INIT;
	unsigned int bits = 0;
	int r = deb_open(path, &deb, err);

	if (r == 0)
		r = deb_each_name(&deb, path, DEB_NAMES, add_bits, &bits, err);
	/* A dkms.conf that is a symlink is in no md5sums; the scripts give it away. */
	if (r == 0 && (bits & CONTENT_MATTERS) == 0 && deb.talks_of_modules)
		r = deb_each_name(&deb, path, DEB_EVERY_NAME, add_bits, &bits, err);
	if (r < 0)
		return r;
	*ret_bits = bits;
	*ret_kib = installed_size(&deb);
	return 0;
}

static void judge_archive(struct txn_package *p, struct verdict_cache *cache)
{
	const struct verdict *known;
	struct kg_err err = { 0 };
	struct stat st;

	if (stat(p->path, &st) < 0) {
		say("warning: cannot read %s: %s", p->path, strerror(errno));
		return;
	}
	known = verdict_find(cache, &st);
	if (known != NULL) {
		p->new_bits = known->bits;
		p->installed_kib = known->installed_kib;
		return;
	}
	/* dpkg will not unpack what we cannot read. */
	if (scan_archive(p->path, &p->new_bits, &p->installed_kib, &err) < 0)
		say("warning: %s", err.text);
	else
		verdict_learn(cache, &st, p->new_bits, p->installed_kib);
}

static void judge_old_version(struct txn_package *p, struct verdict_cache *cache)
{
	const struct verdict *known;
	char path[PATH_MAX];
	struct stat st;

	if (verdict_stat_list(p->plain_name, p->old_arch, p->old_multi_arch, &st, path,
			      sizeof(path)) < 0)
		return;
	known = verdict_find(cache, &st);
	if (known != NULL)
		p->old_bits = known->bits;
	else if (db_each_file(path, add_line_bits, &p->old_bits) == 0)
		verdict_learn(cache, &st, p->old_bits, 0);
}

/* apt names a local file as it was given. */
static const char *absolute_path(struct arena *a, const char *path)
{
	_cleanup_free_ char *real = path[0] == '/' ? NULL : realpath(path, NULL);

	return real != NULL ? arena_strdup(a, real) : path;
}

int txn_scan(struct txn *txn, const struct stream *s, struct verdict_cache *cache,
	     struct kg_err *err)
{
	*txn = (struct txn){ 0 };
	for (size_t i = 0; i < s->n_ops; i++) {
		const struct stream_op *op = &s->ops[i];
		struct txn_package *p = ARENA_ADD(&txn->arena, txn->packages, txn->n);

		if (p == NULL)
			return kg_fail_errno(err, -ENOMEM, "reading the transaction");
		*p = (struct txn_package){
			.name = op->name,
			.plain_name = op->name,
			.arch = op->new_version != NULL ? op->new_arch : op->old_arch,
			.old_version = op->old_version,
			.old_arch = op->old_arch,
			.old_multi_arch = op->old_multi_arch,
			.new_version = op->new_version,
			.path = op->path == NULL ? NULL
						 : absolute_path(&txn->arena, op->path),
			.depends = "",
			.provides = "",
		};
		if (p->path != NULL)
			judge_archive(p, cache);
		if (p->name != NULL && p->old_version != NULL)
			judge_old_version(p, cache);
	}
	return 0;
}

bool txn_matters(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		if (((txn->packages[i].old_bits | txn->packages[i].new_bits) &
		     CONTENT_MATTERS) != 0)
			return true;
	return false;
}

void txn_fini(struct txn *txn)
{
	db_close(&txn->db);
	arena_fini(&txn->arena);
}

/* ---- contents ---- */

struct collector {
	struct arena *arena;
	struct txn_contents *to;
};

static void collect_release(struct collector *c, const struct content *what)
{
	struct txn_part *part;

	for (size_t i = 0; i < c->to->n_parts; i++) {
		part = &c->to->parts[i];
		if (strlen(part->release) == what->release_len &&
		    memcmp(part->release, what->release, what->release_len) == 0) {
			part->bits |= what->bit;
			return;
		}
	}
	part = ARENA_ADD(c->arena, c->to->parts, c->to->n_parts);
	if (part == NULL)
		return;
	part->release = arena_strndup(c->arena, what->release, what->release_len);
	part->bits = what->bit;
}

static void collect(const char *path, size_t len, void *data)
{
	struct collector *c = data;
	struct content what = content_of(path, len);
	const char **slot;

	if (what.bit == 0)
		return;
	if (what.bit != CONTENT_SOURCE) {
		collect_release(c, &what);
		return;
	}
	path = content_strip(path, &len);
	slot = ARENA_ADD(c->arena, c->to->sources, c->to->n_sources);
	if (slot != NULL)
		*slot = arena_strndup(c->arena, path, len);
}

static bool collect_line(const char *path, size_t len, void *data)
{
	collect(path, len, data);
	return true;
}

static void load_before(struct txn *txn, struct txn_package *p)
{
	struct collector c = { &txn->arena, &p->before };
	char path[PATH_MAX];
	struct stat st;

	if (p->old_bits != 0 &&
	    verdict_stat_list(p->plain_name, p->old_arch, p->old_multi_arch, &st, path,
			      sizeof(path)) == 0)
		(void)db_each_file(path, collect_line, &c);
}

static int load_after(struct txn *txn, struct txn_package *p, const struct deb *deb,
		      struct kg_err *err)
{
	struct collector c = { &txn->arena, &p->after };
	enum deb_names which = deb->talks_of_modules && (p->new_bits & CONTENT_IMAGE) == 0
				       ? DEB_EVERY_NAME
				       : DEB_NAMES;

	if (p->new_bits == 0)
		return 0;
	return deb_each_name(deb, p->path, which, collect, &c, err);
}

/* ---- names and dependencies ---- */

static const char *field_of(struct arena *a, const struct deb *deb, const char *name)
{
	_cleanup_free_ char *text = deb_field(str_get(&deb->control), name);

	return text != NULL ? arena_strdup(a, text) : "";
}

/* A file of dpkg -i: only its path is known so far. */
static void name_package(struct txn *txn, struct txn_package *p, const struct deb *deb)
{
	const struct db_package *old;

	if (p->name != NULL)
		return;
	p->plain_name = field_of(&txn->arena, deb, "Package");
	p->new_version = field_of(&txn->arena, deb, "Version");
	p->arch = field_of(&txn->arena, deb, "Architecture");
	old = db_find(&txn->db, p->plain_name, p->arch);
	if (old == NULL && strcmp(p->arch, "all") == 0)
		old = db_find(&txn->db, p->plain_name, NULL);
	if (old == NULL)
		return;
	p->old_version = old->version;
	p->old_arch = old->arch;
	p->old_multi_arch = old->multi_arch;
	p->old_bits = p->new_bits; /* read its list */
}

static void qualify_name(struct txn *txn, struct txn_package *p)
{
	if (p->plain_name == NULL || p->arch == NULL)
		return;
	if (strcmp(p->arch, "all") == 0 || strcmp(p->arch, txn->native_arch) == 0)
		p->name = p->plain_name;
	else
		p->name = arena_printf(&txn->arena, "%s:%s", p->plain_name, p->arch);
}

static int load_archive(struct txn *txn, struct txn_package *p, struct kg_err *err)
{
	_cleanup_deb_ struct deb deb = DEB_INIT;
	const char *pre;
	int r = deb_open(p->path, &deb, err);

	if (r < 0)
		return r;
	name_package(txn, p, &deb);
	pre = field_of(&txn->arena, &deb, "Pre-Depends");
	p->depends = arena_printf(&txn->arena, "%s, %s", pre != NULL ? pre : "",
				  field_of(&txn->arena, &deb, "Depends"));
	p->provides = field_of(&txn->arena, &deb, "Provides");
	return load_after(txn, p, &deb, err);
}

static const char *native_arch(struct txn *txn, const struct stream *s)
{
	const char *text = stream_config(s, "APT::Architecture");
	const struct db_package *dpkg;

	if (text[0] != '\0')
		return arena_strdup(&txn->arena, text);
	dpkg = db_find(&txn->db, "dpkg", NULL);
	return dpkg != NULL ? dpkg->arch : "";
}

/* apt may take a package away for a moment, to unpack its new version later in the same run. */
static bool comes_back(const struct txn *txn, const struct txn_package *p)
{
	if (p->path != NULL)
		return false;
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].path != NULL && txn->packages[i].name != NULL &&
		    strcmp(txn->packages[i].name, p->name) == 0)
			return true;
	return false;
}

/* Drops what could not be read, too: dpkg will refuse it. */
static void drop_uncounted(struct txn *txn)
{
	size_t n = 0;

	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].name != NULL && !comes_back(txn, &txn->packages[i]))
			txn->packages[n++] = txn->packages[i];
	txn->n = n;
}

int txn_load(struct txn *txn, const struct stream *s, struct kg_err *err)
{
	int r = db_open(&txn->db, err);

	if (r < 0)
		return r;
	txn->native_arch = native_arch(txn, s);
	for (size_t i = 0; i < txn->n; i++) {
		struct txn_package *p = &txn->packages[i];
		struct kg_err why = { 0 };

		if (p->path != NULL && load_archive(txn, p, &why) < 0)
			say("warning: %s", why.text);
		if (p->old_version != NULL)
			load_before(txn, p);
		qualify_name(txn, p);
	}
	drop_uncounted(txn);
	return txn->arena.failed ? kg_fail_errno(err, -ENOMEM, "reading the transaction")
				 : 0;
}

int txn_add_fetched(struct txn *txn, const char *path, struct kg_err *err)
{
	struct txn_package *p = ARENA_ADD(&txn->arena, txn->packages, txn->n);
	int r;

	if (p == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading %s", path);
	*p = (struct txn_package){ .path = arena_strdup(&txn->arena, path),
				   .is_fetched = true,
				   .new_bits = CONTENT_HEADERS,
				   .depends = "",
				   .provides = "" };
	r = load_archive(txn, p, err);
	p->old_version = NULL;
	qualify_name(txn, p);
	if (r == 0 && (p->name == NULL || p->name[0] == '\0'))
		r = kg_fail(err, -KGE_FORMAT, "%s has no name", path);
	if (r < 0)
		txn->n--;
	return r;
}

/* ---- questions ---- */

static bool names_include(const char *field, const char *name, size_t len)
{
	const char *p = field;
	const char *word;
	size_t n;

	while ((p = deb_next_name(p, &word, &n)) != NULL)
		if (n == len && memcmp(word, name, len) == 0)
			return true;
	return false;
}

struct txn_package *txn_find_new(const struct txn *txn, const char *name, size_t len,
				 size_t start)
{
	for (size_t i = start; i < txn->n; i++) {
		struct txn_package *p = &txn->packages[i];

		if (p->path == NULL)
			continue;
		if ((strlen(p->plain_name) == len &&
		     memcmp(p->plain_name, name, len) == 0) ||
		    names_include(p->provides, name, len))
			return p;
	}
	return NULL;
}

unsigned int txn_bits_of(const struct txn_contents *c, const char *release)
{
	for (size_t i = 0; i < c->n_parts; i++)
		if (strcmp(c->parts[i].release, release) == 0)
			return c->parts[i].bits;
	return 0;
}

bool txn_has_source(const struct txn_contents *c, const char *path)
{
	for (size_t i = 0; i < c->n_sources; i++)
		if (strcmp(c->sources[i], path) == 0)
			return true;
	return false;
}

const char *txn_kernel_arch(const char *debian_arch)
{
	static const struct {
		const char *debian;
		const char *kernel;
	} all[] = { { "amd64", "x86_64" },	  { "i386", "i686" },
		    { "arm64", "aarch64" },	  { "armhf", "armv7l" },
		    { "armel", "armv5tel" },	  { "ppc64el", "ppc64le" },
		    { "s390x", "s390x" },	  { "riscv64", "riscv64" },
		    { "loong64", "loongarch64" }, { "mips64el", "mips64" } };
	static struct utsname own;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(all[i].debian, debian_arch) == 0)
			return all[i].kernel;
	return uname(&own) == 0 ? own.machine : "unknown";
}
