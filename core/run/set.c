// SPDX-License-Identifier: GPL-2.0-or-later
/* From an artefact to the files that are installed, and their place in the DKMS tree. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/recipe/recipe.h"
#include "core/registry/registry.h"
#include "core/run/run.h"
#include "core/seal/seal.h"

#define MODULE_MAX_BYTES (512u << 20)

void run_set_fini(struct run_set *rs)
{
	if (rs->set.sealed_fd >= 0)
		close(rs->set.sealed_fd);
	if (rs->built_fd >= 0)
		close(rs->built_fd);
	rs->set.sealed_fd = -1;
	rs->built_fd = -1;
}

/* ---- where modules go ---- */

const char *run_module_location(const struct run *run)
{
	return run->sys->module_location ?: "updates/dkms";
}

/* Where dkms.conf wants them; an error when nobody asks it, or it cannot be read. */
static int read_places(struct run *run, const struct kg_source *source,
		       const char *release, struct kg_recipe *ret_recipe)
{
	const struct run_release known = { .release = release,
					   .result = -KGE_NO_HEADERS };
	_cleanup_close_ int source_fd = -1;

	if (!run->sys->goes_as_given)
		return -ENOENT;
	source_fd = run_open_source(run, source, NULL);
	return source_fd < 0 ? source_fd
			     : run_read_recipe(run, source, source_fd, &known, ret_recipe,
					       NULL);
}

/* @file is NAME.ko with a suffix. */
static const char *place_of(struct run *run, const struct kg_recipe *recipe,
			    const char *file)
{
	const size_t len = (size_t)(strstr(file, ".ko") - file);

	for (size_t i = 0; i < recipe->n_modules; i++) {
		const char *at = recipe->modules[i].dest_location;
		const char *name = recipe->modules[i].dest_name;
		size_t n = at == NULL ? 0 : strlen(at);

		if (n == 0 || strlen(name) != len || memcmp(name, file, len) != 0)
			continue;
		while (n > 0 && at[n - 1] == '/')
			n--;
		at = arena_strndup(&run->arena, at, n);
		at = at == NULL ? "" : at + strspn(at, "/");
		if (name_is_path(at))
			return at;
	}
	return run_module_location(run);
}

/* ---- sealing ---- */

struct sealing {
	struct run *run;
	const struct kg_headers *headers;
	struct run_signer signer;
	int from_fd; /* store's module/ */
	int to_fd;   /* K/A's module/ */
};

