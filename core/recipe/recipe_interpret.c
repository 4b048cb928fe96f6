// SPDX-License-Identifier: GPL-2.0-or-later
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/name.h"
#include "core/recipe/interpret.h"

int interpret_fail(const struct interpret *in, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return kg_fail(in->err, -KGE_RECIPE, "%s: %s", in->file, text);
}

int interpret_no_memory(const struct interpret *in)
{
	return kg_fail_errno(in->err, -ENOMEM, "%s", in->file);
}

void interpret_warn(struct interpret *in, const char *fmt, ...)
{
	char text[512];
	const char **slot;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	slot = ARENA_ADD(&in->recipe->arena, in->warnings, in->n_warnings);
	if (slot != NULL)
		*slot = arena_printf(&in->recipe->arena, "%s: %s", in->file, text);
}

const char *interpret_get(const struct interpret *in, enum recipe_directive directive,
			  unsigned int index)
{
	const char *value = vars_get(in->vars, directive, index);

	return value == NULL || *value == '\0' ? NULL : value;
}

int interpret_match(const struct interpret *in, enum recipe_directive directive,
		    unsigned int index, const char *text, bool *ret_fits)
{
	const char *pattern = interpret_get(in, directive, index);
	char why[128];
	regex_t re;
	int r;

	*ret_fits = false;
	if (pattern == NULL)
		return 0;
	r = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);
	if (r == REG_ESPACE)
		return interpret_no_memory(in);
	if (r != 0) {
		regerror(r, &re, why, sizeof(why));
		return interpret_fail(in, "%s[%u]: not a regular expression: %s (%s)",
				      directive_name(directive), index, pattern, why);
	}
	*ret_fits = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return 0;
}

static char *keep(struct interpret *in, const char *text)
{
	return text != NULL ? arena_strdup(&in->recipe->arena, text) : NULL;
}

/* Values of the array @directive in the order of their indexes; NULL-terminated list. */
static int list_values(struct interpret *in, enum recipe_directive directive,
		       const char *const **ret_list)
{
	const char **list =
		arena_array(&in->recipe->arena, in->vars->n + 1, sizeof(*list));
	size_t n = 0;

	if (list == NULL)
		return interpret_no_memory(in);
	for (size_t i = 0; i < in->vars->n; i++)
		if (in->vars->v[i].directive == directive &&
		    *in->vars->v[i].value != '\0')
			list[n++] = keep(in, in->vars->v[i].value);
	*ret_list = list;
	return 0;
}

/* ---- paths ---- */

/*
 * The components of @path without "", "." and, where @is_rooted, with ".." resolved, each followed by
 * '/'. Real confs hold "./" and "/kernel/../misc/".
 */
static int tidy_path(const char *path, bool is_rooted, struct str *out)
{
	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			if (!is_rooted || out->len == 0)
				return -KGE_HOSTILE;
			do
				out->p[--out->len] = '\0';
			while (out->len > 0 && out->p[out->len - 1] != '/');
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			str_addn(out, path, len);
			str_addc(out, '/');
		}
		path += len + (path[len] == '/');
	}
	return str_ok(out) ? 0 : -ENOMEM;
}

static bool has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static int read_built_location(struct interpret *in, unsigned int index,
			       struct kg_recipe_module *m)
{
	const char *value = interpret_get(in, D_BUILT_MODULE_LOCATION, index) ?: "";
	_cleanup_str_ struct str path = { 0 };

	if (*value == '/' || has_control(value) || tidy_path(value, false, &path) < 0)
		return interpret_fail(
			in,
			"BUILT_MODULE_LOCATION[%u]: must be below the build folder: '%s'",
			index, value);
	m->built_location = keep(in, str_get(&path));
	return m->built_location != NULL ? 0 : interpret_no_memory(in);
}

