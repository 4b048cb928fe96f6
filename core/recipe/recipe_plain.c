// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Most confs are nothing but NAME=value. Those are read here, without a process. Everything
 * whose meaning in bash is not beyond doubt answers -EAGAIN: being wrong is worse than slow.
 */
#include <string.h>

#include "core/recipe/ways.h"

/* A variable of the file, directive or not. Index 0 is the scalar. */
struct plain_var {
	const char *name;
	unsigned int index;
	const char *value;
};

struct plain {
	const char *p;
	const char *end;
	struct arena arena; /* of the table alone */
	struct plain_var *vars;
	size_t n;
};

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p++)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

/* Variables that mean something to bash itself: assigning one may do more than that. */
static bool name_is_special(const char *name)
{
	static const char exact[] =
		"_ CDPATH CHILD_MAX COLUMNS COPROC DIRSTACK ENV EPOCHREALTIME EPOCHSECONDS EUID "
		"EXECIGNORE FCEDIT FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GLOBSORT GROUPS HOME "
		"HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC LANG LANGUAGE LINENO LINES "
		"MACHTYPE MAIL MAILCHECK MAILPATH MAPFILE OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH "
		"PIPESTATUS POSIXLY_CORRECT PPID PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 PS4 "
		"PWD RANDOM REPLY SECONDS SHELL SHELLOPTS SHLVL SRANDOM TIMEFORMAT TMOUT TMPDIR TZ "
		"UID";

	return list_has(exact, name) || str_starts(name, "BASH") ||
	       str_starts(name, "LC_") || str_starts(name, "COMP") ||
	       str_starts(name, "READLINE") || str_starts(name, "HIST") ||
	       str_starts(name, "_kg");
}

static struct plain_var *plain_find(const struct plain *pl, const char *name, size_t len,
				    unsigned int index)
{
	for (size_t i = 0; i < pl->n; i++)
		if (pl->vars[i].index == index &&
		    strncmp(pl->vars[i].name, name, len) == 0 &&
		    pl->vars[i].name[len] == '\0')
			return &pl->vars[i];
	return NULL;
}

static int plain_set(struct plain *pl, const char *name, unsigned int index,
		     const char *value)
{
	struct plain_var *var = plain_find(pl, name, strlen(name), index);

	if (var == NULL) {
		var = ARENA_ADD(&pl->arena, pl->vars, pl->n);
		if (var == NULL)
			return -ENOMEM;
		var->name = arena_strdup(&pl->arena, name);
		var->index = index;
	}
	var->value = arena_strdup(&pl->arena, value);
	return pl->arena.failed ? -ENOMEM : 0;
}

static int plain_seed(struct plain *pl, const struct recipe_env *env,
		      const struct recipe_vars *vars)
{
	const struct plain_var visible[] = {
		{ "kernelver", 0, env->kernelver },
		{ "arch", 0, env->arch },
		{ "kernel_source_dir", 0, env->kernel_source_dir },
		{ "dkms_tree", 0, env->dkms_tree },
		{ "source_tree", 0, env->source_tree },
		{ "module", 0, env->module },
		{ "module_version", 0, env->module_version },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(visible) && r == 0; i++)
		r = plain_set(pl, visible[i].name, 0, visible[i].value);
	for (size_t i = 0; i < vars->n && r == 0; i++)
		r = plain_set(pl, directive_name(vars->v[i].directive), vars->v[i].index,
			      vars->v[i].value);
	return r;
}

