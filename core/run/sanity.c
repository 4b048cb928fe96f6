// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Version sanity: a module that is not newer than the one the kernel has is left out. What the
 * kernel has is looked up by file name anywhere in lib/modules/R, as DKMS does.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/name.h"
#include "core/registry/registry.h"
#include "core/run/run.h"
#include "core/seal/seal.h"

#define WALK_DEPTH 32
#define FORCE_LIST_DIR "usr/share/dkms/modules_to_force_install"
#define FORCE_LIST_MAX_BYTES (1u << 20)

/* ---- which files there are ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

struct walk {
	const char *const *files; /* the names looked for */
	struct strv found;
};

static bool is_wanted(const struct walk *w, const char *name)
{
	for (size_t i = 0; w->files[i] != NULL; i++)
		if (name_is_same_module(base_name(w->files[i]), name))
			return true;
	return false;
}

static int walk_dir(struct walk *w, int dir_fd, const char *path, unsigned int depth);

static int walk_below(struct walk *w, int dir_fd, const char *path, const char *name,
		      unsigned int depth)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_str_ struct str below = { 0 };

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
	str_addf(&below, "%s%s/", path, name);
	return str_ok(&below) ? walk_dir(w, fd, str_get(&below), depth - 1) : -ENOMEM;
}

static bool is_regular(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_REG;
	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* Links are nobody's module: weak-updates and --symlink-modules are full of them. */
static int walk_dir(struct walk *w, int dir_fd, const char *path, unsigned int depth)
{
	_cleanup_dir_ DIR *dir = fd_list(dir_fd);
	struct dirent *entry;
	int r = 0;

	if (dir == NULL || depth == 0)
		return dir == NULL ? -errno : 0;
	while (r == 0 && (entry = fd_list_next(dir)) != NULL) {
		if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)
			r = walk_below(w, dir_fd, path, entry->d_name, depth);
		if (is_wanted(w, entry->d_name) && is_regular(dir_fd, entry))
			strv_addf(&w->found, "%s%s", path, entry->d_name);
	}
	return r;
}

static int find_modules(const struct kg_system *sys, const char *release, struct walk *w,
			struct kg_err *err)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_close_ int fd = -1;
	int r;

	str_addf(&path, "%s/%s", sys->install_tree, release);
	fd = fd_try_open_in(sys->root_fd, str_get(&path), O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : walk_dir(w, fd, "", WALK_DEPTH);
	strv_sort(
		&w->found); /* readdir has no order: what is archived where shall have one */
	if (r == 0 && !strv_ok(&w->found))
		r = -ENOMEM;
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot search /%s", str_get(&path));
}

/* ---- comparing two files ---- */

