// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/recipe/policy.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/yaml.h"

#define POLICY_FILE "etc/kmodgate/kmodgate.yaml"
#define POLICY_DIR "etc/kmodgate/kmodgate.d"
#define POLICY_MAX_SIZE (256u * 1024u)
#define BUILD_TIMEOUT_S 3600
#define BUILD_TIMEOUT_MAX_S (7u * 24 * 3600)
#define JOBS_MAX 4096
#define STORE_MB 1024
#define STORE_MB_MAX (1u << 20)

/* ---- one file ---- */

struct policy_file {
	struct kg_policy *policy;
	const char *path; /* below the root */
	struct kg_err *err;
};

/* As the yaml functions, with the file's name before their "line N:". */
static int fail(const struct policy_file *file, int code, const struct kg_err *why)
{
	return kg_fail(file->err, code, "/%s: %s", file->path, kg_err_text(why, code));
}

static int no_memory(const struct policy_file *file)
{
	return kg_fail_errno(file->err, -ENOMEM, "/%s", file->path);
}

/* The scalar under @key, NULL in @ret_text when it is absent. */
static int get_text(const struct policy_file *file, const struct yaml_node *map,
		    const char *key, const char **ret_text)
{
	struct kg_err why = { 0 };
	int r;

	*ret_text = NULL;
	r = yaml_get_optional(map, key, ret_text, &why);
	return r < 0 ? fail(file, r, &why) : 0;
}

/* One of @words (NULL-terminated) under @key; absent leaves *@ret_index alone. */
static int get_word(const struct policy_file *file, const struct yaml_node *map,
		    const char *key, const char *const words[], int *ret_index)
{
	_cleanup_str_ struct str all = { 0 };
	const char *text;
	int r = get_text(file, map, key, &text);

	if (r < 0 || text == NULL)
		return r;
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_index = i;
			return 0;
		}
		str_addf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	return kg_fail(file->err, -KGE_FORMAT, "/%s: line %u: %s is '%s', not one of %s",
		       file->path, yaml_find(map, key)->line, key, text, str_get(&all));
}

static int get_number(const struct policy_file *file, const struct yaml_node *map,
		      const char *key, const uint64_t range[2], unsigned int *ret_value)
{
	const char *text;
	uint64_t value;
	int r = get_text(file, map, key, &text);

	if (r < 0 || text == NULL)
		return r;
	if (parse_u64(text, &value) < 0 || value < range[0] || value > range[1])
		return kg_fail(file->err, -KGE_FORMAT,
			       "/%s: line %u: %s is '%s', not a number from %ju to %ju",
			       file->path, yaml_find(map, key)->line, key, text,
			       (uintmax_t)range[0], (uintmax_t)range[1]);
	*ret_value = (unsigned int)value;
	return 0;
}

static const char *const require_words[] = { "when-working", "always", "never", NULL };

static int get_require(const struct policy_file *file, const struct yaml_node *map,
		       enum kg_require *ret_require)
{
	int word = (int)*ret_require;
	int r = get_word(file, map, "required", require_words, &word);

	*ret_require = (enum kg_require)word;
	return r;
}

static int read_pattern(const struct policy_file *file, const struct yaml_node *map,
			const char *key, const char **ret_pattern)
{
	const char *text;
	int r = get_text(file, map, key, &text);

	if (r < 0)
		return r;
	*ret_pattern = arena_strdup(&file->policy->arena, text ?: "*");
	return *ret_pattern != NULL ? 0 : no_memory(file);
}

static int read_rule(const struct policy_file *file, const struct yaml_node *node)
{
	static const char *const keys[] = { "module", "release", "required", NULL };
	struct kg_policy *policy = file->policy;
	struct kg_err why = { 0 };
	struct kg_rule *rule;
	int r = yaml_expect_map(node, "modules", keys, &why);

	if (r < 0)
		return fail(file, r, &why);
	if (yaml_find(node, "required") == NULL)
		return kg_fail(file->err, -KGE_FORMAT,
			       "/%s: line %u: a rule without 'required'", file->path,
			       node->line);
	rule = ARENA_ADD(&policy->arena, policy->rules, policy->n_rules);
	if (rule == NULL)
		return no_memory(file);
	r = read_pattern(file, node, "module", &rule->module);
	r = r ?: read_pattern(file, node, "release", &rule->release);
	return r ?: get_require(file, node, &rule->required);
}

static int read_rules(const struct policy_file *file, const struct yaml_node *root)
{
	const struct yaml_node *list = yaml_find(root, "modules");
	struct kg_err why = { 0 };
	int r;

	if (list == NULL)
		return 0;
	r = yaml_expect_list(list, "modules", &why);
	if (r < 0)
		return fail(file, r, &why);
	for (size_t i = 0; i < list->n && r == 0; i++)
		r = read_rule(file, list->items[i]);
	return r;
}

