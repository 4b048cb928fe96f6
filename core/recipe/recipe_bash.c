// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A conf is a program: bash runs it, in the sandbox, once per file. What it leaves behind comes
 * back over a descriptor of its own as NUL-separated (name, index, value) with an end mark, so
 * nothing it prints is taken for a value and one that stops early is noticed. A conf that sets
 * out to forge records gains nothing: it may assign what it likes anyway.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/recipe/ways.h"

#define SHELL_NAME "dkms" /* $0, and what bash puts before its own messages */
#define STATUS_FILE_TOO_LARGE (128 + 25) /* SIGXFSZ */

/*
 * Arguments: the visible variables, the directives' names, the file ("" to expand values
 * instead), the number of triples that earlier files set, these triples, the triples to expand.
 *
 * The file may have redefined commands and set options and traps. A plain assignment switches
 * to POSIX mode, where the special builtins (set, trap, unset, eval) cannot be functions; from
 * there the rest is cleaned up. It is sourced inside a function, as DKMS does, so that `local`
 * and `declare` work, and from this one compound command, so that no alias changes the tail.
 */
static const char script[] =
	"kernelver=$1 arch=$2 kernel_source_dir=$3 dkms_tree=$4 source_tree=$5\n"
	"module=$6 module_version=$7 _kg_names=$8 _kg_conf=$9 _kg_n=${10}\n"
	"shift 10\n"
	"while ((_kg_n-- > 0)); do printf -v \"$1[$2]\" %s \"$3\"; shift 3; done\n"
	"_kg_run() {\n"
	"	if [[ $_kg_conf ]]; then\n"
	"		set --\n"
	"		. \"$_kg_conf\"\n"
	"	else\n"
	"		while (($#)); do eval \"$1[$2]=\\\"$3\\\"\"; shift 3; done\n"
	"	fi\n"
	"	_kg_status=$?\n"
	"	POSIXLY_CORRECT=1\n"
	"	trap - DEBUG RETURN ERR EXIT\n"
	"	set +efuvx\n"
	"	unset -f builtin printf\n"
	"	IFS=' '\n"
	"	for _kg_name in $_kg_names; do\n"
	"		eval \"_kg_keys=(\\\"\\${!$_kg_name[@]}\\\")\"\n"
	"		for _kg_key in \"${_kg_keys[@]}\"; do\n"
	"			eval \"_kg_value=\\${$_kg_name[\\$_kg_key]}\"\n"
	"			builtin printf '%s\\0%s\\0%s\\0' \"$_kg_name\" \"$_kg_key\" \\\n"
	"				\"$_kg_value\" >&\"$_kg_out\"\n"
	"		done\n"
	"	done\n"
	"	builtin printf 'end\\0%s\\0\\0' \"$_kg_status\" >&\"$_kg_out\"\n"
	"}\n"
	"if [[ $_kg_conf && ! -r $_kg_conf ]]; then\n"
	"	echo \"$_kg_conf: cannot be read by the build user\" >&2\n"
	"	exit 1\n"
	"fi\n"
	"{ exec {_kg_out}>&1 >/dev/null; _kg_run \"$@\"; }\n";

/* One run of the script. */
struct bash_run {
	const struct bash_how *how;
	const struct recipe_file *file;
	struct strv argv;
	struct str out;
	struct str complaints; /* its stderr */
	int exit_status;
	struct recipe_vars found;
	bool is_whole;	 /* the end mark came */
	uint64_t status; /* of the file, as `source` returned it */
};

static void run_fini(struct bash_run *run)
{
	strv_fini(&run->argv);
	str_fini(&run->out);
	str_fini(&run->complaints);
}

/* ---- arguments ---- */

static void add_var(struct strv *argv, const struct recipe_var *var)
{
	strv_add(argv, directive_name(var->directive));
	strv_addf(argv, "%u", var->index);
	strv_add(argv, var->value);
}