static int read_dest_location(struct interpret *in, unsigned int index,
			      struct kg_recipe_module *m)
{
	static const char *const begins[] = { "/kernel", "/updates", "/extra" };
	const char *value = interpret_get(in, D_DEST_MODULE_LOCATION, index);
	_cleanup_str_ struct str path = { 0 };
	bool fits = false;

	if (value == NULL)
		return interpret_fail(in, "no DEST_MODULE_LOCATION for module #%u",
				      index);
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		fits |= str_starts(value, begins[i]);
	if (!fits)
		return interpret_fail(
			in,
			"DEST_MODULE_LOCATION[%u] must begin with /kernel, /updates or /extra: '%s'",
			index, value);
	if (has_control(value) || tidy_path(value, true, &path) < 0 || path.len == 0)
		return interpret_fail(
			in,
			"DEST_MODULE_LOCATION[%u] leads out of the modules folder: '%s'",
			index, value);
	m->dest_location = arena_printf(&in->recipe->arena, "/%.*s", (int)path.len - 1,
					str_get(&path));
	return m->dest_location != NULL ? 0 : interpret_no_memory(in);
}

/* ---- modules ---- */

static int check_module_name(const struct interpret *in, enum recipe_directive directive,
			     unsigned int index, const char *name)
{
	if (!name_is_word(name))
		return interpret_fail(in, "%s[%u]: not a module name: '%s'",
				      directive_name(directive), index, name);
	if (str_ends(name, ".o") || str_ends(name, ".ko"))
		return interpret_fail(in, "%s[%u] must be without .ko: '%s'",
				      directive_name(directive), index, name);
	return 0;
}

/* STRIP[0] is the default of the others; what begins with n means no. */
static bool reads_strip(const struct interpret *in, unsigned int index)
{
	const char *value =
		interpret_get(in, D_STRIP, index) ?: interpret_get(in, D_STRIP, 0);

	return value == NULL || (*value != 'n' && *value != 'N');
}

static int read_names(struct interpret *in, unsigned int index, bool is_single,
		      struct kg_recipe_module *m)
{
	const char *built = interpret_get(in, D_BUILT_MODULE_NAME, index);
	const char *dest = interpret_get(in, D_DEST_MODULE_NAME, index);
	int r;

	if (built == NULL && is_single)
		built = interpret_get(in, D_PACKAGE_NAME, 0);
	if (built == NULL)
		return interpret_fail(in, "no BUILT_MODULE_NAME for module #%u", index);
	r = check_module_name(in, D_BUILT_MODULE_NAME, index, built);
	if (r == 0 && dest != NULL)
		r = check_module_name(in, D_DEST_MODULE_NAME, index, dest);
	if (r < 0)
		return r;
	m->built_name = keep(in, built);
	m->dest_name = keep(in, dest ?: built);
	return in->recipe->arena.failed ? interpret_no_memory(in) : 0;
}

/* The next module's index after @index (or from 0, when @index is UINT_MAX); false at the end. */
static bool next_index(const struct interpret *in, unsigned int *index)
{
	unsigned int least = *index + 1; /* wraps to 0 */
	unsigned int found = VARS_MAX_INDEX + 1;

	for (size_t i = 0; i < in->vars->n; i++) {
		const struct recipe_var *v = &in->vars->v[i];

		if (v->directive >= D_BUILT_MODULE_NAME &&
		    v->directive <= D_DEST_MODULE_LOCATION && v->index >= least &&
		    v->index < found)
			found = v->index;
	}
	*index = found;
	return found <= VARS_MAX_INDEX;
}

static int check_duplicates(const struct interpret *in, const struct kg_recipe_module *m)
{
	const struct kg_recipe *recipe = in->recipe;

	for (const struct kg_recipe_module *o = recipe->modules; o < m; o++) {
		if (strcmp(o->built_name, m->built_name) == 0 &&
		    strcmp(o->built_location, m->built_location) == 0)
			return interpret_fail(in, "BUILT_MODULE_NAME: '%s%s' twice",
					      m->built_location, m->built_name);
		if (strcmp(o->dest_name, m->dest_name) == 0)
			return interpret_fail(in, "DEST_MODULE_NAME: '%s' twice",
					      m->dest_name);
	}
	return 0;
}

