// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/package.h"

#include <stdlib.h>
#include <string.h>

#include <rpm/rpmdb.h>
#include <rpm/rpmfiles.h>
#include <rpm/rpmio.h>
#include <rpm/rpmlib.h>

#include "plugins/rpm/content.h"

int txn_init(struct txn *txn, struct kg_err *err)
{
	*txn = (struct txn){ 0 };
	if (rpmReadConfigFiles(NULL, NULL) != 0)
		return kg_fail(err, -EIO, "rpm's own configuration cannot be read");
	txn->ts = rpmtsCreate();
	if (txn->ts == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading the transaction");
	/* rpm has verified them a moment ago. */
	rpmtsSetVSFlags(txn->ts, RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES);
	return 0;
}

void txn_fini(struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		headerFree(txn->packages[i].header);
	if (txn->ts != NULL)
		rpmtsFree(txn->ts);
	arena_fini(&txn->arena);
	*txn = (struct txn){ 0 };
}

/* ---- one header ---- */

static const char *take_tag(struct txn *txn, Header h, rpmTagVal tag)
{
	char *text = headerGetAsString(h, tag);
	const char *copy = arena_strdup(&txn->arena, text != NULL ? text : "");

	free(text);
	return copy;
}

static bool has_hit(const struct package *pkg, unsigned int bit, const char *release)
{
	for (size_t i = 0; i < pkg->n_hits; i++)
		if (pkg->hits[i].bit == bit && strcmp(pkg->hits[i].release, release) == 0)
			return true;
	return false;
}

static void add_hit(struct txn *txn, struct package *pkg, unsigned int bit,
		    const char *release, const char *dir, const char *base)
{
	struct package_hit *hit;

	if (bit == 0 || (bit != CONTENT_SOURCE && has_hit(pkg, bit, release)))
		return;
	hit = ARENA_ADD(&txn->arena, pkg->hits, pkg->n_hits);
	if (hit == NULL)
		return;
	hit->bit = bit;
	hit->release = arena_strdup(&txn->arena, release);
	hit->path = arena_printf(&txn->arena, "%s%s", dir + 1, base);
}

static void look_at_files(struct txn *txn, struct package *pkg)
{
	rpmfiles files =
		rpmfilesNew(NULL, pkg->header, RPMTAG_BASENAMES, RPMFI_FLAGS_QUERY);
	const int n = (int)rpmfilesFC(files);
	char release[CONTENT_RELEASE_SIZE];

	for (int i = 0; i < n; i++) {
		const char *dir = rpmfilesDN(files, rpmfilesDI(files, i));
		const char *base = rpmfilesBN(files, i);

		/* A %ghost is owned, but not brought. */
		if (dir[0] == '/' && !content_is_elsewhere(dir) &&
		    (rpmfilesFFlags(files, i) & RPMFILE_GHOST) == 0)
			add_hit(txn, pkg, content_of(dir, base, release), release, dir,
				base);
	}
	rpmfilesFree(files);
}

static struct package *find_same(struct txn *txn, const char *name, bool comes)
{
	for (size_t i = 0; i < txn->n; i++)
		if ((txn->packages[i].path != NULL) == comes &&
		    strcmp(txn->packages[i].name, name) == 0)
			return &txn->packages[i];
	return NULL;
}

static int add_header(struct txn *txn, Header h, const char *path, struct kg_err *err)
{
	struct package *pkg;
	const char *name = take_tag(txn, h, RPMTAG_NVRA);

	if (name == NULL || find_same(txn, name, path != NULL) != NULL)
		return name != NULL ? 0 : kg_fail_errno(err, -ENOMEM, "reading packages");
	pkg = ARENA_ADD(&txn->arena, txn->packages, txn->n);
	if (pkg == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading packages");
	pkg->header = headerLink(h);
	pkg->name = name;
	pkg->plain_name = take_tag(txn, h, RPMTAG_NAME);
	pkg->evr = take_tag(txn, h, RPMTAG_EVR);
	pkg->arch = take_tag(txn, h, RPMTAG_ARCH);
	pkg->path = path != NULL ? arena_strdup(&txn->arena, path) : NULL;
	look_at_files(txn, pkg);
	return txn->arena.failed ? kg_fail_errno(err, -ENOMEM, "reading packages") : 0;
}

int txn_add_archive(struct txn *txn, const char *path, struct kg_err *err)
{
	FD_t fd = Fopen(path, "r.ufdio");
	Header h = NULL;
	rpmRC rc = RPMRC_FAIL;
	int r = 0;

	if (fd != NULL && !Ferror(fd))
		rc = rpmReadPackageFile(txn->ts, fd, path, &h);
	if (fd != NULL)
		Fclose(fd);
	if (rc == RPMRC_OK || rc == RPMRC_NOKEY || rc == RPMRC_NOTTRUSTED)
		r = headerIsSource(h) ? 0 : add_header(txn, h, path, err);
	else
		r = kg_fail(err, -EIO, "%s: not a package that can be read", path);
	headerFree(h);
	return r;
}

static int add_from_database(struct txn *txn, rpmDbiTagVal tag, const void *key,
			     size_t key_size, struct kg_err *err)
{
	rpmdbMatchIterator it = rpmtsInitIterator(txn->ts, tag, key, key_size);
	int r = 0;
	Header h;

	while (r == 0 && (h = rpmdbNextIterator(it)) != NULL)
		r = add_header(txn, h, NULL, err);
	rpmdbFreeIterator(it);
	return r;
}

int txn_add_installed(struct txn *txn, unsigned int number, struct kg_err *err)
{
	return add_from_database(txn, RPMDBI_PACKAGES, &number, sizeof(number), err);
}

int txn_add_installed_name(struct txn *txn, const char *nvra, struct kg_err *err)
{
	return add_from_database(txn, RPMDBI_LABEL, nvra, 0, err);
}

/* ---- questions ---- */

unsigned int package_bits(const struct package *pkg, const char *release)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < pkg->n_hits; i++)
		if (strcmp(pkg->hits[i].release, release) == 0)
			bits |= pkg->hits[i].bit;
	return bits;
}

int txn_owner_of(struct txn *txn, const char *path, struct kg_package *ret,
		 struct arena *arena)
{
	rpmdbMatchIterator it = rpmtsInitIterator(txn->ts, RPMDBI_INSTFILENAMES, path, 0);
	Header h = rpmdbNextIterator(it);

	if (h != NULL) {
		char *name = headerGetAsString(h, RPMTAG_NVRA);
		char *evr = headerGetAsString(h, RPMTAG_EVR);

		*ret = (struct kg_package){
			.name = arena_strdup(arena, name != NULL ? name : ""),
			.version = arena_strdup(arena, evr != NULL ? evr : ""),
			.role = KG_ROLE_HEADERS,
			.change = KG_CHANGE_STAYS,
		};
		free(name);
		free(evr);
	}
	rpmdbFreeIterator(it);
	return h != NULL ? 0 : -ENOENT;
}

enum kg_change package_change(const struct txn *txn, const struct package *pkg)
{
	if (pkg->path == NULL)
		return KG_CHANGE_LEAVES;
	if (pkg->is_fetched)
		return KG_CHANGE_STAYS;
	for (size_t i = 0; i < txn->n; i++)
		if (txn->packages[i].path == NULL &&
		    strcmp(txn->packages[i].plain_name, pkg->plain_name) == 0 &&
		    strcmp(txn->packages[i].arch, pkg->arch) == 0)
			return KG_CHANGE_CHANGES;
	return KG_CHANGE_ENTERS;
}
