// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/cli/dkms_args.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/log.h"
#include "core/cli/dkms_action.h"
#include "core/registry/framework.h"

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_MODULE, OPTION_KERNEL };

struct dkms_option {
	const char *name;
	const char *alias;
	enum option_kind kind;
	size_t offset;
};

#define AT(field) offsetof(struct dkms_args, field)

static const struct dkms_option options[] = {
	{ "--module", "-m", OPTION_MODULE, 0 },
	{ "-v", NULL, OPTION_TEXT, AT(version) },
	{ "--kernelver", "-k", OPTION_KERNEL, 0 },
	{ "--arch", "-a", OPTION_LIST, AT(arches) },
	{ "--quiet", "-q", OPTION_FLAG, AT(quiet) },
	{ "--version", "-V", OPTION_FLAG, AT(wants_version) },
	{ "--help", "-h", OPTION_FLAG, AT(wants_help) },
	{ "--all", NULL, OPTION_FLAG, AT(all) },
	{ "--force", NULL, OPTION_FLAG, AT(force) },
	{ "--verbose", NULL, OPTION_FLAG, AT(verbose) },
	{ "--directive", NULL, OPTION_LIST, AT(directives) },
	{ "--kernelsourcedir", NULL, OPTION_TEXT, AT(kernel_source_dir) },
	{ "--dkmstree", NULL, OPTION_TEXT, AT(dkms_tree) },
	{ "--sourcetree", NULL, OPTION_TEXT, AT(source_tree) },
	{ "--installtree", NULL, OPTION_TEXT, AT(install_tree) },
	{ "--root", NULL, OPTION_TEXT, AT(root) },
	{ "--archive", NULL, OPTION_TEXT, AT(archive) },
	{ "--binaries-only", NULL, OPTION_FLAG, AT(binaries_only) },
	{ "--source-only", NULL, OPTION_FLAG, AT(source_only) },
	{ "-j", NULL, OPTION_TEXT, AT(jobs) },
	{ "--no-depmod", NULL, OPTION_FLAG, AT(no_depmod) },
	{ "--symlink-modules", NULL, OPTION_FLAG, AT(symlink_modules) },
	{ "--templatekernel", NULL, OPTION_TEXT, AT(template_kernel) },
	{ "--debug", NULL, OPTION_FLAG, AT(debug) },
	{ "--no-initrd", NULL, OPTION_FLAG, AT(obsolete) },
	{ "--no-clean-kernel", NULL, OPTION_FLAG, AT(obsolete) },
	{ "--no-prepare-kernel", NULL, OPTION_FLAG, AT(obsolete) },
	{ "-c", NULL, OPTION_TEXT, AT(conf) },
	{ "--config", NULL, OPTION_TEXT, AT(kernel_config) },
	{ "--force-version-override", NULL, OPTION_FLAG, AT(force_version_override) },
	{ "--modprobe-on-install", NULL, OPTION_FLAG, AT(modprobe_on_install) },
	{ "--rpm_safe_upgrade", NULL, OPTION_FLAG, AT(rpm_safe_upgrade) },
};

void dkms_args_fini(struct dkms_args *args)
{
	strv_fini(&args->releases);
	strv_fini(&args->arches);
	strv_fini(&args->directives);
	arena_fini(&args->arena);
	*args = (struct dkms_args){ 0 };
}

/* "--name=value" too, but only for long names. */
static const struct dkms_option *find_option(const char *word, const char **ret_value)
{
	size_t len = str_starts(word, "--") ? strcspn(word, "=") : strlen(word);

	*ret_value = word[len] == '=' ? word + len + 1 : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct dkms_option *o = &options[i];

		if (strlen(o->name) == len && memcmp(o->name, word, len) == 0)
			return o;
		if (o->alias != NULL && strcmp(o->alias, word) == 0)
			return o;
	}
	return NULL;
}

static void set_module(struct dkms_args *args, const char *text)
{
	const char *slash = strchr(text, '/');

	if (text[0] == '\0')
		return;
	if (slash == NULL) {
		args->module = arena_strdup(&args->arena, text);
		return;
	}
	args->module = arena_strndup(&args->arena, text, (size_t)(slash - text));
	args->version = slash[1] != '\0' ? arena_strdup(&args->arena, slash + 1) : NULL;
}

static void add_kernel(struct dkms_args *args, const char *text)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL) {
		strv_add(&args->releases, text);
		return;
	}
	strv_addn(&args->releases, text, (size_t)(slash - text));
	strv_add(&args->arches, slash + 1);
}

static void set_option(struct dkms_args *args, const struct dkms_option *o,
		       const char *value)
{
	void *field = (char *)args + o->offset;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		break;
	case OPTION_TEXT:
		*(const char **)field =
			value[0] != '\0' ? arena_strdup(&args->arena, value) : NULL;
		break;
	case OPTION_LIST:
		strv_add(field, value);
		break;
	case OPTION_MODULE:
		set_module(args, value);
		break;
	case OPTION_KERNEL:
		add_kernel(args, value);
		break;
	}
}

