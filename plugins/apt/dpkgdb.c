// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/dpkgdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "plugins/apt/verdict.h"

#define STATUS_PATH "/var/lib/dpkg/status"
#define STATUS_MAX (256u << 20)
#define LIST_MAX (64u << 20)

/* The value's first line of "Name: value"; folded fields of status are of no interest here. */
static bool take_field(const char *line, const char *name, const char **ret)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0 || line[len] != ':')
		return false;
	line += len + 1;
	*ret = line + strspn(line, " \t");
	return true;
}

static void take_line(struct db_package *p, const char **status, const char *line)
{
	const char *size = NULL;

	switch (line[0]) {
	case 'P':
		(void)(take_field(line, "Package", &p->name) ||
		       take_field(line, "Provides", &p->provides) ||
		       take_field(line, "Pre-Depends", &p->pre_depends));
		return;
	case 'A':
		(void)take_field(line, "Architecture", &p->arch);
		return;
	case 'V':
		(void)take_field(line, "Version", &p->version);
		return;
	case 'M':
		(void)take_field(line, "Multi-Arch", &p->multi_arch);
		return;
	case 'D':
		(void)take_field(line, "Depends", &p->depends);
		return;
	case 'S':
		(void)take_field(line, "Status", status);
		return;
	case 'I':
		if (take_field(line, "Installed-Size", &size) &&
		    parse_u64(size, &p->installed_kib) < 0)
			p->installed_kib = 0;
		return;
	default:
		return;
	}
}

/* "install ok installed": what the last word says about files on disk. */
static bool has_files(const char *status)
{
	return !str_ends(status, " not-installed") && !str_ends(status, " config-files");
}

/* The stanza at @p, cut into lines; returns where the next one begins. */
static char *take_stanza(char *p, struct db_package *ret, bool *ret_counts)
{
	const char *status = "";

	*ret = (struct db_package){ .name = "",
				    .arch = "",
				    .version = "",
				    .multi_arch = "",
				    .depends = "",
				    .pre_depends = "",
				    .provides = "" };
	while (*p != '\0' && *p != '\n') {
		char *end = strchrnul(p, '\n');
		bool is_last = *end == '\0';

		*end = '\0';
		take_line(ret, &status, p);
		p = is_last ? end : end + 1;
	}
	*ret_counts =
		ret->name[0] != '\0' && ret->version[0] != '\0' && has_files(status);
	return p + strspn(p, "\n");
}

static size_t count_stanzas(const char *text)
{
	size_t n = 1;

	for (const char *p = strstr(text, "\n\n"); p != NULL; p = strstr(p + 2, "\n\n"))
		n++;
	return n;
}

int db_open(struct db *db, struct kg_err *err)
{
	_cleanup_close_ int fd = open(STATUS_PATH, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;
	char *p;

	*db = (struct db){ 0 };
	if (r == 0)
		r = fd_read_all(fd, STATUS_MAX, &db->text, NULL);
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read %s", STATUS_PATH);
	db->packages = calloc(count_stanzas(db->text), sizeof(*db->packages));
	if (db->packages == NULL) {
		db_close(db);
		return kg_fail_errno(err, -ENOMEM, "cannot read %s", STATUS_PATH);
	}
	for (p = db->text + strspn(db->text, "\n"); *p != '\0';) {
		bool counts;

		p = take_stanza(p, &db->packages[db->n], &counts);
		db->n += counts;
	}
	return 0;
}

void db_close(struct db *db)
{
	free(db->text);
	free(db->packages);
	*db = (struct db){ 0 };
}

const struct db_package *db_find(const struct db *db, const char *name, const char *arch)
{
	for (size_t i = 0; i < db->n; i++)
		if (strcmp(db->packages[i].name, name) == 0 &&
		    (arch == NULL || strcmp(db->packages[i].arch, arch) == 0))
			return &db->packages[i];
	return NULL;
}

int db_each_file(const char *list_path, db_line_fn *each, void *data)
{
	_cleanup_close_ int fd = open(list_path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, LIST_MAX, &text, NULL);

	if (r < 0 || text == NULL)
		return r;
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");

		if (len > 0 && !each(p, len, data))
			return 0;
		p += len + (p[len] == '\n');
	}
	return 0;
}

int db_each_file_of(const struct db_package *p, db_line_fn *each, void *data)
{
	char path[PATH_MAX];
	struct stat st;
	int r = verdict_stat_list(p->name, p->arch, p->multi_arch, &st, path,
				  sizeof(path));

	return r < 0 ? r : db_each_file(path, each, data);
}

struct owner_search {
	const char *path;
	size_t len;
	bool is_found;
};

static bool compare_path(const char *path, size_t len, void *data)
{
	struct owner_search *s = data;

	s->is_found = len == s->len && memcmp(path, s->path, len) == 0;
	return !s->is_found;
}

const struct db_package *db_owner(const struct db *db, const char *path)
{
	for (size_t i = 0; i < db->n; i++) {
		struct owner_search s = { .path = path, .len = strlen(path) };

		(void)db_each_file_of(&db->packages[i], compare_path, &s);
		if (s.is_found)
			return &db->packages[i];
	}
	return NULL;
}