static int open_live(const struct run *run, const char *release, const char *file)
{
	_cleanup_str_ struct str path = { 0 };

	str_addf(&path, "%s/%s/%s", run->sys->install_tree, release, file);
	return fd_try_open_in(run->sys->root_fd, str_get(&path),
			      O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

static bool same_content(int a_fd, int b_fd)
{
	_cleanup_free_ char *a = NULL;
	_cleanup_free_ char *b = NULL;
	size_t n = 0;
	size_t m = 0;

	return fd_read_all(a_fd, 512u << 20, &a, &n) == 0 &&
	       fd_read_all(b_fd, 512u << 20, &b, &m) == 0 && n == m &&
	       memcmp(a, b, n) == 0;
}

struct compared {
	bool is_same_file;
	enum seal_order order; /* ours against what is there */
	struct seal_version ours;
	struct seal_version there;
};

/* What cannot be read is no reason to leave a module out. */
static int compare_live(struct run *run, const struct run_set *rs, const char *file,
			const char *live, struct compared *ret)
{
	_cleanup_close_ int ours_fd = openat(rs->set.sealed_fd, base_name(file),
					     O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int live_fd = open_live(run, rs->set.release, live);

	*ret = (struct compared){ .order = SEAL_OTHER };
	if (ours_fd < 0 || live_fd < 0)
		return ours_fd < 0 ? -errno : live_fd;
	ret->is_same_file = same_content(ours_fd, live_fd);
	if (ret->is_same_file) {
		ret->order = SEAL_SAME;
		return 0;
	}
	if (seal_read_version(ours_fd, &run->arena, &ret->ours, NULL) < 0 ||
	    seal_read_version(live_fd, &run->arena, &ret->there, NULL) < 0)
		return -EBADMSG;
	ret->order = seal_compare_versions(&ret->ours, &ret->there);
	return 0;
}

/* ---- force ---- */

static bool list_has_word(const char *text, const char *word)
{
	const size_t n = strlen(word);

	for (text += strspn(text, " \t\n"); *text != '\0';
	     text += strspn(text, " \t\n")) {
		size_t len = strcspn(text, " \t\n");

		if (len == n && memcmp(text, word, n) == 0)
			return true;
		text += len;
	}
	return false;
}

/* A word of any file in /usr/share/dkms/modules_to_force_install. */
static bool is_listed(const struct run *run, const char *name, const char *suffix)
{
	_cleanup_close_ int dir_fd =
		fd_try_open_in(run->sys->root_fd, FORCE_LIST_DIR, O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = dir_fd < 0 ? NULL : fd_list(dir_fd);
	_cleanup_str_ struct str word = { 0 };
	struct dirent *entry;
	bool found = false;

	str_addf(&word, "%s%s", name, suffix);
	while (!found && dir != NULL && (entry = fd_list_next(dir)) != NULL) {
		_cleanup_free_ char *text = NULL;

		if (name_is_plain(entry->d_name) &&
		    fd_read_file_in(dir_fd, entry->d_name, FORCE_LIST_MAX_BYTES, &text,
				    NULL, NULL) == 0)
			found = list_has_word(text, str_get(&word));
	}
	return found;
}

static bool checks_versions(const struct run *run, const struct run_item *item)
{
	const char *name = item->rs->set.name;

	if (item->is_forced ||
	    (run->target != NULL && run->target->force_version_override))
		return false;
	return !is_listed(run, name, "") && !is_listed(run, name, "_version-override");
}

/* ---- choosing ---- */

enum choice {
	CHOICE_INSTALL,
	CHOICE_LEAVE, /* not newer */
};

struct choosing {
	struct run *run;
	struct run_item *item;
	struct walk walk;
	bool is_active; /* some version of the package is installed: what is at our place is ours */
	bool is_orphan; /* and the source of that one is gone: it is about to go, however new */
	bool checks;
	enum choice *choices; /* of rs->set.files */
	size_t n_files;
};

static bool is_in_place_of(const char *found, const char *file)
{
	const char *slash = strrchr(file, '/');
	const size_t n = slash != NULL ? (size_t)(slash - file) + 1 : 0;

	return strncmp(found, file, n) == 0 && strchr(found + n, '/') == NULL &&
	       name_is_same_module(found + n, base_name(file));
}

static enum choice choose_against(struct choosing *c, const char *file, const char *live,
				  bool is_ours)
{
	const struct run_set *rs = c->item->rs;
	struct compared cmp;

	if (compare_live(c->run, rs, file, live, &cmp) < 0)
		return CHOICE_INSTALL;
	if (cmp.order != SEAL_OLDER && (is_ours || cmp.order != SEAL_SAME))
		return CHOICE_INSTALL;
	kg_info("%s: %s %s is not newer than %s %s; it is left out (--force installs it)",
		rs->set.release, base_name(file), cmp.ours.version ?: "", live,
		cmp.there.version ?: "");
	return CHOICE_LEAVE;
}

static bool is_placed_already(const struct choosing *c, const char *file,
			      const char *live)
{
	struct compared cmp;

	return is_in_place_of(live, file) &&
	       compare_live(c->run, c->item->rs, file, live, &cmp) == 0 &&
	       cmp.is_same_file;
}

/* With several of the name nobody can say which one counts: DKMS does not compare then. */
static enum choice choose_file(struct choosing *c, const char *file)
{
	const char *other = NULL;
	const char *own = NULL;
	size_t n = 0;

	for (size_t i = 0; c->checks && i < c->walk.found.n; i++) {
		const char *live = c->walk.found.v[i];

		if (!name_is_same_module(base_name(live), base_name(file)) ||
		    is_placed_already(c, file, live))
			continue;
		if (c->is_active && is_in_place_of(live, file)) {
			own = live;
			continue;
		}
		other = live;
		n++;
	}
	if (n == 1)
		return choose_against(c, file, other, false);
	return n == 0 && own != NULL && !c->is_orphan ? choose_against(c, file, own, true)
						      : CHOICE_INSTALL;
}

static int pick(struct choosing *c, enum choice choice, const char *const **ret_files)
{
	const char *const *files = c->item->rs->set.files;
	const char **v = arena_array(&c->run->arena, c->n_files + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < c->n_files; i++)
		if (c->choices[i] == choice)
			v[n++] = files[i];
	*ret_files = v;
	return v != NULL ? 0 : -ENOMEM;
}

/* The chosen file that would take @found's place in modprobe's eyes; NULL none. */
static const char *replacing(const struct choosing *c, const char *found)
{
	for (size_t i = 0; c->item->files[i] != NULL; i++)
		if (name_is_same_module(base_name(found), base_name(c->item->files[i])))
			return c->item->files[i];
	return NULL;
}

/* Everything else of the chosen names: somebody's is archived, what we had there goes. */
static int list_replaced(struct choosing *c)
{
	const size_t n = c->walk.found.n;
	const char **originals = arena_array(&c->run->arena, n + 1, sizeof(char *));
	const char **replaced = arena_array(&c->run->arena, n + 1, sizeof(char *));
	size_t n_originals = 0;
	size_t n_replaced = 0;

	if (originals == NULL || replaced == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *found = arena_strdup(&c->run->arena, c->walk.found.v[i]);
		const char *file = found != NULL ? replacing(c, found) : NULL;

		if (file == NULL)
			continue;
		if (!is_in_place_of(found, file))
			originals[n_originals++] = found;
		else if (c->is_active && strcmp(found, file) != 0)
			replaced[n_replaced++] = found;
		else if (!c->is_active && !is_placed_already(c, file, found))
			originals[n_originals++] = found;
	}
	c->item->originals = originals;
	c->item->replaced = replaced;
	return c->run->arena.failed ? -ENOMEM : 0;
}

bool run_is_same_module(const char *file, const char *other)
{
	return name_is_same_module(base_name(file), base_name(other));
}

static bool is_in_set(const struct run_set *rs, const char *file)
{
	for (const char *const *p = rs->set.files; *p != NULL; p++)
		if (run_is_same_module(*p, file))
			return true;
	return false;
}

/* The files of what is active; its source may be gone. Silent: then nobody can tell. */
static const char *const *list_active(struct choosing *c)
{
	const struct run_set *rs = c->item->rs;
	struct kg_source old = { .name = rs->set.name, .path = "" };
	const char *const *files = NULL;
	struct run_set active;

	if (reg_active_version(c->run->sys, old.name, rs->set.release, rs->arch,
			       &c->run->arena, &old.version, NULL) < 0 ||
	    old.version == NULL)
		return NULL;
	if (reg_find_source(c->run->sys, old.name, old.version, &c->run->arena, &old,
			    NULL) < 0)
		kg_debug("%s/%s is active, and its source is gone", old.name,
			 old.version);
	if (run_open_registered(c->run, &old, rs->set.release, rs->arch, &active) < 0)
		return NULL;
	if (run_list_ours(c->run, &active, &files, NULL) < 0)
		files = NULL;
	run_set_fini(&active);
	return files;
}

/* What is active is of another version, or was another set: nobody else takes its files away. */
static int list_dropped(struct choosing *c)
{
	const char *const *files = list_active(c);
	const char **dropped = NULL;
	size_t n = 0;

	for (; files != NULL && *files != NULL; files++) {
		const char **slot = is_in_set(c->item->rs, *files)
					    ? NULL
					    : ARENA_ADD(&c->run->arena, dropped, n);

		if (slot != NULL)
			*slot = *files;
	}
	(void)ARENA_ADD(&c->run->arena, dropped, n);
	c->item->dropped = dropped;
	return c->run->arena.failed ? -ENOMEM : 0;
}

static int choose(struct choosing *c, struct kg_err *err)
{
	const struct run_set *rs = c->item->rs;
	int r = find_modules(c->run->sys, rs->set.release, &c->walk, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_files; i++)
		c->choices[i] = choose_file(c, rs->set.files[i]);
	r = pick(c, CHOICE_INSTALL, &c->item->files);
	if (r == 0)
		r = pick(c, CHOICE_LEAVE, &c->item->left_out);
	if (r == 0)
		r = list_replaced(c);
	if (r == 0)
		r = list_dropped(c);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot choose the modules of %s",
				     rs->set.name);
	if (c->n_files > 0 && c->item->files[0] == NULL)
		return kg_fail(err, -KGE_OLDER,
			       "%s: %s/%s is not installed: none of its modules is newer "
			       "than what the kernel has (--force installs it)",
			       rs->set.release, rs->set.name, rs->set.version);
	return 0;
}

static void look_at_active(struct choosing *c)
{
	const struct run_set *rs = c->item->rs;
	struct kg_source source;
	const char *version = NULL;

	c->is_active =
		reg_active_version(c->run->sys, rs->set.name, rs->set.release, rs->arch,
				   &c->run->arena, &version, NULL) == 0 &&
		version != NULL;
	c->is_orphan = c->is_active &&
		       reg_find_source(c->run->sys, rs->set.name, version, &c->run->arena,
				       &source, NULL) == -KGE_BROKEN;
}

int run_choose_files(struct run *run, struct run_item *item, struct kg_err *err)
{
	struct choosing c = { .run = run,
			      .item = item,
			      .walk = { .files = item->rs->set.files } };
	int r;

	while (item->rs->set.files[c.n_files] != NULL)
		c.n_files++;
	c.choices = arena_array(&run->arena, c.n_files + 1, sizeof(*c.choices));
	if (c.choices == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s", item->rs->set.name);
	look_at_active(&c);
	c.checks = checks_versions(run, item);
	r = choose(&c, err);
	strv_fini(&c.walk.found);
	return r;
}

/* ---- what is ours ---- */

/* As DKMS: of the same version, so that a module signed anew by its owner still is. */
static bool is_ours(struct run *run, const struct run_set *rs, const char *file)
{
	struct compared cmp;
	int r = compare_live(run, rs, file, file, &cmp);

	if (r == -ENOENT)
		return false;
	if (r < 0 || cmp.is_same_file)
		return true;
	return strcmp(cmp.ours.version, cmp.there.version) == 0;
}

typedef bool is_wanted_fn(struct run *run, const struct run_set *rs, const char *file);

static int filter(struct run *run, const struct run_set *rs, const char *const *files,
		  is_wanted_fn *wanted, const char *const **ret_files)
{
	const char **v = NULL;
	size_t n = 0;

	for (; *files != NULL; files++) {
		const char **slot;

		if (!wanted(run, rs, *files))
			continue;
		slot = ARENA_ADD(&run->arena, v, n);
		if (slot != NULL)
			*slot = *files;
	}
	(void)ARENA_ADD(&run->arena, v, n);
	*ret_files = v;
	return run->arena.failed ? -ENOMEM : 0;
}

int run_list_ours(struct run *run, const struct run_set *rs,
		  const char *const **ret_files, struct kg_err *err)
{
	int r = filter(run, rs, rs->set.files, is_ours, ret_files);

	return r < 0 ? kg_fail_errno(err, r, "%s", rs->set.name) : 0;
}

static bool is_same(struct run *run, const struct run_set *rs, const char *file)
{
	struct compared cmp;

	return compare_live(run, rs, file, file, &cmp) == 0 && cmp.is_same_file;
}

int run_list_placed(struct run *run, const struct run_set *rs, const char *const *files,
		    const char *const **ret_files, struct kg_err *err)
{
	int r = filter(run, rs, files, is_same, ret_files);

	return r < 0 ? kg_fail_errno(err, r, "%s", rs->set.name) : 0;
}