static int read_document(const struct policy_file *file, const struct yaml_node *root)
{
	static const char *const keys[] = { "required",	       "on_failure",
					    "headers_missing", "modules",
					    "build_timeout",   "jobs",
					    "store_size",      NULL };
	static const char *const failure_words[] = { "hold", "stop", NULL };
	static const char *const missing_words[] = { "fetch", "fail", "warn", NULL };
	static const uint64_t timeout_range[2] = { 1, BUILD_TIMEOUT_MAX_S };
	static const uint64_t jobs_range[2] = { 0, JOBS_MAX };
	static const uint64_t store_range[2] = { 0, STORE_MB_MAX };
	struct kg_policy *policy = file->policy;
	int on_failure = (int)policy->on_failure;
	int missing = (int)policy->headers_missing;
	struct kg_err why = { 0 };
	int r = yaml_expect_map(root, "the policy", keys, &why);

	if (r < 0)
		return fail(file, r, &why);
	r = get_require(file, root, &policy->required);
	r = r ?: get_word(file, root, "on_failure", failure_words, &on_failure);
	r = r ?: get_word(file, root, "headers_missing", missing_words, &missing);
	r = r
		    ?: get_number(file, root, "build_timeout", timeout_range,
				  &policy->build_timeout_s);
	r = r ?: get_number(file, root, "jobs", jobs_range, &policy->jobs);
	r = r ?: get_number(file, root, "store_size", store_range, &policy->store_mb);
	policy->on_failure = (enum kg_on_failure)on_failure;
	policy->headers_missing = (enum kg_on_missing)missing;
	return r ?: read_rules(file, root);
}

/* Comments and blank lines only, as the file is installed: no document. */
static bool is_blank(const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		size_t blanks = strspn(text, " \t\r");

		if (text + blanks < end && text[blanks] != '#' && text[blanks] != '\n')
			return false;
		text = memchr(text, '\n', (size_t)(end - text));
		if (text == NULL)
			return true;
		text++;
	}
	return true;
}

static int parse_text(const struct policy_file *file, const char *text, size_t len)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct yaml_node *root;
	struct kg_err why = { 0 };
	int r;

	if (is_blank(text, len))
		return 0;
	r = yaml_parse(text, len, &arena, &root, &why);
	return r < 0 ? fail(file, r, &why) : read_document(file, root);
}

/* Absent is fine. */
static int read_file(const struct policy_file *file, int root_fd)
{
	_cleanup_close_ int fd =
		fd_try_open_in(root_fd, file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;
	int r = fd;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (r >= 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r >= 0 && !S_ISREG(st.st_mode))
		return kg_fail(file->err, -KGE_FORMAT, "/%s: not a file", file->path);
	if (r >= 0)
		r = fd_read_all(fd, POLICY_MAX_SIZE, &text, &len);
	if (r < 0)
		return kg_fail_errno(file->err, r, "/%s", file->path);
	return parse_text(file, text, len);
}

/* ---- all files ---- */

static int list_drop_ins(int root_fd, struct strv *ret_names, struct kg_err *err)
{
	_cleanup_close_ int fd =
		fd_try_open_in(root_fd, POLICY_DIR, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd >= 0)
		dir = fd_list(fd);
	if (dir == NULL)
		return kg_fail_errno(err, fd < 0 ? fd : -errno, "/%s", POLICY_DIR);
	while ((entry = fd_list_next(dir)) != NULL)
		if (entry->d_name[0] != '.' && str_ends(entry->d_name, ".yaml"))
			strv_add(ret_names, entry->d_name);
	strv_sort(ret_names);
	return strv_ok(ret_names) ? 0 : kg_fail_errno(err, -ENOMEM, "/%s", POLICY_DIR);
}

static int read_drop_in(struct kg_policy *policy, int root_fd, const char *name,
			struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };
	struct policy_file file = { .policy = policy, .err = err };

	str_addf(&path, "%s/%s", POLICY_DIR, name);
	if (!str_ok(&path))
		return kg_fail_errno(err, -ENOMEM, "/%s", POLICY_DIR);
	file.path = str_get(&path);
	return read_file(&file, root_fd);
}

int policy_read(const struct kg_system *sys, struct kg_policy *ret_policy,
		struct kg_err *err)
{
	_cleanup_strv_ struct strv names = { 0 };
	struct kg_policy policy = { .build_timeout_s = BUILD_TIMEOUT_S,
				    .store_mb = STORE_MB };
	const struct policy_file main_file = { .policy = &policy,
					       .path = POLICY_FILE,
					       .err = err };
	int r = read_file(&main_file, sys->root_fd);

	if (r == 0)
		r = list_drop_ins(sys->root_fd, &names, err);
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = read_drop_in(&policy, sys->root_fd, names.v[i], err);
	if (r < 0)
		policy_fini(&policy);
	else
		*ret_policy = policy;
	return r;
}

void policy_fini(struct kg_policy *policy)
{
	arena_fini(&policy->arena);
	*policy = (struct kg_policy){ 0 };
}

enum kg_require kg_policy_require(const struct kg_policy *policy, const char *module,
				  const char *release)
{
	for (size_t i = policy->n_rules; i-- > 0;)
		if (fnmatch(policy->rules[i].module, module, 0) == 0 &&
		    fnmatch(policy->rules[i].release, release, 0) == 0)
			return policy->rules[i].required;
	return policy->required;
}
