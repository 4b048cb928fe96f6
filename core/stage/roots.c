// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stage/roots.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "core/base/fd.h"

#define ROOTS_MAX_MAKEFILE (4u * 1024 * 1024)
#define ROOTS_MAX 64u

struct roots {
	int root_fd;
	struct strv *found; /* canonical paths of trees, so far */
	struct kg_err *err;
};

/* ---- canonical paths ---- */

/* Where a directory really is, below the root; by getcwd(), which needs no /proc. */
static int dir_path(int root_fd, int fd, struct str *out)
{
	char root[PATH_MAX];
	char path[PATH_MAX];
	size_t n;

	if (fchdir(root_fd) < 0 || getcwd(root, sizeof(root)) == NULL)
		return -errno;
	if (fchdir(fd) < 0 || getcwd(path, sizeof(path)) == NULL)
		return -errno;
	n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (path[0] != '/' || strncmp(path, root, n) != 0)
		return -KGE_HOSTILE;
	str_clear(out);
	str_add(out, path[n] != '\0' ? path + n : "/");
	return str_ok(out) ? 0 : -ENOMEM;
}

int roots_real_dir(int root_fd, const char *path, struct str *ret_path)
{
	_cleanup_close_ int fd = fd_try_open_in(root_fd, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : dir_path(root_fd, fd, ret_path);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static size_t count_components(const char *path)
{
	size_t n = 0;

	for (; *path != '\0'; path++)
		n += path[0] == '/' && path[1] != '/' && path[1] != '\0';
	return n;
}

/*
 * One more tree, unless it is known, holds a known one (a link to "..": the rest is not the
 * build's business), or is a top folder such as /usr.
 */
static int roots_add_root(struct roots *s, const char *path)
{
	if (count_components(path) < 2)
		return 0;
	for (size_t i = 0; i < s->found->n; i++)
		if (is_below(path, s->found->v[i]) || is_below(s->found->v[i], path))
			return 0;
	if (s->found->n >= ROOTS_MAX)
		return kg_fail(s->err, -KGE_LIMIT,
			       "headers spread over too many folders");
	strv_add(s->found, path);
	return strv_ok(s->found) ? 0 : -ENOMEM;
}

static int roots_add_dir(struct roots *s, const char *path)
{
	_cleanup_str_ struct str real = { 0 };
	int r = roots_real_dir(s->root_fd, path, &real);

	return r == 0 ? roots_add_root(s, str_get(&real))
		      : 0; /* what is not there cannot be used */
}

/* ---- the trees a tree leads to ---- */

static int roots_add_links(struct roots *s, const char *root)
{
	_cleanup_close_ int fd = fd_try_open_in(s->root_fd, root, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fd_list(fd);
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		_cleanup_str_ struct str path = { 0 };
		struct stat st;
		int r;

		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISLNK(st.st_mode))
			continue;
		str_addf(&path, "%s/%s", root, entry->d_name);
		r = str_ok(&path) ? roots_add_dir(s, path.p) : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

/* The file @name of @dir by itself, when its folder is no header tree. */
static int roots_add_file(struct roots *s, const char *dir, const char *name)
{
	_cleanup_str_ struct str real = { 0 };
	struct stat st;

	if (roots_real_dir(s->root_fd, dir[0] != '\0' ? dir : "/", &real) < 0)
		return 0;
	str_addf(&real, "/%s", name);
	if (!str_ok(&real))
		return -ENOMEM;
	if (fd_lstat_in(s->root_fd, real.p, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	return roots_add_root(s, str_get(&real));
}

/* @word, as a Makefile in @root names it: the tree of another Makefile, or a lone file. */
static int roots_add_include(struct roots *s, const char *root, const char *word)
{
	_cleanup_str_ struct str path = { 0 };
	char *slash;

	if (word[0] != '/')
		str_addf(&path, "%s/", root);
	str_add(&path, word);
	if (!str_ok(&path))
		return -ENOMEM;
	slash = strrchr(path.p, '/');
	*slash = '\0';
	if (strcmp(slash + 1, "Makefile") == 0)
		return roots_add_dir(s, path.p);
	return roots_add_file(s, path.p, slash + 1);
}

/* The next word of [*@p, @end); false at the end. Words with variables are not for us. */
static bool next_word(const char **p, const char *end, char ret_word[PATH_MAX])
{
	const char *start;
	size_t n;

	while (*p < end && isblank((unsigned char)**p))
		(*p)++;
	start = *p;
	while (*p < end && !isblank((unsigned char)**p) && **p != '#')
		(*p)++;
	n = (size_t)(*p - start);
	if (n == 0 || n >= PATH_MAX)
		return false;
	memcpy(ret_word, start, n);
	ret_word[n] = '\0';
	return true;
}

/* "include /usr/src/linux-headers-R-common/Makefile", "MAKEARGS := -C /usr/src/linux O=..." */
static int roots_read_line(struct roots *s, const char *root, const char *p,
			   const char *end)
{
	char word[PATH_MAX];
	bool is_include;
	int r = 0;

	if (!next_word(&p, end, word))
		return 0;
	is_include = strcmp(word, "include") == 0 || strcmp(word, "-include") == 0 ||
		     strcmp(word, "sinclude") == 0;
	if (!is_include && strcmp(word, "MAKEARGS") != 0)
		return 0;
	while (r == 0 && next_word(&p, end, word)) {
		if (is_include && strchr(word, '$') == NULL)
			r = roots_add_include(s, root, word);
		if (!is_include && strcmp(word, "-C") == 0 && next_word(&p, end, word))
			r = roots_add_dir(s, word);
	}
	return r;
}

static int roots_add_includes(struct roots *s, const char *root)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	str_addf(&path, "%s/Makefile", root);
	if (!str_ok(&path))
		return -ENOMEM;
	if (fd_read_file_in(s->root_fd, path.p, ROOTS_MAX_MAKEFILE, &text, &len, NULL) <
	    0)
		return 0;
	for (const char *p = text; p < text + len;) {
		const char *end = memchr(p, '\n', (size_t)(text + len - p));

		end = end != NULL ? end : text + len;
		r = roots_read_line(s, root, p, end);
		if (r < 0)
			return r;
		p = end + 1;
	}
	return 0;
}

int roots_find(int root_fd, const char *first, struct strv *ret_roots, struct kg_err *err)
{
	struct roots s = { .root_fd = root_fd, .found = ret_roots, .err = err };
	int r = roots_add_root(&s, first);

	if (r == 0 && ret_roots->n == 0)
		return kg_fail(err, -KGE_NO_HEADERS, "%s is a top folder, not headers",
			       first);
	for (size_t i = 0; r == 0 && i < ret_roots->n; i++) {
		const char *root = ret_roots->v[i];

		r = roots_add_links(&s, root);
		if (r == 0)
			r = roots_add_includes(&s, root);
	}
	return r;
}