/* @expand NULL: source the file. */
static int add_arguments(struct bash_run *run, const struct recipe_vars *before,
			 const struct recipe_vars *expand)
{
	const struct recipe_env *env = run->how->env;
	/* extglob: the shell that DKMS reads a conf in has it on */
	const char *const head[] = { "/bin/bash",
				     "--noprofile",
				     "--norc",
				     "-O",
				     "extglob",
				     "-c",
				     script,
				     SHELL_NAME,
				     env->kernelver,
				     env->arch,
				     env->kernel_source_dir,
				     env->dkms_tree,
				     env->source_tree,
				     env->module,
				     env->module_version };
	_cleanup_str_ struct str all = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		strv_add(&run->argv, head[i]);
	for (size_t i = 0; i < N_DIRECTIVES; i++)
		str_addf(&all, "%s ", directive_name((enum recipe_directive)i));
	strv_add(&run->argv, str_get(&all));
	strv_add(&run->argv, expand == NULL ? run->file->at : "");
	strv_addf(&run->argv, "%zu", before->n);
	for (size_t i = 0; i < before->n; i++)
		add_var(&run->argv, &before->v[i]);
	for (size_t i = 0; expand != NULL && i < expand->n; i++)
		add_var(&run->argv, &expand->v[i]);
	return str_ok(&all) && strv_ok(&run->argv) ? 0 : -ENOMEM;
}

/* ---- what it said on stderr ---- */

static void read_complaints(struct bash_run *run, int fd)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fd_read_all(fd, RECIPE_MAX_FILE, &text, &len) < 0)
		return;
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f)
			text[i] = '?';
	str_addn(&run->complaints, text, len);
}

/* Length of the line at @p that bash wrote about the file itself, its name skipped; 0 none. */
static size_t own_line(const struct bash_run *run, const char **p)
{
	size_t name_len = strlen(run->file->at);

	while (**p != '\0') {
		size_t len = strcspn(*p, "\n");

		if (len > name_len + 2 && strncmp(*p, run->file->at, name_len) == 0 &&
		    (*p)[name_len] == ':' && (*p)[name_len + 1] == ' ') {
			*p += name_len + 2;
			return len - name_len - 2;
		}
		*p += len + ((*p)[len] == '\n');
	}
	return 0;
}