static int read_module(struct interpret *in, unsigned int index, bool is_single,
		       const char **ret_why)
{
	struct kg_recipe *recipe = in->recipe;
	struct kg_recipe_module *m =
		ARENA_ADD(&recipe->arena, recipe->modules, recipe->n_modules);
	int r;

	if (m == NULL)
		return interpret_no_memory(in);
	r = read_names(in, index, is_single, m);
	r = r ?: read_built_location(in, index, m);
	r = r ?: read_dest_location(in, index, m);
	r = r ?: check_duplicates(in, m);
	r = r ?: exclusive_check(in, index, ret_why);
	if (r < 0)
		return r;
	m->strip = reads_strip(in, index);
	m->is_excluded = *ret_why != NULL;
	return 0;
}

/* Sparse indexes are fine: a record is an index any of the family's arrays has. */
static int read_modules(struct interpret *in)
{
	struct kg_recipe *recipe = in->recipe;
	unsigned int index = UINT32_MAX;
	unsigned int second;
	size_t n_excluded = 0;
	const char *why = NULL;
	bool is_single;
	int r = 0;

	if (!next_index(in, &index)) {
		interpret_warn(in, "no modules are specified");
		r = exclusive_check(in, 0, &recipe->excluded_why);
		recipe->is_excluded = recipe->excluded_why != NULL;
		return r;
	}
	second = index;
	is_single = !next_index(in, &second);
	do {
		r = read_module(in, index, is_single, &why);
		n_excluded += why != NULL;
		if (recipe->excluded_why == NULL)
			recipe->excluded_why = why;
	} while (r == 0 && next_index(in, &index));
	recipe->is_excluded = n_excluded > 0 && n_excluded == recipe->n_modules;
	if (!recipe->is_excluded)
		recipe->excluded_why = NULL;
	return r;
}

/* ---- the package ---- */

static int read_make(struct interpret *in)
{
	const char *make = NULL;

	if (interpret_get(in, D_MAKE_MATCH, 0) == NULL)
		make = interpret_get(in, D_MAKE, 0);
	for (size_t i = 0; i < in->vars->n; i++) {
		const struct recipe_var *v = &in->vars->v[i];
		bool fits;
		int r;

		if (v->directive != D_MAKE || *v->value == '\0')
			continue;
		r = interpret_match(in, D_MAKE_MATCH, v->index, in->release, &fits);
		if (r < 0)
			return r;
		if (fits)
			make = v->value;
	}
	in->recipe->make = keep(in, make);
	return 0;
}

static int read_patches(struct interpret *in)
{
	const char **list =
		arena_array(&in->recipe->arena, in->vars->n + 1, sizeof(*list));
	size_t n = 0;

	if (list == NULL)
		return interpret_no_memory(in);
	in->recipe->patches = list;
	for (size_t i = 0; i < in->vars->n; i++) {
		const struct recipe_var *v = &in->vars->v[i];
		const char *path = v->value;
		bool fits = true;
		int r = 0;

		if (v->directive != D_PATCH || *path == '\0')
			continue;
		while (str_starts(path, "./"))
			path += 2 + strspn(path + 2, "/");
		if (!name_is_path(path))
			return kg_fail(
				in->err, -KGE_PATCH,
				"%s: PATCH[%u]: not a file of the patches folder: '%s'",
				in->file, v->index, v->value);
		if (interpret_get(in, D_PATCH_MATCH, v->index) != NULL)
			r = interpret_match(in, D_PATCH_MATCH, v->index, in->release,
					    &fits);
		if (r < 0)
			return r;
		if (fits)
			list[n++] = keep(in, path);
	}
	return 0;
}

