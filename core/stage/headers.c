// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/headers.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/libcrypto.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/stage/kconfig.h"
#include "core/stage/scan.h"

#define HEADERS_TIMEOUT_MS (10 * 60 * 1000)
#define HEADERS_MAX_ANSWER (16u * 1024 * 1024)
/* Results kept per release: installed now, staged now, the one before. */
#define HEADERS_MAX_KNOWN 4u

/* ---- results remembered ---- */

struct memory {
	char name[NAME_MAX + 1];
	struct scan_known known[HEADERS_MAX_KNOWN];
	size_t n;
};

/* One small file per release, and per source_dir other than the default. */
static int memory_name(struct memory *m, const char *release, const char *source_dir)
{
	char hex[DIGEST_HEX_SIZE] = "";
	int n;

	if (source_dir != NULL && digest_hex(source_dir, strlen(source_dir), hex) < 0)
		return -ENOMEM;
	n = snprintf(m->name, sizeof(m->name), "%s%s%.16s", release,
		     source_dir != NULL ? "@" : "", hex);
	return n < (int)sizeof(m->name) ? 0 : -ENAMETOOLONG;
}

static int memory_open_dir(const struct kg_system *sys)
{
	_cleanup_str_ struct str path = { 0 };

	str_addf(&path, "%s/headers", sys->cache_dir);
	if (!str_ok(&path))
		return -ENOMEM;
	return fd_make_dir_in(sys->root_fd, path.p, 0755, NULL);
}

static bool is_hex_digits(const char *text, size_t n)
{
	return strspn(text, "0123456789abcdef") >= n;
}

/* Lines of "STAT IDENTITY"; reading ends at the first that is neither. */
static void memory_read(struct memory *m, int dir_fd)
{
	const size_t hex = DIGEST_HEX_SIZE - 1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	const char *p;

	if (dir_fd < 0 || fd_read_file_in(dir_fd, m->name, 4096, &text, &len, NULL) < 0)
		return;
	for (p = text; m->n < HEADERS_MAX_KNOWN && len >= 2 * hex + 2; p += 2 * hex + 2) {
		if (!is_hex_digits(p, hex) || p[hex] != ' ' ||
		    !is_hex_digits(p + hex + 1, hex) || p[2 * hex + 1] != '\n')
			return;
		memcpy(m->known[m->n].stat_hex, p, hex);
		memcpy(m->known[m->n].identity, p + hex + 1, hex);
		m->n++;
		len -= 2 * hex + 2;
	}
}

static bool memory_has(const struct memory *m, const struct scan_known *found)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->known[i].stat_hex, found->stat_hex) == 0)
			return true;
	return false;
}

/* A failure costs the next run half a second, nothing else. */
static void memory_write(const struct memory *m, int dir_fd,
			 const struct scan_known *found)
{
	_cleanup_str_ struct str text = { 0 };
	struct kg_err err = { 0 };

	if (dir_fd < 0 || memory_has(m, found))
		return;
	str_addf(&text, "%s %s\n", found->stat_hex, found->identity);
	for (size_t i = 0; i < m->n && i + 1 < HEADERS_MAX_KNOWN; i++)
		str_addf(&text, "%s %s\n", m->known[i].stat_hex, m->known[i].identity);
	if (str_ok(&text) &&
	    fd_replace_at(dir_fd, m->name, text.p, text.len, 0644, &err) < 0)
		kg_debug("headers of %s not remembered: %s", m->name, err.text);
}

/* ---- the look inside ---- */

/* Runs in the view, as the build user; stdout is the pipe. */
static int scan_in_view(void *data)
{
	const struct scan_ask *ask = data;
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_str_ struct str text = { 0 };
	struct scan_answer answer = { 0 };
	struct kg_err err = { 0 };
	int r = root_fd < 0 ? -errno : scan_headers(root_fd, ask, &answer, &err);

	if (scan_write(&answer, r, &err, &text) < 0)
		return 1;
	return fd_write_all(STDOUT_FILENO, text.p, text.len) == 0 ? 0 : 1;
}

static int headers_scan(const struct sandbox *view, struct scan_ask *ask,
			struct scan_answer *ret_answer, struct kg_err *err)
{
	_cleanup_str_ struct str out = { 0 };
	struct sandbox how = *view;
	int status = 0;
	int r = libcrypto_load(err); /* ours, not the view's */

	if (r < 0)
		return r;
	how.argv = NULL;
	how.call = scan_in_view;
	how.data = ask;
	how.cwd = "/";
	r = sandbox_capture(&how, HEADERS_TIMEOUT_MS, HEADERS_MAX_ANSWER, &out, &status,
			    err);
	if (r < 0)
		return r;
	if (status != 0)
		return kg_fail(err, -KGE_SANDBOX,
			       "%s: cannot look at its headers (status %d)", ask->release,
			       status);
	return scan_read(str_get(&out), out.len, ret_answer, err);
}

static int headers_fill(const struct scan_ask *ask, const struct scan_answer *answer,
			struct arena *arena, struct kg_headers *ret_headers)
{
	const char *config = arena_strdup(arena, answer->config);
	struct kg_headers headers = {
		.source_dir = arena_strdup(arena, ask->source_dir),
		.identity = arena_strdup(arena, answer->found.identity),
		.config = config,
		.symvers = arena_printf(arena, "%s/Module.symvers", ask->source_dir),
	};

	if (arena->failed)
		return -ENOMEM;
	headers.sig_hash = kconfig_sig_hash(config, arena);
	headers.compression = strcmp(answer->suffix, SCAN_NO_SUFFIX) == 0
				      ? kconfig_compression(config)
				      : arena_strdup(arena, answer->suffix);
	if (arena->failed)
		return -ENOMEM;
	*ret_headers = headers;
	return 0;
}

int headers_find(const struct kg_system *sys, const struct sandbox *view,
		 const char *release, const char *source_dir, struct arena *arena,
		 struct kg_headers *ret_headers, struct kg_err *err)
{
	_cleanup_close_ int memory_fd = memory_open_dir(sys);
	_cleanup_str_ struct str standard = { 0 };
	struct memory memory = { 0 };
	struct scan_answer answer = { 0 };
	struct scan_ask ask = { .release = release, .known = memory.known };
	int r;

	if (!name_is_word(release))
		return kg_fail(err, -EINVAL, "not a kernel release: '%s'", release);
	if (source_dir != NULL && source_dir[0] != '/')
		return kg_fail(err, -EINVAL, "not an absolute path: '%s'", source_dir);
	str_addf(&standard, "/lib/modules/%s/build", release);
	r = memory_name(&memory, release, source_dir);
	if (r < 0 || !str_ok(&standard))
		return kg_fail_errno(err, r < 0 ? r : -ENOMEM, "headers of %s", release);
	memory_read(&memory, memory_fd);
	ask.n_known = memory.n;
	ask.source_dir = source_dir != NULL ? source_dir : standard.p;
	r = headers_scan(view, &ask, &answer, err);
	if (r < 0)
		return r;
	memory_write(&memory, memory_fd, &answer.found);
	r = headers_fill(&ask, &answer, arena, ret_headers);
	scan_answer_fini(&answer);
	return r == 0 ? 0 : kg_fail_errno(err, r, "headers of %s", release);
}