static char plain_peek(const struct plain *pl)
{
	return pl->p < pl->end ? *pl->p : '\0';
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Whether @c is one of @set; unlike strchr() the end of @set is not. No locale. */
static bool char_is_in(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static size_t name_length(const struct plain *pl)
{
	size_t n = 0;

	if (char_is_in(plain_peek(pl), DIGITS))
		return 0;
	while (pl->p + n < pl->end && char_is_in(pl->p[n], LETTERS DIGITS "_"))
		n++;
	return n;
}

/* At '$'. @is_quoted: inside double quotes, where `$"` is a dollar at the end of the string. */
static int plain_expand(struct plain *pl, bool is_quoted, struct str *out)
{
	const struct plain_var *var;
	bool has_brace;
	size_t len;

	pl->p++;
	if (is_quoted && char_is_in(plain_peek(pl), "\" |).,/")) {
		str_addc(out, '$');
		return 0;
	}
	has_brace = plain_peek(pl) == '{';
	pl->p += has_brace;
	len = name_length(pl);
	if (len == 0)
		return -EAGAIN;
	/* one that is not set here may come from the environment, or be bash's own */
	var = plain_find(pl, pl->p, len, 0);
	pl->p += len;
	if (var == NULL || (has_brace && plain_peek(pl) != '}'))
		return -EAGAIN;
	pl->p += has_brace;
	str_add(out, var->value);
	return 0;
}

static int plain_single_quoted(struct plain *pl, struct str *out)
{
	const char *close = memchr(pl->p + 1, '\'', (size_t)(pl->end - pl->p - 1));

	if (close == NULL)
		return -EAGAIN;
	str_addn(out, pl->p + 1, (size_t)(close - pl->p - 1));
	pl->p = close + 1;
	return 0;
}

/* At '\\' inside double quotes: only some characters lose it. */
static int plain_quoted_backslash(struct plain *pl, struct str *out)
{
	if (pl->p + 1 >= pl->end)
		return -EAGAIN;
	if (char_is_in(pl->p[1], "$`\"\\"))
		str_addc(out, pl->p[1]);
	else if (pl->p[1] != '\n')
		str_addn(out, pl->p, 2);
	pl->p += 2;
	return 0;
}

static int plain_double_quoted(struct plain *pl, struct str *out)
{
	int r = 0;

	pl->p++;
	while (r == 0 && pl->p < pl->end && *pl->p != '"') {
		if (*pl->p == '`')
			return -EAGAIN;
		if (*pl->p == '$')
			r = plain_expand(pl, true, out);
		else if (*pl->p == '\\')
			r = plain_quoted_backslash(pl, out);
		else
			str_addc(out, *pl->p++);
	}
	if (r == 0 && pl->p >= pl->end)
		return -EAGAIN;
	pl->p++;
	return r;
}

/* At '\\' outside quotes. */
static int plain_backslash(struct plain *pl, struct str *out)
{
	if (pl->p + 1 >= pl->end)
		return -EAGAIN;
	if (pl->p[1] != '\n')
		str_addc(out, pl->p[1]);
	pl->p += 2;
	return 0;
}

/* The value of an assignment, up to the blank, newline or ';' that ends the word. */
static int plain_word(struct plain *pl, struct str *out)
{
	int r = 0;

	for (char before = '='; r == 0 && pl->p < pl->end; before = pl->p[-1]) {
		char c = *pl->p;

		if (char_is_in(c, " \t\n;"))
			return 0;
		if (c == '~' && char_is_in(before, "=:"))
			return -EAGAIN; /* a home folder */
		if (c == '\'')
			r = plain_single_quoted(pl, out);
		else if (c == '"')
			r = plain_double_quoted(pl, out);
		else if (c == '$')
			r = plain_expand(pl, false, out);
		else if (c == '\\')
			r = plain_backslash(pl, out);
		else if (!char_is_in(c, LETTERS DIGITS "_./:,+-=@%^~#!"))
			return -EAGAIN;
		else
			str_addc(out, *pl->p++);
	}
	return r;
}

/* "[2]" after the name, if there is one. */
static int plain_index(struct plain *pl, unsigned int *ret_index)
{
	const char *close;

	*ret_index = 0;
	if (plain_peek(pl) != '[')
		return 0;
	close = memchr(pl->p, ']', (size_t)(pl->end - pl->p));
	if (close == NULL ||
	    !directive_parse_index(pl->p + 1, (size_t)(close - pl->p - 1), ret_index))
		return -EAGAIN;
	pl->p = close + 1;
	return 0;
}

static int plain_assignment(struct plain *pl)
{
	_cleanup_str_ struct str value = { 0 };
	size_t len = name_length(pl);
	const char *name = arena_strndup(&pl->arena, pl->p, len);
	unsigned int index;
	int r;

	if (len == 0)
		return -EAGAIN;
	if (name == NULL)
		return -ENOMEM;
	pl->p += len;
	r = plain_index(pl, &index);
	if (r < 0)
		return r;
	if (plain_peek(pl) != '=' || name_is_special(name))
		return -EAGAIN;
	pl->p++;
	r = plain_word(pl, &value);
	if (r < 0)
		return r;
	return str_ok(&value) ? plain_set(pl, name, index, str_get(&value)) : -ENOMEM;
}

static void plain_skip_blanks(struct plain *pl)
{
	while (pl->p < pl->end && (*pl->p == ' ' || *pl->p == '\t'))
		pl->p++;
}

/* After an assignment: more of them may follow on the line. */
static int plain_separator(struct plain *pl)
{
	if (plain_peek(pl) != ';')
		return 0;
	pl->p++;
	plain_skip_blanks(pl);
	return plain_peek(pl) == ';' ? -EAGAIN : 0;
}

static int plain_parse(struct plain *pl)
{
	int r = 0;

	while (r == 0) {
		plain_skip_blanks(pl);
		if (pl->p >= pl->end)
			return 0;
		if (*pl->p == '\n') {
			pl->p++;
		} else if (*pl->p == '#') {
			while (pl->p < pl->end && *pl->p != '\n')
				pl->p++;
		} else {
			r = plain_assignment(pl);
			plain_skip_blanks(pl);
			r = r ?: plain_separator(pl);
		}
	}
	return r;
}

/* What of the table is a directive and new goes to @vars, as DKMS would read it back. */
static int plain_store(const struct plain *pl, const struct recipe_vars *before,
		       struct recipe_vars *vars)
{
	for (size_t i = 0; i < pl->n; i++) {
		const struct plain_var *var = &pl->vars[i];
		_cleanup_str_ struct str squeezed = { 0 };
		_cleanup_str_ struct str value = { 0 };
		enum recipe_directive directive;
		unsigned int none;
		const char *old;
		int r;

		if (!directive_parse(var->name, strlen(var->name), &directive, &none))
			continue;
		old = vars_get(before, directive, var->index);
		if (old != NULL && strcmp(old, var->value) == 0)
			continue;
		if (strlen(var->value) > VARS_MAX_VALUE)
			return -EAGAIN; /* bash_read() words the error */
		r = vars_squeeze(var->value, &squeezed);
		r = r ?: vars_requote(str_get(&squeezed), &value);
		r = r ?: vars_set(vars, directive, var->index, str_get(&value));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Control characters mean something to bash's own quoting; nobody needs them. */
static bool text_is_plain(const struct recipe_file *file)
{
	for (size_t i = 0; i < file->len; i++) {
		unsigned char c = (unsigned char)file->text[i];

		if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
			return false;
	}
	return true;
}

int plain_read(const struct recipe_file *file, const struct recipe_env *env,
	       struct recipe_vars *vars)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct plain pl = { .p = file->text, .end = file->text + file->len };
	struct recipe_vars fresh = { .arena = &arena };
	int r;

	if (!text_is_plain(file))
		return -EAGAIN;
	r = plain_seed(&pl, env, vars);
	r = r ?: plain_parse(&pl);
	r = r ?: plain_store(&pl, vars, &fresh);
	r = r ?: vars_merge(vars, &fresh);
	arena_fini(&pl.arena);
	return r;
}
