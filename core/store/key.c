// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/store/store.h"

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/name.h"

/* Raise it when what we do between the source and the artefact changes: copying, sandbox, strip. */
#define STORE_RECIPE_VERSION "2"

static int tree_digest(int dir_fd, char ret_hex[DIGEST_HEX_SIZE], struct kg_err *err)
{
	struct digest d;
	int r = digest_init(&d);

	if (r < 0)
		return r;
	r = digest_add_tree(&d, dir_fd, err);
	if (r == 0)
		r = digest_final(&d, ret_hex);
	digest_fini(&d);
	return r;
}

static int add_source(struct digest *d, const struct store_inputs *in, struct kg_err *err)
{
	char hex[DIGEST_HEX_SIZE];
	int r = tree_digest(in->source_fd, hex, err);

	if (r < 0)
		return r;
	digest_add_field(d, "name", in->source->name);
	digest_add_field(d, "version", in->source->version);
	digest_add_field(d, "tree", hex);
	return 0;
}

/* /etc/dkms/M: scripts and patches there go before the source's own. */
static int add_overrides(struct digest *d, const struct kg_system *sys, const char *name,
			 struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int fd = -1;
	char hex[DIGEST_HEX_SIZE];
	int r;

	if (!name_is_word(name))
		return kg_fail(err, -EINVAL, "not a module name: '%s'", name);
	str_addf(&path, "etc/dkms/%s", name);
	if (!str_ok(&path))
		return -ENOMEM;
	fd = fd_try_open_in(sys->root_fd, path.p, O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR) {
		digest_add_field(d, "overrides", NULL);
		return 0;
	}
	if (fd < 0)
		return kg_fail_errno(err, fd, "cannot open %s", path.p);
	r = tree_digest(fd, hex, err);
	if (r == 0)
		digest_add_field(d, "overrides", hex);
	return r;
}

static void add_depends(struct digest *d, const char *const *keys)
{
	for (; keys != NULL && *keys != NULL; keys++)
		digest_add_field(d, "depend", *keys);
}

static int add_inputs(struct digest *d, const struct kg_system *sys,
		      const struct store_inputs *in, struct kg_err *err)
{
	int r;

	digest_add_field(d, "kmodgate-artefact", STORE_RECIPE_VERSION);
	digest_add_field(d, "dkms-tree",
			 sys->dkms_tree); /* a .ko records where it was built */
	digest_add_field(d, "release", in->release);
	digest_add_field(d, "arch", in->arch);
	digest_add_field(d, "recipe", in->recipe->identity);
	digest_add_field(d, "headers", in->headers->identity);
	digest_add_field(d, "config", in->headers->config);
	digest_add_field(d, "headers-path", in->headers->source_dir);
	digest_add_field(d, "toolchain", in->toolchain);
	add_depends(d, in->depend_keys);
	r = add_source(d, in, err);
	return r < 0 ? r : add_overrides(d, sys, in->source->name, err);
}

int store_key(const struct kg_system *sys, const struct store_inputs *in,
	      char ret_key[65], struct kg_err *err)
{
	struct digest d;
	int r = digest_init(&d);

	if (r == 0) {
		r = add_inputs(&d, sys, in, err);
		if (r == 0)
			r = digest_final(&d, ret_key);
		digest_fini(&d);
	}
	return r == 0 ? 0
		      : kg_fail_errno(err, r, "cannot compute the key of %s/%s",
				      in->source->name, in->source->version);
}