static bool tells_syntax_error(const char *line, size_t len)
{
	static const char *const words[] = { "syntax error", "unexpected EOF" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (memmem(line, len, words[i], strlen(words[i])) != NULL)
			return true;
	return false;
}

/* bash goes on after an error of syntax with what it had; a half-read recipe is none. */
static int check_syntax(const struct bash_run *run, struct kg_err *err)
{
	const char *line = str_get(&run->complaints);
	size_t len;

	if (run->status == 0)
		return 0;
	while ((len = own_line(run, &line)) > 0) {
		if (str_starts(line, "line ") && tells_syntax_error(line, len))
			return kg_fail(err, -KGE_RECIPE, "%s: %.*s", run->file->name,
				       (int)len, line);
		line += len;
	}
	return 0;
}

/* The first thing it complained about, preferably in its own name; not what our script says. */
static const char *first_complaint(const struct bash_run *run, int *ret_len)
{
	const char *line = str_get(&run->complaints);
	size_t len = own_line(run, &line);

	if (len == 0)
		line = str_get(&run->complaints);
	while (len == 0 && *line != '\0') {
		len = strcspn(line, "\n");
		if (len > 0 && !str_starts(line, SHELL_NAME ": "))
			break;
		line += len + (line[len] == '\n');
		len = 0;
	}
	*ret_len = (int)(len < 200 ? len : 200);
	return line;
}

static int fail_early(const struct bash_run *run, struct kg_err *err)
{
	const char *line;
	int len;

	if (run->exit_status == STATUS_FILE_TOO_LARGE)
		return kg_fail(err, -KGE_RECIPE, "%s: writes more than %u KiB",
			       run->file->name, RECIPE_MAX_FILE / 1024);
	line = first_complaint(run, &len);
	return kg_fail(
		err, -KGE_RECIPE,
		"%s: ends the shell before its values can be read (exit status %d)%s%.*s",
		run->file->name, run->exit_status, len > 0 ? ": " : "", len, line);
}

/* ---- running ---- */

/* A conf's fault is -KGE_RECIPE; what the machine is to blame for stays what it is. */
static int fail_run(const struct bash_run *run, int code, const struct kg_err *why,
		    struct kg_err *err)
{
	const char *name = run->file->name;

	if (code == -KGE_TIMEOUT)
		return kg_fail(err, -KGE_RECIPE, "%s: still running after %d s", name,
			       RECIPE_TIMEOUT_MS / 1000);
	if (code == -KGE_LIMIT)
		return kg_fail(err, -KGE_RECIPE, "%s: its values are more than %u KiB",
			       name, RECIPE_MAX_FILE / 1024);
	return kg_fail(err, code, "%s: cannot run bash: %s", name,
		       kg_err_text(why, code));
}

static int run_bash(struct bash_run *run, struct kg_err *err)
{
	_cleanup_close_ int err_fd = memfd_create("dkms.conf-stderr", MFD_CLOEXEC);
	struct sandbox box = *run->how->view;
	struct kg_err why = { 0 };
	int r;

	if (err_fd < 0)
		return kg_fail_errno(err, -errno, "%s: cannot run bash", run->file->name);
	box.argv = (const char *const *)run->argv.v;
	box.call = NULL;
	box.env = NULL;
	box.cwd = "/";
	box.in_fd = -1;
	box.err_fd = err_fd;
	/* Twice: on an idle CPU a loop would else reach it as the time limit does. */
	box.cpu_limit_s = 2 * RECIPE_TIMEOUT_MS / 1000;
	box.file_limit_bytes = RECIPE_MAX_FILE;
	r = sandbox_capture(&box, RECIPE_TIMEOUT_MS, RECIPE_MAX_FILE, &run->out,
			    &run->exit_status, &why);
	if (r < 0)
		return fail_run(run, r, &why, err);
	read_complaints(run, err_fd);
	return 0;
}

/* The next NUL-terminated field, NULL when the text ends before. */
static const char *next_field(const char **p, const char *end)
{
	const char *field = *p;
	const char *nul = field < end ? memchr(field, '\0', (size_t)(end - field)) : NULL;

	if (nul == NULL)
		return NULL;
	*p = nul + 1;
	return field;
}

static int take_record(struct bash_run *run, const char *name, const char *key,
		       const char *value, struct kg_err *err)
{
	enum recipe_directive directive;
	unsigned int index;

	if (!directive_parse(name, strlen(name), &directive, &index))
		return kg_fail(err, -KGE_RECIPE, "%s: its values are garbled",
			       run->file->name);
	if (!directive_parse_index(key, strlen(key), &index))
		return kg_fail(err, -KGE_RECIPE,
			       "%s: %s[%.40s]: not an index from 0 to %u",
			       run->file->name, name, key, VARS_MAX_INDEX);
	if (strlen(value) > VARS_MAX_VALUE)
		return kg_fail(err, -KGE_RECIPE, "%s: %s[%u] is longer than %u KiB",
			       run->file->name, name, index, VARS_MAX_VALUE / 1024);
	if (vars_set(&run->found, directive, index, value) < 0)
		return kg_fail_errno(err, -ENOMEM, "%s", run->file->name);
	return 0;
}

static int take_records(struct bash_run *run, struct kg_err *err)
{
	const char *p = str_get(&run->out);
	const char *end = p + run->out.len;
	int r = 0;

	while (r == 0) {
		const char *name = next_field(&p, end);
		const char *key = name != NULL ? next_field(&p, end) : NULL;
		const char *value = key != NULL ? next_field(&p, end) : NULL;

		if (value == NULL)
			return fail_early(run, err);
		if (strcmp(name, "end") == 0) {
			if (parse_u64(key, &run->status) < 0)
				run->status = 0;
			return 0;
		}
		r = take_record(run, name, key, value, err);
	}
	return r;
}

/* Everything set afterwards is in run->found. */
static int evaluate(struct bash_run *run, const struct recipe_vars *before,
		    const struct recipe_vars *expand, struct kg_err *err)
{
	int r = add_arguments(run, before, expand);

	if (r < 0)
		return kg_fail_errno(err, r, "%s", run->file->name);
	r = run_bash(run, err);
	r = r ?: take_records(run, err);
	r = r ?: check_syntax(run, err);
	if (r == 0 && run->complaints.len > 0)
		kg_debug("%s: %s", run->file->name, run->complaints.p);
	return r;
}

/* ---- reading back ---- */

/* Odd ones leave a string open, and DKMS then loses what follows. */
static bool has_open_quote(const char *value)
{
	bool is_open = false;

	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '"')
			is_open = !is_open;
	}
	return is_open;
}

