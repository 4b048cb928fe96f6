// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/recipe/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/recipe/interpret.h"
#include "core/recipe/place.h"
#include "core/recipe/ways.h"

/* dkms.conf, then the overrides that are there. */
#define FILES_MAX 7

struct conf_file {
	struct recipe_file file;
	const char *path; /* below the root; NULL: dkms.conf itself */
	bool is_altered;
};

/* One dkms.conf being read. */
struct reading {
	const struct kg_system *sys;
	const struct sandbox *template;
	enum recipe_way way;
	int source_fd;
	const char *conf;	 /* another file instead, NULL */
	const char *source_path; /* below the root, or "" */
	struct recipe_env env;
	struct arena arena;
	struct conf_file files[FILES_MAX];
	size_t n_files;
	struct recipe_vars vars;
	struct strv warnings;
	struct place place;
	bool has_place;
	struct kg_err *err;
};

static int no_memory(const struct reading *rd)
{
	return kg_fail_errno(rd->err, -ENOMEM, "cannot read dkms.conf");
}

static void reading_fini(struct reading *rd)
{
	if (rd->has_place)
		place_fini(&rd->place);
	strv_fini(&rd->warnings);
	arena_fini(&rd->arena);
}

/* ---- the files ---- */

/* Drops the '\r' of each "\r\n" and of the last line. True when there was one. */
static bool drop_returns(char *text, size_t *len)
{
	size_t n = 0;

	for (size_t i = 0; i < *len; i++)
		if (text[i] != '\r' || (i + 1 < *len && text[i + 1] != '\n'))
			text[n++] = text[i];
	if (n == *len)
		return false;
	*len = n;
	text[n] = '\0';
	return true;
}

/* Only a regular file: a FIFO must not make us wait. The caller frees the text, also on failure. */
static int read_text(int fd, const char *name, char **ret_text, size_t *ret_len,
		     struct kg_err *err)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return kg_fail(err, -KGE_RECIPE, "%s: not a file", name);
	r = fd_read_all(fd, RECIPE_MAX_FILE, ret_text, ret_len);
	if (r == -KGE_LIMIT)
		return kg_fail(err, -KGE_RECIPE, "%s: larger than %u KiB", name,
			       RECIPE_MAX_FILE / 1024);
	if (r < 0)
		return kg_fail_errno(err, r, "%s", name);
	if (memchr(*ret_text, '\0', *ret_len) != NULL)
		return kg_fail(err, -KGE_RECIPE, "%s: not a text", name);
	return 0;
}

static int add_file(struct reading *rd, int fd, const char *name, const char *path)
{
	struct conf_file *f = &rd->files[rd->n_files];
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = read_text(fd, name, &text, &len, rd->err);

	if (r < 0)
		return r;
	f->is_altered = drop_returns(text, &len);
	f->path = path != NULL ? arena_strdup(&rd->arena, path) : NULL;
	f->file = (struct recipe_file){
		.name = arena_strdup(&rd->arena, name),
		.at = path != NULL ? arena_printf(&rd->arena, "/%s", path) : NULL,
		.text = arena_strndup(&rd->arena, text, len),
		.len = len,
	};
	rd->n_files++;
	return rd->arena.failed ? no_memory(rd) : 0;
}

