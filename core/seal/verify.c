// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/seal/module.h"
#include "core/seal/reference.h"
#include "core/seal/symbols.h"
#include "core/seal/target.h"

#define SYMVERS_MAX_BYTES (64U << 20)
#define NAMES_SHOWN 3 /* symbols in a message */

struct check {
	const struct verify *v;
	struct target target;
	const char
		*reference; /* vermagic of one of the kernel's own modules, NULL none */
	struct symbols table;
	struct strv depends;
	struct arena arena;
	bool has_table;
	bool failed;
};

__attribute__((format(printf, 3, 4))) static void say(const struct check *c, char what,
						      const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= 0)
		dprintf(c->v->report_fd, "%c %s\n", what, text);
}

#define complain(c, ...) (say((c), 'F', __VA_ARGS__), (void)((c)->failed = true))

static const char *path_of(struct check *c, const struct kg_recipe_module *m)
{
	return arena_printf(&c->arena, "%s/out/module/%s.ko", c->v->base, m->dest_name);
}

/* ---- each file by itself ---- */

static ssize_t read_head(int fd, unsigned char *head, size_t size)
{
	ssize_t n;

	do
		n = pread(fd, head, size, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Why it is not even a module for this machine; NULL when it may be one. */
static const char *refuse_file(const struct check *c, const char *path)
{
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	unsigned char head[64];
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return "was not built";
	if (fd < 0 && errno == ELOOP)
		return "is not a regular file";
	if (fd < 0 || fstat(fd, &st) < 0)
		return "cannot be read";
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	n = read_head(fd, head, sizeof(head));
	return n < 0 ? "cannot be read" : target_refuse_elf(&c->target, head, (size_t)n);
}

/* Without the blank that ends it: for messages. */
static int shown_len(const char *vermagic)
{
	size_t len = strlen(vermagic);

	while (len > 0 && vermagic[len - 1] == ' ')
		len--;
	return len < 200 ? (int)len : 200;
}

static bool check_vermagic(struct check *c, const char *name, const struct module *module)
{
	const char *release = c->v->release;
	const char *own = c->reference;
	const char *found = NULL;

	if (module_info(module, "vermagic", &c->arena, &found) < 0 || found == NULL)
		complain(c, "%s.ko: has no vermagic: no kernel module, or a damaged one",
			 name);
	else if (vermagic_fits(found, release, c->v->headers->config, own))
		return true;
	else if (own != NULL)
		complain(c, "%s.ko: vermagic is '%.*s', that of %s is '%.*s'", name,
			 shown_len(found), found, release, shown_len(own), own);
	else
		complain(c, "%s.ko: vermagic '%.*s' is not that of %s", name,
			 shown_len(found), found, release);
	return false;
}

struct exports {
	struct symbols *table;
	const char *module;
};

static int add_export(const struct module_symbol *symbol, void *data)
{
	const struct exports *to = data;

	return symbols_add(to->table, symbol->name, symbol->crc, to->module);
}

static int check_file(struct check *c, const struct kg_recipe_module *m)
{
	_cleanup_module_ struct module module = MODULE_INIT;
	const char *path = path_of(c, m);
	const char *why;
	struct exports siblings = { .table = &c->table, .module = NULL };
	int r;

	if (path == NULL)
		return -ENOMEM;
	why = refuse_file(c, path);
	if (why != NULL) {
		complain(c, "%s.ko: %s", m->dest_name, why);
		return 0;
	}
	r = module_open(&module, path);
	if (r == 0 && check_vermagic(c, m->dest_name, &module))
		r = module_each_export(&module, add_export, &siblings);
	if (r < 0 && r != -ENOMEM)
		complain(c, "%s.ko: damaged: %s", m->dest_name, kg_strerror(r));
	return r == -ENOMEM ? r : 0;
}

/* ---- what each needs ---- */

struct problem {
	struct strv names; /* the first few */
	size_t n;
};

struct imports {
	struct check *c;
	struct problem missing;
	struct problem other;
};

static void problem_add(struct problem *p, const char *name)
{
	if (p->n++ < NAMES_SHOWN)
		strv_add(&p->names, name);
}

/* The kernel takes a symbol that has no CRC on either side: genksyms did not understand it. */
static const struct symbol *find_provider(const struct symbol *list, size_t n,
					  uint64_t crc)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].crc == crc || list[i].crc == 0 || crc == 0)
			return &list[i];
	return NULL;
}

