// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/deb.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fd.h"
#include "plugins/apt/tar.h"

#define AR_MAGIC "!<arch>\n"
#define CONTROL_MAX (64u << 20)
#define AR_MEMBERS_MAX 16

struct ar_header {
	char name[16];
	char mtime[12];
	char uid[6];
	char gid[6];
	char mode[8];
	char size[10];
	char end[2];
};

/* Where one member of the .deb is. */
struct deb_member {
	uint64_t offset;
	uint64_t len;
	enum unzip_kind kind;
};

static int read_at(int fd, void *data, size_t len, uint64_t offset)
{
	ssize_t n;

	do {
		n = pread(fd, data, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -KGE_FORMAT;
}

static bool kind_of_suffix(const char *suffix, size_t len, enum unzip_kind *ret)
{
	static const struct {
		const char *suffix;
		enum unzip_kind kind;
	} all[] = { { "", UNZIP_PLAIN },
		    { ".gz", UNZIP_GZ },
		    { ".xz", UNZIP_XZ },
		    { ".lzma", UNZIP_XZ },
		    { ".zst", UNZIP_ZSTD } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strlen(all[i].suffix) == len &&
		    memcmp(all[i].suffix, suffix, len) == 0) {
			*ret = all[i].kind;
			return true;
		}
	}
	return false;
}

/* 1: it is @stem; 0: another member. */
static int match_member(const struct ar_header *h, const char *stem, struct deb_member *m)
{
	size_t stem_len = strlen(stem);
	size_t len = strcspn(h->name, " /");

	if (len > sizeof(h->name))
		len = sizeof(h->name);
	if (len < stem_len || memcmp(h->name, stem, stem_len) != 0)
		return 0;
	if (!kind_of_suffix(h->name + stem_len, len - stem_len, &m->kind))
		return -EPROTONOSUPPORT;
	return 1;
}

static int find_member(int fd, const char *stem, struct deb_member *ret)
{
	uint64_t at = strlen(AR_MAGIC);

	for (int i = 0; i < AR_MEMBERS_MAX; i++) {
		struct ar_header h;
		int r = read_at(fd, &h, sizeof(h), at);

		if (r < 0)
			return r;
		if (memcmp(h.end, "`\n", 2) != 0 ||
		    parse_u64n(h.size, strspn(h.size, "0123456789"), &ret->len) < 0)
			return -KGE_FORMAT;
		ret->offset = at + sizeof(h);
		r = match_member(&h, stem, ret);
		if (r != 0)
			return r < 0 ? r : 0;
		at = ret->offset + ret->len + (ret->len & 1);
	}
	return -KGE_FORMAT;
}

static bool is_script(const char *name)
{
	return strcmp(name, "postinst") == 0 || strcmp(name, "preinst") == 0 ||
	       strcmp(name, "prerm") == 0;
}

static int take_control_member(struct deb *deb, struct tar *t)
{
	size_t len = t->name.len;
	const char *name = str_get(&t->name);
	_cleanup_str_ struct str script = { 0 };
	int r = 0;

	if (str_starts(name, "./")) {
		name += 2;
		len -= 2;
	}
	if (len == 0 || t->type != '0')
		return 0;
	if (strcmp(name, "control") == 0)
		return tar_read(t, CONTROL_MAX, &deb->control);
	if (strcmp(name, "md5sums") == 0)
		return tar_read(t, CONTROL_MAX, &deb->md5sums);
	if (is_script(name))
		r = tar_read(t, CONTROL_MAX, &script);
	if (memmem(str_get(&script), script.len, "dkms", 4) != NULL ||
	    memmem(str_get(&script), script.len, "/lib/modules", 12) != NULL)
		deb->talks_of_modules = true;
	return r;
}

static int read_control(struct deb *deb)
{
	struct deb_member m;
	struct unzip *z = NULL;
	struct tar t;
	int r = find_member(deb->fd, "control.tar", &m);

	if (r == 0)
		r = unzip_open(deb->fd, m.offset, m.len, m.kind, &z);
	if (r < 0)
		return r;
	tar_init(&t, z);
	while ((r = tar_next(&t)) > 0) {
		r = take_control_member(deb, &t);
		if (r < 0)
			break;
	}
	tar_fini(&t);
	unzip_close(z);
	return r;
}

int deb_open_fd(int fd, const char *path, struct deb *ret, struct kg_err *err)
{
	_cleanup_deb_ struct deb deb = DEB_INIT;
	char magic[8];
	int r;

	deb.fd = fd;
	r = read_at(deb.fd, magic, sizeof(magic), 0);
	if (r == 0 && memcmp(magic, AR_MAGIC, sizeof(magic)) != 0)
		r = -KGE_FORMAT;
	if (r == 0)
		r = read_control(&deb);
	if (r == 0 && deb.control.len == 0)
		r = -KGE_FORMAT;
	if (r < 0)
		return kg_fail_errno(err, r, "cannot read the package file %s", path);
	*ret = deb;
	deb = (struct deb)DEB_INIT;
	return 0;
}

int deb_open(const char *path, struct deb *ret, struct kg_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? kg_fail_errno(err, -errno, "cannot open %s", path)
		      : deb_open_fd(fd, path, ret, err);
}

void deb_close(struct deb *deb)
{
	closep(&deb->fd);
	deb->fd = -1;
	str_fini(&deb->control);
	str_fini(&deb->md5sums);
}

bool deb_is_whole(const struct deb *deb)
{
	struct deb_member m;
	struct stat st;

	return find_member(deb->fd, "data.tar", &m) == 0 && fstat(deb->fd, &st) == 0 &&
	       st.st_size >= 0 && m.offset + m.len >= m.offset &&
	       m.offset + m.len <= (uint64_t)st.st_size;
}

/* "0123456789abcdef0123456789abcdef  usr/bin/x" */
static void each_md5sum(const struct str *md5sums, deb_name_fn *each, void *data)
{
	const char *p = str_get(md5sums);
	const char *end = p + md5sums->len;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((line_end != NULL ? line_end : end) - p);

		if (len > 34)
			each(p + 34, len - 34, data);
		p += len + 1;
	}
}