static int refuse(struct dkms_args *args, int exit_code, int code)
{
	args->exit = exit_code;
	return code;
}

/* A word that is no option: what it is depends, as in DKMS, on what is there in the files. */
static int take_word(struct dkms_args *args, const char *word, struct kg_err *err)
{
	struct stat st;
	bool exists = stat(word, &st) == 0;
	_cleanup_str_ struct str conf = { 0 };
	struct stat conf_st;

	if (dkms_action_find(word) != NULL) {
		if (args->action != NULL)
			return refuse(args, 4,
				      kg_fail(err, -EINVAL, "two actions: %s and %s",
					      args->action, word));
		args->action = arena_strdup(&args->arena, word);
		return 0;
	}
	str_addf(&conf, "%s/dkms.conf", word);
	if (exists && S_ISREG(st.st_mode) && str_ends(word, "dkms.conf")) {
		size_t len = strlen(word) - strlen("dkms.conf");

		args->source_dir = arena_printf(&args->arena, "%.*s.", (int)len, word);
	} else if (exists && S_ISDIR(st.st_mode) && str_ok(&conf) &&
		   stat(str_get(&conf), &conf_st) == 0) {
		args->source_dir = arena_strdup(&args->arena, word);
	} else if (exists && S_ISREG(st.st_mode)) {
		args->archive = arena_strdup(&args->arena, word);
	} else if (word[0] == '/' || word[0] == '.') {
		args->lost_path = arena_strdup(&args->arena, word);
	} else if (args->module == NULL) {
		set_module(args, word);
	} else {
		kg_warning("%s: one more word than there is a use for, ignored", word);
	}
	return 0;
}

static int take_option(struct dkms_args *args, int argc, char **argv, int *i,
		       struct kg_err *err)
{
	const char *word = argv[*i];
	const char *value;
	const struct dkms_option *o = find_option(word, &value);

	if (o == NULL || (o->kind == OPTION_FLAG && value != NULL))
		return refuse(args, 2,
			      kg_fail(err, -EINVAL,
				      "unknown option: %s (see dkms --help)", word));
	/* A missing value is an empty one: its user says what is wrong with that. */
	if (o->kind != OPTION_FLAG && value == NULL)
		value = *i + 1 < argc ? argv[++*i] : "";
	set_option(args, o, value);
	return 0;
}

static bool has_empty(const struct strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i][0] == '\0')
			return true;
	return false;
}

static int take_jobs(struct dkms_args *args, struct kg_err *err)
{
	uint64_t n;

	if (args->jobs == NULL)
		return 0;
	if (parse_u64(args->jobs, &n) < 0)
		return refuse(args, 1,
			      kg_fail(err, -EINVAL, "-j: not a number: %s", args->jobs));
	args->n_jobs =
		n == 0 || n > FRAMEWORK_NO_LIMIT ? FRAMEWORK_NO_LIMIT : (unsigned int)n;
	return 0;
}

/* Rules over the words alone; what an action wants of them is the action's. */
static int check_words(struct dkms_args *args, struct kg_err *err)
{
	if (args->lost_path != NULL &&
	    (args->action == NULL || strcmp(args->action, "ldtarball") != 0))
		return refuse(args, 9,
			      kg_fail(err, -ENOENT,
				      "%s: no dkms.conf and no archive there",
				      args->lost_path));
	if (args->binaries_only && args->source_only)
		return refuse(
			args, 8,
			kg_fail(err, -EINVAL,
				"--binaries-only and --source-only exclude each other"));
	if (args->arches.n > 1 && args->arches.n != args->releases.n)
		return refuse(
			args, 1,
			kg_fail(err, -EINVAL,
				"%zu architectures for %zu kernels: give one for all, "
				"or one for each",
				args->arches.n, args->releases.n));
	if (args->all && args->releases.n > 0)
		return refuse(args, 2,
			      kg_fail(err, -EINVAL, "-k and --all exclude each other"));
	if (args->all && args->arches.n > 0)
		return refuse(args, 3,
			      kg_fail(err, -EINVAL, "-a and --all exclude each other"));
	if (has_empty(&args->releases) || has_empty(&args->arches))
		return refuse(args, 16,
			      kg_fail(err, -EINVAL, "empty kernel or architecture"));
	return take_jobs(args, err);
}

int dkms_args_parse(int argc, char **argv, struct dkms_args *args, struct kg_err *err)
{
	int r = 0;

	*args = (struct dkms_args){ 0 };
	for (int i = 1; r == 0 && i < argc; i++) {
		r = argv[i][0] == '-' ? take_option(args, argc, argv, &i, err)
				      : take_word(args, argv[i], err);
		if (args->wants_help || args->wants_version)
			return r;
	}
	if (r == 0)
		r = check_words(args, err);
	if (r == 0 && (args->arena.failed || !strv_ok(&args->releases) ||
		       !strv_ok(&args->arches) || !strv_ok(&args->directives)))
		r = refuse(args, 1,
			   kg_fail_errno(err, -ENOMEM, "cannot read the arguments"));
	return r;
}