static int read_bool(const struct interpret *in, enum recipe_directive directive,
		     bool *ret_is_yes)
{
	const char *value = interpret_get(in, directive, 0);

	*ret_is_yes = value != NULL && strcasecmp(value, "yes") == 0;
	if (value == NULL || *ret_is_yes || strcasecmp(value, "no") == 0)
		return 0;
	return interpret_fail(in, "%s is neither yes nor no: '%s'",
			      directive_name(directive), value);
}

static int read_depends(struct interpret *in)
{
	static const char *const none[] = { NULL };
	struct kg_recipe *recipe = in->recipe;
	bool has_rebuild = false;
	int r = list_values(in, D_BUILD_DEPENDS, &recipe->build_depends);

	r = r ?: read_bool(in, D_BUILD_DEPENDS_REBUILD, &has_rebuild);
	if (r < 0)
		return r;
	recipe->build_depends_rebuild = has_rebuild ? recipe->build_depends : none;
	for (const char *const *p = recipe->build_depends; *p != NULL; p++)
		if (!name_is_word(*p))
			return interpret_fail(
				in,
				"BUILD_DEPENDS: not the name of a module source: '%s'",
				*p);
	return 0;
}

static void read_scripts(struct interpret *in)
{
	struct kg_recipe *recipe = in->recipe;

	recipe->pre_build = keep(in, interpret_get(in, D_PRE_BUILD, 0));
	recipe->post_build = keep(in, interpret_get(in, D_POST_BUILD, 0));
	recipe->post_add = keep(in, interpret_get(in, D_POST_ADD, 0));
	recipe->pre_install = keep(in, interpret_get(in, D_PRE_INSTALL, 0));
	recipe->post_install = keep(in, interpret_get(in, D_POST_INSTALL, 0));
	recipe->post_remove = keep(in, interpret_get(in, D_POST_REMOVE, 0));
	recipe->obsolete_by = keep(in, interpret_get(in, D_OBSOLETE_BY, 0));
}

/* CLEAN=true has been the way to say "nothing" and is no reason for a word. */
static bool is_worth_a_warning(const struct recipe_var *v)
{
	if (v->index != 0)
		return false;
	return v->directive > D_CLEAN ||
	       (v->directive == D_CLEAN && *v->value != '\0' &&
		strcmp(v->value, "true") != 0 && strcmp(v->value, "/bin/true") != 0 &&
		strcmp(v->value, "/usr/bin/true") != 0);
}

static void warn_deprecated(struct interpret *in)
{
	if (interpret_get(in, D_OBSOLETE_BY, 0) != NULL)
		interpret_warn(
			in, "OBSOLETE_BY is deprecated: use BUILD_EXCLUSIVE_KERNEL_MAX");
	for (size_t i = 0; i < in->vars->n; i++)
		if (is_worth_a_warning(&in->vars->v[i]))
			interpret_warn(in, "%s is deprecated and has no effect",
				       directive_name(in->vars->v[i].directive));
}

static int check_package(const struct interpret *in)
{
	static const enum recipe_directive needed[] = { D_PACKAGE_NAME,
							D_PACKAGE_VERSION };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (interpret_get(in, needed[i], 0) == NULL)
			return interpret_fail(in, "no %s", directive_name(needed[i]));
	return 0;
}

int interpret_all(struct interpret *in)
{
	struct kg_recipe *recipe = in->recipe;
	const char **end;
	int r = check_package(in);

	r = r ?: read_modules(in);
	r = r ?: read_make(in);
	r = r ?: read_patches(in);
	r = r ?: read_depends(in);
	r = r ?: read_bool(in, D_AUTOINSTALL, &recipe->autoinstall);
	r = r ?: read_bool(in, D_NO_WEAK_MODULES, &recipe->no_weak_modules);
	if (r < 0)
		return r;
	read_scripts(in);
	warn_deprecated(in);
	end = ARENA_ADD(&recipe->arena, in->warnings, in->n_warnings);
	if (end == NULL || recipe->arena.failed)
		return interpret_no_memory(in);
	recipe->warnings = in->warnings; /* *end is NULL */
	return 0;
}