/* What @found has that @before had not, squeezed, goes to @fresh. */
static int take_changes(const struct bash_run *run, const struct recipe_vars *before,
			struct recipe_vars *fresh, struct kg_err *err)
{
	for (size_t i = 0; i < run->found.n; i++) {
		const struct recipe_var *v = &run->found.v[i];
		const char *old = vars_get(before, v->directive, v->index);
		_cleanup_str_ struct str value = { 0 };

		if (old != NULL && strcmp(old, v->value) == 0)
			continue;
		if (has_open_quote(v->value))
			return kg_fail(err, -KGE_RECIPE,
				       "%s: %s[%u]: quotes do not balance: %s",
				       run->file->name, directive_name(v->directive),
				       v->index, v->value);
		if (vars_squeeze(v->value, &value) < 0 ||
		    vars_set(fresh, v->directive, v->index, str_get(&value)) < 0)
			return kg_fail_errno(err, -ENOMEM, "%s", run->file->name);
	}
	return 0;
}

/* The plain case without another shell. True when it did all of @fresh. */
static bool requote_all(const struct recipe_vars *fresh, struct recipe_vars *ret)
{
	for (size_t i = 0; i < fresh->n; i++) {
		const struct recipe_var *v = &fresh->v[i];
		_cleanup_str_ struct str value = { 0 };

		if (vars_requote(v->value, &value) < 0 ||
		    vars_set(ret, v->directive, v->index, str_get(&value)) < 0)
			return false;
	}
	return true;
}

/* The values of @fresh, read back once more by a bash that knows nothing of the file. */
static int requote_by_bash(const struct bash_run *first, const struct recipe_vars *before,
			   const struct recipe_vars *fresh, struct recipe_vars *ret,
			   struct kg_err *err)
{
	struct bash_run run = { .how = first->how,
				.file = first->file,
				.found = { .arena = ret->arena } };
	int r = evaluate(&run, before, fresh, err);

	for (size_t i = 0; i < fresh->n && r == 0; i++) {
		const struct recipe_var *v = &fresh->v[i];
		const char *value = vars_get(&run.found, v->directive, v->index);

		if (value != NULL)
			r = vars_set(ret, v->directive, v->index, value);
		else if (tells_syntax_error(str_get(&run.complaints), run.complaints.len))
			r = kg_fail(err, -KGE_RECIPE,
				    "%s: %s[%u] is no bash when read back: %s",
				    run.file->name, directive_name(v->directive),
				    v->index, v->value);
		else
			strv_addf(
				run.how->warnings,
				"%s: %s[%u] is ignored, as by DKMS: quotes within it end it",
				run.file->name, directive_name(v->directive), v->index);
	}
	run_fini(&run);
	return r;
}

int bash_read(const struct bash_how *how, const struct recipe_file *file,
	      struct recipe_vars *vars, struct kg_err *err)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct bash_run run = { .how = how, .file = file, .found = { .arena = &arena } };
	struct recipe_vars fresh = { .arena = &arena };
	struct recipe_vars quick = { .arena = &arena };
	struct recipe_vars slow = { .arena = &arena };
	int r = evaluate(&run, vars, NULL, err);

	r = r ?: take_changes(&run, vars, &fresh, err);
	if (r == 0 && requote_all(&fresh, &quick))
		r = vars_merge(vars, &quick);
	else if (r == 0)
		r = requote_by_bash(&run, vars, &fresh, &slow, err)
			    ?: vars_merge(vars, &slow);
	run_fini(&run);
	return r < 0 ? kg_fail_errno(err, r, "%s", file->name) : 0;
}
