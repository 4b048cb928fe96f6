// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/recipe/vars.h"

#include <string.h>

static const char *const names[] = {
#define X(name) #name,
	RECIPE_DIRECTIVES(X)
#undef X
};

const char *directive_name(enum recipe_directive directive)
{
	return names[directive];
}

bool directive_parse_index(const char *text, size_t len, unsigned int *ret_index)
{
	uint64_t value;

	/* bash would read a leading zero as octal */
	if (len > 1 && text[0] == '0')
		return false;
	if (parse_u64n(text, len, &value) < 0 || value > VARS_MAX_INDEX)
		return false;
	*ret_index = (unsigned int)value;
	return true;
}

bool directive_parse(const char *text, size_t len, enum recipe_directive *ret_directive,
		     unsigned int *ret_index)
{
	const char *open = memchr(text, '[', len);
	size_t name_len = open != NULL ? (size_t)(open - text) : len;
	unsigned int index = 0;

	if (open != NULL &&
	    (text[len - 1] != ']' ||
	     !directive_parse_index(open + 1, len - name_len - 2, &index)))
		return false;
	for (size_t i = 0; i < N_DIRECTIVES; i++) {
		if (strlen(names[i]) != name_len || memcmp(names[i], text, name_len) != 0)
			continue;
		*ret_directive = (enum recipe_directive)i;
		*ret_index = index;
		return true;
	}
	return false;
}

/* Position of (directive, index), or where it would have to be. */
static size_t vars_position(const struct recipe_vars *vars,
			    enum recipe_directive directive, unsigned int index)
{
	size_t low = 0;
	size_t high = vars->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct recipe_var *v = &vars->v[mid];

		if (v->directive < directive ||
		    (v->directive == directive && v->index < index))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool vars_is_at(const struct recipe_vars *vars, size_t at,
		       enum recipe_directive directive, unsigned int index)
{
	return at < vars->n && vars->v[at].directive == directive &&
	       vars->v[at].index == index;
}

const char *vars_get(const struct recipe_vars *vars, enum recipe_directive directive,
		     unsigned int index)
{
	size_t at = vars_position(vars, directive, index);

	return vars_is_at(vars, at, directive, index) ? vars->v[at].value : NULL;
}

int vars_set(struct recipe_vars *vars, enum recipe_directive directive,
	     unsigned int index, const char *value)
{
	size_t at = vars_position(vars, directive, index);
	const char *copy = arena_strdup(vars->arena, value);

	if (copy == NULL)
		return -ENOMEM;
	if (!vars_is_at(vars, at, directive, index)) {
		const struct recipe_var *last = ARENA_ADD(vars->arena, vars->v, vars->n);

		if (last == NULL)
			return -ENOMEM;
		memmove(&vars->v[at + 1], &vars->v[at],
			(vars->n - 1 - at) * sizeof(vars->v[0]));
	}
	vars->v[at] = (struct recipe_var){ directive, index, copy };
	return 0;
}

int vars_merge(struct recipe_vars *to, const struct recipe_vars *from)
{
	int r = 0;

	for (size_t i = 0; i < from->n && r == 0; i++)
		r = vars_set(to, from->v[i].directive, from->v[i].index,
			     from->v[i].value);
	return r;
}

int vars_squeeze(const char *value, struct str *out)
{
	while (*value != '\0') {
		size_t blanks = strspn(value, " \t\n");
		size_t word;

		if (blanks > 0)
			str_addc(out, ' ');
		value += blanks;
		word = strcspn(value, " \t\n");
		str_addn(out, value, word);
		value += word;
	}
	str_addn(out, "", 0);
	return str_ok(out) ? 0 : -ENOMEM;
}

/* After a '$' that these follow, bash has nothing to expand. */
static bool dollar_is_literal(char next)
{
	return next == '\0' || strchr(" |).,/", next) != NULL;
}

int vars_requote(const char *value, struct str *out)
{
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '"' || *p == '`')
			return -EAGAIN;
		if (*p == '$' && !dollar_is_literal(p[1]))
			return -EAGAIN;
		if (*p == '\\' && p[1] == '\0')
			return -EAGAIN; /* would take the closing quote */
		if (*p == '\\' && strchr("$`\"\\\n", p[1]) != NULL)
			p++;
		str_addc(out, *p);
	}
	str_addn(out, "", 0);
	return str_ok(out) ? 0 : -ENOMEM;
}