static int read_module(const struct sealing *s, const char *name, char **ret_data,
		       size_t *ret_len, struct kg_err *err)
{
	_cleanup_close_ int fd =
		openat(s->from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : fd_read_all(fd, MODULE_MAX_BYTES, ret_data, ret_len);

	return r < 0 ? kg_fail_errno(err, r, "cannot read %s", name) : 0;
}

static int seal_module(const struct sealing *s, const char *dest_name, struct kg_err *err)
{
	struct arena *arena = &s->run->arena;
	_cleanup_free_ char *data = NULL;
	_cleanup_str_ struct str with_signature = { 0 };
	_cleanup_str_ struct str packed = { 0 };
	struct run_module module = { .name = arena_printf(arena, "%s.ko", dest_name) };
	const char *final =
		arena_printf(arena, "%s.ko%s", dest_name, s->headers->compression);
	size_t len = 0;
	int r;

	if (module.name == NULL || final == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot seal %s", dest_name);
	r = read_module(s, module.name, &data, &len, err);
	module.data = data;
	module.len = len;
	if (r == 0)
		r = run_sign(s->run, &s->signer, &module, &with_signature, err);
	if (r == 0)
		r = seal_compress_with(
			str_get(&with_signature), with_signature.len,
			s->headers->compression,
			framework_compress_options(&s->run->framework,
						   s->headers->compression),
			&packed, err);
	if (r < 0)
		return r;
	return fd_replace_at(s->to_fd, final, str_get(&packed), packed.len, 0644, err);
}

/* The K/A folder but for its modules: the log, and what POST_BUILD left. */
static int copy_extras(int store_fd, int ka_fd, struct kg_err *err)
{
	_cleanup_close_ int extras_fd =
		fd_try_open_in(store_fd, "ka", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int log_fd = -1;
	int r = 0;

	if (extras_fd >= 0)
		r = fd_copy_tree(extras_fd, ka_fd, FD_COPY_TO_OWNER, 0, 0, err);
	if (r < 0)
		return r;
	log_fd = fd_make_dir_in(ka_fd, "log", 0755, err);
	if (log_fd < 0)
		return log_fd;
	return fd_copy_file_at(store_fd, "make.log", log_fd, "make.log", 0644, err);
}

static int seal_modules(struct sealing *s, const struct kg_artefact *artefact,
			struct kg_err *err)
{
	for (size_t i = 0; i < artefact->n_modules; i++) {
		int r;

		if (artefact->modules[i].is_excluded)
			continue;
		r = seal_module(s, artefact->modules[i].dest_name, err);
		if (r < 0)
			return r;
	}
	return fsync(s->to_fd) < 0 ? kg_fail_errno(err, -errno, "cannot sync modules")
				   : 0;
}

/* As DKMS: .dep_NAME says the version, and that another one is a reason to build again. */
static int write_depends(const struct run *run, const struct kg_job *job, int ka_fd,
			 struct kg_err *err)
{
	int r = 0;

	if (job->rebuild_after == NULL ||
	    (run->target != NULL && run->target->force == KG_FORCE))
		return 0;
	for (const struct kg_depend *d = job->rebuild_after; r == 0 && d->name != NULL;
	     d++) {
		_cleanup_str_ struct str name = { 0 };
		_cleanup_str_ struct str text = { 0 };

		str_addf(&name, RUN_DEPEND_FILE "%s", d->name);
		str_addf(&text, "%s\n", d->version);
		r = str_ok(&name) && str_ok(&text)
			    ? fd_replace_at(ka_fd, str_get(&name), str_get(&text),
					    text.len, 0644, err)
			    : -ENOMEM;
	}
	return r;
}

static int seal_into(struct run *run, const struct kg_job *job, int ka_fd,
		     struct kg_err *err)
{
	const struct run_release *release = run_find_release(run, job->release);
	_cleanup_close_ int store_fd =
		fd_open_dir_in(run->sys->root_fd, job->artefact.dir, err);
	struct sealing s = {
		.run = run, .signer = { .key = SEAL_KEY_INIT }, .from_fd = -1, .to_fd = -1
	};
	int r;

	if (store_fd < 0)
		return store_fd;
	if (release == NULL || release->result < 0)
		return kg_fail(err, -KGE_NO_HEADERS, "no headers for %s", job->release);
	r = copy_extras(store_fd, ka_fd, err);
	if (r == 0)
		r = write_depends(run, job, ka_fd, err);
	if (r < 0)
		return r;
	s.headers = &release->headers;
	s.from_fd = fd_open_dir_at(store_fd, "module", err);
	s.to_fd = fd_make_dir_in(ka_fd, "module", 0755, err);
	r = s.from_fd < 0 ? s.from_fd : s.to_fd;
	if (r >= 0)
		r = run_signer_open(run, s.headers, job->release, &s.signer, err);
	if (r >= 0)
		r = seal_modules(&s, &job->artefact, err);
	closep(&s.from_fd);
	closep(&s.to_fd);
	run_signer_fini(&s.signer);
	return r < 0 ? r : 0;
}

int run_seal_job(struct run *run, const struct kg_job *job, int parent_fd,
		 const char *name, struct run_set *ret_set, struct kg_err *err)
{
	_cleanup_close_ int ka_fd = -1;
	int r = fd_remove_tree_at(parent_fd, name, err);

	if (r < 0)
		return r;
	if (mkdirat(parent_fd, name, 0755) < 0)
		return kg_fail_errno(err, -errno, "cannot make folder %s", name);
	ka_fd = fd_open_dir_at(parent_fd, name, err);
	if (ka_fd < 0)
		return ka_fd;
	r = seal_into(run, job, ka_fd, err);
	if (r < 0)
		return r;
	return run_open_set(run, job->source, job->release, job->arch, TAKE_FD(ka_fd),
			    ret_set, err);
}

/* ---- reading back and registering ---- */

static bool is_module_name(const char *name)
{
	return name_is_word(name) && strstr(name, ".ko") != NULL;
}

static int list_modules(struct run *run, int module_fd, const struct kg_recipe *places,
			const char *const **ret_files, struct kg_err *err)
{
	_cleanup_dir_ DIR *dir = fd_list(module_fd);
	const char **files = NULL;
	size_t n = 0;
	struct dirent *entry;

	if (dir == NULL)
		return kg_fail_errno(err, -errno, "cannot list the built modules");
	while ((entry = fd_list_next(dir)) != NULL) {
		const char **slot;

		if (!is_module_name(entry->d_name))
			continue;
		slot = ARENA_ADD(&run->arena, files, n);
		if (slot != NULL)
			*slot = arena_printf(&run->arena, "%s/%s",
					     place_of(run, places, entry->d_name),
					     entry->d_name);
	}
	(void)ARENA_ADD(&run->arena, files, n); /* the NULL at the end */
	if (run->arena.failed)
		return kg_fail_errno(err, -ENOMEM, "cannot list the built modules");
	*ret_files = files;
	return 0;
}

int run_open_set(struct run *run, const struct kg_source *source, const char *release,
		 const char *arch, int dir_fd, struct run_set *ret_set,
		 struct kg_err *err)
{
	struct run_set rs = {
		.set = { .release = release,
			 .name = source->name,
			 .version = source->version },
		.source = *source,
		.arch = arch,
		.built_fd = dir_fd,
	};
	struct kg_recipe places = { 0 };
	int r;

	rs.set.sealed_fd = fd_open_dir_at(dir_fd, "module", err);
	if (rs.set.sealed_fd >= 0 && read_places(run, source, release, &places) < 0)
		places = (struct kg_recipe){ 0 };
	r = rs.set.sealed_fd < 0
		    ? rs.set.sealed_fd
		    : list_modules(run, rs.set.sealed_fd, &places, &rs.set.files, err);
	recipe_fini(&places);
	if (r < 0)
		run_set_fini(&rs);
	else
		*ret_set = rs;
	return r;
}