static int add_conf(struct reading *rd)
{
	_cleanup_str_ struct str name = { 0 };
	_cleanup_close_ int fd = -1;

	if (rd->conf != NULL) {
		fd = open(rd->conf, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return kg_fail_errno(rd->err, -KGE_RECIPE, "%s", rd->conf);
		return add_file(rd, fd, rd->conf, NULL);
	}
	fd = fd_try_open_in(rd->source_fd, "dkms.conf", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (*rd->source_path != '\0')
		str_addf(&name, "/%s/", rd->source_path);
	str_add(&name, "dkms.conf");
	if (!str_ok(&name))
		return no_memory(rd);
	if (fd < 0)
		return kg_fail(rd->err, fd == -ENOMEM ? fd : -KGE_RECIPE, "%s: %s",
			       name.p, kg_strerror(fd));
	return add_file(rd, fd, name.p, NULL);
}

static int add_override(struct reading *rd, const char *path)
{
	_cleanup_close_ int fd =
		fd_try_open_in(rd->sys->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *name = NULL;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (asprintf(&name, "/%s", path) < 0)
		return no_memory(rd);
	if (fd < 0)
		return kg_fail_errno(rd->err, fd, "%s", name);
	return add_file(rd, fd, name, path);
}

/* In DKMS's order, least specific first. */
static int add_overrides(struct reading *rd)
{
	const struct recipe_env *e = &rd->env;
	_cleanup_strv_ struct strv paths = { 0 };
	int r = 0;

	strv_addf(&paths, "etc/dkms/%s.conf", e->module);
	strv_addf(&paths, "etc/dkms/%s-%s.conf", e->module, e->module_version);
	strv_addf(&paths, "etc/dkms/%s-%s-%s.conf", e->module, e->module_version,
		  e->kernelver);
	strv_addf(&paths, "etc/dkms/%s-%s-%s-%s.conf", e->module, e->module_version,
		  e->kernelver, e->arch);
	strv_addf(&paths, "etc/dkms/%s--%s.conf", e->module, e->kernelver);
	strv_addf(&paths, "etc/dkms/%s--%s-%s.conf", e->module, e->kernelver, e->arch);
	if (!strv_ok(&paths))
		return no_memory(rd);
	for (size_t i = 0; i < paths.n && r == 0; i++)
		r = add_override(rd, paths.v[i]);
	return r;
}

/* ---- evaluating ---- */

static struct place_file place_file_of(const struct conf_file *f)
{
	return (struct place_file){ f->file.text, f->file.len, f->is_altered };
}

/* Everything bash may look at is shown before it first runs. */
static int make_place(struct reading *rd)
{
	const struct recipe_env *e = &rd->env;
	struct place_source source = { .fd = rd->source_fd,
				       .path = rd->source_path,
				       .conf = place_file_of(&rd->files[0]) };
	const char *dir = NULL;
	int r = place_init(&rd->place, rd->sys, rd->template, rd->err);

	rd->has_place = true;
	if (*e->module != '\0')
		source.link = arena_printf(&rd->arena, "%s/%s/%s/source", e->dkms_tree,
					   e->module, e->module_version);
	if (r == 0)
		r = place_source(&rd->place, &source, &dir, rd->err);
	for (size_t i = 1; i < rd->n_files && r == 0; i++) {
		const struct place_file file = place_file_of(&rd->files[i]);

		r = place_override(&rd->place, rd->files[i].path, &file, rd->err);
	}
	if (r < 0)
		return r;
	place_finish(&rd->place);
	rd->place.view.release =
		*e->module != '\0' ? e->kernelver : rd->place.view.release;
	rd->files[0].file.at = arena_printf(&rd->arena, "%s/dkms.conf", dir);
	return rd->arena.failed ? no_memory(rd) : 0;
}

static int read_by_bash(struct reading *rd, const struct conf_file *f)
{
	const struct bash_how how = { &rd->place.view, &rd->env, &rd->warnings };
	int r = rd->has_place ? 0 : make_place(rd);

	return r < 0 ? r : bash_read(&how, &f->file, &rd->vars, rd->err);
}

static int read_file(struct reading *rd, const struct conf_file *f)
{
	int r = -EAGAIN;

	if (rd->way != RECIPE_BASH_ONLY)
		r = plain_read(&f->file, &rd->env, &rd->vars);
	if (r == -EAGAIN && rd->way != RECIPE_PLAIN_ONLY)
		r = read_by_bash(rd, f);
	if (r == -EAGAIN)
		return kg_fail(rd->err, r, "%s: needs bash", f->file.name);
	return r == -ENOMEM ? no_memory(rd) : r;
}

/* --directive: as given, without another look by a shell. */
static int apply_directive(struct reading *rd, const char *text)
{
	const char *equals = strchr(text, '=');
	enum recipe_directive directive;
	unsigned int index;

	if (equals == NULL)
		return kg_fail(rd->err, -EINVAL, "--directive: not NAME=VALUE: '%s'",
			       text);
	if (!directive_parse(text, (size_t)(equals - text), &directive, &index)) {
		strv_addf(&rd->warnings, "--directive: no such directive: '%s'", text);
		return 0;
	}
	if (vars_set(&rd->vars, directive, index, equals + 1) < 0)
		return no_memory(rd);
	return 0;
}

static int evaluate_files(struct reading *rd)
{
	int r = 0;

	for (size_t i = 0; i < rd->n_files && r == 0; i++)
		r = read_file(rd, &rd->files[i]);
	return r;
}

/* ---- results ---- */

static void add_input(struct str *to, const char *name, const char *value)
{
	if (value == NULL)
		str_addf(to, "%s -\n", name);
	else
		str_addf(to, "%s %zu:%s\n", name, strlen(value), value);
}

/*
 * A conf can read what it likes (.config, /boot/config-R, /proc), but a build sees of that only
 * the values that come of it, so these stand for every file and command it used. The files' own
 * text is in it for what scripts of the source may look at again.
 */
static int make_identity(const struct reading *rd, struct kg_recipe *recipe)
{
	_cleanup_str_ struct str text = { 0 };

	add_input(&text, "name", recipe->name);
	add_input(&text, "version", recipe->version);
	add_input(&text, "release", rd->env.kernelver);
	add_input(&text, "arch", rd->env.arch);
	add_input(&text, "kernel_source_dir", rd->env.kernel_source_dir);
	for (size_t i = 0; i < rd->vars.n; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s[%u]",
			 directive_name(rd->vars.v[i].directive), rd->vars.v[i].index);
		add_input(&text, name, rd->vars.v[i].value);
	}
	for (size_t i = 0; i < rd->n_files; i++)
		add_input(&text, rd->files[i].path ?: "dkms.conf",
			  rd->files[i].file.text);
	recipe->identity =
		str_ok(&text) ? arena_strdup(&recipe->arena, str_get(&text)) : NULL;
	return recipe->identity != NULL ? 0 : no_memory(rd);
}

static int take_warnings(const struct reading *rd, struct interpret *in)
{
	for (size_t i = 0; i < rd->warnings.n; i++) {
		const char **slot =
			ARENA_ADD(&in->recipe->arena, in->warnings, in->n_warnings);

		if (slot == NULL)
			return no_memory(rd);
		*slot = arena_strdup(&in->recipe->arena, rd->warnings.v[i]);
	}
	return strv_ok(&rd->warnings) ? 0 : no_memory(rd);
}

static int interpret(struct reading *rd, const struct recipe_request *req,
		     struct kg_recipe *recipe)
{
	struct interpret in = {
		.vars = &rd->vars,
		.file = rd->files[0].file.name,
		.release = req->release,
		.arch = req->arch,
		.config = req->config != NULL ? req->config : "",
		.recipe = recipe,
		.err = rd->err,
	};
	int r = take_warnings(rd, &in);

	/* what is registered counts: a real package has "#MODULES_VERSION#" here */
	recipe->name = arena_strdup(&recipe->arena, req->source->name);
	recipe->version = arena_strdup(&recipe->arena, req->source->version);
	r = r ?: interpret_all(&in);
	return r ?: make_identity(rd, recipe);
}

/* They become parts of paths. */
static int check_names(const struct reading *rd)
{
	const struct recipe_env *e = &rd->env;
	const char *const names[] = { e->module, e->module_version, e->kernelver,
				      e->arch };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!name_is_plain(names[i]))
			return kg_fail(rd->err, -EINVAL, "cannot read dkms.conf for '%s'",
				       names[i]);
	return 0;
}

/* The parts that reading for a release and for the identity share. */
static int reading_init(struct reading *rd)
{
	const struct kg_system *sys = rd->sys;

	rd->vars.arena = &rd->arena;
	rd->env.dkms_tree = arena_printf(&rd->arena, "/%s", sys->dkms_tree);
	rd->env.source_tree = arena_printf(&rd->arena, "/%s", sys->source_tree);
	if (rd->source_path == NULL && place_find(sys, rd->template, rd->source_fd,
						  &rd->arena, &rd->source_path) < 0)
		return no_memory(rd);
	return rd->arena.failed ? no_memory(rd) : 0;
}

int recipe_read(const struct recipe_request *req, struct kg_recipe *ret_recipe,
		struct kg_err *err)
{
	struct kg_recipe recipe = { 0 };
	struct reading rd = {
		.sys = req->sys,
		.template = req->view,
		.way = req->way,
		.source_fd = req->source_fd,
		.conf = req->conf,
		.source_path = req->source->path,
		.env = {
			.kernelver = req->release,
			.arch = req->arch,
			.kernel_source_dir = req->kernel_source_dir,
			.module = req->source->name,
			.module_version = req->source->version,
		},
		.err = err,
	};
	int r = check_names(&rd);

	r = r ?: reading_init(&rd);
	r = r ?: add_conf(&rd);
	r = r ?: add_overrides(&rd);
	r = r ?: evaluate_files(&rd);
	for (size_t i = 0;
	     req->directives != NULL && req->directives[i] != NULL && r == 0; i++)
		r = apply_directive(&rd, req->directives[i]);
	r = r ?: interpret(&rd, req, &recipe);
	reading_fini(&rd);
	if (r < 0)
		recipe_fini(&recipe);
	else
		*ret_recipe = recipe;
	return r;
}

void recipe_fini(struct kg_recipe *recipe)
{
	arena_fini(&recipe->arena);
	*recipe = (struct kg_recipe){ 0 };
}

/*
 * A version nobody filled in (mstflint of Debian 13 has "#MODULES_VERSION#"): the folder tells
 * under which one the package registers it.
 */
static const char *version_of_folder(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *folder = slash != NULL ? slash + 1 : path;
	size_t len = strlen(name);

	if (!str_starts(folder, name) || folder[len] != '-' ||
	    !name_is_word(folder + len + 1))
		return NULL;
	return folder + len + 1;
}

static int take_identity(struct reading *rd, struct arena *arena, const char **ret_name,
			 const char **ret_version)
{
	const char *file = rd->files[0].file.name;
	const char *name = vars_get(&rd->vars, D_PACKAGE_NAME, 0);
	const char *version = vars_get(&rd->vars, D_PACKAGE_VERSION, 0);

	if (name == NULL || *name == '\0' || version == NULL || *version == '\0')
		return kg_fail(rd->err, -KGE_RECIPE, "%s: no %s", file,
			       name == NULL || *name == '\0' ? "PACKAGE_NAME"
							     : "PACKAGE_VERSION");
	if (!name_is_word(name))
		return kg_fail(rd->err, -KGE_RECIPE, "%s: PACKAGE_NAME: not a name: '%s'",
			       file, name);
	if (!name_is_word(version)) {
		const char *other = version_of_folder(rd->source_path, name);

		if (other == NULL)
			return kg_fail(rd->err, -KGE_RECIPE,
				       "%s: PACKAGE_VERSION: not a version: '%s'", file,
				       version);
		version = other;
	}
	name = arena_strdup(arena, name);
	version = arena_strdup(arena, version);
	if (name == NULL || version == NULL)
		return no_memory(rd);
	*ret_name = name;
	*ret_version = version;
	return 0;
}

int recipe_read_identity(const struct kg_system *sys, int source_fd,
			 const struct sandbox *view, struct arena *arena,
			 const char **ret_name, const char **ret_version,
			 struct kg_err *err)
{
	struct reading rd = {
		.sys = sys,
		.template = view,
		.way = RECIPE_ANY,
		.source_fd = source_fd,
		.env = {
			.kernelver = sys->running,
			.arch = sys->arch,
			.module = "",
			.module_version = "",
		},
		.err = err,
	};
	int r;

	rd.env.kernel_source_dir =
		arena_printf(&rd.arena, "/%s/%s/build", sys->install_tree, sys->running);
	r = reading_init(&rd);
	r = r ?: add_conf(&rd);
	r = r ?: evaluate_files(&rd);
	r = r ?: take_identity(&rd, arena, ret_name, ret_version);
	reading_fini(&rd);
	return r;
}
