// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/store/manifest.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/yaml.h"

#define MANIFEST_VERSION 1
#define MANIFEST_MAX_BYTES (8U << 20)

/* ---- writing ---- */

static void write_module(struct yaml_writer *w, const struct kg_recipe_module *m)
{
	yaml_write_flow_map(w);
	yaml_write_pair(w, "name", m->dest_name);
	yaml_write_pair(w, "dest", m->dest_location);
	yaml_write_pair(w, "built", m->built_name);
	yaml_write_pair(w, "location", m->built_location);
	yaml_write_pair(w, "strip", m->strip ? "yes" : "no");
	yaml_write_pair(w, "lacks", m->lacks);
	yaml_write_map_end(w);
}

static void write_entry(struct yaml_writer *w, const struct listing_entry *e)
{
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", e->mode);
	yaml_write_flow_map(w);
	yaml_write_pair(w, "path", e->path);
	if (e->kind != LISTING_LINK)
		yaml_write_pair(w, "mode", mode);
	yaml_write_pair(w, "link", e->target);
	if (e->kind == LISTING_FILE) {
		yaml_write_pair_u64(w, "size", e->size);
		yaml_write_pair(w, "sha256", e->digest);
	}
	yaml_write_map_end(w);
}

static void write_body(struct yaml_writer *w, const struct manifest *manifest)
{
	yaml_write_map(w);
	yaml_write_pair_u64(w, "kmodgate-artefact", MANIFEST_VERSION);
	yaml_write_pair(w, "key", manifest->key);
	yaml_write_pair(w, "source", manifest->source);
	yaml_write_key(w, "modules");
	yaml_write_list(w);
	for (size_t i = 0; i < manifest->n_modules; i++)
		write_module(w, &manifest->modules[i]);
	yaml_write_list_end(w);
	yaml_write_key(w, "files");
	yaml_write_list(w);
	for (size_t i = 0; i < manifest->listing.n; i++)
		write_entry(w, &manifest->listing.entries[i]);
	yaml_write_list_end(w);
	yaml_write_map_end(w);
}

int manifest_write(int dir_fd, const struct manifest *manifest, struct kg_err *err)
{
	struct yaml_writer w;
	int r = yaml_write_begin(&w);

	if (r == 0) {
		write_body(&w, manifest);
		r = yaml_write_end(&w);
	}
	if (r == 0)
		r = fd_replace_at(dir_fd, LISTING_MANIFEST, w.out.p, w.out.len, 0644,
				  err);
	yaml_write_fini(&w);
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot write the manifest of an artefact");
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	struct kg_err *err;
};

static int read_strip(const struct yaml_node *node, bool *ret_strip, struct kg_err *err)
{
	const char *text = NULL;
	int r = yaml_get_text(node, "strip", &text, err);

	if (r < 0)
		return r;
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return kg_fail(err, -KGE_FORMAT, "line %u: strip is not yes or no",
			       node->line);
	*ret_strip = text[0] == 'y';
	return 0;
}

static int read_module(const struct yaml_node *node, struct kg_recipe_module *m,
		       struct kg_err *err)
{
	static const char *const known[] = { "name",  "dest",  "built", "location",
					     "strip", "lacks", NULL };
	const struct {
		const char *key;
		const char **text;
	} texts[] = {
		{ "name", &m->dest_name },
		{ "dest", &m->dest_location },
		{ "built", &m->built_name },
		{ "location", &m->built_location },
	};
	int r = yaml_expect_map(node, "a module", known, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = yaml_get_text(node, texts[i].key, texts[i].text, err);
	if (r == 0)
		r = read_strip(node, &m->strip, err);
	if (r == 0)
		r = yaml_get_optional(node, "lacks", &m->lacks, err);
	if (r == 0 && (!name_is_plain(m->dest_name) || !name_is_plain(m->built_name)))
		return kg_fail(err, -KGE_HOSTILE, "line %u: not a module's name",
			       node->line);
	return r;
}

/* "0644": octal, at most four digits. */
static int read_mode(const struct yaml_node *node, mode_t *ret_mode, struct kg_err *err)
{
	const char *text = NULL;
	mode_t mode = 0;
	size_t len;
	int r = yaml_get_text(node, "mode", &text, err);

	if (r < 0)
		return r;
	len = strspn(text, "01234567");
	if (len == 0 || len > 4 || text[len] != '\0')
		return kg_fail(err, -KGE_FORMAT, "line %u: not a mode", node->line);
	for (size_t i = 0; i < len; i++)
		mode = mode * 8 + (mode_t)(text[i] - '0');
	*ret_mode = mode;
	return 0;
}

static int read_file(const struct yaml_node *node, struct listing_entry *e,
		     struct kg_err *err)
{
	const char *digest = NULL;
	int r = yaml_get_text(node, "sha256", &digest, err);

