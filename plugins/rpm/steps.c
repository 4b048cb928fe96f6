// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/steps.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/rpm/client.h"
#include "plugins/rpm/cache.h"

#define FILE_MAX (4u << 20)
#define CACHE_DIR "/var/cache/zypp/packages"
#define CACHE_DEPTH 4u
#define NEAR_DEPTH 1u

/* Only root's own files are believed: /run/kmodgate is his. */
static int read_lines(const char *path, struct strv *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, FILE_MAX, &text, NULL);

	for (const char *p = text; r == 0 && *p != '\0';) {
		size_t len = strcspn(p, "\n");

		strv_addn(ret, p, len);
		p += len + (p[len] == '\n');
	}
	return r == 0 && !strv_ok(ret) ? -ENOMEM : r;
}

bool steps_are_judged(pid_t pid, const struct strv *paths)
{
	_cleanup_strv_ struct strv judged = { 0 };
	char path[64];

	snprintf(path, sizeof(path), CLIENT_JUDGED_FORMAT, pid);
	if (read_lines(path, &judged) < 0)
		return false;
	for (size_t i = 0; i < paths->n; i++)
		if (!strv_has(&judged, paths->v[i]))
			return false;
	return true;
}

int steps_note_judged(pid_t pid, const struct txn *txn, struct kg_err *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_str_ struct str text = { 0 };
	char path[64];
	int r;

	snprintf(path, sizeof(path), CLIENT_JUDGED_FORMAT, pid);
	for (size_t i = 0; i < txn->n; i++)
		if (package_comes(&txn->packages[i]))
			str_addf(&text, "%s\n", txn->packages[i].path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, str_get(&text), text.len);
	return r < 0 ? kg_fail_errno(err, r, "cannot write %s", path) : 0;
}

/* ---- from names to archives ---- */

struct wanted {
	struct txn *txn;
	const struct strv *names; /* NAME-VERSION-RELEASE.ARCH.rpm */
};

static void take_wanted(const char *path, const char *name, void *data)
{
	struct wanted *w = data;
	struct kg_err err = { 0 };

	if (strv_has(w->names, name) && txn_add_archive(w->txn, path, &err) < 0)
		fprintf(stderr, "kmodgate: warning: %s\n", kg_err_text(&err, err.code));
}

static void find_archives(struct txn *txn, const struct strv *names, const char *near)
{
	struct wanted w = { .txn = txn, .names = names };
	const char *slash = near != NULL ? strrchr(near, '/') : NULL;
	char dir[PATH_MAX];

	archives_find(CACHE_DIR, CACHE_DEPTH, take_wanted, &w);
	if (slash == NULL || str_starts(near, CACHE_DIR "/"))
		return;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - near), near);
	archives_find(dir, NEAR_DEPTH, take_wanted, &w);
}

/* "+ NAME-VERSION-RELEASE.ARCH" comes, "- ..." goes. */
int steps_add(pid_t pid, const char *near, struct txn *txn, struct kg_err *err)
{
	_cleanup_strv_ struct strv lines = { 0 };
	_cleanup_strv_ struct strv names = { 0 };
	char path[64];
	int r;

	snprintf(path, sizeof(path), CLIENT_JUDGED_FORMAT, pid);
	if (access(path, F_OK) == 0)
		return 0;
	snprintf(path, sizeof(path), CLIENT_STEPS_FORMAT, pid);
	r = read_lines(path, &lines);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read %s", path);
	for (size_t i = 0; i < lines.n; i++)
		if (str_starts(lines.v[i], "+ "))
			strv_addf(&names, "%s.rpm", lines.v[i] + 2);
	if (!strv_ok(&names))
		return kg_fail_errno(err, -ENOMEM, "reading the steps");
	find_archives(txn, &names, near);
	for (size_t i = 0; r == 0 && i < lines.n; i++)
		if (str_starts(lines.v[i], "- "))
			r = txn_add_installed_name(txn, lines.v[i] + 2, err);
	return r;
}
