// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/symbols.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void symbols_fini(struct symbols *table)
{
	arena_fini(&table->arena);
	*table = (struct symbols){ 0 };
}

/* As symbols_add(), for strings that live in the table's arena. */
static int add(struct symbols *table, const char *name, uint64_t crc, const char *module)
{
	struct symbol *s = ARENA_ADD(&table->arena, table->v, table->n);

	if (s == NULL || name == NULL)
		return -ENOMEM;
	*s = (struct symbol){ .name = name, .module = module, .crc = crc };
	return 0;
}

int symbols_add(struct symbols *table, const char *name, uint64_t crc, const char *module)
{
	return add(table, arena_strdup(&table->arena, name), crc, module);
}

/* "0x4c9d28b0" */
static bool parse_crc(const char *text, uint64_t *ret_crc)
{
	char *end;

	if (strncmp(text, "0x", 2) != 0 || text[2] == '\0' || strlen(text) > 18)
		return false;
	*ret_crc = strtoull(text, &end, 16);
	return *end == '\0';
}

/* Ends the field at *@cursor and moves to the next; NULL when there is none. */
static char *take_field(char **cursor)
{
	char *field = *cursor;
	char *tab;

	if (field == NULL)
		return NULL;
	tab = strchr(field, '\t');
	if (tab != NULL)
		*tab = '\0';
	*cursor = tab != NULL ? tab + 1 : NULL;
	return field;
}

/* CRC, symbol, module (its path below the build, without suffix), and what is not needed here. */
static int add_line(struct symbols *table, char *line)
{
	char *crc_text = take_field(&line);
	const char *name = take_field(&line);
	const char *module = take_field(&line);
	const char *slash;
	uint64_t crc;

	if (module == NULL || *name == '\0' || !parse_crc(crc_text, &crc))
		return -KGE_FORMAT;
	slash = strrchr(module, '/');
	return add(table, name, crc, slash != NULL ? slash + 1 : module);
}

int symbols_add_symvers(struct symbols *table, const char *text, size_t len,
			const char *path, struct kg_err *err)
{
	char *copy = arena_strndup(&table->arena, text, len);
	unsigned int number = 1;

	if (copy == NULL)
		return kg_fail_errno(err, -ENOMEM, "reading %s", path);
	for (char *line = copy; *line != '\0'; number++) {
		char *end = line + strcspn(line, "\n");
		char *next = *end == '\n' ? end + 1 : end;
		int r;

		*end = '\0';
		r = add_line(table, line);
		if (r < 0)
			return kg_fail_errno(err, r, "%s: line %u", path, number);
		line = next;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct symbol *x = a;
	const struct symbol *y = b;

	return strcmp(x->name, y->name);
}

void symbols_sort(struct symbols *table)
{
	if (table->n > 1)
		qsort(table->v, table->n, sizeof(*table->v), compare_names);
}

const struct symbol *symbols_find(const struct symbols *table, const char *name,
				  size_t *ret_n)
{
	const struct symbol key = { .name = name };
	const struct symbol *first = NULL;

	if (table->n > 0)
		first = bsearch(&key, table->v, table->n, sizeof(key), compare_names);
	*ret_n = 0;
	if (first == NULL)
		return NULL;
	while (first > table->v && strcmp(first[-1].name, name) == 0)
		first--;
	for (size_t left = table->n - (size_t)(first - table->v);
	     *ret_n < left && strcmp(first[*ret_n].name, name) == 0;)
		(*ret_n)++;
	return first;
}