	if (r == 0)
		r = yaml_get_u64(node, "size", &e->size, err);
	if (r < 0)
		return r;
	if (strlen(digest) != DIGEST_HEX_SIZE - 1)
		return kg_fail(err, -KGE_FORMAT, "line %u: not a digest", node->line);
	memcpy(e->digest, digest, DIGEST_HEX_SIZE);
	e->kind = LISTING_FILE;
	return 0;
}

static int read_entry(const struct yaml_node *node, struct listing_entry *e,
		      struct kg_err *err)
{
	static const char *const known[] = { "path", "mode",   "link",
					     "size", "sha256", NULL };
	int r = yaml_expect_map(node, "a file", known, err);

	if (r == 0)
		r = yaml_get_text(node, "path", &e->path, err);
	if (r == 0)
		r = yaml_get_optional(node, "link", &e->target, err);
	if (r < 0)
		return r;
	if (!listing_is_path(e->path))
		return kg_fail(err, -KGE_HOSTILE, "line %u: not a plain path",
			       node->line);
	if (e->target != NULL) {
		e->kind = LISTING_LINK;
		return 0;
	}
	r = read_mode(node, &e->mode, err);
	e->kind = LISTING_DIR;
	if (r == 0 && yaml_find(node, "sha256") != NULL)
		r = read_file(node, e, err);
	return r;
}

static int read_modules(const struct reader *rd, const struct yaml_node *root,
			struct manifest *manifest)
{
	const struct yaml_node *list = yaml_find(root, "modules");
	int r;

	if (list == NULL)
		return kg_fail(rd->err, -KGE_FORMAT, "modules are missing");
	r = yaml_expect_list(list, "modules", rd->err);
	for (size_t i = 0; r == 0 && i < list->n; i++) {
		struct kg_recipe_module *m =
			ARENA_ADD(rd->arena, manifest->modules, manifest->n_modules);

		r = m != NULL ? read_module(list->items[i], m, rd->err) : -ENOMEM;
	}
	return r;
}

static int read_listing(const struct reader *rd, const struct yaml_node *root,
			struct listing *listing)
{
	const struct yaml_node *list = yaml_find(root, "files");
	int r;

	if (list == NULL)
		return kg_fail(rd->err, -KGE_FORMAT, "files are missing");
	r = yaml_expect_list(list, "files", rd->err);
	for (size_t i = 0; r == 0 && i < list->n; i++) {
		struct listing_entry *e =
			ARENA_ADD(rd->arena, listing->entries, listing->n);

		r = e != NULL ? read_entry(list->items[i], e, rd->err) : -ENOMEM;
	}
	return r;
}

static int read_root(const struct reader *rd, const struct yaml_node *root,
		     struct manifest *manifest)
{
	static const char *const known[] = { "kmodgate-artefact", "key",   "source",
					     "modules",		  "files", NULL };
	uint64_t version = 0;
	int r = yaml_expect_map(root, "the manifest", known, rd->err);

	if (r == 0)
		r = yaml_get_u64(root, "kmodgate-artefact", &version, rd->err);
	if (r == 0 && version != MANIFEST_VERSION)
		r = kg_fail(rd->err, -KGE_FORMAT, "a manifest of another version");
	if (r == 0)
		r = yaml_get_text(root, "key", &manifest->key, rd->err);
	if (r == 0)
		r = yaml_get_text(root, "source", &manifest->source, rd->err);
	if (r == 0)
		r = read_modules(rd, root, manifest);
	return r == 0 ? read_listing(rd, root, &manifest->listing) : r;
}

static int read_text(int dir_fd, char **ret_text, size_t *ret_len)
{
	_cleanup_close_ int fd = openat(dir_fd, LISTING_MANIFEST,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || !listing_is_ours(&st))
		return -KGE_HOSTILE;
	return fd_read_all(fd, MANIFEST_MAX_BYTES, ret_text, ret_len);
}

int manifest_read(int dir_fd, struct arena *arena, struct manifest *ret_manifest,
		  struct kg_err *err)
{
	const struct reader rd = { .arena = arena, .err = err };
	struct manifest manifest = { 0 };
	_cleanup_free_ char *text = NULL;
	struct yaml_node *root = NULL;
	size_t len = 0;
	int r = read_text(dir_fd, &text, &len);

	if (r < 0)
		return kg_fail_errno(err, r, "cannot read the manifest");
	r = yaml_parse(text, len, arena, &root, err);
	if (r == 0)
		r = read_root(&rd, root, &manifest);
	if (r == 0)
		*ret_manifest = manifest;
	return r;
}

int manifest_check_modules(const struct manifest *manifest, struct arena *arena,
			   struct kg_err *err)
{
	for (size_t i = 0; i < manifest->n_modules; i++) {
		const char *name = manifest->modules[i].dest_name;
		const char *path = arena_printf(arena, "module/%s.ko", name);

		if (path == NULL)
			return -ENOMEM;
		if (!listing_has_file(&manifest->listing, path))
			return kg_fail(err, -KGE_BROKEN, "%s is missing", path);
	}
	return 0;
}