static void note_depend(struct check *c, const struct symbol *provider)
{
	const char *name = provider->module;

	if (name != NULL && strcmp(name, "vmlinux") != 0 && !strv_has(&c->depends, name))
		strv_add(&c->depends, name);
}

static int resolve(const struct module_symbol *symbol, void *data)
{
	struct imports *in = data;
	const struct symbol *provider;
	const struct symbol *list;
	size_t n;

	if (target_ignores_symbol(&in->c->target, symbol->name))
		return 0;
	list = symbols_find(&in->c->table, symbol->name, &n);
	provider = find_provider(list, n, symbol->crc);
	if (provider != NULL && !symbol->is_weak)
		note_depend(in->c, provider);
	else if (provider == NULL && n > 0)
		problem_add(&in->other,
			    symbol->name); /* the loader refuses it, weak or not */
	else if (provider == NULL && !symbol->is_weak)
		problem_add(&in->missing, symbol->name);
	return 0;
}

/* "x.ko: symbols a, b, c and 4 more are not in RELEASE (Module.symvers)"; NULL: no problem. */
static const char *describe(struct check *c, const char *file, const struct problem *p,
			    const char *one, const char *many)
{
	_cleanup_str_ struct str names = { 0 };

	if (p->n == 0)
		return NULL;
	for (size_t i = 0; i < p->names.n; i++)
		str_addf(&names, "%s%s",
			 i == 0		? ""
			 : i + 1 < p->n ? ", "
					: " and ",
			 p->names.v[i]);
	if (p->n > p->names.n)
		str_addf(&names, " and %zu more", p->n - p->names.n);
	return arena_printf(&c->arena, "%s.ko: symbol%s %s %s %s (Module.symvers)", file,
			    p->n > 1 ? "s" : "", str_get(&names), p->n > 1 ? many : one,
			    c->v->release);
}

static void report_imports(struct check *c, const struct kg_recipe_module *m,
			   const struct imports *in)
{
	const char *other = describe(c, m->dest_name, &in->other,
				     "has another version in", "have other versions in");
	const char *missing =
		describe(c, m->dest_name, &in->missing, "is not in", "are not in");

	if (other != NULL)
		complain(c, "%s", other);
	if (missing != NULL)
		say(c, 'L', "%zu %s", (size_t)(m - c->v->recipe->modules), missing);
}

static int check_imports(struct check *c, const struct kg_recipe_module *m)
{
	_cleanup_module_ struct module module = MODULE_INIT;
	struct imports in = { .c = c };
	const char *path = path_of(c, m);
	int r = path != NULL ? module_open(&module, path) : -ENOMEM;

	if (r == 0)
		r = module_each_import(&module, resolve, &in);
	if (r == 0)
		report_imports(c, m, &in);
	else if (r != -ENOMEM)
		complain(c, "%s.ko: damaged: %s", m->dest_name, kg_strerror(r));
	strv_fini(&in.missing.names);
	strv_fini(&in.other.names);
	return r == -ENOMEM ? r : 0;
}

/* ---- who provides ---- */

/* -ENOENT when there is none. */
static int add_symvers(struct check *c, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct kg_err err = { 0 };
	size_t len;
	int r;

	if (fd < 0)
		return -errno;
	r = fd_read_all(fd, SYMVERS_MAX_BYTES, &text, &len);
	if (r == 0)
		r = symbols_add_symvers(&c->table, text, len, path, &err);
	if (r < 0)
		complain(c, "%s", err.code != 0 ? err.text : path);
	return r;
}

