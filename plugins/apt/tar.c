// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/tar.h"

#include <errno.h>
#include <string.h>

#define TAR_BLOCK 512u
#define TAR_NAME_MAX (64u << 10)
#define TAR_MAX_BYTES (16ull << 30)
#define TAR_MAX_ENTRIES 2000000u

struct tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};

void tar_init(struct tar *t, struct unzip *z)
{
	*t = (struct tar){ .z = z };
}

void tar_fini(struct tar *t)
{
	str_fini(&t->name);
}

/* Exactly @len bytes; 0 at a clean end when @len is a whole block and none came. */
static int take_bytes(struct tar *t, void *data, size_t len)
{
	ssize_t n = unzip_read(t->z, data, len);

	if (n < 0)
		return (int)n;
	t->n_bytes += (uint64_t)n;
	if (t->n_bytes > TAR_MAX_BYTES)
		return -KGE_LIMIT;
	if (n == 0)
		return 0;
	return (size_t)n == len ? 1 : -KGE_FORMAT;
}

static int skip_rest(struct tar *t)
{
	char scrap[16384];

	while (t->left > 0) {
		size_t n = t->left < sizeof(scrap) ? (size_t)t->left : sizeof(scrap);
		int r = take_bytes(t, scrap, n);

		if (r <= 0)
			return r < 0 ? r : -KGE_FORMAT;
		t->left -= n;
	}
	return 0;
}

/* Octal, or base 256 when the first bit is set (GNU, for sizes over 8 GiB). */
static int parse_number(const char *field, size_t len, uint64_t *ret)
{
	uint64_t value = 0;

	if (((unsigned char)field[0] & 0x80) != 0) {
		for (size_t i = len - 8; i < len; i++)
			value = value << 8 | (unsigned char)field[i];
		*ret = value;
		return value > TAR_MAX_BYTES ? -KGE_LIMIT : 0;
	}
	for (size_t i = 0; i < len && field[i] != '\0' && field[i] != ' '; i++) {
		if (field[i] < '0' || field[i] > '7')
			return -KGE_FORMAT;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	*ret = value;
	return 0;
}

static bool checksum_fits(const struct tar_header *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	uint64_t want;
	uint64_t sum = 0;
	size_t lead = strspn(h->checksum, " ");

	if (lead >= sizeof(h->checksum) ||
	    parse_number(h->checksum + lead, sizeof(h->checksum) - lead, &want) < 0)
		return false;
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	for (size_t i = 0; i < sizeof(h->checksum); i++)
		sum += (uint64_t)' ' - (unsigned char)h->checksum[i];
	return sum == want;
}

static bool is_empty_block(const struct tar_header *h)
{
	const char *bytes = (const char *)h;

	for (size_t i = 0; i < sizeof(*h); i++)
		if (bytes[i] != '\0')
			return false;
	return true;
}

static void header_name(const struct tar_header *h, struct str *out)
{
	str_clear(out);
	if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0] != '\0') {
		str_addn(out, h->prefix, strnlen(h->prefix, sizeof(h->prefix)));
		str_addc(out, '/');
	}
	str_addn(out, h->name, strnlen(h->name, sizeof(h->name)));
}

/* The value of "path" among pax records "LEN KEY=VALUE\n"; empty when there is none. */
static void pax_path(const struct str *records, struct str *out)
{
	const char *p = str_get(records);
	const char *end = p + records->len;

	while (p < end) {
		size_t digits = strspn(p, "0123456789");
		uint64_t len;

		if (parse_u64n(p, digits, &len) < 0 || len <= digits + 2 ||
		    len > (size_t)(end - p))
			return;
		if (len > digits + 7 && memcmp(p + digits, " path=", 6) == 0) {
			str_clear(out);
			str_addn(out, p + digits + 6, (size_t)len - digits - 7);
		}
		p += len;
	}
}

int tar_read(struct tar *t, size_t max, struct str *out)
{
	uint64_t left = t->size;
	char part[16384];

	if (t->size > max)
		return -KGE_LIMIT;
	while (left > 0) {
		size_t n = left < sizeof(part) ? (size_t)left : sizeof(part);
		int r = take_bytes(t, part, n);

		if (r <= 0)
			return r < 0 ? r : -KGE_FORMAT;
		str_addn(out, part, n);
		left -= n;
		t->left -= n;
	}
	return str_ok(out) ? 0 : -ENOMEM;
}

static int next_header(struct tar *t, struct tar_header *h)
{
	int r = skip_rest(t);

	if (r < 0)
		return r;
	r = take_bytes(t, h, sizeof(*h));
	if (r <= 0 || is_empty_block(h))
		return r < 0 ? r : 0;
	if (!checksum_fits(h) || parse_number(h->size, sizeof(h->size), &t->size) < 0)
		return -KGE_FORMAT;
	if (++t->n_entries > TAR_MAX_ENTRIES)
		return -KGE_LIMIT;
	t->type = h->type == '\0' ? '0' : h->type;
	/* Links and folders have no content, whatever their size field says. */
	if (t->type >= '1' && t->type <= '6')
		t->size = 0;
	t->left = (t->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	return 1;
}

/* A header that only tells the next one's name: @long_name gets it. */
static int take_long_name(struct tar *t, struct str *long_name)
{
	_cleanup_str_ struct str content = { 0 };
	int r = tar_read(t, TAR_NAME_MAX, &content);

	if (r < 0)
		return r;
	if (t->type == 'L') {
		str_clear(long_name);
		str_add(long_name, str_get(&content));
	} else {
		pax_path(&content, long_name);
	}
	return 0;
}

int tar_next(struct tar *t)
{
	_cleanup_str_ struct str long_name = { 0 };
	struct tar_header h;
	int r;

	while ((r = next_header(t, &h)) > 0) {
		if (t->type == 'L' || t->type == 'x') {
			r = take_long_name(t, &long_name);
			if (r < 0)
				return r;
			continue;
		}
		if (t->type == 'K' || t->type == 'g')
			continue;
		header_name(&h, &t->name);
		if (long_name.len > 0) {
			str_clear(&t->name);
			str_addn(&t->name, long_name.p, long_name.len);
		}
		return str_ok(&t->name) && str_ok(&long_name) ? 1 : -ENOMEM;
	}
	return r;
}