static int each_member(const struct deb *deb, deb_name_fn *each, void *data)
{
	struct deb_member m;
	struct unzip *z = NULL;
	struct tar t;
	int r = find_member(deb->fd, "data.tar", &m);

	if (r == 0)
		r = unzip_open(deb->fd, m.offset, m.len, m.kind, &z);
	if (r < 0)
		return r;
	tar_init(&t, z);
	while ((r = tar_next(&t)) > 0)
		if (t.type != '5')
			each(str_get(&t.name), t.name.len, data);
	tar_fini(&t);
	unzip_close(z);
	return r;
}

int deb_each_name(const struct deb *deb, const char *path, enum deb_names which,
		  deb_name_fn *each, void *data, struct kg_err *err)
{
	int r;

	if (which == DEB_NAMES && deb->md5sums.len > 34) {
		each_md5sum(&deb->md5sums, each, data);
		return 0;
	}
	r = each_member(deb, each, data);
	return r < 0 ? kg_fail_errno(err, r, "cannot read the package file %s", path) : 0;
}

static const char *find_field(const char *control, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = control; p != NULL && *p != '\0' && *p != '\n';) {
		const char *end = strchr(p, '\n');

		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return p + len + 1;
		p = end != NULL ? end + 1 : NULL;
	}
	return NULL;
}

char *deb_field(const char *control, const char *name)
{
	const char *p = find_field(control, name);
	_cleanup_str_ struct str value = { 0 };

	if (p == NULL)
		return NULL;
	for (;;) {
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, "\n");
		str_addn(&value, p, len);
		p += len;
		if (p[0] != '\n' || (p[1] != ' ' && p[1] != '\t'))
			break;
		str_addc(&value, ' ');
		p++;
	}
	while (value.len > 0 &&
	       (value.p[value.len - 1] == ' ' || value.p[value.len - 1] == '\r'))
		value.p[--value.len] = '\0';
	return str_take(&value);
}

const char *deb_next_name(const char *field, const char **ret_name, size_t *ret_len)
{
	field += strspn(field, " ,|\t");
	if (*field == '\0')
		return NULL;
	*ret_name = field;
	*ret_len = strcspn(field, " ,|:(\t");
	return field + strcspn(field, ",|");
}