/* Without it nothing can be said of symbols; a kernel with symbol versions then loads nothing. */
static int add_kernel(struct check *c)
{
	const struct kg_headers *headers = c->v->headers;
	int r = headers->symvers != NULL ? add_symvers(c, headers->symvers) : -ENOENT;

	if (r == 0)
		c->has_table = true;
	if (r != -ENOENT)
		return r == -ENOMEM ? r : 0;
	if (config_is_set(headers->config, "CONFIG_MODVERSIONS"))
		complain(c, "the headers of %s have no Module.symvers, which %s needs",
			 c->v->release, "CONFIG_MODVERSIONS");
	else
		say(c, 'W',
		    "the headers of %s have no Module.symvers: symbols are not checked",
		    c->v->release);
	return 0;
}

static int add_depend_module(struct check *c, const char *dir, const char *file)
{
	_cleanup_module_ struct module module = MODULE_INIT;
	const char *suffix = strstr(file, ".ko");
	struct exports to = { .table = &c->table };
	const char *path;
	int r;

	if (suffix == NULL)
		return 0;
	path = arena_printf(&c->arena, "%s/%s", dir, file);
	to.module = arena_strndup(&c->arena, file, (size_t)(suffix - file));
	if (path == NULL || to.module == NULL)
		return -ENOMEM;
	r = module_open(&module, path);
	if (r == 0)
		r = module_each_export(&module, add_export, &to);
	if (r < 0 && r != -ENOMEM)
		say(c, 'W', "%s, which is needed for building, cannot be read: %s", file,
		    kg_strerror(r));
	return r == -ENOMEM ? r : 0;
}

/* The K/A folder of a BUILD_DEPENDS: its Module.symvers at either place, and its modules. */
static int add_depend(struct check *c, size_t i)
{
	const char *ka = arena_printf(&c->arena, "%s/depend%zu", c->v->base, i);
	const char *dir = arena_printf(&c->arena, "%s/depend%zu/module", c->v->base, i);
	const char *top = arena_printf(&c->arena, "%s/Module.symvers", ka);
	const char *low = arena_printf(&c->arena, "%s/Module.symvers", dir);
	_cleanup_dir_ DIR *list = NULL;
	const struct dirent *entry;
	int r = 0;

	if (ka == NULL || dir == NULL || top == NULL || low == NULL)
		return -ENOMEM;
	if (add_symvers(c, top) == -ENOMEM || add_symvers(c, low) == -ENOMEM)
		return -ENOMEM;
	list = opendir(dir);
	while (r == 0 && list != NULL && (entry = fd_list_next(list)) != NULL)
		r = add_depend_module(c, dir, entry->d_name);
	return r;
}

/* ---- all of it ---- */

static int each_module(struct check *c,
		       int (*fn)(struct check *, const struct kg_recipe_module *))
{
	const struct kg_recipe *recipe = c->v->recipe;
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->n_modules; i++) {
		if (recipe->modules[i].is_excluded)
			continue;
		say(c, 'M', "%s.ko", recipe->modules[i].dest_name);
		r = fn(c, &recipe->modules[i]);
	}
	return r;
}

static int check_all(struct check *c)
{
	int r;

	c->reference = reference_vermagic(c->v->release, &c->arena);
	r = each_module(c, check_file);
	if (r == 0)
		r = add_kernel(c);
	for (size_t i = 0; r == 0 && i < c->v->n_depends; i++)
		r = add_depend(c, i);
	if (r < 0 || c->failed || !c->has_table)
		return r;
	symbols_sort(&c->table);
	return each_module(c, check_imports);
}

enum verify_status verify_run(const struct verify *v)
{
	struct check c = { .v = v, .target = target_find(v->headers->config, v->arch) };
	int r = check_all(&c);

	for (size_t i = 0; i < c.depends.n; i++)
		say(&c, 'D', "%s", c.depends.v[i]);
	if (r == 0 && (c.arena.failed || !strv_ok(&c.depends)))
		r = -ENOMEM;
	if (r < 0)
		say(&c, 'F', "%s", kg_strerror(r));
	strv_fini(&c.depends);
	symbols_fini(&c.table);
	arena_fini(&c.arena);
	if (r < 0)
		return VERIFY_BROKE;
	return c.failed ? VERIFY_FAILS : VERIFY_FITS;
}
