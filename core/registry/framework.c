// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/registry/framework.h"

#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/registry/confline.h"

#define FRAMEWORK_MAX_BYTES (256u << 10)
#define FRAMEWORK_CONF "etc/dkms/framework.conf"
#define FRAMEWORK_CONF_D "etc/dkms/framework.conf.d"

#define FRAMEWORK_KEYS(X) \
	X(source_tree) \
	X(dkms_tree) \
	X(install_tree) \
	X(tmp_location) \
	X(verbose) \
	X(symlink_modules) \
	X(autoinstall_all_kernels) \
	X(sign_file) \
	X(try_sign_modules) \
	X(mok_signing_key) \
	X(mok_certificate) \
	X(modprobe_on_install) \
	X(parallel_jobs) \
	X(compress_gzip_opts) \
	X(compress_xz_opts) \
	X(compress_zstd_opts) \
	X(build_environment) \
	X(post_transaction) \
	X(continue_on_error)

static const char **find_field(struct kg_framework *fw, const char *key, size_t len)
{
#define X(name) \
	if (len == strlen(#name) && memcmp(key, #name, len) == 0) \
		return &fw->name;
	FRAMEWORK_KEYS(X)
#undef X
	return NULL;
}

static int set_value(struct kg_framework *fw, const char **field, const struct str *value)
{
	*field = value->len > 0 ? arena_strdup(&fw->arena, str_get(value)) : NULL;
	return fw->arena.failed || !str_ok(value) ? -ENOMEM : 0;
}

static int read_line(struct kg_framework *fw, const char *line, const char *where)
{
	_cleanup_str_ struct str value = { 0 };
	const char **field;
	const char *p = line + strspn(line, " \t");
	size_t len;
	int r;

	if (str_starts(p, "export "))
		p += strlen("export ") + strspn(p + strlen("export "), " \t");
	if (confline_is_end(p))
		return 0;
	len = strspn(p,
		     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	field = find_field(fw, p, len);
	if (len == 0 || p[len] != '=') {
		kg_warning("%s: not a plain KEY=value line, skipped", where);
		return 0;
	}
	if (field == NULL) {
		kg_debug("%s: unknown key %.*s", where, (int)len, p);
		return 0;
	}
	p += len + 1;
	r = confline_read_word(&p, &value);
	if (r == 0 && confline_is_end(p))
		return set_value(fw, field, &value);
	kg_warning("%s: %s needs a shell to be read, skipped", where, line);
	return 0;
}

static int read_text(struct kg_framework *fw, char *text, const char *path)
{
	unsigned int number = 1;

	for (char *line = text; line != NULL; number++) {
		_cleanup_str_ struct str where = { 0 };
		char *end = strchr(line, '\n');
		int r;

		if (end != NULL)
			*end++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		str_addf(&where, "/%s: line %u", path, number);
		r = read_line(fw, line, str_get(&where));
		if (r < 0)
			return r;
		line = end;
	}
	return 0;
}

static int read_conf(int root_fd, const char *path, struct kg_framework *fw,
		     struct kg_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd =
		fd_try_open_in(root_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r = fd < 0 ? fd : 0;

	if (r == -ENOENT)
		return 0;
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && !S_ISREG(st.st_mode))
		r = -EINVAL;
	if (r == 0)
		r = fd_read_all(fd, FRAMEWORK_MAX_BYTES, &text, NULL);
	if (r == 0)
		r = read_text(fw, text, path);
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot read /%s", path);
}

static int list_conf_d(int root_fd, struct strv *names, struct kg_err *err)
{
	_cleanup_close_ int dir_fd =
		fd_try_open_in(root_fd, FRAMEWORK_CONF_D, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;

	if (dir_fd == -ENOENT || dir_fd == -ENOTDIR)
		return 0;
	if (dir_fd >= 0)
		dir = fd_list(dir_fd);
	if (dir == NULL)
		return kg_fail_errno(err, dir_fd < 0 ? dir_fd : -errno, "cannot list /%s",
				     FRAMEWORK_CONF_D);
	while ((entry = fd_list_next(dir)) != NULL)
		if (entry->d_name[0] != '.' && str_ends(entry->d_name, ".conf"))
			strv_addf(names, "%s/%s", FRAMEWORK_CONF_D, entry->d_name);
	strv_sort(names);
	return strv_ok(names)
		       ? 0
		       : kg_fail_errno(err, -ENOMEM, "cannot list /%s", FRAMEWORK_CONF_D);
}

int framework_read(int root_fd, struct kg_framework *ret_framework, struct kg_err *err)
{
	_cleanup_strv_ struct strv names = { 0 };
	struct kg_framework fw = { 0 };
	int r = read_conf(root_fd, FRAMEWORK_CONF, &fw, err);

	if (r == 0)
		r = list_conf_d(root_fd, &names, err);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = read_conf(root_fd, names.v[i], &fw, err);
	if (r < 0) {
		framework_fini(&fw);
		return r;
	}
	*ret_framework = fw;
	return 0;
}

const char *framework_compress_options(const struct kg_framework *framework,
				       const char *suffix)
{
	if (strcmp(suffix, ".gz") == 0)
		return framework->compress_gzip_opts;
	if (strcmp(suffix, ".xz") == 0)
		return framework->compress_xz_opts;
	return strcmp(suffix, ".zst") == 0 ? framework->compress_zstd_opts : NULL;
}

unsigned int framework_jobs(const struct kg_framework *framework)
{
	uint64_t n;

	if (framework->parallel_jobs == NULL)
		return 0;
	if (parse_u64(framework->parallel_jobs, &n) < 0) {
		kg_warning("framework.conf: parallel_jobs: not a number: %s",
			   framework->parallel_jobs);
		return 0;
	}
	return n == 0 || n > FRAMEWORK_NO_LIMIT ? FRAMEWORK_NO_LIMIT : (unsigned int)n;
}

void framework_fini(struct kg_framework *framework)
{
	arena_fini(&framework->arena);
	*framework = (struct kg_framework){ 0 };
}
