// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/stage/roots.h"
#include "core/stage/tree.h"

#define SCAN_MAX_CONFIG (8u * 1024 * 1024)

struct scan {
	int root_fd;
	const struct scan_ask *ask;
	struct strv roots; /* what a build reads */
	struct kg_err *err;
};

static int scan_missing(const struct scan *s, const char *why)
{
	return kg_fail(s->err, -KGE_NO_HEADERS, "%s: no headers for this kernel: %s",
		       s->ask->release, why);
}

/* ---- is it a header tree? ---- */

static bool scan_has(const struct scan *s, const char *dir, const char *name)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int fd = -1;

	str_addf(&path, "%s/%s", dir, name);
	if (!str_ok(&path))
		return false;
	fd = fd_try_open_in(s->root_fd, path.p, O_PATH);
	return fd >= 0;
}

static int scan_fail_open(const struct scan *s, int code)
{
	const char *dir = s->ask->source_dir;
	_cleanup_str_ struct str why = { 0 };
	char target[256];
	_cleanup_close_ int fd = fd_try_open_in(s->root_fd, dir, O_PATH | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);

	if (fd < 0)
		str_addf(&why, "%s is not there", dir);
	else if (n >= 0)
		str_addf(&why, "%s leads to %.*s: %s", dir, (int)n, target,
			 kg_strerror(code));
	else
		str_addf(&why, "%s: %s", dir, kg_strerror(code));
	return scan_missing(s, str_get(&why));
}

static int scan_check(const struct scan *s, const char *dir)
{
	static const char *const needed[] = { "Makefile", "Module.symvers" };
	_cleanup_str_ struct str why = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!scan_has(s, dir, needed[i])) {
			str_addf(&why, "%s has no %s", dir, needed[i]);
			return scan_missing(s, str_get(&why));
		}
	if (scan_has(s, dir, ".config") || scan_has(s, dir, "include/config/auto.conf"))
		return 0;
	str_addf(&why, "%s is not configured (no .config)", dir);
	return scan_missing(s, str_get(&why));
}

static int scan_read_config(const struct scan *s, const char *dir,
			    struct scan_answer *answer)
{
	_cleanup_str_ struct str path = { 0 };
	int r;

	str_addf(&path, "%s/.config", dir);
	if (!scan_has(s, dir, ".config")) {
		str_clear(&path);
		str_addf(&path, "/boot/config-%s", s->ask->release);
	}
	if (!str_ok(&path))
		return -ENOMEM;
	r = fd_read_file_in(s->root_fd, path.p, SCAN_MAX_CONFIG, &answer->config,
			    &answer->config_len, NULL);
	if (r == -ENOENT) {
		answer->config = strdup("");
		return answer->config != NULL ? 0 : -ENOMEM;
	}
	return r == 0 ? 0 : kg_fail_errno(s->err, r, "cannot read %s", path.p);
}

/* ---- the kernel's own modules ---- */

static const char *module_suffix(const char *name)
{
	const char *ko = strstr(name, ".ko");

	while (ko != NULL && !scan_is_suffix(ko + 3))
		ko = strstr(ko + 3, ".ko");
	return ko != NULL ? ko + 3 : NULL;
}

/* Takes the suffix of the first module below @dir_fd; false when there is none. */
static bool find_module(int dir_fd, unsigned int depth, struct scan_answer *answer)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		const char *suffix = module_suffix(entry->d_name);
		_cleanup_close_ int sub_fd = -1;

		if (suffix != NULL) {
			snprintf(answer->suffix, sizeof(answer->suffix), "%s", suffix);
			return true;
		}
		if (depth > 32 ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		sub_fd = openat(dir_fd, entry->d_name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub_fd >= 0 && find_module(sub_fd, depth + 1, answer))
			return true;
	}
	return false;
}

static int scan_find_suffix(const struct scan *s, struct scan_answer *answer)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int fd = -1;

	str_addf(&path, "/lib/modules/%s/kernel", s->ask->release);
	if (!str_ok(&path))
		return -ENOMEM;
	snprintf(answer->suffix, sizeof(answer->suffix), "%s", SCAN_NO_SUFFIX);
	fd = fd_try_open_in(s->root_fd, path.p, O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		find_module(fd, 0, answer);
	return 0;
}

/* ---- identity ---- */

static bool scan_recall(const struct scan *s, struct scan_known *found)
{
	for (size_t i = 0; i < s->ask->n_known; i++)
		if (strcmp(s->ask->known[i].stat_hex, found->stat_hex) == 0) {
			*found = s->ask->known[i];
			return true;
		}
	return false;
}

static int scan_digest(struct scan *s, struct scan_known *found)
{
	struct tree tree = { .root_fd = s->root_fd };
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->roots.n; i++)
		r = tree_add(&tree, s->roots.v[i], s->err);
	if (r == 0) {
		tree_sort(&tree);
		r = tree_digest_stat(&tree, found->stat_hex);
	}
	if (r == 0 && !scan_recall(s, found))
		r = tree_digest_content(&tree, found->identity, s->err);
	tree_fini(&tree);
	return r;
}

static int scan_all(struct scan *s, struct scan_answer *answer)
{
	_cleanup_str_ struct str real = { 0 };
	int r = roots_real_dir(s->root_fd, s->ask->source_dir, &real);

	if (r < 0)
		return scan_fail_open(s, r);
	r = scan_check(s, str_get(&real));
	if (r == 0)
		r = scan_read_config(s, str_get(&real), answer);
	if (r == 0)
		r = scan_find_suffix(s, answer);
	if (r == 0)
		r = roots_find(s->root_fd, str_get(&real), &s->roots, s->err);
	if (r == 0)
		r = scan_digest(s, &answer->found);
	return r;
}

int scan_headers(int root_fd, const struct scan_ask *ask, struct scan_answer *ret_answer,
		 struct kg_err *err)
{
	struct scan s = { .root_fd = root_fd, .ask = ask, .err = err };
	struct scan_answer answer = { 0 };
	int r = scan_all(&s, &answer);

	strv_fini(&s.roots);
	if (r < 0) {
		scan_answer_fini(&answer);
		return kg_fail_errno(err, r, "%s: cannot look at its headers",
				     ask->release);
	}
	*ret_answer = answer;
	return 0;
}
